import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { liveView, type ScreenSize } from '../../src/cli/live-view.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { end, NOT_READY, NOW, services } from '../factory/builders.js';
import { factoryView, logged, machineView } from './status.js';

const SMALL: ScreenSize = { columns: 80, rows: 24 };
const LARGE: ScreenSize = { columns: 200, rows: 60 };
const FOOTER = '2 machines finished; Ctrl-C drains and stops';
const LONG = 'x'.repeat(300);

beforeEach(() => {
  vi.stubEnv('TZ', 'UTC');
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
  colours(false);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function colours(on: boolean): void {
  vi.stubEnv('FORCE_COLOR', on ? '1' : undefined);
  vi.stubEnv('NO_COLOR', on ? undefined : '1');
}

function busy(): FactoryStatus {
  return factoryView({
    processorsUsed: 3,
    machines: [
      machineView({ startedTimeSeconds: NOW - 95, cpuSeconds: 93.84, cpuPercent: 98.7 }, { slot: 0 }),
      machineView({ phase: 'starting', cpuPercent: 0 }, { slot: 1, machinetype: 'user' }),
      machineView({ domain: 'paused', startedTimeSeconds: NOW - 3 * 3600 - 65, cpuSeconds: 10_000 }, { slot: 2 }),
      // Of slot 3 before: it is over, so its slot is empty.
      machineView({ phase: 'cleared', end: end() }, { slot: 3 }),
    ],
    shares: [
      {
        machinetype: 'prod',
        machinegroup: 'prod',
        targetShare: 1,
        wanted: 0.25,
        now: 2 / 3,
        runningMachines: 2,
        runningHs06: 2,
      },
      {
        machinetype: 'user',
        machinegroup: 'user',
        targetShare: 3,
        wanted: 0.75,
        now: 1 / 3,
        runningMachines: 1,
        runningHs06: 1,
      },
    ],
    slotDecisions: [logged({ slot: 3, reason: 'user backs off for 12 s more after "300 No work"' })],
    done: Array.from({ length: 6 }, (_, index) =>
      logged({ timeSeconds: NOW - 60 + index, slot: index % 4, reason: `start prod (1 processor): number ${index}` }),
    ),
  });
}

function text(status: FactoryStatus, size: ScreenSize, log: readonly string[] = []): string {
  return liveView(status, log, size, FOOTER).join('\n');
}

test('an ordinary moment on 80 × 24', () => {
  const log = Array.from({ length: 30 }, (_, index) => `12:00:${index} line ${index}`);
  expect(text(busy(), SMALL, log)).toMatchInlineSnapshot(`
    "vac factory factory1.example.com   KVM (vmx)
    3 of 4 processors in use   load 0.4 0.5 1.2   all services ready

    SLOT  MACHINE                MACHINETYPE    STATE        RUNS   CPU s  CPU %
       0  factory1-00            prod           running       1:35    93.8     99
       1  factory1-01            user           starting               0.0      0
       2  factory1-02            prod           paused        3h01  10000.0     99
       3  empty  user backs off for 12 s more after "300 No work"

    SHARES                         NOW  WANTED
      prod          ####|########.......   67 %    25 %
      user          #######.......|.....   33 %    75 %

    LAST DECISIONS
      01:59:02           start prod (1 processor): number 2
      01:59:03           start prod (1 processor): number 3
      01:59:04           start prod (1 processor): number 4
      01:59:05           start prod (1 processor): number 5

    LOG
      12:00:28 line 28
      12:00:29 line 29

    2 machines finished; Ctrl-C drains and stops"
  `);
});

test('nothing running, nothing decided', () => {
  const slotDecisions = [0, 1, 2, 3].map((slot) => logged({ slot, reason: 'no machinetype is configured' }));
  expect(text(factoryView({ slotDecisions }), SMALL)).toMatchInlineSnapshot(`
    "vac factory factory1.example.com   KVM (vmx)
    0 of 4 processors in use   load 0.4 0.5 1.2   all services ready

    SLOT  MACHINE                MACHINETYPE    STATE        RUNS   CPU s  CPU %
       0  empty  no machinetype is configured
       1  empty  no machinetype is configured
       2  empty  no machinetype is configured
       3  empty  no machinetype is configured

    SHARES                         NOW  WANTED
      prod          .........|..........    0 %    50 %
      user          .........|..........    0 %    50 %

    LAST DECISIONS

    LOG

    2 machines finished; Ctrl-C drains and stops"
  `);
});

test('64 slots on 200 × 60', () => {
  const machines = Array.from({ length: 64 }, (_, slot) =>
    machineView({ startedTimeSeconds: NOW - 60 * slot, cpuSeconds: 60 * slot }, { slot }),
  );
  const picture = text({ ...busy(), slots: 64, processors: 64, processorsUsed: 64, machines }, LARGE, ['the log']);
  expect(picture).toMatchSnapshot();
  expect(picture).toContain('more slots');
});

test('services that are down are named', () => {
  const status = factoryView({
    services: services({ network: NOT_READY, syslog: NOT_READY }),
    hypervisor: 'libvirt: no libvirtd there',
  });
  const [title, line] = liveView(status, [], SMALL, FOOTER);
  expect(title).toMatch(/ {3}libvirt: no libvirtd there$/);
  expect(line).toMatch(/ {3}waiting for network, syslog$/);
});

test('a machine that is asked to stop is shown as stopping', () => {
  const status = factoryView({ machines: [{ ...machineView({}, { slot: 1 }), stopping: 'its time is over' }] });
  expect(text(status, SMALL)).toMatch(/^ {3}1 {2}factory1-01 .* stopping /m);
});

test('colours change no text', () => {
  const plain = text(busy(), LARGE, ['a line']);
  expect(stripVTControlCharacters(plain)).toBe(plain);
  colours(true);
  const coloured = text(busy(), LARGE, ['a line']);
  expect(coloured).not.toBe(plain);
  expect(stripVTControlCharacters(coloured)).toBe(plain);
});

describe.each([
  ['80 × 24', SMALL],
  ['200 × 60', LARGE],
  ['a very small one', { columns: 20, rows: 10 }],
] as const)('a screen of %s', (_, size) => {
  const busyStatus = busy();
  const longNames = {
    ...busyStatus,
    factory: `factory.${LONG}`,
    hypervisor: LONG,
    slotDecisions: [logged({ slot: 3, reason: LONG })],
    machines: busyStatus.machines.map((machine) => ({ ...machine, hostname: LONG, machinetype: LONG })),
    shares: busyStatus.shares.map((share) => ({ ...share, machinetype: LONG })),
    done: [logged({ reason: LONG })],
  };
  const PICTURES: Readonly<Record<string, FactoryStatus>> = {
    'an ordinary moment': busyStatus,
    'long names': longNames,
    'nothing at all': factoryView({ slots: 0, shares: [] }),
    '64 slots': { ...busyStatus, slots: 64 },
    'many machinetypes': { ...busyStatus, shares: Array.from({ length: 40 }, () => busyStatus.shares[0]!) },
  };
  const logs: Readonly<Record<string, readonly string[]>> = {
    'no log': [],
    'long log lines': Array.from({ length: 200 }, () => LONG),
    'a stack trace': Array.from({ length: 60 }, () => 'Error: broken\n    at one\n    at two'),
  };
  const cases = Object.keys(PICTURES).flatMap((picture) =>
    Object.keys(logs).flatMap((log) => [true, false].map((on) => [picture, log, on] as const)),
  );

  test.each(cases)('holds %s with %s (colours: %s), and the footer', (picture, log, on) => {
    colours(on);
    const lines = liveView(PICTURES[picture]!, logs[log]!, size, FOOTER);
    const plain = lines.map(stripVTControlCharacters);
    expect(lines.length).toBeLessThanOrEqual(size.rows);
    expect(plain.at(-1)).toBe(FOOTER.slice(0, size.columns));
    for (const line of plain) {
      expect(line.length).toBeLessThanOrEqual(size.columns);
      expect(line).not.toContain('\n');
    }
  });
});

test('what is cut is cut from the text, and no colour is left on', () => {
  colours(true);
  const [title] = liveView({ ...factoryView(), factory: LONG }, [], SMALL, FOOTER);
  expect(title!.startsWith('\u001b[1m')).toBe(true);
  expect(title).toContain('\u001b[22m');
  expect(stripVTControlCharacters(title!)).toHaveLength(80);
});

test('the newest lines of the log are the ones that are shown', () => {
  const log = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  const picture = text(factoryView(), SMALL, log);
  expect(picture).toContain('line 99');
  expect(picture).not.toContain('line 0');
});
