import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { widthOf } from '../../../src/cli/views/text.js';
import { type WatchFacts, type WatchOptions, watchView } from '../../../src/cli/views/watch.js';
import { end, NOW as LOCAL_NOW } from '../../factory/builders.js';
import { factoryView, logged, machineView } from '../status.js';
import { answer, FACTORIES, factory, HOSTILE, SPACE, TYPES, type, VIEW, WIDE } from './space.js';

const REMOTE: WatchFacts = { space: SPACE, factories: FACTORIES, machinetypes: TYPES, local: null };

const LOCAL: WatchFacts = {
  ...REMOTE,
  local: factoryView({
    factory: 'wn1.example.com',
    slots: 6,
    processors: 6,
    processorsUsed: 3,
    machines: [
      machineView({ domain: 'paused', startedTimeSeconds: LOCAL_NOW - 11_000 }, { slot: 2, processors: 2 }),
      machineView({ phase: 'starting', cpuPercent: 0 }, { slot: 0 }),
      machineView({ phase: 'cleared', end: end() }, { slot: 1 }),
      { ...machineView({ startedTimeSeconds: LOCAL_NOW - 95 }, { slot: 10 }), stopping: 'its time is over' },
    ],
    slotDecisions: [3, 4].map((slot) => logged({ slot, reason: 'all processors are taken' })),
    machinetypeDecisions: [
      logged({ machinetype: 'atlas-prod', code: 'backoff' }),
      logged({ machinetype: 'gridpp', code: 'may-start' }),
    ],
    done: Array.from({ length: 8 }, (_, index) =>
      logged({ timeSeconds: LOCAL_NOW - 800 + 100 * index, code: 'started', reason: `start gridpp: number ${index}` }),
    ),
  }),
};

const shown = (facts: WatchFacts, view: WatchOptions) => watchView(facts, view).join('\n');

