import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileDigests } from '../../../src/host/images/file-digests.js';

let directory: string;
let image: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-digests-'));
  image = join(directory, 'image');
  await writeFile(image, 'content');
});
afterEach(() => rm(directory, { recursive: true }));

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const cache = () => join(directory, 'digests.json');

test('is not known at once, then it is, and a later process knows it too', async () => {
  const digests = new FileDigests(cache());
  const { key, bytes } = await FileDigests.key(image);
  expect([bytes, await digests.lookUp(key)]).toEqual([7, null]);
  digests.want(image, key);
  await digests.settled();
  expect(await digests.lookUp(key)).toBe(sha256('content'));
  expect(await new FileDigests(cache()).lookUp(key)).toBe(sha256('content'));
});

test('a file that was changed is another one', async () => {
  const digests = new FileDigests(cache());
  const { key } = await FileDigests.key(image);
  await writeFile(image, 'other content');
  // What is read now is not what the key stands for.
  digests.want(image, key);
  await digests.settled();
  expect(await digests.lookUp(key)).toBeNull();
  const { key: next } = await FileDigests.key(image);
  expect(next).not.toBe(key);
});

test('a file that is gone is told of, and the next ones are done', async () => {
  const told: string[] = [];
  const digests = new FileDigests(cache(), (line) => told.push(line));
  const { key } = await FileDigests.key(image);
  digests.want(join(directory, 'gone'), 'a');
  digests.want(image, key);
  await digests.settled();
  expect(await digests.lookUp(key)).toBe(sha256('content'));
  expect(told).toEqual([expect.stringContaining('gone is not known to the trail')]);
});

test('a cache that is spoilt is begun anew', async () => {
  await writeFile(cache(), '[["a"],');
  const digests = new FileDigests(cache());
  await digests.note('key', 'f'.repeat(64));
  expect(JSON.parse(await readFile(cache(), 'utf8'))).toEqual([['key', 'f'.repeat(64)]]);
});
