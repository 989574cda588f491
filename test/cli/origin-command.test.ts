import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { spaceFacts } from '../../src/cli/space-facts.js';
import { parsePipeDocument } from '../../src/config/pipe-document.js';
import { pipesDirectory, writePipeCopy } from '../../src/daemon/pipe-copies.js';
import { recorded } from './recorded-io.js';

const NOW = 1_800_000_000;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-origin-'));
  await mkdir(pipesDirectory(root));
});
afterEach(() => rm(root, { recursive: true }));

const PIPE = {
  machinetypes: [
    { suffix: 'prod', target_share: 3, machine_model: 'vm-raw', root_image: 'a.img', user_data_option_p: 'x' },
    { suffix: 'test', target_share: 1, machine_model: 'vm-raw', root_image: 'b.img', max_processors: 2 },
    { suffix: 'bad', root_image: '/etc/shadow' },
  ],
};
const CONF = `[settings]
vac_space = vac01.example.com
user_data_option_p = site
user_data_option_q = site
[machinetype own]
target_share = 4
root_image = /own.img
vm_model = vm-raw
[vacuum_pipe p]
vacuum_pipe_url = https://me:secret@x.example/p
target_share = 4
backoff_seconds = 60
[machinetype p-test]
max_processors = 8
`;

async function keep(value: unknown = PIPE): Promise<void> {
  const text = JSON.stringify(value);
  const parsed = parsePipeDocument(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.problem);
  const copy = {
    url: 'https://me:secret@x.example/p',
    etag: null,
    lastModified: null,
    text,
    document: parsed.document,
  };
  await writePipeCopy(pipesDirectory(root), 'p', { ...copy, checkedTimeSeconds: NOW - 720 });
}

async function vac(...args: string[]) {
  await writeFile(join(root, 'vac.conf'), CONF);
  const all = [...args, '--config', join(root, 'vac.conf'), '--state-dir', root];
  const { code, stdout, stderr } = await recorded((io) => main(all, () => io), NOW);
  return {
    code,
    lines: stdout.replaceAll(`${root}/`, '').split('\n').slice(0, -1),
    stderr: stderr.replaceAll(`${root}/`, ''),
  };
}

/** Without the alignment. */
const words = (lines: readonly string[]): string[] => lines.map((line) => line.trim().replace(/ {2,}/g, ' | '));

describe('vac machinetypes --origin', () => {
  it('shows who says what of each machinetype', async () => {
    await keep();
    const { code, lines, stderr } = await vac('machinetypes', '--origin');
    expect(words(lines)).toEqual([
      expect.stringMatching(/^own; \d+ options have their defaults$/),
      'OPTION | VALUE | FROM',
      'target_share | 4 | vac.conf:6',
      'machine_model | vm-raw | vac.conf:8',
      'root_image | /own.img | vac.conf:7',
      'user_data_option_p | site | vac.conf:3',
      'user_data_option_q | site | vac.conf:4',
      '',
      expect.stringMatching(/^p-prod, of the vacuum pipe p; \d+ options have their defaults$/),
      'OPTION | VALUE | FROM',
      'target_share | 3 | https://x.example/p, entry prod',
      'machine_model | vm-raw | https://x.example/p, entry prod',
      'root_image | a.img | https://x.example/p, entry prod',
      'user_data_option_p | x | https://x.example/p, entry prod',
      'user_data_option_q | site | vac.conf:4',
      'backoff_seconds | 60 | vac.conf:12',
      '',
      expect.stringMatching(/^p-test, of the vacuum pipe p; \d+ options have their defaults$/),
      'OPTION | VALUE | FROM',
      'target_share | 1 | https://x.example/p, entry test',
      'machine_model | vm-raw | https://x.example/p, entry test',
      'root_image | b.img | https://x.example/p, entry test',
      'user_data_option_p | site | vac.conf:3',
      'user_data_option_q | site | vac.conf:4',
      'max_processors | 8 | vac.conf:14',
      'backoff_seconds | 60 | vac.conf:12',
    ]);
    expect(stderr.split('\n').slice(0, -1)).toEqual([
      'vac: vacuum pipe p: by its copy of 12m ago',
      expect.stringMatching(
        /^vac: vacuum pipe p: bad is refused: root_image = "\/etc\/shadow": from a pipe it must be/,
      ),
    ]);
    expect(code).toBe(0);
  });

  it('tells programs the same, with the defaults', async () => {
    await keep();
    const { lines } = await vac('machinetypes', '--origin', '--json');
    const { machinetypes, pipes } = JSON.parse(lines.join(''));
    const [own, prod] = machinetypes;
    expect([own.machinetype, own.pipe, prod.machinetype, prod.pipe]).toEqual(['own', null, 'p-prod', 'p']);
    expect(own.options).toContainEqual({
      option: 'root_image',
      value: '/own.img',
      from: 'file',
      file: 'vac.conf',
      line: 7,
    });
    expect(own.options).toContainEqual({ option: 'max_processors', value: '1', from: 'default' });
    expect(prod.options).toContainEqual({
      option: 'root_image',
      value: 'a.img',
      from: 'pipe',
      url: 'https://x.example/p',
      suffix: 'prod',
    });
    expect(pipes).toMatchObject([{ pipe: 'p', copyAgeSeconds: 720, problem: null, refused: [{ entry: 'bad' }] }]);
    expect(lines.join('')).not.toContain('secret');
  });

  it('says which pipe it cannot tell of', async () => {
    const { code, lines, stderr } = await vac('machinetypes', '--origin');
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/^own;/);
    expect(stderr).toBe('vac: vacuum pipe p: no vacd here has fetched its document yet\n');
    await writeFile(join(pipesDirectory(root), 'p.json'), 'x');
    expect((await vac('machinetypes', '--origin')).stderr).toMatch(
      /^vac: vacuum pipe p: pipescache\/p\.json cannot be read: /,
    );
  });

  it('is of this host alone', async () => {
    const { code, stderr } = await vac('machinetypes', '--origin', 'wn01');
    expect([code, stderr]).toEqual([
      2,
      'vac: --origin is about the configuration of this host alone; leave out wn01\n',
    ]);
  });
});

