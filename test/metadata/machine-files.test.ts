import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type HostMachine, putJoboutput } from '../../src/metadata/machine-files.js';
import { OWNER } from './site.js';

const MIB = 2 ** 20;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-files-'));
  await mkdir(join(directory, 'joboutputs'));
});
afterEach(() => rm(directory, { recursive: true }));

/** Each begins when all have asked whether there is room. */
async function* body(chunks: number, begin: Promise<unknown>): AsyncGenerator<Uint8Array> {
  await begin;
  for (let count = 0; count < chunks; count += 1) yield Buffer.alloc(MIB / 4, 1);
}

it('many files that are PUT at once fill joboutputs no more than one after the other, where nothing else limits them', async () => {
  const machine = { directory, limits: { bytes: 6 * MIB, files: 100 } } as HostMachine;
  let askedCount = 0;
  let go: () => void = () => {};
  const begin = new Promise<void>((resolve) => {
    go = resolve;
  });
  const asked = (chunks: number): AsyncIterable<Uint8Array> => ({
    [Symbol.asyncIterator]() {
      askedCount += 1;
      if (askedCount === 8) go();
      return body(chunks, begin);
    },
  });
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, (_, number) => putJoboutput(machine, `file${number}`, asked(16), OWNER)),
  );
  expect(outcomes).toContain('full');
  const names = await readdir(join(directory, 'joboutputs'));
  expect(names).toHaveLength(outcomes.filter((outcome) => outcome === 'created').length);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(directory, 'joboutputs', name))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(6 * MIB);
});
