import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CheckResult, checkFactories, checkLocal, type LocalCheckFacts } from '../../../src/cli/views/check.js';
import { answer, FACTORIES, factory, hostileText, NOW, VIEW } from './space.js';

const FINE: LocalCheckFacts = {
  stateDir: '/var/lib/vac',
  factoryHeartbeatAgeSeconds: 5,
  responderHeartbeatAgeSeconds: 6,
  factoryError: null,
  counts: '3 8 24 64 240.5',
};

/** What Nagios shows: the first line up to the bar. */
const shown = ({ lines }: CheckResult) => lines[0]!.split(' | ')[0];
/** `'label'=value[unit];[warning];[critical];[min];[max]` */
const DATUM = /^[a-z0-9_]+=\d+(?:\.\d+)?(?:s|B)?(?:;\d*:?){0,4}$/;

function expectPluginOutput({ code, lines }: CheckResult): void {
  expect([0, 1, 2, 3]).toContain(code);
  const [first, data, ...more] = lines[0]!.split('|');
  expect(more).toEqual([]);
  expect(first).not.toBe('');
  for (const datum of (data ?? '').trim().split(' ').filter(Boolean)) expect(datum).toMatch(DATUM);
  for (const line of lines.slice(1)) expect(line).not.toContain('|');
  for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
}

describe('vac check on this host', () => {
  test('when all is well says what the predecessor did, with performance data', () => {
    expect(checkLocal(FINE)).toEqual({
      code: 0,
      lines: [
        'Factory + responder ok (3/8 24/64) | slots=3;;;0;8 processors=24;;;0;64 hs06=240.5;;;0 factory_heartbeat=5s;;600;0 responder_heartbeat=6s;;600;0',
      ],
    });
  });

  test.each<[string, Partial<LocalCheckFacts>, number, string]>([
    ['at the limit', { factoryHeartbeatAgeSeconds: 600 }, 0, 'Factory + responder ok (3/8 24/64)'],
    [
      'old factory heartbeat',
      { factoryHeartbeatAgeSeconds: 900 },
      2,
      'No vacd factory heartbeat in 0.25 hours (3/8 24/64)',
    ],
    [
      'none',
      { factoryHeartbeatAgeSeconds: null },
      2,
      'No vacd factory heartbeat file in /var/lib/vac: does vacd run? (3/8 24/64)',
    ],
    [
      'old responder heartbeat',
      { responderHeartbeatAgeSeconds: 601 },
      2,
      'No vacd responder heartbeat in 0.17 hours (3/8 24/64)',
    ],
    [
      'no responder',
      { responderHeartbeatAgeSeconds: null },
      2,
      'No vacd responder heartbeat file in /var/lib/vac: does vacd run? (3/8 24/64)',
    ],
    ['error', { factoryError: 'libvirt is down\nstack\n' }, 2, 'factory-error: libvirt is down (3/8 24/64)'],
    ['empty error', { factoryError: '' }, 2, 'factory-error: the file is empty (3/8 24/64)'],
    ['problem', { problems: ['prod dies early'] }, 1, 'WARNING: prod dies early (3/8 24/64)'],
    ['error and problem', { factoryError: 'down', problems: ['p'] }, 2, 'factory-error: down (3/8 24/64)'],
    ['no counts', { counts: null }, 0, 'Factory + responder ok'],
    ['other counts', { counts: 'what 1 2' }, 0, 'Factory + responder ok'],
    ['counts that are no numbers', { counts: '1 2 . . .' }, 0, 'Factory + responder ok'],
    ['no problems', { problems: [] }, 0, 'Factory + responder ok (3/8 24/64)'],
    [
      'time to come',
      { factoryHeartbeatAgeSeconds: -7200 },
      1,
      'WARNING: factory heartbeat is 2h00 in the future: was the clock set back? (3/8 24/64)',
    ],
    ['nearly now', { factoryHeartbeatAgeSeconds: -1 }, 0, 'Factory + responder ok (3/8 24/64)'],
  ])('%s', (_, changes, code, text) => {
    const result = checkLocal({ ...FINE, ...changes });
    expect(result.code).toBe(code);
    expect(shown(result)).toBe(text);
    expectPluginOutput(result);
  });

  test('tells the other problems in further lines', () => {
    const { lines } = checkLocal({
      stateDir: '/var/lib/vac',
      factoryHeartbeatAgeSeconds: 3_600,
      responderHeartbeatAgeSeconds: null,
      factoryError: 'a | b',
      counts: null,
      problems: ['first', 'second'],
    });
    expect(lines).toEqual([
      'No vacd factory heartbeat in 1.00 hours | factory_heartbeat=3600s;;600;0',
      'CRITICAL: No vacd responder heartbeat file in /var/lib/vac: does vacd run?',
      'CRITICAL: factory-error: a / b',
      'WARNING: first',
      'WARNING: second',
    ]);
  });

  test('goes by other limits where they are given', () => {
    expect(checkLocal({ ...FINE, factoryHeartbeatAgeSeconds: 61 }, { heartbeatSeconds: 60 }).code).toBe(2);
    expect(checkLocal({ ...FINE, factoryHeartbeatAgeSeconds: 3_000 }, { heartbeatSeconds: 3_600 }).code).toBe(0);
  });

  test('is a plugin’s output whatever the files hold', () => {
    const age = fc.option(fc.double({ min: -1e9, max: 1e9, noNaN: true }));
    fc.assert(
      fc.property(
        age,
        age,
        fc.option(hostileText),
        fc.option(hostileText),
        fc.array(hostileText, { maxLength: 3 }),
        (a, b, error, counts, problems) => {
          const result = checkLocal({
            stateDir: '/var/lib/vac',
            factoryHeartbeatAgeSeconds: a,
            responderHeartbeatAgeSeconds: b,
            factoryError: error,
            counts,
            problems,
          });
          expectPluginOutput(result);
        },
      ),
    );
  });
});

