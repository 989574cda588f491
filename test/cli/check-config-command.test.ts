import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { recorded } from './recorded-io.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-check-config-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('refuses what vacd would: a volume group that is named and not there', async () => {
  const path = join(directory, 'vac.conf');
  await writeFile(path, '[settings]\nvac_space = vac01.example.com\nvolume_group = vac_no_such_group\n');
  const { code, stdout } = await recorded((io) => main(['check-config', path], () => io));
  expect(code).toBe(1);
  expect(stdout).toContain(
    `error: ${path}:3: [settings] volume_group = "vac_no_such_group": this host has no such LVM`,
  );
  expect(stdout).toContain('configuration is bad: 1 error');
});

it('says all that vacd would refuse for what this host has not, and not the first alone', async () => {
  const path = join(directory, 'vac.conf');
  const settings = [
    'vac_space = vac01.example.com',
    'volume_group = vac_no_such_group',
    `space_key_file = ${directory}/no`,
  ];
  await writeFile(path, `[settings]\n${settings.join('\n')}\n`);
  const { stdout } = await recorded((io) => main(['check-config', path], () => io));
  expect(stdout).toContain('[settings] volume_group = "vac_no_such_group"');
  expect(stdout).toContain(`${directory}/no: there is no such file`);
  expect(stdout).toContain('configuration is bad: 2 errors');
});
