import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, encode, isQuery, MAX_RECEIVED_BYTES, MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import type { MachinetypeStatus, Message } from '../../src/vacquery/messages.js';
import { makeQuery } from '../../src/vacquery/messages.js';
import { statusArbitrary } from './arbitraries.js';
import { bytes, RECORDED, RECORDED_NAMES, type RecordedName, recorded } from './recorded.js';

function decoded(datagram: Uint8Array): Message {
  const result = decode(datagram);
  if (!result.ok) throw new Error(`refused: ${result.reason} ${result.field ?? ''}`);
  return result.message;
}

function encodedText(message: Message): string {
  const result = encode(message);
  if (!result.ok) throw new Error(`not encoded: ${result.reason}`);
  return new TextDecoder().decode(result.datagram);
}

/** A recorded datagram with some keys replaced; `undefined` removes a key. */
function altered(name: RecordedName, changes: Record<string, unknown>): Uint8Array {
  return bytes(JSON.stringify({ ...JSON.parse(RECORDED[name]), ...changes }));
}

describe('recorded datagrams', () => {
  it.each(RECORDED_NAMES)('%s comes back byte for byte, keys and number forms included', (name) => {
    // The recordings of replies and queries have their type in different places; so has ours.
    expect(encodedText(decoded(recorded(name)))).toBe(RECORDED[name]);
  });

  it('of the predecessor do not tell shares and groups: null, and left out when written', () => {
    expect(decoded(recorded('machinetypeRunning'))).toMatchObject({ target_share: null, machinegroup: null });
  });

  it('an empty slot has nulls where nothing is known, and no fqan', () => {
    expect(decoded(recorded('machineEmptySlot'))).toMatchObject({
      state: 'Shut down',
      machine_model: null,
      uuid: null,
      created_time: null,
      num_processors: 0,
      hs06: 0,
      machinetype: null,
      fqan: null,
    });
  });

  it('every key is either needed or may be missing, as the wire of other versions has it', () => {
    const optional: Partial<Record<RecordedName, string[]>> = {};
    for (const name of RECORDED_NAMES) {
      optional[name] = Object.keys(JSON.parse(RECORDED[name])).filter(
        (key) => decode(altered(name, { [key]: undefined })).ok,
      );
    }
    expect(optional.machinetypeRunning).toEqual([
      'vac_version',
      'daemon_version',
      'bytes_per_processor',
      'running_cpus',
      'running_processors',
      'shutdown_machine',
      'site',
      'fqan',
      'max_wallclock_seconds',
      'max_processors',
    ]);
    expect(optional.machinesQuery).toEqual(['vac_version', 'vacquery_version', 'method', 'message_type']);
    expect(optional.machinetypesQuery).toEqual(['vac_version', 'vacquery_version']);
  });
});

describe('other versions', () => {
  const draft2 = {
    vac_version: undefined,
    running_cpus: undefined,
    max_cpus: undefined,
    total_cpus: undefined,
    total_machines: undefined,
    total_hs06: undefined,
  };

  it('reads messages of the 2.0 draft, and writes both spellings', () => {
    const message = decoded(altered('factoryStatus', draft2));
    expect(JSON.parse(encodedText(message))).toEqual(JSON.parse(RECORDED.factoryStatus));
  });

  it('reads messages that have only the old spellings', () => {
    const old = altered('machinetypeRunning', { running_processors: undefined, daemon_version: undefined });
    expect(encodedText(decoded(old))).toBe(RECORDED.machinetypeRunning);
  });

  it('believes the newer spelling where the two differ', () => {
    expect(decoded(altered('machinetypeRunning', { running_cpus: 3 }))).toMatchObject({ running_processors: 9 });
  });

  it.each([
    ['machines', 'machines_query'],
    ['machinetypes', 'machinetypes_query'],
    ['factories', 'factory_query'],
  ])('method %s alone is a %s', (method, type) => {
    const query = decoded(bytes(JSON.stringify({ method, space: 'vac01.example.com', cookie: '0' })));
    expect(query.message_type).toBe(type);
    expect(isQuery(query)).toBe(true);
  });

  it('what a factory of this version adds comes after all that the predecessor sends', () => {
    const told = {
      ...decoded(recorded('machinetypeIdle')),
      target_share: 2,
      machinegroup: '/atlas/Role=NULL',
    } as Message;
    const text = encodedText(told);
    expect(text).toBe(
      RECORDED.machinetypeIdle.replace(/}$/, ', "target_share": 2.0, "machinegroup": "/atlas/Role=NULL"}'),
    );
    expect(decoded(bytes(text))).toEqual(told);
  });

  it('our own queries carry method and message_type', () => {
    expect(JSON.parse(encodedText(makeQuery('factory_query', 'vac01.example.com', 'c', 'Vac 1')))).toEqual({
      vac_version: 'Vac 1',
      vacquery_version: 'VacQuery 01.03',
      space: 'vac01.example.com',
      cookie: 'c',
      method: 'factories',
      message_type: 'factory_query',
    });
  });
});

