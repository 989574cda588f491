import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { Memory } from '../../src/daemon/memory.js';
import { UseHistory } from '../../src/daemon/use-history.js';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import { pastUse } from '../../src/factory/use.js';
import type { JournalEntry } from '../../src/machines/journal.js';
import { config, end, FACTORY, machinetype, NOW, record } from '../factory/builders.js';
import { TestLog, until } from './test-factory.js';

const HALF_LIFE = 100 * 3600;
const HS06 = 8;
/** What four processors at 10 HS06 have used when they have always run. */
const LEVEL = (40 * HALF_LIFE) / Math.LN2;

let directory: string;
let path: string;
let memory: Memory;
let history: UseHistory;
let log: TestLog;
let steadyMs: number;
let unixSeconds: number;

/** A vacd that starts now and knows nothing but what is written down. */
function newVacd(shareHalfLifeHours = 100): void {
  const types = [machinetype('prod', { targetShare: 3 }), machinetype('user', { targetShare: 1 })];
  memory = new Memory(FACTORY, config(types, { shareHalfLifeHours, totalProcessors: 4, hs06PerProcessor: 10 }));
  history = new UseHistory({ memory, path, log: log.logger, now: () => ({ steadyMs, unixSeconds }) });
}

function addMachine(changes: Partial<JournalEntry> = {}, createdTimeSeconds = unixSeconds): MachineMemory {
  const made = record({
    hs06: HS06,
    createdTimeSeconds,
    id: `${createdTimeSeconds}_prod_x`,
    slot: memory.machines.size,
  });
  return memory.remember(
    {
      record: made,
      phase: 'running',
      startedTimeSeconds: createdTimeSeconds,
      heartbeatTimeSeconds: null,
      cpuSeconds: 0,
      shutdownTimeSeconds: createdTimeSeconds + 1_000_000,
      stop: null,
      suspension: null,
      pastSuspensions: NO_SUSPENSIONS,
      end: null,
      ...changes,
    },
    steadyMs,
  );
}

const domainOf = ({ entry }: MachineMemory) => ({
  uuid: entry.record.uuid,
  name: entry.record.hostname,
  state: 'running' as const,
  pausedByIoError: false,
  cpuSeconds: 0,
});

function pass(seconds: number): void {
  steadyMs += seconds * 1000;
  unixSeconds += seconds;
}

const useOf = (name: string): number => memory.ownUses(unixSeconds)!.get(name)!;

/** What there was, after so long with nothing running. */
const decayed = (use: number, seconds: number): number => use * 2 ** (-seconds / HALF_LIFE);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-use-'));
  path = join(directory, 'share-history.json');
  log = new TestLog();
  steadyMs = 5_000_000;
  unixSeconds = NOW;
  newVacd();
});

afterEach(async () => {
  await history.close();
  await rm(directory, { recursive: true, force: true });
});

/** Counts for an hour in which one machine of prod runs, and writes that down. */
async function anHour(): Promise<MachineMemory> {
  await history.restore();
  const machine = addMachine();
  history.update();
  pass(3600);
  await history.close();
  return machine;
}

