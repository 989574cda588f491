import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { OPTION_TABLES } from '../../src/config/options.js';
import { formatProblem } from '../../src/config/problem.js';

const SETTINGS = '[settings]\nvac_space = vac01.example.com\n';
const TYPE = '[machinetype a]\ntarget_share = 1\nroot_image = /a.img\n';
const RAW = `${TYPE}machine_model = vm-raw\n`;

/** Warnings of a configuration that must be good, without the path of its one file. */
function warningsOf(text: string): string[] {
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  expect(result.ok).toBe(true);
  return result.warnings.map((problem) => formatProblem(problem).replace('/vac.conf:', ''));
}

const NONE = 'starts no machines of this type';
const SET: [text: string, warning: string][] = [
  [
    `${SETTINGS}description = x\n${RAW}`,
    '3: [settings] description = "x": not yet supported: this version shows it nowhere',
  ],
  [
    `${SETTINGS}${TYPE}vm_model = vm-raw\nmachine_model = docker\n`,
    `7: [machinetype a] machine_model = "docker": not yet supported: this version ${NONE}; give it a disk image and machine_model = vm-raw`,
  ],
  ...['cvmfs_repositories = lhcb.cern.ch', 'container_command = /x', 'tmp_binds = /tmp'].map(
    (option): [string, string] => {
      const [name, value] = option.split(' = ');
      return [
        `${SETTINGS}${RAW}${option}\n`,
        `7: [machinetype a] ${name} = "${value}": not yet supported: this version makes no containers`,
      ];
    },
  ),
];

it.each(SET)('one warning, at its place: %j', (text, warning) => {
  expect(warningsOf(text).filter((line) => !line.includes('deprecated'))).toEqual([warning]);
});

it('is tested for every option of the tables that has it', () => {
  const notYet = Object.values(OPTION_TABLES).flatMap((table) =>
    Object.keys(table).filter((name) => table[name]?.notYet !== undefined),
  );
  const tested = new Set(SET.map(([, warning]) => /\] (\w+)/.exec(warning)?.[1]));
  expect(new Set(notYet)).toEqual(tested);
});

it('no warning for defaults that are written out, in whatever way', () => {
  const settings = `${SETTINGS}factories =\n  .\ndescription =\nudp_timeout_seconds = 10\nvacmon_hostport =\nvolume_group =\n`;
  const type = `${RAW}image_signing_dn =\nuser_data_proxy = no\nlegacy_proxy = off\ncvmfs_repositories =\ncontainer_command = /user_data\ntmp_binds =\n`;
  expect(warningsOf(`${settings}${type}`)).toEqual([]);
});

it('a warning for each section that an option of [DEFAULT] or of a pipe concerns, and none for what a pipe may give', () => {
  const pipe = '[vacuum_pipe p]\nvacuum_pipe_url = https://x.example/p\ntarget_share = 1\n';
  const local = '[machinetype p-a]\nbackoff_seconds = 60\ntmp_binds = /x\n';
  const warnings = warningsOf(`[DEFAULT]\ncontainer_command = /x\n${SETTINGS}${RAW}${pipe}${local}`);
  expect(warnings.map((line) => line.split(' = ')[0])).toEqual([
    '2: [vacuum_pipe p] container_command',
    '2: [machinetype p-a] container_command',
    '2: [machinetype a] container_command',
    '14: [machinetype p-a] tmp_binds',
  ]);
});

it('no warning besides the error of a value that is bad', () => {
  const text = `${SETTINGS}udp_timeout_seconds = soon\n${TYPE}machine_model = vm_raw\n`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  expect(result).toMatchObject({ ok: false, errors: [{ line: 3 }, { line: 7 }], warnings: [] });
});
