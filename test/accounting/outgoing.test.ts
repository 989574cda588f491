import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitingMessages } from '../../src/accounting/outgoing.js';
import { StateLayout } from '../../src/machines/layout.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-outgoing-'));
});
afterEach(() => rm(root, { recursive: true }));

async function put(day: string, name: string, seconds: number): Promise<void> {
  const path = join(root, 'apel-outgoing', day, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, 'x');
  await utimes(path, seconds, seconds);
}

test('messages are counted, and the one that waits longest is found in whatever day', async () => {
  const layout = new StateLayout(root);
  expect(await waitingMessages(layout)).toEqual({ count: 0, oldestTimeSeconds: null });
  await put('20261101', '00000000000001', 2000);
  await put('20261102', '00000000000001', 1000);
  await put('20261102', '00000000000002', 3000);
  // What is no message of ours, or not yet one.
  await put('20261102', '.00000000000003.tmp', 10);
  await put('other', '00000000000001', 10);
  await writeFile(join(root, 'apel-outgoing', '20261103'), '');
  expect(await waitingMessages(layout)).toEqual({ count: 3, oldestTimeSeconds: 1000 });
});

test('a directory that cannot be read is no empty one', async () => {
  const long = new StateLayout(join(root, 'x'.repeat(300)));
  await expect(waitingMessages(long)).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});
