import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { weighableResources } from '../../src/host/cgroup.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-cgroup-'));
});

afterEach(() => rm(root, { recursive: true }));

async function given(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

describe('weighableResources', () => {
  it('are those of control groups of version 2', async () => {
    await given({ 'cgroup.controllers': 'cpuset cpu io memory\n', 'system.slice/io.bfq.weight': 'default 100\n' });
    expect(await weighableResources(root)).toEqual({ cpu: 2, io: true });
  });

  it('are no disks where no group has a weight for them', async () => {
    await given({ 'cgroup.controllers': 'cpu io\n', 'system.slice/io.max': '' });
    expect(await weighableResources(root)).toEqual({ cpu: 2, io: false });
  });

  it('are those of control groups of version 1', async () => {
    await given({ 'cpu/cpu.shares': '1024\n', 'blkio/machine/blkio.bfq.weight': '100\n' });
    expect(await weighableResources(root)).toEqual({ cpu: 1, io: true });
  });

  it('are none where there are no control groups', async () => {
    expect(await weighableResources(root)).toEqual({ cpu: null, io: false });
    expect(await weighableResources(join(root, 'nowhere'))).toEqual({ cpu: null, io: false });
  });

  it('of this host can be told', async () => {
    expect(await weighableResources()).toEqual({
      cpu: expect.toSatisfy((v) => [1, 2, null].includes(v)),
      io: expect.any(Boolean),
    });
  });
});