describe('vac check of factories', () => {
  test('tells programs what is wrong with each, and people what else is to be known', () => {
    const notes = ['no vacd runs | there'];
    const { factories, lines } = checkFactories([answer('wn1', []), answer('wn2', [factory('wn2')])], {
      ...VIEW,
      notes,
    });
    expect(factories).toEqual([
      { factory: 'wn1.example.com', outcome: 'none', problems: [{ severity: 'critical', text: 'no answer' }] },
      { factory: 'wn2.example.com', outcome: 'complete', problems: [] },
    ]);
    expect(lines.at(-1)).toBe('no vacd runs / there');
    expectPluginOutput({ code: 2, lines });
  });

  const check = (status: Parameters<typeof factory>[1], thresholds = {}) =>
    checkFactories([answer('wn1', [factory('wn1', status)])], { ...VIEW, thresholds });

  test('of one that is well', () => {
    const result = check({});
    expect(result).toMatchObject({
      code: 0,
      lines: [
        'OK: wn1.example.com, 2/4 machines, 16/32 processors | slots=2;;;0;4 processors=16;;;0;32 hs06=168;;;0;336 load15=15.06;;;0 state_disk_free=422238117888B;5000000000:;1000000000:;0 root_disk_free=81222504448B;5000000000:;1000000000:;0 factory_heartbeat=12s;;600;0 responder_heartbeat=0s;;600;0',
      ],
    });
    expectPluginOutput(result);
  });

  test.each<[string, Parameters<typeof factory>[1], number, string]>([
    ['disk at 5 GB', { vac_disk_avail_kb: 4_882_813 }, 0, 'OK: wn1.example.com, 2/4 machines, 16/32 processors'],
    [
      'disk under 5 GB',
      { vac_disk_avail_kb: 4_000_000 },
      1,
      'WARNING: wn1.example.com: 4.1 GB free on state directory',
    ],
    ['disk under 1 GB', { root_disk_avail_kb: 976_562 }, 2, 'CRITICAL: wn1.example.com: 1 GB free on root disk'],
    [
      'old factory heartbeat',
      { factory_heartbeat_time: NOW - 601 },
      2,
      'CRITICAL: wn1.example.com: factory heartbeat is 10m old',
    ],
    [
      'old responder heartbeat',
      { responder_heartbeat_time: NOW - 7_200 },
      2,
      'CRITICAL: wn1.example.com: responder heartbeat is 2h00 old',
    ],
    [
      'old metadata heartbeat',
      { metadata_heartbeat_time: NOW - 7_200 },
      1,
      'WARNING: wn1.example.com: metadata heartbeat is 2h00 old',
    ],
    ['clock ahead', { time_sent: NOW + 6 }, 1, 'WARNING: wn1.example.com: its clock is 6s ahead'],
    [
      'clock far ahead, heartbeats with it',
      { time_sent: NOW + 9_000, factory_heartbeat_time: NOW + 9_000, responder_heartbeat_time: NOW + 9_000 },
      1,
      'WARNING: wn1.example.com: its clock is 2h30 ahead',
    ],
  ])('%s', (_, status, code, text) => {
    // All its clocks are one.
    const shifted = status?.time_sent === undefined ? status : { ...heartbeatsAt(status.time_sent), ...status };
    const result = check(shifted);
    expect(shown(result)).toBe(text);
    expect(result.code).toBe(code);
    expectPluginOutput(result);
  });

  test('goes by other limits where they are given', () => {
    expect(check({ factory_heartbeat_time: NOW - 61 }, { heartbeatSeconds: 60 }).code).toBe(2);
    expect(check({ vac_disk_avail_kb: 4_000_000 }, { diskWarningBytes: 1e9 }).code).toBe(0);
    expect(check({ time_sent: NOW + 6 }, { clockSeconds: 10 }).code).toBe(0);
  });

  test('of one that does not answer is critical, without data', () => {
    expect(checkFactories([answer('wn1', [])], VIEW)).toMatchObject({
      code: 2,
      lines: ['CRITICAL: wn1.example.com: no answer'],
    });
  });

  test('of several tells the worst first, then each', () => {
    const result = checkFactories(FACTORIES, VIEW);
    expectPluginOutput(result);
    expect(result.code).toBe(2);
    expect(result.lines.join('\n')).toMatchInlineSnapshot(`
      "CRITICAL: 3 of 4 factories: wn2.example.com: factory heartbeat is 1h06 old, wn3.example.com: no answer | factories=3;;;0;4 slots=8;;;0;12 processors=64;;;0;96 hs06=504;;;0;1008 oldest_heartbeat=4000s;;600;0
      wn2.example.com: CRITICAL: factory heartbeat is 1h06 old
      wn2.example.com: CRITICAL: 512 MB free on state directory
      wn3.example.com: CRITICAL: no answer
      wn10.example.com: WARNING: its clock is 1m ahead"
    `);
  });

  test('of several that are well, and of several with warnings alone', () => {
    const well = ['wn1', 'wn2'].map((name) => answer(name, [factory(name)]));
    expect(checkFactories(well, VIEW)).toMatchObject({
      code: 0,
      lines: [
        'OK: 2 factories, 4/8 machines, 32/64 processors | factories=2;;;0;2 slots=4;;;0;8 processors=32;;;0;64 hs06=336;;;0;672 oldest_heartbeat=12s;;600;0',
      ],
    });
    const warned = [...well, answer('wn3', [factory('wn3', { vac_disk_avail_kb: 4_000_000 })])];
    expect(checkFactories(warned, VIEW).code).toBe(1);
  });

  test('of a thousand dead ones is bounded', () => {
    const dead = Array.from({ length: 1_000 }, (_, index) => answer(`wn${index}`, []));
    const { lines } = checkFactories(dead, VIEW);
    expect(lines[0]).toBe(
      'CRITICAL: 1000 of 1000 factories: wn0.example.com: no answer, wn1.example.com: no answer, wn2.example.com: no answer and 997 more | factories=0;;;0;1000 slots=0;;;0;0 processors=0;;;0;0 hs06=0;;;0;0',
    );
    expect(lines).toHaveLength(52);
    expect(lines.at(-1)).toBe('and 950 more problems');
  });

  test('of none knows nothing', () => {
    expect(checkFactories([], VIEW)).toMatchObject({
      code: 3,
      factories: [],
      lines: ['UNKNOWN: there is no factory to ask'],
    });
  });
});

/** Heartbeats of a factory whose clock shows this. */
function heartbeatsAt(time: number) {
  return {
    factory_heartbeat_time: time,
    responder_heartbeat_time: time,
    mjf_heartbeat_time: time,
    metadata_heartbeat_time: time,
  };
}
