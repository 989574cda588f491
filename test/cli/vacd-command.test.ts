import { execFile } from 'node:child_process';
import { expect, it } from 'vitest';
import { VERSION } from '../../src/version.js';
import { CHECKOUT } from './isolated-host.js';

function vacd(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const node = ['--import', 'tsx', 'src/vacd.ts', ...args];
    execFile(process.execPath, node, { encoding: 'utf8', cwd: CHECKOUT }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

it('vacd says its version, and what it can be told', async () => {
  expect(await vacd('--version')).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  const { code, stdout } = await vacd('-h');
  expect(code).toBe(0);
  expect(stdout).toContain('usage: vacd [OPTION...]\n  --config FILE');
});

it.each([
  [['--stat-dir', '/tmp'], 'there is no option "--stat-dir": did you mean --state-dir?; see vacd --help'],
  [['--log-format', 'xml'], '--log-format "xml": expected one of text, json'],
  [['start'], '"start": vacd takes options only; see vacd --help'],
])('vacd does not start with %j, and says why', async (args, message) => {
  expect(await vacd(...args)).toEqual({ code: 2, stdout: '', stderr: `vacd: ${message}\n` });
});
