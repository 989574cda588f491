import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { CHECKOUT } from './isolated-host.js';
import { recorded } from './recorded-io.js';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-simulate-'));
});
afterEach(() => rm(directory, { recursive: true }));

const simulate = (...args: string[]) => recorded((io) => main(['simulate', ...args], () => io));
const SMALL = ['--types', '3', '--factories', '4', '--slots', '2', '--hours', '0.5'];

const CONFIG = `
[settings]
vac_space = vac01.example.com
factories = wn1.example.com wn2.example.com
total_processors = 3
[machinetype prod]
target_share = 3
root_image = /x.img
[machinetype analysis]
target_share = 1
root_image = /x.img
`;

describe('vac simulate', () => {
  it('has for programs one line with the figures of both', async () => {
    const { code, stdout } = await simulate(...SMALL, '--loss', '30', '--json');
    expect(code).toBe(0);
    const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
    const keys = [
      'datagramsPerMinute',
      'newsAgeP99Seconds',
      'shareErrorRms',
      'shareErrorWorst',
      'settleSeconds',
      'futileStarts',
      'idleSlotHours',
      'wallSeconds',
    ];
    for (const key of keys) {
      expect(figures).toHaveProperty(key);
      expect(figures.reference).toHaveProperty(key);
    }
    expect(figures.datagramsPerMinute).toBeGreaterThan(0);
    expect(figures.problems).toEqual([]);
  });

  it('is for people a table, and the shares over time; the same again with the same seed', async () => {
    const withoutTimes = (text: string) => text.replace(/^time that the simulation took.*$/m, '');
    const first = await simulate(...SMALL, '--seed', '7');
    expect(first.stdout).toMatch(/^ +OURS +PREDECESSOR$/m);
    expect(first.stdout).toMatch(/^shares over 30m, ours +NOW +WANTED$/m);
    expect(first.stdout).toMatch(/^type03 .*%$/m);
    const again = await simulate(...SMALL, '--seed', '7');
    expect(withoutTimes(again.stdout)).toBe(withoutTimes(first.stdout));
  });

  it("takes the site's own configuration, and says what of it is not simulated as it stands", async () => {
    await writeFile(
      at('vac.conf'),
      `${CONFIG}[vacuum_pipe p]\nvacuum_pipe_url = https://example.com/p\ntarget_share = 1\n`,
    );
    const { code, stdout } = await simulate('--config', at('vac.conf'), '--hours', '1', '--alone', '--seed', '3');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^prod .* 75 %$/m);
    expect(stdout).toContain('machinetypes of vacuum pipes are not simulated: p');
    expect(stdout).not.toContain('PREDECESSOR');
  });

  it('draws the shares into a file', async () => {
    const { code } = await simulate(...SMALL, '--svg', at('shares.svg'));
    expect(code).toBe(0);
    expect(await readFile(at('shares.svg'), 'utf8')).toMatch(/^<svg .*predecessor.*<\/svg>\n$/s);
  });

  it.each([
    [['--factories', '0'], '--factories "0": expected a whole number from 1 up to 100000'],
    [['--loss', '100'], '--loss "100": expected a number from 0 up to 99'],
    [
      ['--share-change', 'prod=5'],
      '--share-change "prod=5": expected a time, and types with their new shares, as 12h:prod=5,analysis=1',
    ],
    [
      ['--types', '2', '--work', 'prod=never'],
      '--work "prod=never": expected one of the machinetypes type01, type02 before the =',
    ],
  ])('says what is wrong with %j', async (args, words) => {
    expect(await simulate('--types', '2', ...args)).toEqual({ code: 2, stdout: '', stderr: `vac: ${words}\n` });
  });

  it('says what is wrong with a configuration, or that there is none', async () => {
    await writeFile(at('bad.conf'), CONFIG.replace('total_processors = 3', 'total_processors = many'));
    const bad = await simulate('--config', at('bad.conf'));
    expect(bad).toMatchObject({ code: 1, stdout: '' });
    expect(bad.stderr).toMatch(/^vac: .*bad\.conf:5: .*total_processors.*vac check-config says all that is wrong\n$/);
    expect((await simulate('--config', at('none.conf'))).stderr).toMatch(/^vac: .*none\.conf.*\n$/);
    await writeFile(at('vac.conf'), CONFIG);
    const both = await simulate('--config', at('vac.conf'), '--types', '3');
    expect(both.stderr).toBe('vac: --types: the configuration has its own machinetypes; leave the option out\n');
  });

  it.each(['.', 'no/where.svg'])('says so before it runs when it cannot draw into %s', async (name) => {
    const { code, stdout, stderr } = await simulate(...SMALL, '--svg', at(name));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^vac: .* cannot be written: .*\n$/);
  });

  it('ends at once with Ctrl-C, with nothing printed or left', async () => {
    const args = ['simulate', '--types', '3', '--factories', '20', '--hours', '8000', '--exact', '--svg', at('s.svg')];
    const vac = spawn(process.execPath, ['--import', 'tsx', 'src/vac.ts', ...args], { cwd: CHECKOUT });
    let [stdout, stderr] = ['', ''];
    vac.stdout.on('data', (text) => {
      stdout += text;
    });
    vac.stderr.on('data', (text) => {
      stderr += text;
      // The first line of progress.
      if (/running/.test(stderr) && !vac.killed) vac.kill('SIGINT');
    });
    const code = await new Promise((resolve) => vac.on('exit', resolve));
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toMatch(/vac: the simulation was interrupted\n$/);
    await expect(readFile(at('s.svg'))).rejects.toThrow('ENOENT');
  });
});
