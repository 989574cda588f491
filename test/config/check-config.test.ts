import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkConfig, checkedConfigLines } from '../../src/config/check-config.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-check-'));
});
afterEach(() => rm(root, { recursive: true }));

const FACTS = { hostFqdn: 'node1.example.com', processors: 8 };

async function check(text: string | null, args: string[] = [join(root, 'vac.conf')]) {
  if (text !== null) await writeFile(join(root, 'vac.conf'), text);
  const checked = await checkConfig(args, FACTS);
  const lines = checkedConfigLines(checked).map((line) => line.replaceAll(`${root}/`, ''));
  return { good: checked.config !== null, lines };
}

it('sums up a good configuration', async () => {
  const text = `[settings]
vac_space = vac01.example.com
factories = .
[machinetype a]
root_image = /a
machine_model = vm-raw
target_share = 1
max_processors = 8
[machinetype b]
root_image = /b
machine_model = vm-raw
[machinetype c]
root_image = /c
machine_model = vm-raw
target_share = 3
`;
  expect(await check(text)).toEqual({
    good: true,
    lines: [
      'configuration is good: 3 machinetypes, 0 vacuum pipes, 1 factory in space vac01.example.com, from vac.conf',
      '  machinetype a: 25.0 % of the space, vm-raw, 1 to 8 processors',
      '  machinetype b: never started, vm-raw, 1 processor',
      '  machinetype c: 75.0 % of the space, vm-raw, 1 processor',
    ],
  });
});

it('warns of what this version does not do yet', async () => {
  const text =
    '[settings]\nvac_space = vac01.example.com\n[vacuum_pipe p]\nvacuum_pipe_url = https://x.example/p\ntarget_share = 1\ntmp_binds = /x\n';
  expect(await check(text)).toEqual({
    good: true,
    lines: [
      'warning: vac.conf:6: [vacuum_pipe p] tmp_binds = "/x": not yet supported: this version makes no containers',
      'configuration is good: 0 machinetypes, 1 vacuum pipe, 0 factories in space vac01.example.com, from vac.conf',
      '  vacuum pipe p: 100.0 % of the space, https://x.example/p',
    ],
  });
});

it('warns of a pipe whose document anybody on the way may change', async () => {
  const text = '[settings]\nvac_space = vac01.example.com\n[vacuum_pipe p]\nvacuum_pipe_url = http://x.example/p\n';
  expect((await check(`${text}target_share = 1\n`)).lines[0]).toMatch(
    /^warning: vac\.conf:4: \[vacuum_pipe p\] vacuum_pipe_url = "http:.*: without TLS, whoever is on the way can change/,
  );
});

it('prints all errors and warnings', async () => {
  const text =
    '[settings]\nvac_space = x\nmb_per_cpu = 1\n[machinetype a]\nroot_image = /a\nmax_processors = 0\nmachine_model = vm-raw\n';
  expect(await check(text)).toEqual({
    good: false,
    lines: [
      'error: vac.conf:2: [settings] vac_space = "x": expected a fully qualified domain name such as vac01.example.com',
      'error: vac.conf:6: [machinetype a] max_processors = "0": expected a whole number from 1 to 1024',
      'warning: vac.conf:3: [settings] mb_per_cpu: is deprecated; write mb_per_processor',
      'configuration is bad: 2 errors, 1 warning',
    ],
  });
});

it('holds it against the host', async () => {
  const text =
    '[settings]\nvac_space = vac01.example.com\ntotal_processors = 9\n[machinetype a]\nroot_image = /a\nmachine_model = vm-raw\ntarget_share = 1\n';
  expect(await check(text)).toEqual({
    good: false,
    lines: [
      'error: vac.conf:3: [settings] total_processors = "9": this host has only 8 processors; lower the number, or leave the option out to use them all',
      'configuration is bad: 1 error, 0 warnings',
    ],
  });
  expect((await check(text.replace('9', '8'))).good).toBe(true);
});

it('refuses a file that is not there', async () => {
  expect(await check(null)).toEqual({
    good: false,
    lines: ['error: vac.conf: there is no such file', 'configuration is bad: 1 error, 0 warnings'],
  });
});