describe('refusals', () => {
  it.each([
    ['nothing', new Uint8Array(0), 'not-json', undefined],
    ['no JSON', bytes('{"message_type": '), 'not-json', undefined],
    ['a byte order mark', bytes(`\u{feff}${RECORDED.factoryQuery}`), 'not-json', undefined],
    ['bytes that are no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'not-utf8', undefined],
    ['an array', bytes('[]'), 'not-object', undefined],
    ['null', bytes('null'), 'not-object', undefined],
    ['one byte too many', bytes(' '.repeat(MAX_RECEIVED_BYTES + 1)), 'too-large', undefined],
    ['brackets all the way', bytes('['.repeat(MAX_RECEIVED_BYTES)), 'too-deep', undefined],
    ['an unknown type', altered('factoryQuery', { message_type: 'vacmon' }), 'unknown-message', 'message_type'],
    [
      'a type that objects inherit',
      altered('factoryQuery', { message_type: 'toString' }),
      'unknown-message',
      'message_type',
    ],
    [
      'a type that is a list',
      altered('factoryQuery', { message_type: ['factory_query'] }),
      'unknown-message',
      'message_type',
    ],
    ['no space', altered('factoryQuery', { space: undefined }), 'missing-field', 'space'],
    ['a space with a line end', altered('factoryQuery', { space: 'a\nb' }), 'bad-name', 'space'],
    ['a cookie of 129 characters', altered('factoryQuery', { cookie: 'c'.repeat(129) }), 'too-long', 'cookie'],
    ['a number as cookie', altered('factoryQuery', { cookie: 0 }), 'wrong-type', 'cookie'],
    ['a count as text', altered('machinetypeIdle', { running_machines: '0' }), 'wrong-type', 'running_machines'],
    ['a count of none', altered('machinetypeIdle', { num_machinetypes: 0 }), 'out-of-range', 'num_machinetypes'],
    ['a count of a billion', altered('machinetypeIdle', { num_machinetypes: 1e9 }), 'out-of-range', 'num_machinetypes'],
    ['a negative count', altered('machinetypeIdle', { num_before_fizzle: -1 }), 'out-of-range', 'num_before_fizzle'],
    ['a broken count', altered('machinetypeIdle', { running_machines: 1.5 }), 'wrong-type', 'running_machines'],
    ['null as a count', altered('machinetypeIdle', { running_machines: null }), 'wrong-type', 'running_machines'],
    [
      'endless power',
      bytes(RECORDED.machinetypeIdle.replace('"running_hs06": 0.0', '"running_hs06": 1e999')),
      'out-of-range',
      'running_hs06',
    ],
    ['a broken time', altered('machinetypeIdle', { shutdown_time: 1795237353.5 }), 'wrong-type', 'shutdown_time'],
    ['a time in milliseconds', altered('machinetypeIdle', { time_sent: 1795237353000 }), 'out-of-range', 'time_sent'],
    [
      'no word of how the last machine ended',
      altered('machinetypeIdle', { shutdown_time: undefined }),
      'missing-field',
      'shutdown_time',
    ],
    [
      'a bad old spelling beside a good new one',
      altered('machinetypeIdle', { running_cpus: 'x' }),
      'wrong-type',
      'running_cpus',
    ],
    ['a machinetype that is a path', altered('machinetypeIdle', { machinetype: '../etc' }), 'bad-name', 'machinetype'],
    ['a negative share', altered('machinetypeIdle', { target_share: -1 }), 'out-of-range', 'target_share'],
    ['a group that is a list', altered('machinetypeIdle', { machinegroup: ['a'] }), 'wrong-type', 'machinegroup'],
    ['an unknown state', altered('machineRunning', { state: 'running' }), 'bad-name', 'state'],
    ['a host name too long', altered('machineRunning', { machine: 'a'.repeat(256) }), 'too-long', 'machine'],
  ])('%s', (_what, datagram, reason, field) => {
    expect(decode(datagram)).toEqual(field === undefined ? { ok: false, reason } : { ok: false, reason, field });
  });
});

describe('what comes from outside stays outside', () => {
  it('keys that are not known are not copied, __proto__ not either', () => {
    const hostile = bytes(RECORDED.factoryQuery.replace('{', '{"__proto__": {"space": "x"}, "new_key": {"a": [1]}, '));
    const query = decoded(hostile);
    expect(Object.keys(query).sort()).toEqual([
      'cookie',
      'message_type',
      'method',
      'space',
      'vac_version',
      'vacquery_version',
    ]);
    expect(Object.getPrototypeOf(query)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).space).toBeUndefined();
  });

  it('a message cannot steer a terminal, and a long one is cut', () => {
    const message = decoded(altered('machinetypeIdle', { shutdown_message: `300 \u001b[2J\u202e${'x'.repeat(300)}` }));
    const { shutdown_message: text } = message as MachinetypeStatus;
    expect(text).toMatch(/^300 \?\[2J\?x+$/);
    expect(text).toHaveLength(255);
  });
});

describe('encode', () => {
  const status = decoded(recorded('machinetypeIdle')) as MachinetypeStatus;

  it('refuses what would not fit into a datagram, and says by how much', () => {
    const long = 'a'.repeat(255);
    const result = encode({ ...status, space: long, factory: long, site: long, shutdown_machine: long, fqan: long });
    expect(result).toMatchObject({ ok: false, reason: 'too-large', maxBytes: MAX_SENT_BYTES });
    expect(result).toHaveProperty('bytes', expect.any(Number));
  });

  it.each([
    ['running_hs06', Number.NaN, 'out-of-range'],
    ['time_sent', 1.5, 'wrong-type'],
    ['machinetype', 'Big One', 'bad-name'],
    ['cookie', 'c'.repeat(129), 'too-long'],
  ])('refuses %s = %s, which no receiver would accept', (field, value, reason) => {
    expect(encode({ ...status, [field]: value })).toEqual({ ok: false, reason, field });
  });

  it('any message that it writes reads back as it was', () => {
    fc.assert(
      fc.property(statusArbitrary, (message) => {
        const result = encode(message);
        if (!result.ok) {
          expect(result.reason).toBe('too-large');
          return;
        }
        expect(result.datagram.length).toBeLessThanOrEqual(MAX_SENT_BYTES);
        expect(decoded(result.datagram)).toEqual(message);
      }),
    );
  });
});