describe('vac watch', () => {
  test('on 80 × 24, from a host without a factory', () => {
    expect(shown(REMOTE, { ...VIEW, rows: 24 })).toMatchInlineSnapshot(`
      "vac01.example.com  3/4 factories  64/96 processors  8/12 machines  504 HS06

      MACHINETYPE  SHARE          NOW  WANTED  MACH  ENDED  LAST OUTCOME
      atlas-prod   ......|.....   0 %    56 %     0    11m  300 No more work availabl…
      gridpp       |##.........  24 %     3 %     2     1m  ended without a word
      lhcb-prod    ##|######...  72 %    28 %     6    59m  200 Success
      lhcb-user    #|..........   4 %    14 %     3

      FACTORIES WITH PROBLEMS: 3
      wn2   factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3   no answer
      wn10  its clock is 1m ahead"
    `);
  });

  test('on 120 × 40, with the factory of this host', () => {
    expect(shown(LOCAL, { ...WIDE, rows: 40 })).toMatchInlineSnapshot(`
      "vac01.example.com  3/4 factories  64/96 processors  8/12 machines  504 HS06

      MACHINETYPE  SHARE                  NOW  WANTED  MACH  NEW  HERE     ENDED  HOST    LAST OUTCOME
      atlas-prod   ..........|.........   0 %    56 %     0    0  backoff    11m  wn1-02  300 No more work available from tas…
      gridpp       |####...............  24 %     3 %     2    0              1m  wn1-02  ended without a word
      lhcb-prod    #####|########......  72 %    28 %     6    3             59m  wn2-01  200 Success
      lhcb-user    #.|.................   4 %    14 %     3    0

      FACTORIES WITH PROBLEMS: 3
      wn2   factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3   no answer
      wn10  its clock is 1m ahead

      THIS HOST: 3 of 6 processors in use, load 0.4 0.5 1.2
         0  factory1-00  prod         starting     -   0 %
         2  factory1-02  prod         paused    3h03  50 %
        10  factory1-10  prod         stopping    1m  99 %
      2 empty slots: nothing was decided yet
      2 empty slots: all processors are taken

      LAST DECISIONS HERE
      1m     start gridpp: number 7
      3m     start gridpp: number 6
      5m     start gridpp: number 5
      6m     start gridpp: number 4
      8m     start gridpp: number 3
      10m    start gridpp: number 2"
    `);
  });

  test('on 80 × 24, with the factory of this host, says what is left out', () => {
    expect(shown(LOCAL, { ...VIEW, rows: 24 })).toMatchInlineSnapshot(`
      "vac01.example.com  3/4 factories  64/96 processors  8/12 machines  504 HS06

      MACHINETYPE  SHARE          NOW  MACH  HERE     ENDED  LAST OUTCOME
      atlas-prod   ......|.....   0 %     0  backoff    11m  300 No more work availab…
      gridpp       |##.........  24 %     2              1m  ended without a word
      lhcb-prod    ##|######...  72 %     6             59m  200 Success
      lhcb-user    #|..........   4 %     3

      FACTORIES WITH PROBLEMS: 3
      wn2   factory heartbeat is 1h06 old; 512 MB free on state directory
      wn3   no answer
      wn10  its clock is 1m ahead

      THIS HOST: 3 of 6 processors in use, load 0.4 0.5 1.2
         0  factory1-00  prod         starting     -   0 %
         2  factory1-02  prod         paused    3h03  50 %
        10  factory1-10  prod         stopping    1m  99 %
      … and 2 more

      LAST DECISIONS HERE
      1m     start gridpp: number 7
      3m     start gridpp: number 6
      5m     start gridpp: number 5
      … and 3 more"
    `);
  });

  test('says why this host starts nothing, and what is wrong with it', () => {
    const local = factoryView({
      standstill: { code: 'draining', reason: 'a new kernel' },
      problems: ['prod dies early'],
    });
    expect(shown({ ...REMOTE, local }, { ...VIEW, rows: 40 })).toContain(
      '\nnothing starts: a new kernel\nproblem: prod dies early\n',
    );
  });

  test('names the worst factories before those with warnings', () => {
    const many = [
      ...Array.from({ length: 30 }, (_, index) =>
        answer(`wn${index}`, [factory(`wn${index}`, { vac_disk_avail_kb: 4_000_000 })]),
      ),
      answer('wn99', []),
    ];
    const lines = watchView({ ...REMOTE, factories: many }, { ...VIEW, rows: 14 });
    expect(lines.find((line) => line.startsWith('FACTORIES'))).toBe('FACTORIES WITH PROBLEMS: 31');
    expect(lines.find((line) => line.startsWith('wn'))).toBe('wn99  no answer');
    expect(lines.at(-1)).toMatch(/^… and \d+ more$/);
  });

  test('before anything is known', () => {
    const nothing = { space: SPACE, factories: [], machinetypes: [], local: null };
    expect(shown(nothing, { ...VIEW, rows: 24 })).toMatchInlineSnapshot(`
      "vac01.example.com  0/0 factories  0/0 processors  0/0 machines  0 HS06

      no machinetypes are known

      NO FACTORY HAS PROBLEMS"
    `);
  });

  test('colours no text', () => {
    const coloured = shown(LOCAL, { ...WIDE, rows: 40, colour: true });
    expect(coloured).not.toBe(shown(LOCAL, { ...WIDE, rows: 40 }));
    expect(stripVTControlCharacters(coloured)).toBe(shown(LOCAL, { ...WIDE, rows: 40 }));
  });

  test('has never more lines than the screen, nor wider ones', () => {
    const text = fc.constantFrom(...HOSTILE);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 160 }),
        fc.nat({ max: 40 }),
        text,
        fc.boolean(),
        (rows, columns, factories, message, isLocal) => {
          const names = Array.from({ length: factories }, (_, index) => `wn${index}`);
          const facts: WatchFacts = {
            space: SPACE,
            factories: names.map((name, index) => answer(name, index % 3 === 0 ? [] : [factory(name)])),
            machinetypes: names.map((name, index) =>
              answer(name, [
                type(name, `type-${index}`, { shutdown_time: VIEW.nowSeconds, shutdown_message: message }),
              ]),
            ),
            local: isLocal
              ? factoryView({
                  ...LOCAL.local!,
                  slotDecisions: [logged({ slot: 3, reason: message })],
                  done: [logged({ reason: message })],
                  standstill: { code: 'draining', reason: message },
                })
              : null,
          };
          const lines = watchView(facts, { ...VIEW, rows, columns });
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            expect(widthOf(line)).toBeLessThanOrEqual(columns);
            expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
          }
        },
      ),
    );
  });
});
