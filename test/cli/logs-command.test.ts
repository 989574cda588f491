import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { waitUntil } from '../../src/host/helper-daemon.js';
import { StateLayout } from '../../src/machines/layout.js';
import { recorded } from './recorded-io.js';

const UUID = '6e1d9a3c-1111-4222-8333-123456789abc';
const OLD = '1700000001_lhcb-prod_wn01-03.example.com';
const NEW = '1700000009_lhcb-prod_wn01-03.example.com';
const OTHER = '1700000005_atlas_wn01-104.example.com';
const SILENT = '1700000007_cms_wn01-00.example.com';

let layout: StateLayout;

beforeEach(async () => {
  layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-logs-')));
  for (const directory of layout.directories()) await mkdir(directory);
  for (const id of [OLD, NEW, OTHER]) await writeFile(layout.machineLog(id), `a of ${id}\nb\nc \x1b[31m\u009b\n`);
  for (const id of [NEW, OTHER, SILENT]) await mkdir(layout.machine(id));
  await writeFile(layout.inMachine(OTHER, 'machine.json'), JSON.stringify({ uuid: UUID }));
});

afterEach(() => rm(layout.root, { recursive: true }));

const logs = (...args: string[]) => recorded((io) => main(['logs', '--state-dir', layout.root, ...args], () => io));

describe('vac logs', () => {
  it.each([
    ['wn01-03', NEW],
    ['wn01-03.example.com', NEW],
    [OLD, OLD],
    ['3', NEW],
    ['104', OTHER],
    ['lhcb-prod', NEW],
    ['at', OTHER],
    [UUID, OTHER],
    [UUID.toUpperCase(), OTHER],
  ])('%s means %s', async (name, id) => {
    const { code, stdout } = await logs('-n', '3', name);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `a of ${id}\nb\nc ?[31m?\n` });
  });

  it('prints all, or the last lines', async () => {
    await writeFile(layout.machineLog(NEW), Array.from({ length: 5000 }, (_, index) => `line ${index}\n`).join(''));
    const { stdout: all } = await logs('3');
    expect(all.split('\n')).toHaveLength(5001);
    expect(all.endsWith('line 4998\nline 4999\n')).toBe(true);
    expect((await logs('3', '--lines', '2')).stdout).toBe('line 4998\nline 4999\n');
    expect((await logs('3', '--lines', '0')).stdout).toBe('');
  });

  it('says that there are no logs where no vacd has been', async () => {
    await rm(join(layout.root, 'logs'), { recursive: true });
    const { code, stderr } = await logs('3');
    expect([code, stderr]).toEqual([1, expect.stringMatching(/there are no logs in .*name its own with --state-dir/)]);
  });

  it('names the machines that there are when it knows none', async () => {
    const { code, stderr } = await logs('nobody');
    expect(code).toBe(1);
    expect(stderr).toBe('vac: no machine nobody has been here; those that have are wn01-00, wn01-03, wn01-104\n');
    expect((await logs('00000000-1111-4222-8333-123456789abc')).stderr).toContain('vac trace --uuid');
    expect((await logs(SILENT)).stderr).toBe(
      `vac: ${SILENT} has sent no syslog to this host, or it was removed (syslog_days)\n`,
    );
    expect((await logs('../../etc/passwd')).code).toBe(1);
    expect((await logs('-n', 'x', '3')).code).toBe(2);
  });

  it('follows until the machine is over, and says why it is', async () => {
    let printed = '';
    let said = '';
    const followed = main(['logs', '--state-dir', layout.root, '-f', 'wn01-03'], () => ({
      print: (lines) => {
        printed += lines.map((line) => `${line}\n`).join('');
      },
      complain: (text) => {
        said += text;
      },
      passing: () => {},
      view: () => ({ columns: 80, nowSeconds: 0, colour: false }),
    }));
    const sees = (text: string) => waitUntil(async () => printed.includes(text), 60);
    expect(await sees('c ?[31m?\n')).toBe(true);
    await appendFile(layout.machineLog(NEW), 'whole\nhalf');
    expect(await sees('whole\n')).toBe(true);
    expect(printed).not.toContain('half');
    await appendFile(layout.machineLog(NEW), ' line é\n');
    expect(await sees('half line é\n')).toBe(true);
    const end = { timeSeconds: 1, message: '200 Success', cpuSeconds: 1, reason: 'it shut down' };
    await writeFile(layout.inMachine(NEW, 'finished'), JSON.stringify(end));
    await appendFile(layout.machineLog(NEW), 'last words\n');
    await writeFile(layout.inMachine(NEW, 'cleared'), '');
    expect(await followed).toBe(0);
    expect(printed.endsWith('last words\n')).toBe(true);
    expect(said).toBe('wn01-03.example.com is over: 200 Success (it shut down)');
  });

  it('follows a machine that has sent nothing yet', async () => {
    await writeFile(layout.inMachine(SILENT, 'cleared'), '');
    expect(await logs('-f', SILENT)).toMatchObject({
      code: 0,
      stderr: 'vac: wn01-00.example.com is over: it never ran\n',
    });
  });
});
