import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { formatProblem, problemAt } from '../../src/config/problem.js';
import type { Config } from '../../src/config/types.js';
import { type ConfigWatch, type WatchOptions, watchConfig } from '../../src/config/watch.js';

let root: string;
let watch: ConfigWatch | undefined;
/** What was reported, in order: the space's name, or the first error. */
let reports: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-watch-'));
  reports = [];
});
afterEach(async () => {
  watch?.close();
  watch = undefined;
  await rm(root, { recursive: true });
});

const HOUR_MILLISECONDS = 3_600_000;
const file = (name: string): string => join(root, name);
const space = (name: string): string => `[settings]\nvac_space = ${name}.example.com\n`;

/** Writes a file so that nobody ever sees half of it. */
async function put(name: string, text: string): Promise<void> {
  await writeFile(file(`${name}.new`), text);
  await rename(file(`${name}.new`), file(name));
}

function start(options: Partial<WatchOptions> = {}): ConfigWatch {
  watch = watchConfig({
    paths: [file('vac.d'), file('vac.conf')],
    hostFqdn: 'node1.example.com',
    onChange: (config) => reports.push(config.settings.vacSpace),
    onBad: (errors) => reports.push(`bad: ${errors.map(formatProblem)[0]?.replace(`${root}/`, '')}`),
    onGoodAgain: () => reports.push('good again'),
    // Only events of the file system, unless a test is about polling.
    pollMilliseconds: HOUR_MILLISECONDS,
    debounceMilliseconds: 20,
    ...options,
  });
  return watch;
}

const reported = (...expected: string[]): Promise<void> =>
  vi.waitFor(() => expect(reports).toEqual(expected), { timeout: 60_000, interval: 5 });

it('reports the first configuration, and the last of several changes in place', async () => {
  await put('vac.conf', space('one'));
  start();
  await reported('one.example.com');
  for (const name of ['two', 'three', 'four']) await writeFile(file('vac.conf'), space(name));
  await vi.waitFor(() => expect(reports.at(-1)).toBe('four.example.com'), { timeout: 60_000, interval: 5 });
});

it('sees files that are replaced, go and come', async () => {
  await mkdir(file('vac.d'));
  await put('vac.conf', space('one'));
  start();
  await reported('one.example.com');
  await put('vac.conf', space('two'));
  await reported('one.example.com', 'two.example.com');
  await rm(file('vac.conf'));
  await reported(
    'one.example.com',
    'two.example.com',
    `bad: vac.conf: there is no configuration (looked at ${root}/vac.d, ${root}/vac.conf); write for instance:\n    [settings]\n    vac_space = vac01.example.com\n    [machinetype example]\n    target_share = 1\n    machine_model = vm-raw\n    root_image = /srv/images/example.qcow2`,
  );
  await put('vac.d/a.conf', space('three'));
  await vi.waitFor(() => expect(reports[3]).toBe('three.example.com'), { timeout: 60_000, interval: 5 });
});

it('sees a directory that comes later, and what changes in it', async () => {
  await put('vac.conf', space('one'));
  start();
  await reported('one.example.com');
  await mkdir(file('vac.d'));
  await put('vac.d/a.conf', '[settings]\ndescription = x\n');
  await reported('one.example.com', 'one.example.com');
  await put('vac.d/a.conf', '[settings]\nnonsense = x\n');
  await reported(
    'one.example.com',
    'one.example.com',
    'bad: vac.d/a.conf:2: [settings] nonsense: unknown option; see vac.conf(5) for all options',
  );
});

it('reports a bad content once, and the next good one', async () => {
  await put('vac.conf', space('one'));
  const { reloadNow } = start();
  await reloadNow();
  await put('vac.conf', '[settings]\n');
  expect((await reloadNow()).ok).toBe(false);
  expect((await reloadNow()).ok).toBe(false);
  const bad =
    'bad: vac.conf:1: [settings] vac_space: is required; give a fully qualified domain name such as vac01.example.com';
  expect(reports).toEqual(['one.example.com', bad]);
  // The same bad content written anew is no news; the other file's change is.
  await put('vac.conf', '[settings]\n');
  expect((await reloadNow()).ok).toBe(false);
  expect(reports).toEqual(['one.example.com', bad]);
  await put('vac.conf', space('two'));
  await reported('one.example.com', bad, 'two.example.com');
});

