import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type FactoriesOptions, factoriesView } from '../../../src/cli/views/factories.js';
import { answer, FACTORIES, factory, NOW_MS, VIEW, WIDE } from './space.js';

const shown = (view: FactoriesOptions, answers = FACTORIES) => factoriesView(answers, view).join('\n');
/** First words of the rows, in their order. */
const order = (view: FactoriesOptions) =>
  factoriesView(FACTORIES, view)
    .slice(1, 1 + FACTORIES.length)
    .map((row) => row.split(' ')[0]);

describe('vac factories', () => {
  test('on 80 columns', () => {
    expect(shown(VIEW)).toMatchInlineSnapshot(`
      "FACTORY   PROC  MACH  HS06  LOAD    DISK     ROOT             MEMORY    UP  BEAT
      wn1      16/32   2/4   168  15.1  422 GB  81.2 GB  41.4 GB of 101 GB  2d5h   12s
      wn2      32/32   4/4   168  15.1  512 MB  81.2 GB  41.4 GB of 101 GB  2d5h  1h06
      wn3          -     -     -     -       -        -                  -     -     -
      wn10     16/32   2/4   168   3.0  422 GB  81.2 GB  41.4 GB of 101 GB  2d5h    1m
      total    64/96  8/12   504
      3 of 4 factories answered, problems with 3:
      wn2: factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3: no answer
      wn10: its clock is 1m ahead"
    `);
  });

  test('on 120 columns', () => {
    expect(shown(WIDE)).toMatchInlineSnapshot(`
      "FACTORY   PROC  MACH  HS06  LOAD    DISK     ROOT             MEMORY    UP  BEAT  VERSION
      wn1      16/32   2/4   168  15.1  422 GB  81.2 GB  41.4 GB of 101 GB  2d5h   12s  03.00.00
      wn2      32/32   4/4   168  15.1  512 MB  81.2 GB  41.4 GB of 101 GB  2d5h  1h06  03.00.00
      wn3          -     -     -     -       -        -                  -     -     -  -
      wn10     16/32   2/4   168   3.0  422 GB  81.2 GB  41.4 GB of 101 GB  2d5h    1m  0.1.0
      total    64/96  8/12   504
      3 of 4 factories answered, problems with 3:
      wn2: factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3: no answer
      wn10: its clock is 1m ahead"
    `);
  });

  test('with problems alone', () => {
    expect(shown({ ...VIEW, problemsOnly: true, order: 'problems' })).toMatchInlineSnapshot(`
      "FACTORY   PROC  MACH  HS06  LOAD    DISK     ROOT             MEMORY    UP  BEAT
      wn2      32/32   4/4   168  15.1  512 MB  81.2 GB  41.4 GB of 101 GB  2d5h  1h06
      wn3          -     -     -     -       -        -                  -     -     -
      wn10     16/32   2/4   168   3.0  422 GB  81.2 GB  41.4 GB of 101 GB  2d5h    1m
      total    48/64   6/8   336
      3 of 4 factories answered, problems with 3:
      wn2: factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3: no answer
      wn10: its clock is 1m ahead"
    `);
    expect(shown({ ...VIEW, problemsOnly: true }, [answer('wn1', [factory('wn1')])])).toBe(
      '1 of 1 factory answered, no problems',
    );
  });

  test('with how their news comes to this host, and what is to be done about keys', () => {
    const news = new Map([
      ['wn1.example.com', { way: 'gossip', ageSeconds: 2.4, signs: true }],
      ['wn3.example.com', { way: 'gossip', ageSeconds: 71, signs: null }],
      ['wn10.example.com', { way: 'poll', ageSeconds: 0.3, signs: false }],
    ] as const);
    const lines = factoriesView(FACTORIES, { ...WIDE, news, hints: ['set space_key_mode = required'] });
    const at = lines[0]!.indexOf('NEWS');
    expect(lines.slice(1, 5).map((each) => each.slice(at, at + 16).trim())).toEqual([
      'gossip 2s',
      '',
      'gossip 1m',
      'poll 0s unsigned',
    ]);
    expect(lines.at(-1)).toBe('this host: set space_key_mode = required');
  });

  test('may be sorted, factories that did not answer last', () => {
    expect(order(VIEW)).toEqual(['wn1', 'wn2', 'wn3', 'wn10']);
    expect(order({ ...VIEW, order: 'used' })).toEqual(['wn2', 'wn1', 'wn10', 'wn3']);
    expect(order({ ...VIEW, order: 'load' })).toEqual(['wn1', 'wn2', 'wn10', 'wn3']);
    expect(order({ ...VIEW, order: 'disk' })).toEqual(['wn2', 'wn1', 'wn10', 'wn3']);
    expect(order({ ...VIEW, order: 'problems' })).toEqual(['wn2', 'wn3', 'wn10', 'wn1']);
  });

  test('of a factory that tells next to nothing', () => {
    const silent = factory('wn1', {
      vac_version: null,
      root_disk_avail_kb: null,
      vac_disk_avail_kb: null,
      load_average: null,
      boot_time: null,
      factory_heartbeat_time: null,
      responder_heartbeat_time: null,
      mjf_heartbeat_time: null,
      metadata_heartbeat_time: null,
      mem_used_kb: null,
      mem_total_kb: null,
    });
    expect(shown(WIDE, [answer('wn1', [silent])])).toMatchInlineSnapshot(`
      "FACTORY   PROC  MACH  HS06  DISK  ROOT  UP  BEAT
      wn1      16/32   2/4   168     -     -   -     -
      1 of 1 factory answered, no problems"
    `);
  });

  test('gives no factory that exaggerates the room of the others', () => {
    const most = { running_hs06: 1e12, max_hs06: 1e12, load_average: 1e12 };
    const lines = shown(VIEW, [answer('wn1', [factory('wn1', most)]), answer('wn2', [factory('wn2')])]);
    expect(lines).toMatch(/^wn1 .* 1e\+12 +1e\+12 /m);
    expect(lines).toMatch(/^wn2 .* 168 +15\.1 /m);
    expect(lines).not.toContain('000000');
  });

  test('names factories with the same problems together', () => {
    const dead = Array.from({ length: 30 }, (_, index) => answer(`wn${index}`, []));
    const lines = shown(VIEW, dead).split('\n').slice(-6);
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "wn28        -     -     -     -     -     -       -   -     -  -
      wn29        -     -     -     -     -     -       -   -     -  -
      total     0/0   0/0     0
      0 of 30 factories answered, problems with 30:
      wn0, wn1, wn2, wn3, wn4, wn5, wn6, wn7, wn8, wn9, wn10, wn11, wn12, wn13, wn14,
          wn15, wn16, wn17, wn18, wn19 and 10 more: no answer"
    `);
  });

  test('colours what is wrong, and no text', () => {
    const coloured = shown({ ...WIDE, colour: true });
    expect(stripVTControlCharacters(coloured)).toBe(shown(WIDE));
    expect(coloured).toContain('\u001b[31mwn3\u001b[39m');
    expect(coloured).toContain('\u001b[33mwn10\u001b[39m');
  });

  test('of nobody', () => {
    expect(shown(VIEW, [])).toBe('there is no factory to ask');
  });
});

describe('problems', () => {
  const problemsOf = (changes: Parameters<typeof answer>[2], status = factory('wn1')) =>
    factoriesView([answer('wn1', [status], changes as object)], VIEW).slice(3);

  test.each([
    [{ root_disk_avail_kb: 4_882_812 }, 'wn1: 5 GB free on root disk'],
    [{ root_disk_avail_kb: 900_000 }, 'wn1: 922 MB free on root disk'],
    [{ mjf_heartbeat_time: VIEW.nowSeconds - 601 }, 'wn1: MJF heartbeat is 10m old'],
    [{ responder_heartbeat_time: VIEW.nowSeconds - 601 }, 'wn1: responder heartbeat is 10m old'],
    [{ time_sent: VIEW.nowSeconds - 20 }, 'wn1: its clock is 20s behind'],
  ])('%j', (changes, text) => {
    expect(problemsOf({}, factory('wn1', changes))).toEqual([text]);
  });

  test.each([
    [{ root_disk_avail_kb: 4_882_813 }],
    [{ mjf_heartbeat_time: VIEW.nowSeconds - 600 }],
    [{ time_sent: VIEW.nowSeconds + 5 }],
  ])('not yet: %j', (changes) => {
    expect(problemsOf({}, factory('wn1', changes))).toEqual([]);
  });

  test('the time since the answer came does not count as a wrong clock', () => {
    const early = { status: factory('wn1', { time_sent: VIEW.nowSeconds - 9 }), receivedMs: NOW_MS - 9_000 };
    expect(problemsOf({ statuses: [early] })).toEqual([]);
  });

  test.each([
    [{ outcome: 'none' as const, statuses: [], asked: 0 }, 'wn1: not asked: its name has no address'],
    [{ outcome: 'none' as const, statuses: [], asked: 0, wasDead: true }, 'wn1: no answer'],
    [{ outcome: 'partial' as const }, 'wn1: its answer did not arrive in full'],
    [
      { refused: new Map([['wrong-factory' as const, 2]]), claimedFactory: 'wn7.example.com' },
      'wn1: 2 answers refused: wrong-factory (it calls itself wn7.example.com)',
    ],
    [
      { refused: new Map([['wrong-address' as const, 1]]), strayAddress: '192.0.2.7' },
      'wn1: 1 answer refused: wrong-address (from 192.0.2.7)',
    ],
    [{ refused: new Map([['not-json' as const, 1]]) }, 'wn1: 1 answer refused: not-json'],
  ])('of the exchange: %s', (changes, text) => {
    expect(problemsOf(changes)).toEqual([text]);
  });

  test('why it was not asked, where that is known', () => {
    const unaskable = new Map([['wn1.example.com', 'this host: no vacd runs here']]);
    const lines = factoriesView([answer('wn1', [], { asked: 0 })], { ...VIEW, unaskable });
    expect(lines.at(-1)).toBe('wn1: not asked: this host: no vacd runs here');
  });
});
