import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';
import { readConfigFiles } from '../../src/config/read.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-config-'));
});
afterEach(() => rm(root, { recursive: true }));

const paths = (): string[] => [join(root, 'vac.d'), join(root, 'vac.conf'), join(root, 'run.conf')];

async function put(files: Record<string, string>): Promise<void> {
  await mkdir(join(root, 'vac.d'), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
}

it("reads a directory's *.conf by name, then the single files", async () => {
  await put({
    'vac.conf': '3',
    'run.conf': '4',
    'vac.d/b.conf': '2',
    'vac.d/B.conf': '1',
    'vac.d/c.conf~': '',
    'vac.d/README': '',
  });
  const { files, errors } = await readConfigFiles(paths());
  expect(errors).toEqual([]);
  expect(files.map(({ path, text }) => [path.slice(root.length + 1), Buffer.from(text).toString()])).toEqual([
    ['vac.d/B.conf', '1'],
    ['vac.d/b.conf', '2'],
    ['vac.conf', '3'],
    ['run.conf', '4'],
  ]);
});

it('does not mind missing files while there is one', async () => {
  await writeFile(join(root, 'run.conf'), '');
  const { files, errors } = await readConfigFiles(paths());
  expect(errors).toEqual([]);
  expect(files.map(({ path }) => path)).toEqual([join(root, 'run.conf')]);
});

it('says what to write when there is none at all: something that starts machines', async () => {
  const { files, errors } = await readConfigFiles(paths());
  expect(files).toEqual([]);
  const example = errors[0]!.message.split('for instance:\n')[1]!;
  expect(loadConfig([{ path: '/etc/vac.conf', text: example }], { hostFqdn: 'node1.example.com' })).toMatchObject({
    ok: true,
    warnings: [],
  });
  expect(errors.map(formatProblem)).toEqual([
    `${root}/vac.conf: there is no configuration (looked at ${paths().join(', ')}); write for instance:
    [settings]
    vac_space = vac01.example.com
    [machinetype example]
    target_share = 1
    machine_model = vm-raw
    root_image = /srv/images/example.qcow2`,
  ]);
});

it('names each file that cannot be read, and reads the others', async () => {
  await put({ 'vac.d/b.conf': '', 'vac.conf': '' });
  await mkdir(join(root, 'vac.d', 'a.conf'));
  const { files, errors } = await readConfigFiles(paths());
  expect(errors.map(formatProblem)).toEqual([`${root}/vac.d/a.conf: cannot be read: it is a directory`]);
  expect(files).toHaveLength(2);
});

it('wants files to be there when told so', async () => {
  await put({ 'vac.conf': '' });
  const { errors } = await readConfigFiles([join(root, 'vac.conf'), join(root, 'other.conf')], 'error');
  expect(errors.map(formatProblem)).toEqual([`${root}/other.conf: there is no such file`]);
});