it('reports once that what is in force was put back in place of a bad content', async () => {
  await put('vac.conf', space('one'));
  const { reloadNow } = start();
  await reloadNow();
  await put('vac.conf', '[settings]\n');
  await reloadNow();
  const bad =
    'bad: vac.conf:1: [settings] vac_space: is required; give a fully qualified domain name such as vac01.example.com';
  await put('vac.conf', space('one'));
  await reloadNow();
  expect(reports).toEqual(['one.example.com', bad, 'good again']);
  await put('vac.conf', `# as it was\n${space('one')}`);
  await reloadNow();
  expect(reports).toEqual(['one.example.com', bad, 'good again']);
  await put('vac.conf', '[settings]\n');
  await reloadNow();
  expect(reports).toEqual(['one.example.com', bad, 'good again', bad]);
});

it('does not report again what the caller has in force, but does say when it is put back', async () => {
  await put('vac.conf', space('one'));
  const loaded = loadConfig([{ path: file('vac.conf'), text: space('one') }], { hostFqdn: 'node1.example.com' });
  const { reloadNow } = start({ inForce: (loaded as { config: Config }).config });
  await reloadNow();
  expect(reports).toEqual([]);
  await put('vac.conf', '[settings]\nnonsense = 1\nvac_space = one.example.com\n');
  await reloadNow();
  await put('vac.conf', space('one'));
  await reloadNow();
  expect(reports).toEqual([
    'bad: vac.conf:2: [settings] nonsense: unknown option; see vac.conf(5) for all options',
    'good again',
  ]);
});

it("takes a configuration that fails the caller's check for bad", async () => {
  await put('vac.conf', space('one'));
  const check = ({ settings }: Config) =>
    settings.vacSpace === 'two.example.com' ? [problemAt({ file: file('vac.conf'), line: 2 }, 'not here')] : [];
  const { reloadNow } = start({ check });
  await reloadNow();
  await put('vac.conf', space('two'));
  expect(await reloadNow()).toMatchObject({ ok: false, errors: [{ message: 'not here' }] });
  await put('vac.conf', space('one'));
  await reloadNow();
  expect(reports).toEqual(['one.example.com', 'bad: vac.conf:2: not here', 'good again']);
});

it('does not report a change of comments and places alone', async () => {
  await put('vac.conf', space('one'));
  const { reloadNow } = start();
  await reloadNow();
  await put('vac.conf', `# a comment\n\n${space('one')}`);
  expect(await reloadNow()).toMatchObject({ ok: true });
  await put('vac.conf', `# a comment\n\n${space('one')}draining = yes\n`);
  await reported('one.example.com', 'one.example.com');
});

it('does not report contents that stay the same', async () => {
  await put('vac.conf', space('one'));
  const { reloadNow } = start();
  await reloadNow();
  await put('vac.conf', space('one'));
  expect(await reloadNow()).toMatchObject({ ok: true, config: { settings: { vacSpace: 'one.example.com' } } });
  expect(reports).toEqual(['one.example.com']);
});

it('finds by polling what no event tells: a symbolic link on the way that was turned', async () => {
  for (const [version, name] of Object.entries({ v1: 'one', v2: 'two' })) {
    await mkdir(file(version));
    await put(`${version}/vac.conf`, space(name));
  }
  await symlink('v1', file('current'));
  await symlink('current/vac.conf', file('vac.conf'));
  start({ pollMilliseconds: 20 });
  await reported('one.example.com');
  await symlink('v2', file('next'));
  await rename(file('next'), file('current'));
  await reported('one.example.com', 'two.example.com');
});

it('reports nothing after it was closed', async () => {
  await put('vac.conf', space('one'));
  const { close, reloadNow } = start();
  await reloadNow();
  close();
  await put('vac.conf', space('two'));
  expect(await reloadNow()).toMatchObject({ ok: true, config: { settings: { vacSpace: 'two.example.com' } } });
  expect(reports).toEqual(['one.example.com']);
});
