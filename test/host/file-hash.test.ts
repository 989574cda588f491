import { createHash } from 'node:crypto';
import { type FileHandle, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hashFile } from '../../src/host/file-hash.js';

const CONTENT = Buffer.from(Array.from({ length: 2.5 * 2 ** 20 }, (_, index) => index % 251));
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

let directory: string;
let handle: FileHandle;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-hash-'));
  await writeFile(join(directory, 'file'), CONTENT);
  handle = await open(join(directory, 'file'));
});
afterEach(async () => {
  await handle.close();
  await rm(directory, { recursive: true });
});

test.each([
  ['all of a file', undefined, CONTENT.length],
  ['its beginning', 1_500_000, 1_500_000],
  ['nothing of it', 0, 0],
  ['a file that has become shorter', 1e9, CONTENT.length],
])('%s', async (_what, maxBytes, bytes) => {
  expect(await hashFile(handle, maxBytes)).toEqual({ bytes, sha256: sha256(CONTENT.subarray(0, bytes)) });
});

test('is given up in the middle', async () => {
  let pieces = 0;
  expect(await hashFile(handle, undefined, () => ++pieces < 2)).toBeNull();
});