describe('while vacd runs', () => {
  test('without share_half_life_hours nothing is counted, told or written', async () => {
    newVacd(0);
    await history.restore();
    addMachine();
    history.update();
    pass(3600);
    history.update();
    await history.close();
    expect(memory.ownUses(unixSeconds)).toBeNull();
    expect(memory.state(unixSeconds, steadyMs).uses).toEqual(new Map());
    expect(await readdir(directory)).toEqual([]);
  });

  test('what runs is added to what is left of a past in which all were served by their shares', async () => {
    await anHour();
    expect(useOf('prod')).toBeCloseTo(decayed(LEVEL * 0.75, 3600) + pastUse(HS06, 3600, 0, HALF_LIFE), 3);
    expect(useOf('user')).toBeCloseTo(decayed(LEVEL * 0.25, 3600), 3);
  });

  test('machines count from their beginning to their end, as in running_hs06', async () => {
    await history.restore();
    const before = useOf('prod');
    const machine = addMachine({ phase: 'starting', startedTimeSeconds: null });
    history.update();
    pass(600);
    memory.update(machine, { phase: 'ended', end: end({ timeSeconds: unixSeconds }) });
    history.update();
    pass(600);
    expect(useOf('prod')).toBeCloseTo(decayed(before, 1200) + pastUse(HS06, 1200, 600, HALF_LIFE), 3);
  });

  test('a clock that is set changes nothing', async () => {
    await history.restore();
    addMachine();
    history.update();
    pass(60);
    unixSeconds += 86_400 * 365;
    const ahead = useOf('prod');
    unixSeconds -= 86_400 * 700;
    expect(useOf('prod')).toBe(ahead);
    expect(ahead).toBeCloseTo(decayed(LEVEL * 0.75, 60) + pastUse(HS06, 60, 0, HALF_LIFE), 3);
  });

  test('decisions see it together with that of the other factories', async () => {
    await history.restore();
    memory.peerUses = new Map(Object.entries({ prod: 5, foreign: 7 }));
    const { uses } = memory.state(unixSeconds, steadyMs);
    expect(uses.get('foreign')).toBe(7);
    expect(uses.get('prod')).toBeCloseTo(LEVEL * 0.75 + 5, 3);
  });

  test('a changed share holds at once', async () => {
    await history.restore();
    memory.config = config([machinetype('prod'), machinetype('user')], memory.config.settings);
    expect(useOf('prod')).toBeCloseTo(LEVEL / 2, 3);
    expect(useOf('user')).toBeCloseTo(LEVEL / 2, 3);
  });

  test('the file is written once a minute', async () => {
    await history.restore();
    const text = () => readFile(path, 'utf8').catch(() => '');
    await until('the first file', async () => (await text()) !== '');
    const first = await text();
    pass(59);
    history.update();
    pass(1);
    await until('a newer file', async () => {
      history.update();
      return (await text()) !== first;
    });
    expect(JSON.parse(await text())).toMatchObject({ savedTimeSeconds: NOW + 60 });
    await history.close();
  });

  test('a file that cannot be written is told of once', async () => {
    await history.restore();
    await history.close();
    await rm(directory, { recursive: true });
    await history.close();
    await history.close();
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain('warning: ');
    expect(log.lines[0]).toContain('share-history.json cannot be written (');
  });
});

describe('over a restart', () => {
  test('what was counted is there again, decayed for as long as vacd was away', async () => {
    await anHour();
    const before = useOf('prod');
    newVacd();
    pass(7200);
    steadyMs = 100;
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(decayed(before, 7200), 3);
    expect(log.lines).toEqual([]);
  });

  test('a machine that ran on counts for that time, once libvirt has shown it', async () => {
    const { entry } = await anHour();
    const before = useOf('prod');
    newVacd();
    pass(7200);
    const found = addMachine(entry, entry.record.createdTimeSeconds);
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(decayed(before, 7200), 3);
    pass(60);
    found.domain = domainOf(found);
    history.update();
    pass(60);
    expect(useOf('prod')).toBeCloseTo(decayed(before, 7320) + pastUse(HS06, 7320, 0, HALF_LIFE), 3);
  });

  test('a machine that ended meanwhile counts until its end, also one that was cleared', async () => {
    const { entry } = await anHour();
    const before = useOf('prod');
    newVacd();
    const ended = end({ timeSeconds: unixSeconds + 1800 });
    pass(7200);
    const found = addMachine(entry, entry.record.createdTimeSeconds);
    addMachine({ phase: 'cleared', end: ended }, entry.record.createdTimeSeconds - 60);
    await history.restore();
    memory.update(found, { phase: 'ended', end: ended });
    history.update();
    const gap = pastUse(HS06, 7200, 5400, HALF_LIFE);
    expect(useOf('prod')).toBeCloseTo(decayed(before, 7200) + 2 * gap, 3);
  });

  test('machines that had ended before are not counted again', async () => {
    const { entry } = await anHour();
    const before = useOf('prod');
    newVacd();
    addMachine({ phase: 'cleared', end: end({ timeSeconds: unixSeconds }) }, entry.record.createdTimeSeconds);
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(before, 3);
  });

  test('no machine counts for longer than it may live, wherever the clock stands', async () => {
    const { entry } = await anHour();
    newVacd();
    unixSeconds += 86_400 * 3650;
    const found = addMachine({ ...entry, shutdownTimeSeconds: NOW + 7200 }, entry.record.createdTimeSeconds);
    found.domain = domainOf(found);
    await history.restore();
    expect(useOf('prod')).toBeLessThan(1);
  });

  test('a file of the future is taken as it is', async () => {
    const { entry } = await anHour();
    const before = useOf('prod');
    newVacd();
    unixSeconds -= 86_400;
    const found = addMachine(entry, entry.record.createdTimeSeconds);
    found.domain = domainOf(found);
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(before, 3);
  });

  test('while libvirt is silent the file stays, so that the next restart can still count what ran', async () => {
    const { entry } = await anHour();
    const before = useOf('prod');
    const kept = await readFile(path, 'utf8');
    for (let restart = 0; restart < 2; restart += 1) {
      newVacd();
      pass(3600);
      addMachine(entry, entry.record.createdTimeSeconds);
      await history.restore();
      await history.close();
      expect(await readFile(path, 'utf8')).toBe(kept);
    }
    const [found] = memory.machines.values();
    found!.domain = domainOf(found!);
    expect(useOf('prod')).toBeCloseTo(decayed(before, 7200) + pastUse(HS06, 7200, 0, HALF_LIFE), 3);
  });

  test('another half-life keeps what ran in the mean', async () => {
    await anHour();
    const before = useOf('prod');
    newVacd(50);
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(before / 2, 3);
  });
});

