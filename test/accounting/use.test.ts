import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clockStep, looked, type MachineUse, pointsOf, redated, type TwoClocks } from '../../src/accounting/use.js';
import { readUse, USE_FILE, writeUse } from '../../src/accounting/use-file.js';
import { readClocks } from '../../src/host/boot-clock.js';

const NOON = Date.UTC(2026, 9, 31, 12) / 1000;
const NOVEMBER = Date.UTC(2026, 10) / 1000;
const at = (seconds: number, setBy = 0): TwoClocks => ({
  unixSeconds: NOON + seconds + setBy,
  bootId: 'a boot',
  bootSeconds: 1000 + seconds,
});
const running = (cpuSeconds: number) => ({ cpuSeconds, isPaused: false });
const paused = (cpuSeconds: number) => ({ cpuSeconds, isPaused: true });

/** Looks one after the other, the first at its start. */
function lookedAt(...looks: [seconds: number, look: ReturnType<typeof running>][]): MachineUse {
  return looks.reduce<MachineUse | null>((use, [seconds, look]) => looked(use, look, at(seconds)), null)!;
}

describe('looks at a machine', () => {
  it('tell of CPU time, which never becomes less', () => {
    expect(lookedAt([0, running(1)], [5, running(9)], [10, running(7)])).toMatchObject({ cpuSeconds: 9 });
  });

  it('tell how long it was paused: from the look that saw it so until the one that did not', () => {
    const use = lookedAt([0, running(0)], [100, paused(0)], [130, paused(0)], [160, running(0)], [200, running(0)]);
    expect(use.suspendedSeconds).toBe(60);
  });

  it('tell what it had used when a month ended between two of them', () => {
    const end = NOVEMBER - NOON;
    const use = lookedAt([0, running(0)], [end - 10, running(100)], [end + 30, running(140)], [end + 60, running(200)]);
    expect(use.marks).toEqual([{ timeSeconds: NOVEMBER, cpuSeconds: 110, suspendedSeconds: 0 }]);
    expect(pointsOf(use).map(({ cpuSeconds }) => cpuSeconds)).toEqual([110, 200]);
  });

  it('at the very end of a month tell it once', () => {
    const end = NOVEMBER - NOON;
    expect(lookedAt([0, running(0)], [end, running(50)], [end + 5, running(60)]).marks).toEqual([
      { timeSeconds: NOVEMBER, cpuSeconds: 50, suspendedSeconds: 0 },
    ]);
  });

  it('tell of every month that went by meanwhile', () => {
    const use = lookedAt([0, running(0)], [100 * 86_400, running(1000)]);
    expect(use.marks.map(({ timeSeconds }) => new Date(timeSeconds * 1000).getUTCMonth())).toEqual([10, 11, 0, 1]);
  });
});

describe('a clock that is set', () => {
  it.each([
    ['forward', 3600],
    ['back', -86_400],
  ])('%s moves what is dated by it', (_, setBy) => {
    const use = lookedAt([0, running(0)], [60, running(10)]);
    const now = at(65, setBy);
    expect(clockStep(use, now)).toBe(setBy);
    const moved = redated(use, setBy, NOON);
    expect(moved).toMatchObject({ unixSeconds: NOON + 60 + setBy, startedTimeSeconds: NOON + setBy, cpuSeconds: 10 });
    expect(clockStep(moved, now)).toBe(0);
    expect(looked({ ...moved, isPaused: true }, running(11), now).suspendedSeconds).toBe(5);
  });

  it('is not one that drifts, was read late, or belongs to another boot', () => {
    const use = lookedAt([0, running(0)]);
    expect(clockStep(use, at(5, 1))).toBe(0);
    expect(clockStep(use, at(30 * 86_400, 60))).toBe(0);
    expect(clockStep(use, { ...at(5, 3600), bootId: 'the next' })).toBe(0);
  });

  it('does not date a start before time began', () => {
    expect(redated(lookedAt([0, running(0)]), -2 * NOON, NOON).startedTimeSeconds).toBe(1);
  });
});

describe('use.json', () => {
  it('keeps it, and what was spoilt is not believed', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'vac-use-'));
    try {
      expect(await readUse(directory)).toBeNull();
      const use = lookedAt([0, running(0)], [100 * 86_400, running(1000)]);
      await writeUse(directory, use);
      expect(await readUse(directory)).toEqual(use);
      for (const text of ['', 'null', '{"unixSeconds":1}', JSON.stringify({ ...use, cpuSeconds: -1 })]) {
        await writeFile(join(directory, USE_FILE), text);
        expect(await readUse(directory), text).toBeNull();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

it('readClocks reads both clocks of this host', () => {
  const [first, second] = [readClocks(), readClocks()];
  expect(first.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(second.bootSeconds).toBeGreaterThanOrEqual(first.bootSeconds);
  expect(Math.abs(first.unixSeconds - Date.now() / 1000)).toBeLessThan(600);
  expect(clockStep(first, second)).toBe(0);
});
