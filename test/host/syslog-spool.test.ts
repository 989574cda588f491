import { appendFile, link, mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SyslogSpool } from '../../src/host/syslog-spool.js';

let root: string;
let directory: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-spool-'));
  directory = join(root, 'forward');
  await mkdir(directory);
});

afterEach(() => rm(root, { recursive: true }));

const open = () => new SyslogSpool(directory, join(root, 'forwarded'));
const append = (file: string, text: string) => appendFile(join(directory, file), text);
const nameAgo = (seconds: number) =>
  new Date(Date.now() - seconds * 1000).toISOString().replace(/\D/g, '').slice(0, 12);
const NOW = () => nameAgo(0);

/** Takes all that there is, as a collector that is well. */
async function takeAll(spool: SyslogSpool): Promise<string[]> {
  const taken: string[] = [];
  for (let batch = await spool.next(); batch !== null; batch = await spool.next()) {
    taken.push(...batch.lines.map(String));
    await spool.passed(batch);
  }
  return taken;
}

test('lines come in order, once, also to a process that comes after', async () => {
  const file = NOW();
  const spool = open();
  expect(await spool.next()).toBeNull();
  await append(file, 'a\nb\nha');
  expect(await takeAll(spool)).toEqual(['a', 'b']);
  await append(file, 'lf\n');
  expect(await takeAll(spool)).toEqual(['half']);
  await append(file, 'c\n');
  expect(await takeAll(open())).toEqual(['c']);
  expect(await takeAll(open())).toEqual([]);
});

test('what was not passed comes again', async () => {
  await append(NOW(), 'a\nb\n');
  const spool = open();
  expect((await spool.next())?.lines.map(String)).toEqual(['a', 'b']);
  expect((await spool.next())?.lines.map(String)).toEqual(['a', 'b']);
  expect((await open().next())?.lines.map(String)).toEqual(['a', 'b']);
});

test('a file may get a last line while the next one is there already', async () => {
  const [before, now] = [nameAgo(60), NOW()];
  const spool = open();
  await append(before, 'a\n');
  await append(now, 'c\n');
  expect(await takeAll(spool)).toEqual(['a', 'c']);
  await append(before, 'b\n');
  await append(now, 'd\n');
  expect(await takeAll(spool)).toEqual(['b', 'd']);
});

test('files that are delivered are removed once nobody writes into them', async () => {
  const old = nameAgo(600);
  await append(old, 'a\nhalf');
  await utimes(join(directory, old), 0, 0);
  await append(NOW(), 'b\n');
  const spool = open();
  expect(await takeAll(spool)).toEqual(['a', 'b']);
  expect(await readdir(directory)).not.toContain(old);
});

test('a file that was made anew is read from its beginning', async () => {
  const file = NOW();
  await append(file, 'a\n');
  await takeAll(open());
  // Its inode is kept in use, so that the new file has another.
  await link(join(directory, file), join(root, 'before'));
  await rm(join(directory, file));
  await append(file, 'b\nc\n');
  expect(await takeAll(open())).toEqual(['b', 'c']);
});

test('a batch is bounded, and a line without end is no obstacle', async () => {
  const line = 'x'.repeat(1000);
  await append(NOW(), `${line}\n`.repeat(1000));
  const spool = open();
  const { lines } = (await spool.next())!;
  expect(lines.length).toBeGreaterThan(100);
  expect(lines.length).toBeLessThan(300);
  expect(await takeAll(spool)).toHaveLength(1000);
  await append(NOW(), `${'y'.repeat(600_000)}\nz\n`);
  expect((await takeAll(spool)).at(-1)).toBe('z');
});

test('beyond the limit the oldest lines are dropped, and counted', async () => {
  const files = [nameAgo(180), nameAgo(120), nameAgo(60)];
  for (const file of files) await append(file, 'x'.repeat(99).concat('\n').repeat(10));
  const spool = open();
  const first = (await spool.next())!;
  await spool.passed({ ...first, end: { ...first.end, bytes: 300 } });
  expect(await spool.limit(10_000)).toBe(2700);
  expect(spool.droppedLines).toBe(0);
  expect(await spool.limit(1500)).toBe(1000);
  expect(spool.droppedLines).toBe(17);
  expect(await readdir(directory)).toEqual([files[2]]);
  expect(await spool.limit(1)).toBe(1000);
});