describe('a file that is damaged', () => {
  const CASES: [what: string, text: string, problem: string][] = [
    ['half written', '{"version": 1, "savedTime', 'JSON'],
    ['empty', '', 'JSON'],
    ['no object', '[]', 'it holds no object'],
    ['of another version', '{"version": 2}', 'it is of version 2, not 1'],
    ['without types', '{"version": 1}', 'machinetypes is no object'],
    [
      'with a use that is none',
      '{"version": 1, "savedTimeSeconds": 1, "halfLifeSeconds": 1, "machinetypes": {"a": {"use": -1, "part": 0}}}',
      'machinetypes.a.use is -1, not a number from 0 to',
    ],
    [
      'with a half-life of nothing',
      '{"version": 1, "savedTimeSeconds": 1, "halfLifeSeconds": 0, "machinetypes": {}}',
      'halfLifeSeconds is 0, not a number from 1 to',
    ],
  ];

  test.each(CASES)('%s is put aside, told of once, and history begins anew', async (_what, text, problem) => {
    await writeFile(path, text);
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(LEVEL * 0.75, 3);
    expect(await readFile(`${path}.bad`, 'utf8')).toBe(text);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain('warning: ');
    expect(log.lines[0]).toContain(problem);
    await history.close();
    log.lines.splice(0);
    newVacd();
    await history.restore();
    expect(log.lines).toEqual([]);
  });

  test('and in the way of any other stays there', async () => {
    await mkdir(join(`${path}.bad`, 'full'), { recursive: true });
    await writeFile(path, 'x');
    await history.restore();
    expect(log.lines[0]).toContain('it cannot be put aside: ');
    expect(useOf('user')).toBeCloseTo(LEVEL * 0.25, 3);
    await history.close();
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ version: 1 });
  });
});

test('a file that cannot be written is told of once, and written as soon as it can be', async () => {
  await history.restore();
  addMachine();
  await rm(directory, { recursive: true });
  for (let minute = 0; minute < 3; minute += 1) {
    pass(61);
    await history.close();
  }
  expect(log.lines).toEqual([expect.stringMatching(/^warning: .*share-history.json cannot be written \(ENOENT/)]);
  await mkdir(directory);
  pass(61);
  await history.close();
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ version: 1, savedTimeSeconds: unixSeconds });
});

test('a crash between any two steps leaves the old history or the new one, and nothing is counted twice', async () => {
  await anHour();
  const old = await readFile(path, 'utf8');
  pass(3600);
  await history.close();
  const expected = useOf('prod');
  const written = await readFile(path, 'utf8');
  // What a crash can leave: the temporary file beside the old one, in any length, or the new one in its place.
  const lengths = [0, 1, Math.floor(written.length / 2), written.length];
  const left = [
    ...lengths.map((length) => ({ kept: old, beside: written.slice(0, length) })),
    { kept: written, beside: null },
  ];
  const machines = [...memory.machines.values()].map(({ entry }) => entry);
  for (const { kept, beside } of left) {
    await writeFile(path, kept);
    if (beside !== null) await writeFile(join(directory, '.share-history.json.0123456789ab.tmp'), beside);
    newVacd();
    for (const entry of machines) {
      const found = addMachine(entry, entry.record.createdTimeSeconds);
      found.domain = domainOf(found);
    }
    await history.restore();
    expect(useOf('prod')).toBeCloseTo(expected, 3);
    expect(log.lines).toEqual([]);
    await history.close();
  }
});
