import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/config/problem.js';
import { expectations, hostProblems, loadForDaemon } from '../../src/daemon/configuration.js';
import { VacError } from '../../src/errors.js';
import { evidenceFor, judgeMachinetype } from '../../src/factory/eligibility.js';
import { MODELS } from '../../src/machines/models/index.js';
import { state } from '../factory/builders.js';

const HOST = 'node1.example.com';
const PROCESSORS = 8;
const SETTINGS = '[settings]\nvac_space = vac01.example.com\n';
const TYPE = '[machinetype a]\ntarget_share = 1\nroot_image = /a.img\nmachine_model = vm-raw\n';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-daemon-config-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function load(text: string) {
  const path = join(directory, 'vac.conf');
  await writeFile(path, text);
  return loadForDaemon([path], HOST, PROCESSORS);
}

/** The error's text without the directory. */
async function refusal(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VacError);
  expect(error).toMatchObject({ code: 'config-bad' });
  return (error as VacError).message.replaceAll(`${directory}/`, '');
}

describe('a configuration for the daemon', () => {
  it('comes with its warnings', async () => {
    const { config, warnings } = await load(`${SETTINGS}mb_per_cpu = 1000\n${TYPE}`);
    expect(config.settings.mibPerProcessor).toBe(1000);
    expect(warnings.map(({ line, option }) => [line, option])).toEqual([[3, 'mb_per_cpu']]);
  });

  it('is refused with all its errors, a line each', async () => {
    expect(await refusal(load('[settings]\nnonsense = 1\n'))).toBe(
      [
        'the configuration cannot be used:',
        'vac.conf:1: [settings] vac_space: is required; give a fully qualified domain name such as vac01.example.com',
        'vac.conf:2: [settings] nonsense: unknown option; see vac.conf(5) for all options',
      ].join('\n  '),
    );
  });

  it('is refused when the named file is not there', async () => {
    expect(await refusal(loadForDaemon([join(directory, 'other.conf')], HOST, PROCESSORS))).toBe(
      'the configuration cannot be used:\n  other.conf: there is no such file',
    );
  });

  it('is refused when the host has fewer processors', async () => {
    const text = `${SETTINGS}total_processors = 9\n${TYPE}`;
    expect(await refusal(load(text))).toContain('vac.conf:3: [settings] total_processors = "9": this host has only 8');
    const { config } = await load(text.replace('9', '8'));
    expect(hostProblems(config, PROCESSORS)).toEqual([]);
    expect(hostProblems(config, 7).map(formatProblem)).toHaveLength(1);
  });
});

it('more memory for machines than the host has is foretold', async () => {
  const { config } = await load(`${SETTINGS}total_processors = 4\nmb_per_processor = 1000\n${TYPE}`);
  const MIB = 2 ** 20;
  expect(expectations(config, 4000 * MIB)).toEqual([]);
  expect(expectations(config, 3999 * MIB)).toEqual([
    'machines may take 4000 MiB of memory (mb_per_processor × processors), this host has 3999 MiB',
  ]);
});

/** The configuration's table and the factory's decision say the same from two places. */
describe('a machinetype that the warnings say is not started', () => {
  const cases = [
    '',
    ...['cernvm3', 'cernvm4', 'docker', 'singularity', 'vm-raw'].map((model) => `machine_model = ${model}`),
    'root_image = http://x.example/a.img',
    'root_image = https://x.example/a.img',
    'root_image = a.img',
    'image_signing_dn = CN=x',
    'user_data_proxy = yes',
    'legacy_proxy = yes',
    'mjf_form = urls',
    'container_command = /x',
    'user_data = https://x.example/user_data',
  ];
  it.each(cases)('is the one that the factory does not start: %j', async (option) => {
    const { config, warnings } = await load(`${SETTINGS}${TYPE}${option}\n`);
    const warned = warnings.some(({ message }) => message.includes('starts no machines of this type'));
    const models = new Set(MODELS.keys());
    const [type] = config.machinetypes;
    const verdict = judgeMachinetype(type!, [], evidenceFor(type!, state(), config, models));
    expect(verdict.eligible).toBe(!warned);
  });
});
