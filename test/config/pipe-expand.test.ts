import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { type PipeDocument, parsePipeDocument } from '../../src/config/pipe-document.js';
import { type PipeExpansion, withPipes } from '../../src/config/pipe-expand.js';
import { formatProblem } from '../../src/config/problem.js';
import { pipeOptionNames } from '../../src/config/spelling.js';
import type { Config, MachinetypeConfig } from '../../src/config/types.js';

const data = (name: string): string => readFileSync(join(import.meta.dirname, 'data', name), 'utf8');

function configOf(text: string): Config {
  const result = loadConfig([{ path: '/etc/vac.conf', text }], { hostFqdn: 'wn01.example.com' });
  expect(result.ok ? [] : result.errors.map(formatProblem)).toEqual([]);
  return (result as { config: Config }).config;
}

function documentOf(value: unknown): PipeDocument {
  const parsed = parsePipeDocument(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  expect(parsed).toMatchObject({ ok: true });
  return (parsed as { document: PipeDocument }).document;
}

const SETTINGS = '[settings]\nvac_space = vac01.example.com\n';
const PIPE = '[vacuum_pipe p]\nvacuum_pipe_url = https://me:secret@x.example/p\ntarget_share = 6\n';
const RAW = { machine_model: 'vm-raw', root_image: 'image.img' };

function expanded(config: Config, documents: Readonly<Record<string, unknown>>) {
  const parsed = Object.entries(documents).map(([prefix, value]) => [prefix, documentOf(value)] as const);
  const result = withPipes(config, new Map(parsed));
  const of = (prefix: string): PipeExpansion => result.expansions.get(prefix)!;
  return { ...result, of, type: (name: string) => result.config.machinetypes.find((type) => type.name === name) };
}

/** The expansion of one pipe, `p`, with these entries. */
const ofEntries = (entries: readonly unknown[], text = '') =>
  expanded(configOf(`${SETTINGS}${PIPE}${text}`), { p: { machinetypes: entries } });

const refusalOf = (entry: Record<string, unknown>, text = ''): string | undefined =>
  ofEntries([{ suffix: 'a', ...RAW, ...entry }], text).of('p').refused[0]?.reason;

const warningsOf = ({ warnings }: PipeExpansion): string[] => warnings.map(formatProblem);

describe('a machinetype of a pipe', () => {
  it("is read as a section of a file, with the pipe's own directory", () => {
    const { type } = ofEntries([{ suffix: 'a-1', ...RAW, target_share: 1, user_data_file_x: 'f', max_processors: 8 }]);
    expect(type('p-a-1')).toMatchObject({
      name: 'p-a-1',
      directoryName: 'p',
      machinegroup: 'p-a-1',
      rootImage: 'image.img',
      userDataFiles: { x: 'f' },
      maxProcessors: 8,
      maxWallclockSeconds: 86_400,
      targetShare: 6,
    });
  });

  it('has of each option what the nearest says: its own section here, that of the pipe, the document', () => {
    const { type, of } = ofEntries(
      [{ suffix: 'a', ...RAW, backoff_seconds: 1, fizzle_seconds: 1, max_processors: 1 }],
      'backoff_seconds = 2\nfizzle_seconds = 2\nmachinegroup = g\n[machinetype p-a]\nfizzle_seconds = 3\nfirmware = uefi\n',
    );
    expect(type('p-a')).toMatchObject({
      backoffSeconds: 2,
      fizzleSeconds: 3,
      maxProcessors: 1,
      machinegroup: 'g',
      firmware: 'uefi',
    });
    const origins = Object.fromEntries(of('p').origins.get('p-a')!);
    expect(origins).toMatchObject({
      max_processors: { text: '1', origin: { from: 'pipe', url: 'https://x.example/p', suffix: 'a' } },
      backoff_seconds: { text: '2', origin: { from: 'file', file: '/etc/vac.conf', line: 6 } },
      fizzle_seconds: { text: '3', origin: { from: 'file', file: '/etc/vac.conf', line: 10 } },
    });
  });

  it('may have files by path where this host says so', () => {
    const local = 'user_data_file_hostcert = /etc/hostcert.pem\n[machinetype p-a]\nroot_image = /srv/a.img\n';
    const { type } = ofEntries([{ suffix: 'a', ...RAW, user_data_file_hostcert: 'h' }], local);
    expect(type('p-a')).toMatchObject({
      rootImage: '/srv/a.img',
      userDataFiles: { hostcert: '/etc/hostcert.pem' },
      directoryName: 'p',
    });
  });

  it('takes the place of a section here that can do without it', () => {
    const local = '[machinetype p-a]\nroot_image = /srv/a.img\ntarget_share = 1\nmachine_model = vm-raw\n';
    const alone = ofEntries([], local);
    expect(alone.config.machinetypes).toMatchObject([{ name: 'p-a', directoryName: 'p-a', backoffSeconds: 10 }]);
    const joined = ofEntries([{ suffix: 'a', ...RAW, backoff_seconds: 99 }], local);
    expect(joined.config.machinetypes).toMatchObject([
      { name: 'p-a', directoryName: 'p', backoffSeconds: 99, targetShare: 1 },
    ]);
  });

  it('may leave its image to the section of the pipe', () => {
    const text = 'root_image = /srv/p.img\nmachine_model = vm-raw\n';
    expect(ofEntries([{ suffix: 'a' }], text).type('p-a')).toMatchObject({ rootImage: '/srv/p.img' });
  });

  it('changes nothing of a configuration without documents', () => {
    const config = configOf(`${SETTINGS}${PIPE}`);
    expect(withPipes(config, new Map()).config).toBe(config);
  });
});

describe('shares', () => {
  const shares = (entries: [suffix: string, share: unknown][], text = ''): Record<string, number> =>
    Object.fromEntries(
      ofEntries(
        entries.map(([suffix, target_share]) => ({ suffix, ...RAW, target_share })),
        text,
      ).config.machinetypes.map(({ name, targetShare }) => [name, targetShare]),
    );

  it("are the pipe's, in proportion to those of the document", () => {
    expect(shares([['a', 3], ['b', '1'], ['c', 0]])).toEqual({ 'p-a': 4.5, 'p-b': 1.5, 'p-c': 0 }); // biome-ignore format: a line each
  });

  it('go to the others where a machinetype has one by its own section, or is refused', () => {
    const own = '[machinetype p-a]\ntarget_share = 0\n[machinetype p-b]\ntarget_share = 5\n';
    expect(shares([['a', 3], ['b', 1], ['c', 2], ['d', 1]], own)).toEqual({ 'p-a': 0, 'p-b': 5, 'p-c': 4, 'p-d': 2 }); // biome-ignore format: one line
    expect(shares([['a', 1], ['b', -1]])).toEqual({ 'p-a': 6 }); // biome-ignore format: one line
  });

  it('of nobody are told of', () => {
    const { of } = ofEntries([{ suffix: 'a', ...RAW }]);
    expect(warningsOf(of('p'))).toEqual([
      'https://x.example/p: [vacuum_pipe p] starts no machines: none of its machinetypes has a target_share above 0',
    ]);
  });
});

describe('an entry is refused', () => {
  const FILE = "the name (without /) of a file under the pipe's files/";
  const IMAGE = "an http(s):// URL, or the name (without /) of a file under the pipe's files/";
  it.each([
    [{ root_image: '/etc/shadow' }, `root_image = "/etc/shadow": from a pipe it must be ${IMAGE}`],
    [{ root_image: '../a' }, `root_image = "../a": from a pipe it must be ${IMAGE}`],
    [{ root_image: '..' }, `root_image = "..": from a pipe it must be ${IMAGE}`],
    [{ root_image: 'sub/a' }, `root_image = "sub/a": from a pipe it must be ${IMAGE}`],
    [{ root_image: 'file:///etc/shadow' }, `root_image = "file:///etc/shadow": from a pipe it must be ${IMAGE}`],
    [
      { root_image: 'json:{"driver":"file"}' },
      `root_image = "json:{"driver":"file"}": from a pipe it must be ${IMAGE}`,
    ],
    [{ user_data: 'docker://a' }, `user_data = "docker://a": from a pipe it must be ${IMAGE}`],
    [{ user_data: '/root/.ssh/id_rsa' }, `user_data = "/root/.ssh/id_rsa": from a pipe it must be ${IMAGE}`],
    [
      { user_data_file_x: '/root/.ssh/id_rsa' },
      `user_data_file_x = "/root/.ssh/id_rsa": from a pipe it must be ${FILE}`,
    ],
    [{ user_data_file_x: '..' }, `user_data_file_x = "..": from a pipe it must be ${FILE}`],
    [{ user_data_file_x: '' }, `user_data_file_x = "": from a pipe it must be ${FILE}`],
    [{ heartbeat_file: '../../x' }, 'heartbeat_file = "../../x": expected a file name without /'],
    [
      { root_device: 'vda/../x' },
      'root_device = "vda/../x": expected a device name of letters a-z and digits, such as vdb',
    ],
    [{ max_processors: 1e21 }, 'max_processors = "1e+21": expected a whole number from 1 to 1024'],
    [{ max_processors: 2.5 }, 'max_processors = "2.5": expected a whole number from 1 to 1024'],
    [{ max_processors: true }, 'max_processors = "true": expected a whole number from 1 to 1024'],
    [{ user_data_proxy: 'maybe' }, 'user_data_proxy = "maybe": expected yes or no (or true/false, on/off, 1/0)'],
    [
      { min_processors: 4 },
      'min_processors = "4": min_processors is 4 but max_processors only 1; raise max_processors or lower min_processors',
    ],
    [{ root_image: '' }, `root_image = "": from a pipe it must be ${IMAGE}`],
    [{ root_image: null }, expect.stringMatching(/^root_image: is required; give an http/)],
    [
      { accounting_fqan: `/${'x'.repeat(300)}` },
      `accounting_fqan = "/${'x'.repeat(59)}…": from a pipe it must be no more than 255 characters`,
    ],
    [
      { max_processors: 0, fizzle_seconds: -1 },
      'max_processors = "0": expected a whole number from 1 to 1024 (and 1 more)',
    ],
  ])('for %j', (entry, reason) => {
    expect(refusalOf(entry)).toEqual(reason);
  });

  it('where it does not go with what is said here, by the place that says it', () => {
    expect(refusalOf({ min_processors: 4, max_processors: 8 }, 'max_processors = 2\n')).toBe(
      'min_processors = "4": min_processors is 4 but max_processors only 2; raise max_processors or lower min_processors',
    );
    expect(refusalOf({ max_processors: 2 }, 'min_processors = 4\n')).toBe(
      '/etc/vac.conf:6: min_processors = "4": min_processors is 4 but max_processors only 2; raise max_processors or lower min_processors',
    );
  });

  it('and told of once, without the secrets of the URL', () => {
    const { of, config } = ofEntries([{ suffix: 'a', ...RAW, target_share: 1 }, { suffix: 'b' }, { suffix: '../x' }]);
    expect(config.machinetypes.map(({ name }) => name)).toEqual(['p-a']);
    expect(warningsOf(of('p'))).toEqual([
      'https://x.example/p: [vacuum_pipe p] number 3 is refused: has the suffix "../x"; it must be text of letters a-z, digits and "-"',
      expect.stringMatching(
        /^https:\/\/x\.example\/p: \[vacuum_pipe p\] b is refused: root_image: is required; give an http/,
      ),
    ]);
  });

  it('whose name belongs to another pipe, or is longer than messages can tell', () => {
    const other =
      '[vacuum_pipe p-a]\nvacuum_pipe_url = https://y.example/p\ntarget_share = 1\n[machinetype p-a-b]\nbackoff_seconds = 5\n';
    const entries = ['a', 'a-b', 'ab'].map((suffix) => ({ suffix, ...RAW, target_share: 1 }));
    const { config, of } = expanded(configOf(`${SETTINGS}${PIPE}${other}`), {
      p: { machinetypes: entries },
      'p-a': { machinetypes: [{ suffix: 'b', ...RAW, target_share: 1, max_processors: 2 }] },
    });
    expect(of('p').refused).toEqual([
      { entry: 'a', reason: 'the name p-a is kept for [vacuum_pipe p-a]' },
      { entry: 'a-b', reason: 'the name p-a-b is kept for [vacuum_pipe p-a]' },
    ]);
    expect(config.machinetypes).toMatchObject([
      { name: 'p-ab', directoryName: 'p', backoffSeconds: 10 },
      { name: 'p-a-b', directoryName: 'p-a', backoffSeconds: 5, maxProcessors: 2 },
    ]);
    const prefix = 'x'.repeat(100);
    const long = configOf(`${SETTINGS}[vacuum_pipe ${prefix}]\nvacuum_pipe_url = https://x.example/p\n`);
    const tooLong = expanded(long, { [prefix]: { machinetypes: [{ suffix: 'y'.repeat(28), ...RAW }] } });
    expect(tooLong.of(prefix).refused[0]?.reason).toMatch(/ has more than 128 characters$/);
  });

  const tame = ['/CN=signer-[0-9]+\\.example\\.org', '^/DC=org/CN=(a|b|c)$', 'CN=.*\\(x\\)', '[(*+?{]x', 'CN=(?:a|b)'];
  it.each(tame)('not for the pattern %s', (image_signing_dn) => {
    expect(refusalOf({ image_signing_dn })).toBeUndefined();
  });

  const wild = [
    '(a+)+$',
    '(a|a)*',
    'a?a?a?aaa',
    '.*.*.*x',
    '(a)\\1',
    '(?=a)',
    '(?<!a)b',
    'a{1,999}',
    '[](a+)+]',
    '(',
    'a|b|c|d|e|f',
  ];
  it.each([...wild, 'x'.repeat(257)])('for a pattern that may take for ever, or is none: %s', (image_signing_dn) => {
    expect(refusalOf({ image_signing_dn })).toMatch(
      /^image_signing_dn = ".*": from a pipe it must be a regular expression of/,
    );
  });
});

describe('warnings', () => {
  it('of what this host says are not repeated, those of the document are told', () => {
    const text = 'mjf_form = urls\ncontainer_command = /x\n';
    const { of } = ofEntries(
      [{ suffix: 'a', ...RAW, target_share: 1, cvmfs_repositories: 'x.example', colour: 1 }],
      text,
    );
    expect(warningsOf(of('p'))).toEqual([
      'https://x.example/p: [vacuum_pipe p] "colour" is no option of a machinetype, and is ignored (in a)',
      'https://x.example/p: [machinetype p-a] cvmfs_repositories = "x.example": not yet supported: this version makes no containers',
    ]);
  });

  it('tell of a section here that the pipe knows nothing of', () => {
    const text = '[machinetype p-gone]\nbackoff_seconds = 5\n[machinetype p-own]\nroot_image = /x\n';
    const { of } = ofEntries([{ suffix: 'a', ...RAW, target_share: 1 }], text);
    expect(warningsOf(of('p'))).toEqual([
      'https://x.example/p: [vacuum_pipe p] there is a [machinetype p-gone] here, but the pipe has no usable machinetype of that name',
    ]);
  });
});

it("a whole site's configuration with two pipes", () => {
  const { config, of } = expanded(configOf(data('site.conf')), {
    collider: data('pipe-ordinary.json'),
    grid: data('pipe-with-quirks.json'),
  });
  const facts = ({ name, targetShare, minProcessors, maxProcessors, machinegroup }: MachinetypeConfig) =>
    [name, targetShare, minProcessors, maxProcessors, machinegroup] as const;
  expect(config.machinetypes.map(facts)).toEqual([
    ['cloudtest', 1, 1, 1, 'cloudtest'],
    ['oldvo', 2, 2, 2, 'oldvo'],
    ['collider-prod', 9, 1, 4, '/collider.example.org/Role=production/Capability=NULL'],
    ['collider-test', 1, 1, 1, '/collider.example.org/Role=NULL/Capability=NULL'],
    ['grid-small', 4, 2, 2, '/grid.example.net/Role=NULL/Capability=NULL'],
    ['grid-large', 0, 8, 8, '/grid.example.net/Role=NULL/Capability=NULL'],
  ]);
  expect(config.machinetypes[2]).toMatchObject({
    backoffSeconds: 1200,
    userDataProxy: true,
    diskGbPerProcessor: 25,
    userDataOptions: {
      help: 'https://www.example.com/vac#machines',
      cvmfs_proxy: 'http://squid1.collider.example.org:3128|http://squid2.collider.example.org:3128;DIRECT',
    },
    userDataFiles: { hostcert: '/etc/grid-security/hostcert.pem' },
  });
  expect(config.machinetypes[4]).toMatchObject({ userDataProxy: true, legacyProxy: false, diskGbPerProcessor: 20 });
  expect(of('grid').refused.map(({ entry }) => entry)).toEqual(['broken']);
});

describe('any document', () => {
  const name = fc.constantFrom(
    ...pipeOptionNames().map((each) => each.replace('XXX', 'x')),
    'vm_model',
    'cpu_per_machine',
  );
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      '../x',
      '/etc/passwd',
      'a',
      'a/b',
      '..',
      'https://x.example/i',
      'docker://x',
      'file:///x',
      'vm-raw',
    ),
    fc.constantFrom<unknown>(
      'true',
      'true ',
      '8',
      1,
      0,
      -1,
      1e308,
      8.5,
      true,
      null,
      '__proto__',
      'vda',
      '/x/Role=NULL',
    ),
    fc.string({ unit: 'binary', maxLength: 10 }),
    fc.jsonValue({ maxDepth: 1 }),
  );
  const suffix = fc.constantFrom<unknown>('a', 'b', 'c-1', 'd', 'e', '../x', 'A', '', 1);
  const entry = fc
    .tuple(suffix, fc.dictionary(name, value, { maxKeys: 3 }), fc.boolean())
    .map(([given, rest, sound]) => ({ suffix: given, target_share: 1, ...RAW, ...(sound ? {} : rest) }));
  const config = configOf(
    `${SETTINGS}${PIPE}[machinetype p-c-1]\nmax_processors = 4\n[machinetype q]\nroot_image = /q\n`,
  );

  it('makes no machinetype outside the rules, and never an exception', () => {
    let made = 0;
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), (machinetypes) => {
        const { config: all, of } = expanded(config, { p: { machinetypes } });
        const types = of('p').machinetypes;
        made += types.length;
        expect(types.length + of('p').refused.length).toBe(machinetypes.length);
        expect(new Set(all.machinetypes.map((type) => type.name)).size).toBe(all.machinetypes.length);
        const sum = types.reduce((total, { targetShare }) => total + targetShare, 0);
        expect(sum === 0 || Math.abs(sum - 6) < 1e-9).toBe(true);
        for (const type of types) {
          expect(type.name).toMatch(/^p-[a-z0-9-]+$/);
          expect(type.directoryName).toBe('p');
          expect(type.minProcessors).toBeLessThanOrEqual(type.maxProcessors);
          expect(type.maxProcessors).toBeLessThanOrEqual(1024);
          for (const place of [type.rootImage, type.userData ?? 'none']) {
            expect(place).toMatch(/^(https?:\/\/\S+|docker:\/\/\S+|[^/\p{Cc}]+)$/u);
          }
          for (const file of [...Object.values(type.userDataFiles), type.heartbeatFile ?? 'none', type.rootImage]) {
            expect(['.', '..']).not.toContain(file);
          }
          for (const file of Object.values(type.userDataFiles)) expect(file).not.toMatch(/[/\p{Cc}]/u);
        }
        for (const line of warningsOf(of('p'))) expect(line).toMatch(/^[^\p{Cc}\p{Cf}]+$/u);
      }),
      { numRuns: 1000 },
    );
    expect(made).toBeGreaterThan(300);
  });
});
