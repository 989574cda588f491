import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MachineExports } from '../../src/host/nfs.js';
import { NoNfs } from '../../src/host/nfs.js';
import { JoboutputsWatch } from '../../src/machines/joboutputs-watch.js';
import { StateLayout } from '../../src/machines/layout.js';
import { testRecord } from './record.js';

const A = testRecord({ joboutputsMib: 1, joboutputsFiles: 10 });
const B = testRecord({ ...A, id: '1700000000_prod_factory1-04.example.com', hostname: 'factory1-04.example.com' });

let layout: StateLayout;
let added: MachineExports[];
let said: string[];
let watch: JoboutputsWatch;

class Nfs extends NoNfs {
  override async add(...exported: MachineExports[]): Promise<void> {
    added.push(...exported);
  }
}

beforeEach(async () => {
  layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-watch-')));
  // As GuestDirectories makes them, and as an earlier version did.
  await mkdir(layout.inMachine(A.id, 'shared/private/outputs/joboutputs'), { recursive: true });
  await symlink('shared/private/outputs/joboutputs', layout.inMachine(A.id, 'joboutputs'));
  await mkdir(layout.inMachine(B.id, 'joboutputs'), { recursive: true });
  added = [];
  said = [];
  const nfs = new Nfs({ address: '169.254.169.254' });
  watch = new JoboutputsWatch({ layout, nfs, log: { warn: (message) => void said.push(message) } });
});

afterEach(() => rm(layout.root, { recursive: true }));

const put = (id: string, name: string, bytes: number) =>
  writeFile(layout.inMachine(id, `joboutputs/${name}`), Buffer.alloc(bytes, 1));

test('a machine within its limits is left alone', async () => {
  await put(A.id, 'log', 900_000);
  await watch.look([A, B]);
  expect(added).toEqual([]);
});

test.each([
  ['bytes', () => put(A.id, 'log', 1_200_000)],
  ['files', async () => Promise.all(Array.from({ length: 11 }, (_, number) => put(A.id, `${number}`, 0)))],
])('one with too many %s can write no more, the others go on, and it is said once', async (_, fill) => {
  await fill();
  await watch.look([A, B]);
  await watch.look([A, B]);
  expect(added.map(({ machineId, joboutputsReadOnly }) => [machineId, joboutputsReadOnly])).toEqual([
    [A.id, true],
    [A.id, true],
  ]);
  expect(said).toEqual([
    expect.stringContaining(`${A.hostname}: its joboutputs hold more than it may write (1 MiB, 10 files)`),
  ]);
});

test('one that cannot be looked at does not keep the others from it', async () => {
  await rm(layout.inMachine(A.id, 'joboutputs'), { recursive: true });
  await put(B.id, 'log', 1_200_000);
  await watch.look([A, B]);
  expect(said).toEqual([expect.stringContaining(A.hostname), expect.stringContaining('can write no more')]);
  expect(added.map(({ machineId }) => machineId)).toEqual([B.id]);
});
