import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeIso, removeIsos } from '../../src/host/iso.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-iso-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('an ISO image', () => {
  const CONTENT = { label: 'cidata', files: { 'meta-data': 'a', 'openstack/latest/x': Buffer.from('b') } };

  it('of the same content are the same, whenever they were made, and root’s alone', async () => {
    const paths = ['a.iso', 'b.iso'].map((name) => join(directory, name));
    await makeIso(paths[0]!, CONTENT);
    // The second in which it is made must not be in it.
    const { mtimeMs } = await stat(paths[0]!);
    await expect.poll(() => Date.now() - mtimeMs, { timeout: 5000 }).toBeGreaterThan(1100);
    await makeIso(paths[1]!, CONTENT);
    expect(await readFile(paths[1]!)).toEqual(await readFile(paths[0]!));
    expect((await stat(paths[0]!)).mode & 0o777).toBe(0o600);
  });

  it('are made anew over what is there, also over what a crash left, and removed with it', async () => {
    const path = join(directory, 'a.iso');
    await mkdir(`${path}.tmp/tree`, { recursive: true });
    await writeFile(path, 'old');
    await makeIso(path, CONTENT);
    expect((await stat(path)).size).toBeGreaterThan(2048);
    expect((await readdir(directory)).sort()).toEqual(['a.iso']);
    await mkdir(`${path}.tmp/tree`, { recursive: true });
    await removeIsos([path, join(directory, 'never-made.iso')]);
    expect(await readdir(directory)).toEqual([]);
  });
});
