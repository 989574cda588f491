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
  [
    `${SETTINGS}${RAW}root_image = https://x.example/a.img\n`,
    `7: [machinetype a] root_image = "https://x.example/a.img": not yet supported: this version cannot fetch it, and ${NONE}; download the image and give its path`,
  ],
  [
    `${SETTINGS}${RAW}image_signing_dn = CN=x\n`,
    `7: [machinetype a] image_signing_dn = "CN=x": not yet supported: this version cannot check signatures, and ${NONE}`,
  ],
  [
    `${SETTINGS}${RAW}user_data_proxy = yes\n`,
    `7: [machinetype a] user_data_proxy = "yes": not yet supported: this version makes no X.509 proxies, and ${NONE}`,
  ],
  [
    `${SETTINGS}${RAW}legacy_proxy = yes\n`,
    '7: [machinetype a] legacy_proxy = "yes": not yet supported: this version makes no X.509 proxies',
  ],
  [
    `${SETTINGS}${RAW}mjf_form = urls\n`,
    '7: [machinetype a] mjf_form = "urls": not yet supported: this version tells the URLs, whatever is given here',
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
  [
    `${SETTINGS}[vacuum_pipe p]\ntarget_share = 1\nvacuum_pipe_url = https://x.example/p\n`,
    '5: [vacuum_pipe p] vacuum_pipe_url = "https://x.example/p": not yet supported: this version fetches no vacuum pipes, and makes no machinetypes from this one',
  ],
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
  const type = `${RAW}image_signing_dn =\nuser_data_proxy = no\nlegacy_proxy = off\nmjf_form = paths\ncvmfs_repositories =\ncontainer_command = /user_data\ntmp_binds =\n`;
  expect(warningsOf(`${settings}${type}`)).toEqual([]);
});

it('a warning for each section that an option of [DEFAULT] or of a pipe concerns, and none for what a pipe may give', () => {
  const pipe = '[vacuum_pipe p]\nvacuum_pipe_url = https://x.example/p\ntarget_share = 1\nmjf_form = urls\n';
  const local = '[machinetype p-a]\nbackoff_seconds = 60\nuser_data_proxy = yes\n';
  const warnings = warningsOf(`[DEFAULT]\ncontainer_command = /x\n${SETTINGS}${RAW}${pipe}${local}`);
  expect(warnings.map((line) => line.split(' = ')[0])).toEqual([
    '2: [vacuum_pipe p] container_command',
    '2: [machinetype p-a] container_command',
    '2: [machinetype a] container_command',
    '10: [vacuum_pipe p] vacuum_pipe_url',
    '12: [vacuum_pipe p] mjf_form',
    '15: [machinetype p-a] user_data_proxy',
  ]);
});

it('no warning besides the error of a value that is bad', () => {
  const text = `${SETTINGS}udp_timeout_seconds = soon\n${TYPE}machine_model = vm_raw\n`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  expect(result).toMatchObject({ ok: false, errors: [{ line: 3 }, { line: 7 }], warnings: [] });
});
