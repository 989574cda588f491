import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { machinesView } from '../../../src/cli/views/machines.js';
import { answer, empty, finished, machine, NOW, VIEW, WIDE } from './space.js';

const SPACE = [
  answer('wn10', [
    machine('wn10', 1, { state: 'Paused', heartbeat_time: NOW - 900 }),
    machine('wn10', 0, { state: 'Starting', created_time: NOW - 40, started_time: null, cpu_seconds: 0 }),
    machine('wn10', 100, { state: 'Unknown', started_time: null, machine_model: 'quantum' }),
  ]),
  answer('wn2', [
    machine('wn2', 0),
    machine('wn2', 1, { num_processors: 1, hs06: 10.5, machinetype: 'atlas-user', cpu_seconds: 5_500 }),
    finished('wn2', 2, { shutdown_message: '300 No more work available from task queue', machine_model: 'docker' }),
    finished('wn2', 3, { shutdown_message: null, machine_model: 'singularity' }),
    empty('wn2', 4),
    empty('wn2', 5),
  ]),
  answer('wn3', []),
];

const shown = (view: Parameters<typeof machinesView>[1], answers = SPACE) => machinesView(answers, view).join('\n');

describe('vac machines', () => {
  test('on 80 columns', () => {
    expect(shown(VIEW)).toMatchInlineSnapshot(`
      "MACHINE   MACHINETYPE  STATE      PROC  TIME  NOTE
      wn2-00    lhcb-prod    Running       8  3h05
      wn2-01    atlas-user   Running       1  3h05
      wn2-02    lhcb-prod    Shut down     8  2h53  12m ago: 300 No more work availab…
      wn2-03    lhcb-prod    Shut down     8  2h53  12m ago
      wn2                    empty                  2 empty slots
      wn10-00   lhcb-prod    Starting      8   40s
      wn10-01   lhcb-prod    Paused        8  3h05  not seen for 15m
      wn10-100  lhcb-prod    Unknown       8
      2 running, 1 starting, 1 paused, 1 unknown, 2 finished, 2 empty on 2 of 3
        factories; 33 processors, 346.5 HS06 in use"
    `);
  });

  test('on 120 columns, with every empty slot', () => {
    expect(shown({ ...WIDE, all: true })).toMatchInlineSnapshot(`
      "MACHINE   MACHINETYPE  STATE      PROC  VM  HS06  TIME    CPU  NOTE
      wn2-00    lhcb-prod    Running       8  VM    84  3h05   95 %
      wn2-01    atlas-user   Running       1  VM  10.5  3h05   50 %
      wn2-02    lhcb-prod    Shut down     8  DC    84  2h53  102 %  12m ago: 300 No more work available from task queue
      wn2-03    lhcb-prod    Shut down     8  SC    84  2h53  102 %  12m ago
      wn2-04                 empty
      wn2-05                 empty
      wn10-00   lhcb-prod    Starting      8  VM    84   40s
      wn10-01   lhcb-prod    Paused        8  VM    84  3h05   95 %  not seen for 15m
      wn10-100  lhcb-prod    Unknown       8  ?     84
      2 running, 1 starting, 1 paused, 1 unknown, 2 finished, 2 empty on 2 of 3 factories; 33 processors, 346.5 HS06 in use"
    `);
  });

  test('on 40 columns', () => {
    expect(shown({ ...VIEW, columns: 40 })).toMatchInlineSnapshot(`
      "MACHINE   MACHINETYPE  STATE      TIME…
      wn2-00    lhcb-prod    Running    3h05
      wn2-01    atlas-user   Running    3h05
      wn2-02    lhcb-prod    Shut down  2h53
      wn2-03    lhcb-prod    Shut down  2h53
      wn2                    empty
      wn10-00   lhcb-prod    Starting    40s
      wn10-01   lhcb-prod    Paused     3h05
      wn10-100  lhcb-prod    Unknown
      2 running, 1 starting, 1 paused, 1
        unknown, 2 finished, 2 empty on 2 of 3
        factories; 33 processors, 346.5 HS06
        in use"
    `);
  });

  test('cuts nothing where the output is no terminal', () => {
    expect(shown({ ...VIEW, columns: Number.POSITIVE_INFINITY })).toContain(
      '300 No more work available from task queue\n',
    );
  });

  test('keeps domains that tell machines apart', () => {
    const answers = [answer('wn1', [machine('wn1', 0)]), answer('wn1.example.org', [machine('wn1.example.org', 0)])];
    expect(shown(WIDE, answers)).toMatch(/^wn1-00\.example\.com .*\nwn1-00\.example\.org /m);
  });

  test('takes times from the clock of the factory, which may be wrong', () => {
    const hour = 3_600;
    const late = machine('wn1', 0, {
      time_sent: NOW + 5 * hour,
      started_time: NOW + 3 * hour,
      heartbeat_time: NOW + 5 * hour,
    });
    expect(shown(VIEW, [answer('wn1', [late])])).toMatch(/^wn1-00 .* 2h00 /m);
  });

  test('tells of no time, and no efficiency, where none is known', () => {
    const early = machine('wn1', 0, { started_time: NOW, heartbeat_time: null });
    const odd = machine('wn1', 1, { num_processors: 0, started_time: null });
    expect(shown(VIEW, [answer('wn1', [early, odd])])).toMatchInlineSnapshot(`
      "MACHINE  MACHINETYPE  STATE    PROC  VM  HS06  TIME
      wn1-00   lhcb-prod    Running     8  VM    84    0s
      wn1-01   lhcb-prod    Running     0  VM    84
      2 running on 1 of 1 factory; 8 processors, 168 HS06 in use"
    `);
  });

  test('of a space without an answer, and of none', () => {
    expect(shown(VIEW, [answer('wn1', [])])).toBe('0 running on 0 of 1 factory; 0 processors, 0 HS06 in use');
    expect(shown(VIEW, [])).toBe('there is no factory to ask');
  });

  test('colours states, and no text', () => {
    const coloured = shown({ ...WIDE, colour: true });
    expect(stripVTControlCharacters(coloured)).toBe(shown(WIDE));
    expect(coloured).toContain('\u001b[32mRunning\u001b[39m');
  });

  test('of 1,000 factories of 64 slots is one line for each machine that is or was, and for each factory', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `wn${index}`);
    const answers = names.map((name) =>
      answer(name, [
        ...Array.from({ length: 24 }, (_, slot) => machine(name, slot)),
        ...Array.from({ length: 24 }, (_, slot) => finished(name, slot + 24)),
        ...Array.from({ length: 16 }, (_, slot) => empty(name, slot + 48)),
      ]),
    );
    const lines = machinesView(answers, VIEW);
    expect(lines).toHaveLength(1 + 49_000 + 2);
    expect(lines.slice(-2).join('')).toMatchInlineSnapshot(
      `"24000 running, 24000 finished, 16000 empty on 1000 of 1000 factories; 192000  processors, 2016000 HS06 in use"`,
    );
    expect(lines[1]).toMatch(/^wn0-00 /);
    expect(lines[49_000]).toMatch(/^wn999 +empty +16 empty slots$/);
  });
});
