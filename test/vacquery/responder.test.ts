import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode, encode, MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import type { RefusalReport } from '../../src/vacquery/limits.js';
import {
  type FactorySnapshot,
  METHOD_OF,
  makeQuery,
  type QueryType,
  STATUS_TYPE_OF,
} from '../../src/vacquery/messages.js';
import { Replies, type SnapshotProblem } from '../../src/vacquery/replies.js';
import { type QueryRefusal, Responder, type ResponderOptions } from '../../src/vacquery/responder.js';
import { snapshotArbitrary } from './arbitraries.js';
import { bytes, RECORDED, recorded } from './recorded.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

const QUERIES = Object.keys(METHOD_OF) as QueryType[];
const FRIEND = '10.0.0.1';
const COOKIE = 'a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6';

function query(type: QueryType, cookie = COOKIE, space = SPACE): Uint8Array {
  const encoded = encode(makeQuery(type, space, cookie, 'Vac 0.1.0 test'));
  if (!encoded.ok) throw new Error(encoded.reason);
  return encoded.datagram;
}

function responderOf(options: Partial<ResponderOptions> = {}) {
  const refusals: RefusalReport<QueryRefusal>[] = [];
  const problems: SnapshotProblem[] = [];
  const responder = new Responder({
    mayAsk: (address) => address.startsWith('10.0.0.'),
    onRefusal: (refusal) => refusals.push(refusal),
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  responder.setSnapshot(snapshotOf('wn01.example.com', 64, 10));
  return { responder, refusals, problems };
}

describe('answers', () => {
  it.each([
    ['machines_query', 64],
    ['machinetypes_query', 10],
    ['factory_query', 1],
  ] as const)('a %s gets %i datagrams with its cookie, the time and the count', (type, count) => {
    const { responder, refusals } = responderOf();
    const datagrams = responder.answer(query(type), FRIEND, 0, NOW_SECONDS + 0.9);
    expect(refusals).toEqual([]);
    expect(datagrams).toHaveLength(count);
    for (const datagram of datagrams) {
      expect(decode(datagram)).toMatchObject({
        ok: true,
        message: {
          message_type: STATUS_TYPE_OF[type],
          cookie: COOKIE,
          space: SPACE,
          site: 'UKI-EXAMPLE-SITE',
          factory: 'wn01.example.com',
          time_sent: NOW_SECONDS,
          ...(type === 'machines_query' && { num_machines: 64 }),
          ...(type === 'machinetypes_query' && { num_machinetypes: 10 }),
        },
      });
    }
  });

  it.each(['machinesQuery', 'machinetypesQuery', 'factoryQuery'] as const)('the recorded %s is answered', (name) => {
    expect(responderOf().responder.answer(recorded(name), FRIEND, 0, NOW_SECONDS).length).toBeGreaterThan(0);
  });

  it('put together from parts they are byte for byte what encoding them anew gives', () => {
    fc.assert(
      fc.property(snapshotArbitrary, fc.string({ unit: 'binary', maxLength: 60 }), (snapshot, cookie) => {
        const replies = new Replies(snapshot, ({ refusal }) => expect(refusal.reason).toBe('too-large'));
        for (const type of QUERIES) {
          for (const datagram of replies.datagrams(type, cookie, NOW_SECONDS) ?? []) {
            const decoded = decode(datagram);
            if (!decoded.ok) throw new Error(`${decoded.reason} ${decoded.field}`);
            expect(decoded.message).toMatchObject({ cookie, factory: snapshot.factory, time_sent: NOW_SECONDS });
            expect(encode(decoded.message)).toEqual({ ok: true, datagram });
          }
        }
      }),
    );
  });

  it('with what is kept of an earlier snapshot they are what a new one alone gives', () => {
    const ignore = () => {};
    const changes: ((of: FactorySnapshot) => FactorySnapshot)[] = [
      (of) => ({ ...of, site: `${of.site}x` }),
      (of) => ({ ...of, machines: of.machines.slice(0, -1) }),
      (of) => ({ ...of, machinetypes: [...of.machinetypes].reverse() }),
      (of) => ({ ...of, machinetypes: of.machinetypes.map((facts) => ({ ...facts, running_hs06: 7 })) }),
      (of) => ({ ...of, machines: of.machines.map((facts, index) => (index === 1 ? { ...facts, hs06: 7 } : facts)) }),
      (of) => ({ ...of, facts: { ...of.facts, load_average: 7 } }),
      (of) => of,
    ];
    fc.assert(
      fc.property(
        snapshotArbitrary,
        fc.array(fc.tuple(fc.constantFrom(...changes), fc.subarray(QUERIES)), { maxLength: 4 }),
        (first, steps) => {
          let replies = new Replies(first, ignore);
          for (const type of QUERIES) replies.datagrams(type, COOKIE, NOW_SECONDS);
          for (const [change, asked] of steps) {
            replies = new Replies(change(replies.snapshot), ignore, replies);
            const alone = new Replies(replies.snapshot, ignore);
            for (const type of asked) {
              expect(replies.datagrams(type, COOKIE, NOW_SECONDS)).toEqual(alone.datagrams(type, COOKIE, NOW_SECONDS));
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('a new snapshot is what is told from then on', () => {
    const { responder } = responderOf();
    responder.answer(query('machinetypes_query'), FRIEND, 0, NOW_SECONDS);
    responder.setSnapshot(snapshotOf('wn01.example.com', 2, 3));
    expect(responder.answer(query('machinetypes_query'), FRIEND, 0, NOW_SECONDS)).toHaveLength(3);
  });

  it('a snapshot that is given when a query comes is asked for by nobody else', () => {
    let [asked, slots] = [0, 4];
    let current = snapshotOf('wn01.example.com', slots, 2);
    const { responder } = responderOf({
      snapshot: () => {
        asked += 1;
        return current;
      },
    });
    responder.answer(query('machines_query'), '192.0.2.1', 0, NOW_SECONDS);
    responder.answer(bytes('garbage'), FRIEND, 0, NOW_SECONDS);
    expect(asked).toBe(0);
    expect(responder.answer(query('machines_query'), FRIEND, 0, NOW_SECONDS)).toHaveLength(slots);
    slots = 7;
    current = snapshotOf('wn01.example.com', slots, 2);
    expect(responder.answer(query('machines_query'), FRIEND, 0, NOW_SECONDS)).toHaveLength(slots);
  });

  it('are counted by kind, and refusals by reason', () => {
    const { responder } = responderOf();
    responder.answer(query('machinetypes_query'), FRIEND, 0, NOW_SECONDS);
    responder.answer(query('machinetypes_query'), FRIEND, 0, NOW_SECONDS);
    responder.answer(query('factory_query'), FRIEND, 0, NOW_SECONDS);
    responder.answer(query('factory_query'), '192.0.2.1', 0, NOW_SECONDS);
    expect(responder.counts).toEqual({
      received: new Map([
        ['machinetypes_query', 2],
        ['factory_query', 1],
      ]),
      sent: new Map([
        ['machinetype_status', 20],
        ['factory_status', 1],
      ]),
      refused: new Map([['stranger', 1]]),
    });
  });

  it('any cookie of 128 printable ASCII characters leaves every reply within a datagram', () => {
    const { responder } = responderOf();
    for (const type of QUERIES) {
      for (const datagram of responder.answer(query(type, '~'.repeat(128)), FRIEND, 0, NOW_SECONDS)) {
        expect(datagram.length).toBeLessThanOrEqual(MAX_SENT_BYTES);
      }
    }
  });

  it('a cookie that would make a reply too large gets none at all', () => {
    const { responder, refusals } = responderOf();
    expect(responder.answer(query('factory_query', '\u0001'.repeat(128)), FRIEND, 0, NOW_SECONDS)).toEqual([]);
    expect(refusals).toEqual([{ source: FRIEND, reason: 'too-long', count: 1, field: 'cookie' }]);
  });

  it("cuts a machine's last words to what fits into its reply", () => {
    const snapshot = snapshotOf('wn01.example.com', 1, 1);
    const wordy = {
      ...snapshot.machinetypes[0]!,
      shutdown_message: '200 '.padEnd(9000, '\u{1f600}'),
      fqan: 'f'.repeat(250),
    };
    const replies = new Replies({ ...snapshot, site: 's'.repeat(200), machinetypes: [wordy] }, (problem) => {
      throw new Error(JSON.stringify(problem));
    });
    const [datagram] = replies.datagrams('machinetypes_query', '~'.repeat(128), NOW_SECONDS)!;
    expect(datagram!.length).toBeLessThanOrEqual(MAX_SENT_BYTES);
    expect(decode(datagram!)).toMatchObject({
      ok: true,
      message: { shutdown_message: expect.stringMatching(/^200 \u{1f600}/u) },
    });
  });

  it('leaves a machinegroup out that does not fit, and sends the rest', () => {
    const snapshot = snapshotOf('wn01.example.com', 1, 1);
    const long = 'x'.repeat(255);
    const wordy = { ...snapshot.machinetypes[0]!, shutdown_machine: long, fqan: long, machinegroup: long };
    const replies = new Replies({ ...snapshot, site: long.slice(0, 150), machinetypes: [wordy] }, (problem) => {
      throw new Error(JSON.stringify(problem));
    });
    const [datagram] = replies.datagrams('machinetypes_query', '~'.repeat(128), NOW_SECONDS)!;
    expect(datagram!.length).toBeLessThanOrEqual(MAX_SENT_BYTES);
    expect(decode(datagram!)).toMatchObject({
      ok: true,
      message: { fqan: long, machinegroup: null, target_share: 0.5 },
    });
  });

  it('tells how many there are now, where one is gone that could not be sent', () => {
    const snapshot = snapshotOf('wn01.example.com', 1, 2);
    const [first, second] = snapshot.machinetypes;
    const before = new Replies(
      { ...snapshot, machinetypes: [first!, { ...second!, running_hs06: Number.NaN }] },
      () => {},
    );
    expect(before.datagrams('machinetypes_query', 'c', NOW_SECONDS)).toHaveLength(1);
    const after = new Replies({ ...snapshot, machinetypes: [first!] }, () => {}, before);
    const [datagram] = after.datagrams('machinetypes_query', 'c', NOW_SECONDS)!;
    expect(decode(datagram!)).toMatchObject({ ok: true, message: { num_machinetypes: 1 } });
  });

  it('names a status that cannot be sent, and sends the others', () => {
    const { responder, problems } = responderOf();
    const snapshot = snapshotOf('wn01.example.com', 1, 3);
    const [first, ...others] = snapshot.machinetypes;
    responder.setSnapshot({ ...snapshot, machinetypes: [{ ...first!, running_hs06: Number.NaN }, ...others] });
    expect(responder.answer(query('machinetypes_query'), FRIEND, 0, NOW_SECONDS)).toHaveLength(2);
    expect(problems).toEqual([
      {
        messageType: 'machinetype_status',
        name: 'type-0',
        refusal: { ok: false, reason: 'out-of-range', field: 'running_hs06' },
      },
    ]);
  });
});

describe('silence', () => {
  it.each([
    ['a stranger', query('machines_query'), '192.0.2.1', 'stranger'],
    ['another space', query('machines_query', COOKIE, 'vac02.example.com'), FRIEND, 'other-space'],
    ['garbage', bytes('garbage'), FRIEND, 'not-json'],
    ['a reply', recorded('factoryStatus'), FRIEND, 'not-a-query'],
    ['a cookie of 900 bytes', bytes(RECORDED.factoryQuery.replace(COOKIE, 'c'.repeat(900))), FRIEND, 'too-long'],
  ])('for %s', (_what, datagram, address, reason) => {
    const { responder, refusals } = responderOf();
    expect(responder.answer(datagram, address, 0, NOW_SECONDS)).toEqual([]);
    expect(refusals).toMatchObject([{ source: address, reason, count: 1 }]);
    expect([...responder.refusalCounts]).toEqual([[reason, 1]]);
  });

  it('before the first snapshot', () => {
    const { responder } = {
      responder: new Responder({ mayAsk: () => true, onRefusal: () => {}, onProblem: () => {} }),
    };
    expect(responder.answer(query('factory_query'), FRIEND, 0, NOW_SECONDS)).toEqual([]);
    expect(responder.refusalCounts.get('no-snapshot')).toBe(1);
  });

  it('strangers get no byte for any byte they send', () => {
    const { responder } = responderOf();
    const forged = query('machines_query', '0');
    let sentBytes = 0;
    for (let index = 0; index < 10_000; index += 1) {
      for (const reply of responder.answer(forged, `192.0.${index >> 8}.${index & 255}`, index, NOW_SECONDS)) {
        sentBytes += reply.length;
      }
    }
    expect(sentBytes).toBe(0);
  });
});

describe('limits', () => {
  const limits = {
    sourceBytesPerSecond: 10_000,
    sourceBurstBytes: 20_000,
    maxSources: 100,
    totalBytesPerSecond: 50_000,
    totalBurstBytes: 100_000,
  };

  function bytesWithin(seconds: number, sources: number): number {
    const { responder } = responderOf({ limits });
    let sentBytes = 0;
    for (let nowMs = 0; nowMs < seconds * 1000; nowMs += 10) {
      for (let source = 0; source < sources; source += 1) {
        const replies = responder.answer(query('machinetypes_query'), `10.0.0.${source}`, nowMs, NOW_SECONDS);
        sentBytes += replies.reduce((sum, { length }) => sum + length, 0);
      }
    }
    return sentBytes;
  }

  it('one source gets its burst and then its rate, and at most one answer more', () => {
    const sentBytes = bytesWithin(10, 1);
    expect(sentBytes).toBeGreaterThan(100_000);
    expect(sentBytes).toBeLessThan(20_000 + 100_000 + 10_000);
  });

  it('all sources together get no more than the total', () => {
    const sentBytes = bytesWithin(10, 50);
    expect(sentBytes).toBeGreaterThan(500_000);
    expect(sentBytes).toBeLessThan(100_000 + 500_000 + 10_000);
  });

  it('an answer larger than the whole burst is given, and paid for afterwards', () => {
    const { responder } = responderOf({ limits });
    expect(responder.answer(query('machines_query'), FRIEND, 0, NOW_SECONDS)).toHaveLength(64);
    expect(responder.answer(query('factory_query'), FRIEND, 1_000, NOW_SECONDS)).toEqual([]);
    expect(responder.answer(query('factory_query'), FRIEND, 5_000, NOW_SECONDS)).toHaveLength(1);
  });
});

describe('reports of refusals', () => {
  it('come once per source, reason and period, with the number of those not reported', () => {
    const { responder, refusals } = responderOf({
      refusalLimits: { periodMs: 60_000, maxRemembered: 10, maxReportsPerPeriod: 100 },
    });
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 100) responder.answer(bytes('x'), FRIEND, nowMs, NOW_SECONDS);
    expect(refusals).toEqual([
      { source: FRIEND, reason: 'not-json', count: 1, field: null },
      { source: FRIEND, reason: 'not-json', count: 600, field: null },
    ]);
    expect(responder.refusalCounts.get('not-json')).toBe(601);
  });

  it('are few however many addresses are forged', () => {
    const { responder, refusals } = responderOf({
      refusalLimits: { periodMs: 60_000, maxRemembered: 10, maxReportsPerPeriod: 5 },
    });
    for (let index = 0; index < 5_000; index += 1) {
      responder.answer(query('machines_query'), `192.0.2.${index}`, index, NOW_SECONDS);
    }
    expect(refusals).toHaveLength(5);
    expect(responder.refusalCounts.get('stranger')).toBe(5_000);
  });
});
