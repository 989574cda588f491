import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseTrailLine, type TrailEntry } from '../../src/trail/record.js';
import { TrailStore } from '../../src/trail/store.js';
import { verifyTrail } from '../../src/trail/verify.js';
import { testRecord } from '../machines/record.js';

const DAY = 86_400;
const NOON = 1_700_049_600;

let directory: string;
let now: number;
let told: string[];

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'vac-trail-')), 'trail');
  now = NOON;
  told = [];
});
afterEach(() => rm(join(directory, '..'), { recursive: true }));

function store(): TrailStore {
  const tell = (line: string) => void told.push(line);
  return new TrailStore(directory, { info: tell, error: tell }, () => now);
}

async function opened(since = now): Promise<TrailStore> {
  const fresh = store();
  await fresh.open(since);
  return fresh;
}

function entry(number: number, kind: 'created' | 'note' = 'created'): TrailEntry {
  const machine = testRecord({ uuid: `uuid-${number}`, id: `machine-${number}` });
  const common = { timeSeconds: now, id: machine.id, uuid: machine.uuid };
  if (kind === 'note') return { ...common, kind, what: 'quarantined', who: 'ann', text: 'it scans' };
  return { ...common, kind, machine, provenance: null };
}

async function lines(): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== ''));
}

describe('the trail', () => {
  test('numbers entries and ties each to the one before, over days and restarts', async () => {
    const first = await opened();
    await Promise.all([first.append(entry(1)), first.append(entry(2))]);
    now += DAY;
    await first.append(entry(3));
    await (await opened()).append(entry(4));
    expect((await lines()).map((line) => parseTrailLine(line)!.seq)).toEqual([1, 2, 3, 4]);
    expect(await verifyTrail(directory)).toMatchObject({ records: 4, first: 1, last: 4, problems: [] });
    expect((await readdir(directory)).sort()).toEqual(['20231115.jsonl', '20231116.jsonl', 'head.json']);
  });

  test('is for root alone', async () => {
    await (await opened()).append(entry(1));
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  });

  test('has each entry once, within a process and over restarts', async () => {
    const first = await opened();
    await Promise.all([first.append(entry(1)), first.append(entry(1))]);
    await first.append(entry(1));
    now += 3 * DAY;
    await (await opened(NOON)).append(entry(1));
    expect(await lines()).toHaveLength(1);
  });

  test('of a write that fails nothing is left, and the next one goes on', async () => {
    const trail = await opened();
    await trail.append(entry(1));
    await rm(directory, { recursive: true });
    await writeFile(directory, 'in the way');
    await expect(trail.append(entry(2))).rejects.toThrow();
    expect(trail.problem).toContain('EEXIST');
    await rm(directory);
    await trail.append(entry(2));
    expect(trail.problem).toBeNull();
    expect((await lines()).map((line) => parseTrailLine(line)!.seq)).toEqual([2]);
  });

  test('goes on in its last file when the clock is set back', async () => {
    const trail = await opened();
    await trail.append(entry(1));
    now -= 40 * DAY;
    await trail.append(entry(2));
    expect(await verifyTrail(directory)).toMatchObject({ records: 2, problems: [] });
    expect((await readdir(directory)).filter((name) => name.endsWith('.jsonl'))).toEqual(['20231115.jsonl']);
  });

  test('forgets old days, and knows that they were removed', async () => {
    const trail = await opened();
    for (let day = 0; day < 5; day += 1, now += DAY) await trail.append(entry(day));
    await trail.removeOlderThan(0);
    expect(await lines()).toHaveLength(5);
    await trail.removeOlderThan(3);
    expect(await verifyTrail(directory)).toMatchObject({ records: 3, first: 3, last: 5, problems: [] });
    now += 300 * DAY;
    await trail.removeOlderThan(3);
    expect(await verifyTrail(directory)).toMatchObject({ first: 5, last: 5, problems: [] });
    await (await opened()).append(entry(6));
    expect(await verifyTrail(directory)).toMatchObject({ first: 5, last: 6, problems: [] });
  });

  test('a removal that was broken off is no damage', async () => {
    const trail = await opened();
    for (let day = 0; day < 3; day += 1, now += DAY) await trail.append(entry(day));
    const first = await readFile(join(directory, '20231115.jsonl'));
    await trail.removeOlderThan(2);
    await writeFile(join(directory, '20231115.jsonl'), first);
    expect(await verifyTrail(directory)).toMatchObject({ records: 2, problems: [] });
  });

  test('a line that a crash of the host cut off is taken away, and what it was of is written again', async () => {
    const trail = await opened();
    await trail.append(entry(1));
    await trail.append(entry(2));
    const path = join(directory, '20231115.jsonl');
    const { size } = await stat(path);
    for (const missing of [1, 2, 100, size - 1]) {
      // It is written after the lines, so it tells of none that was cut off.
      await rm(join(directory, 'head.json'));
      const text = await readFile(path);
      await truncate(path, size - missing);
      const next = await opened();
      await next.append(entry(1));
      await next.append(entry(2));
      expect(await verifyTrail(directory)).toMatchObject({ records: 2, problems: [] });
      expect((await readFile(path)).equals(text)).toBe(true);
    }
    expect(told.filter((line) => line.includes('in the middle of a line'))).toHaveLength(4);
  });

  test('shows any change, and any loss', async () => {
    const trail = await opened();
    for (let number = 0; number < 6; number += 1, now += DAY / 4) await trail.append(entry(number));
    const names = (await readdir(directory)).filter((name) => name.endsWith('.jsonl')).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
    const all = texts.join('');
    const damaged = async (): Promise<boolean> => (await verifyTrail(directory)).problems.length > 0;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: all.length - 1 }), fc.constantFrom('x', '7', '', '\n'), async (at, put) => {
        const from = texts.findIndex((_, index) => at < texts.slice(0, index + 1).join('').length);
        const offset = at - texts.slice(0, from).join('').length;
        const text = texts[from]!;
        const changed = text.slice(0, offset) + put + text.slice(offset + 1);
        await writeFile(join(directory, names[from]!), changed);
        const isSame = changed.trimEnd() === text.trimEnd();
        const found = await damaged();
        await writeFile(join(directory, names[from]!), text);
        return isSame || found;
      }),
      { numRuns: 60 },
    );
    expect(await damaged()).toBe(false);
    for (const name of names) {
      const text = await readFile(join(directory, name), 'utf8');
      await rm(join(directory, name));
      expect(await damaged(), `${name} removed`).toBe(true);
      await writeFile(
        join(directory, name),
        text
          .split('\n')
          .slice(0, -2)
          .map((line) => `${line}\n`)
          .join(''),
      );
      expect(await damaged(), `the last line of ${name} removed`).toBe(true);
      await writeFile(join(directory, name), text);
    }
  });

  test('is whole while vacd writes on', async () => {
    const trail = await opened();
    await trail.append(entry(1));
    const [line] = await lines();
    const path = join(directory, '20231115.jsonl');
    await appendFile(path, '{"form":1,"seq":2,"prev":');
    expect(await verifyTrail(directory)).toMatchObject({ records: 1, problems: [] });
    await writeFile(path, `${line}\n`);
    // Many lines take a while to read; meanwhile there are more.
    const appending = (async () => {
      for (let number = 2; number < 200; number += 1) await trail.append(entry(number));
    })();
    let isOver = false;
    void appending.then(() => {
      isOver = true;
    });
    while (!isOver) expect((await verifyTrail(directory)).problems).toEqual([]);
    await appending;
  });

  test('a loss is told of at the next start, and stays visible', async () => {
    const trail = await opened();
    await trail.append(entry(1));
    await trail.append(entry(2));
    const path = join(directory, '20231115.jsonl');
    const [first] = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, `${first}\n`);
    const next = await opened();
    expect(told.join('\n')).toContain('TRAIL DAMAGED');
    expect([trail.damage, next.damage]).toEqual([null, 'records were removed or changed while vacd did not run']);
    await next.append(entry(3));
    expect((await verifyTrail(directory)).problems).toEqual([
      '20231115.jsonl line 2 is record 3, and 2 should be there',
    ]);
    await appendFile(path, '{"form":1}\n');
    expect((await verifyTrail(directory)).problems).toHaveLength(2);
  });

  test('notes of one machine at one moment are told apart by what was done', async () => {
    const trail = await opened();
    await trail.append(entry(1, 'note'));
    await trail.append(entry(1, 'note'));
    await trail.append({ ...entry(1, 'note'), what: 'released' } as TrailEntry);
    expect(await lines()).toHaveLength(2);
  });

  test('text of strangers steers no terminal', async () => {
    const text = '\u001b[2J\u202eevil\u0085\u{e0001}';
    await (await opened()).append({ ...entry(1, 'note'), text } as TrailEntry);
    const [line] = await lines();
    expect(line).toMatch(/^[\x20-\x7e]*$/);
    expect(parseTrailLine(line!)).toMatchObject({ text });
  });
});
