import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { recorded } from './recorded-io.js';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-squid-'));
  await writeFile(
    at('vac.conf'),
    '[settings]\nvac_space = vac01.example.com\nfactories = wn01.example.com wn02.example.com\n',
  );
  await writeFile(at('in'), 'acl localnet src 169.254.0.0/16\n');
});
afterEach(() => rm(directory, { recursive: true }));

const squidConf = (from: string, to: string, ...more: string[]) =>
  recorded((io) =>
    main(['squid-conf', at(from), at(to), '--config', at('vac.conf'), '--state-dir', directory, ...more], () => io),
  );

it('writes the proxy’s configuration once, and leaves it alone while nothing changes', async () => {
  expect(await squidConf('in', 'out')).toEqual({
    code: 0,
    stdout: `${at('out')} is written, with 2 siblings; tell the proxy: squid -k reconfigure\n`,
    stderr: '',
  });
  expect(await readFile(at('out'), 'utf8')).toContain('cache_peer wn01.example.com sibling');
  const { ino } = await stat(at('out'));
  expect((await squidConf('in', 'out')).stdout).toBe(`${at('out')} is as it should be\n`);
  expect((await stat(at('out'))).ino).toBe(ino);
});

it('keeps secret what was', async () => {
  await chmod(at('in'), 0o640);
  await squidConf('in', 'out');
  expect((await stat(at('out'))).mode & 0o777).toBe(0o640);
});

it('tells programs whether they have to tell the proxy', async () => {
  const factories = ['wn01.example.com', 'wn02.example.com'];
  const said = async () => JSON.parse((await squidConf('in', 'out', '--json')).stdout);
  expect(await said()).toEqual({ changed: true, factories });
  expect(await said()).toEqual({ changed: false, factories });
});

it.each([
  ['nothing', 'out', 'nothing cannot be read: there is no such file or directory'],
  ['.', 'out', '. cannot be read: it is a directory'],
  ['in', 'no/where', 'no/where cannot be written: there is no such file or directory'],
  ['in', 'in/out', 'in/out cannot be written: there is no such directory'],
])('says which file it cannot use: %s to %s', async (from, to, words) => {
  const { code, stderr } = await squidConf(from, to);
  expect(code).toBe(1);
  expect(stderr.replaceAll(`${directory}/`, '').replaceAll(directory, '.')).toBe(`vac: ${words}\n`);
});

it('says what is wrong with the template, and writes nothing', async () => {
  await writeFile(at('in'), 'http_access allow localnet\n');
  const { code, stderr } = await squidConf('in', 'out');
  expect(code).toBe(1);
  expect(stderr).toContain(`${at('in')}: line 1 of the template uses localnet before any acl line defines it`);
  await expect(stat(at('out'))).rejects.toThrow('ENOENT');
});