describe('vac machinetype NAME --origin', () => {
  it('shows one with its defaults', async () => {
    await keep();
    const { code, lines } = await vac('machinetype', 'p-test', '--origin');
    expect(code).toBe(0);
    expect(lines[0]).toBe('p-test, of the vacuum pipe p');
    expect(words(lines)).toContain('fizzle_seconds | 600 | default');
    expect(words(lines)).toContain('user_data | none | default');
  });

  it('names those that there are instead of one that is not', async () => {
    const { code, stderr } = await vac('machinetype', 'p-prod', '--origin');
    expect([code, stderr]).toEqual([
      1,
      'vac: this host has no machinetype p-prod; there are: own, and those of the pipes p, which are not known here\n',
    ]);
  });
});

describe('vac check-config', () => {
  it('tells what pipes give by their copies', async () => {
    await keep();
    const { code, lines } = await vac('check-config');
    expect(code).toBe(0);
    expect(lines).toEqual([
      'warning: vac.conf:8: [machinetype own] vm_model: is deprecated; write machine_model',
      expect.stringMatching(/^warning: https:\/\/x\.example\/p: \[vacuum_pipe p\] bad is refused: /),
      'configuration is good: 1 machinetype, 1 vacuum pipe, 0 factories in space vac01.example.com, from vac.conf',
      '  machinetype own: 50.0 % of the space, vm-raw, 1 processor',
      '  vacuum pipe p: https://x.example/p (by its copy of 12m ago)',
      '    machinetype p-prod: 37.5 % of the space, vm-raw, 1 processor',
      '    machinetype p-test: 12.5 % of the space, vm-raw, 1 to 8 processors',
    ]);
    expect(JSON.parse((await vac('check-config', '--json')).lines.join(''))).toMatchObject({
      vacuumPipes: [
        {
          prefix: 'p',
          targetShare: 4,
          machinetypes: [
            { name: 'p-prod', targetShare: 3 },
            { name: 'p-test', targetShare: 1 },
          ],
          refused: [{ entry: 'bad' }],
        },
      ],
    });
  });

  it('says of a pipe that it is not known yet', async () => {
    expect((await vac('check-config')).lines.at(-1)).toBe(
      '  vacuum pipe p: 50.0 % of the space, https://x.example/p (no vacd here has fetched its document yet)',
    );
  });
});

it('shares are by all machinetypes, or, where pipes are not known here, by what the factories tell', async () => {
  const configured = async () => {
    await writeFile(join(root, 'vac.conf'), CONF);
    const request = { configPaths: [join(root, 'vac.conf')], stateDir: root, stateDirGiven: true };
    return (await spaceFacts(request, () => {})).configured?.map(({ name, targetShare }) => [name, targetShare]);
  };
  expect(await configured()).toBeUndefined();
  await keep();
  expect(await configured()).toEqual([
    ['own', 4],
    ['p-prod', 3],
    ['p-test', 1],
  ]);
});

it('machinetypes of pipes are offered to shells', async () => {
  await keep();
  expect((await vac('completion-words', 'machinetypes')).lines).toEqual(['own', 'p-prod', 'p-test']);
  const kept = await readFile(join(pipesDirectory(root), 'p.json'), 'utf8');
  expect(kept).toContain('"version":1');
});
