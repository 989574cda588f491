import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/host/exec.js';
import { copyHostileTree, measureHostileTree, safeName } from '../../src/host/hostile-tree.js';

const LIMITS = { bytes: 2 ** 20, entries: 100 };

let directory: string;
let from: string;
let to: string;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'vac-hostile-')));
  from = join(directory, 'guest');
  to = join(directory, 'kept');
  await mkdir(from);
});

afterEach(() => run('rm', ['-rf', directory]));

const put = (name: string | Buffer, content: string | Buffer = 'x') =>
  writeFile(Buffer.concat([Buffer.from(`${from}/`), Buffer.from(name)]), content);

const leftOut = ({ leftOut: reasons }: Awaited<ReturnType<typeof copyHostileTree>>) =>
  Object.fromEntries([...reasons].map(([reason, { count }]) => [reason, count]));

describe('a copy of what a guest wrote', () => {
  test('has its files, those in directories too, with their times, and as nobody’s but ours', async () => {
    await put('log', 'lines\n');
    await mkdir(join(from, 'job'));
    await put('job/out', 'result');
    await chmod(join(from, 'job/out'), 0o6777);
    await utimes(join(from, 'log'), 1_600_000_000, 1_600_000_000);
    const report = await copyHostileTree(from, to, LIMITS);
    expect(report).toMatchObject({ files: 2, bytes: 12 });
    expect(await readFile(join(to, 'log'), 'utf8')).toBe('lines\n');
    const kept = await stat(join(to, 'job/out'));
    expect({ mode: kept.mode & 0o7777, uid: kept.uid }).toEqual({ mode: 0o644, uid: process.getuid!() });
    expect((await stat(join(to, 'log'))).mtimeMs).toBe(1_600_000_000_000);
  });

  test('has no links, FIFOs, sockets or devices, and waits for none', async () => {
    await symlink('/etc/shadow', join(from, 'link'));
    await symlink('/etc', join(from, 'linked-directory'));
    await run('mkfifo', [join(from, 'fifo')]);
    await run('mknod', [join(from, 'zero'), 'c', '1', '5']);
    await put('plain');
    const report = await copyHostileTree(from, to, LIMITS);
    expect(await readdir(to)).toEqual(['plain']);
    expect(leftOut(report)).toEqual({ 'link or special file': 4 });
  });

  test('is bounded in bytes, be they in one file, in many, in a hole, or in many names of one file', async () => {
    const sparse = await open(join(from, 'sparse'), 'w');
    await sparse.truncate(2 ** 42);
    await sparse.close();
    await mkdir(join(from, 'names'));
    await put('names/0', Buffer.alloc(300_000, 1));
    for (let number = 1; number < 10; number++) await link(join(from, 'names/0'), join(from, `names/${number}`));
    const report = await copyHostileTree(from, to, LIMITS);
    expect(report).toMatchObject({ files: 3, bytes: 900_000 });
    expect(leftOut(report)).toEqual({ 'too large in all': 8 });
  });

  test('is bounded in names, and looks at no more of them', async () => {
    for (let number = 0; number < 150; number++) await put(`${number}`);
    const report = await copyHostileTree(from, to, LIMITS);
    expect(report.files).toBe(100);
    expect(leftOut(report)).toEqual({ 'too many': 1 });
    expect(await readdir(to)).toHaveLength(100);
  });

  test('goes eight directories deep, however deep they are and whatever path that makes', async () => {
    const name = 'd'.repeat(250);
    await run('sh', [
      '-c',
      `cd "$1"; for n in $(seq 40); do mkdir ${name}; cd -P ${name}; echo x > f; done`,
      'sh',
      from,
    ]);
    const report = await copyHostileTree(from, to, LIMITS);
    expect(report.files).toBe(8);
    expect(leftOut(report)).toEqual({ 'too deep': 1 });
  });

  test('keeps holes as holes', async () => {
    const sparse = await open(join(from, 'sparse'), 'w');
    await sparse.write('end', 1_000_000);
    await sparse.close();
    await copyHostileTree(from, to, LIMITS);
    expect((await readFile(join(to, 'sparse'))).equals(await readFile(join(from, 'sparse')))).toBe(true);
    expect((await stat(join(to, 'sparse'))).blocks * 512).toBeLessThan(500_000);
  });

  test('makes names harmless that do not print, and leaves out those that are one then', async () => {
    await put('two\nlines');
    await put('two%0Alines');
    await put(Buffer.from([0xff, 0x61]));
    await put('\u001b[2Jcleared');
    await put('grün ☂');
    await put(Buffer.alloc(200, 0x01));
    const report = await copyHostileTree(from, to, LIMITS);
    expect((await readdir(to)).sort()).toEqual(['%1B%5B2Jcleared', '%FFa', 'grün ☂', 'two%0Alines']);
    expect(leftOut(report)).toEqual({ name: 2 });
    for (const { examples } of report.leftOut.values()) expect(examples.join('')).toMatch(/^[\w.%-]+$/);
  });
});

test('a guest’s directory is measured by what it really takes, and no further than the limits', async () => {
  await put('full', Buffer.alloc(500_000, 1));
  const sparse = await open(join(from, 'sparse'), 'w');
  await sparse.truncate(2 ** 42);
  await sparse.close();
  const measured = await measureHostileTree(from, LIMITS);
  expect(measured.entries).toBe(2);
  expect(measured.bytes).toBeGreaterThanOrEqual(500_000);
  expect(measured.bytes).toBeLessThan(600_000);
  for (let number = 0; number < 300; number++) await put(`${number}`);
  expect((await measureHostileTree(from, LIMITS)).entries).toBe(101);
  await run('sh', ['-c', 'cd "$1"; rm -f *; for n in $(seq 20); do mkdir d; cd -P d; done', 'sh', from]);
  expect((await measureHostileTree(from, LIMITS)).entries).toBeGreaterThan(LIMITS.entries);
});

test('every name of bytes becomes one that prints and fits, or none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 255 }), (bytes) => {
      const name = safeName(Buffer.from(bytes));
      if (name === null) return;
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
      expect(name).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});
