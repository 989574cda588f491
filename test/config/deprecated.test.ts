/** The spellings of SPEC 2 that sites' files and experiments' pipes still have: each means what the new one means, with one warning. */

import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { parsePipeDocument } from '../../src/config/pipe-document.js';
import { expandPipe } from '../../src/config/pipe-expand.js';
import { formatProblem } from '../../src/config/problem.js';
import { pipeOptionNames } from '../../src/config/spelling.js';
import type { Config } from '../../src/config/types.js';

function load(text: string): { config: Config; warnings: string[] } {
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'wn01.example.com' });
  expect(result.ok ? [] : result.errors.map(formatProblem)).toEqual([]);
  return { config: (result as { config: Config }).config, warnings: result.warnings.map(formatProblem) };
}

const SETTINGS = '[settings]\nvac_space = vac01.example.com\n';
const TYPE = 'target_share = 1\nroot_image = /a.img\n';
const PIPE = 'target_share = 1\nvacuum_pipe_url = https://x.example/p\n';

const IN_SETTINGS: [old: string, modern: string, value: string][] = [
  ['cpu_total', 'total_processors', '8'],
  ['overload_per_cpu', 'overload_per_processor', '2.5'],
  ['scratch_gb', 'disk_gb_per_processor', '25'],
  ['disk_gb_per_cpu', 'disk_gb_per_processor', '25'],
  ['mb_per_cpu', 'mb_per_processor', '3000'],
  ['hs06_per_cpu', 'hs06_per_processor', '10.5'],
  ['cpu_per_machine', 'processors_per_superslot', '4'],
  ['vcpu_per_machine', 'processors_per_superslot', '4'],
  ['rootpublickey', 'root_public_key', '/k.pub'],
];

const BOTH = ['min_processors', 'max_processors'];
const IN_MACHINETYPE: [old: string, modern: string[], value: string][] = [
  ['vm_model', ['machine_model'], 'vm-raw'],
  ['cpu_per_machine', BOTH, '2'],
  ['vcpu_per_machine', BOTH, '2'],
  ['scratch_gb', ['disk_gb_per_processor'], '25'],
  ['disk_gb_per_cpu', ['disk_gb_per_processor'], '25'],
  ['mb_per_cpu', ['mb_per_processor'], '3000'],
  ['machineoutputs_days', ['machines_dir_days'], '5'],
  ['cernvm_signing_dn', ['image_signing_dn'], '/CN=x'],
];

const assigned = (names: readonly string[], value: string): string =>
  names.map((name) => `${name} = ${value}\n`).join('');
const deprecated = (warnings: readonly string[]): string[] => warnings.filter((line) => line.includes('deprecated'));
const said = ({ settings, machinetypes, vacuumPipes }: Config) => ({ settings, machinetypes, vacuumPipes });

it.each(IN_SETTINGS)('[settings] %s', (old, modern, value) => {
  const rest = `[machinetype a]\n${TYPE}`;
  const { config, warnings } = load(`${SETTINGS}${old} = ${value}\n${rest}`);
  const now = load(`${SETTINGS}${modern} = ${value}\n${rest}`);
  expect(said(config)).toEqual(said(now.config));
  expect(deprecated(warnings)).toEqual([`/vac.conf:3: [settings] ${old}: is deprecated; write ${modern}`]);
  expect(deprecated(now.warnings)).toEqual([]);
});

it.each(IN_MACHINETYPE)('[machinetype] %s, in [vmtype] and [vacuum_pipe] too', (old, modern, value) => {
  const names = modern.join(' and ');
  for (const [header, body] of [
    ['machinetype a', TYPE],
    ['vmtype a', TYPE],
    ['vacuum_pipe a', PIPE],
  ] as const) {
    const { config, warnings } = load(`${SETTINGS}[${header}]\n${body}${old} = ${value}\n`);
    const now = load(`${SETTINGS}[${header}]\n${body}${assigned(modern, value)}`);
    expect(said(config)).toEqual(said(now.config));
    expect(warnings).toContain(`/vac.conf:6: [${header}] ${old}: is deprecated; write ${names}`);
    const ofHeader =
      header === 'vmtype a' ? ['/vac.conf:3: [vmtype a] [vmtype …] is deprecated; write [machinetype a]'] : [];
    expect(deprecated(now.warnings)).toEqual(ofHeader);
    expect(deprecated(warnings)).toHaveLength(1 + ofHeader.length);
  }
});

it('[DEFAULT] any of them, with one warning for all sections', () => {
  const sections = `${SETTINGS}[machinetype a]\n${TYPE}[machinetype b]\n${TYPE}`;
  const { config, warnings } = load(`[DEFAULT]\ncpu_per_machine = 2\nvm_model = vm-raw\n${sections}`);
  expect(config.settings.processorsPerSuperslot).toBe(2);
  const both = { machineModel: 'vm-raw', minProcessors: 2, maxProcessors: 2 };
  expect(config.machinetypes).toMatchObject([both, both]);
  expect(deprecated(warnings)).toEqual([
    '/vac.conf:2: [DEFAULT] cpu_per_machine: is deprecated; write processors_per_superslot and min_processors and max_processors',
    '/vac.conf:3: [DEFAULT] vm_model: is deprecated; write machine_model',
  ]);
});

it('in a machinetype, rootpublickey tells where the key is given now, and changes nothing', () => {
  const { config, warnings } = load(`${SETTINGS}[machinetype a]\n${TYPE}rootpublickey = /k.pub\n`);
  expect(config.settings.rootPublicKeyPath).toBe('/root/.ssh/id_rsa.pub');
  expect(warnings).toContain(
    '/vac.conf:6: [machinetype a] rootpublickey: is no longer an option of a machinetype; use root_public_key in [settings]',
  );
});

it.each(IN_MACHINETYPE)("a pipe's document: %s", (old, modern, value) => {
  const { config } = load(`${SETTINGS}[vacuum_pipe p]\n${PIPE}`);
  const expanded = (options: Record<string, string>) => {
    const entry = { suffix: 'a', target_share: 1, root_image: 'a.img', ...options };
    const parsed = parsePipeDocument(Buffer.from(JSON.stringify({ machinetypes: [entry] })));
    if (!parsed.ok) throw new Error(parsed.problem);
    return { ...expandPipe(config.vacuumPipes[0]!, parsed.document, config), told: parsed.document.warnings };
  };
  const { machinetypes, refused, told } = expanded({ [old]: value });
  expect(refused).toEqual([]);
  expect(machinetypes).toEqual(expanded(Object.fromEntries(modern.map((name) => [name, value]))).machinetypes);
  const isForPipes = modern.every((name) => pipeOptionNames().includes(name));
  expect(told[0]).toBe(
    isForPipes
      ? `${old} is deprecated; write ${modern.join(' and ')} (in a)`
      : `${old} is not for a pipe to say, and is ignored (in a)`,
  );
});
