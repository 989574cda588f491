import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/host/exec.js';
import {
  HelperDaemon,
  type HelperOptions,
  parsePidFile,
  Serial,
  systemdRunArguments,
  unitName,
  waitUntil,
} from '../../src/host/helper-daemon.js';
import { isCommandLineOf, parseStartTicks, readHelperProcess } from '../../src/host/helper-process.js';

/** A helper that says when it is ready, counts its starts, and ends on SIGTERM unless told to be stubborn. */
const HELPER_PROGRAM = `
const fs = require('node:fs');
const [config] = process.argv.slice(2);
const { directory, mode } = JSON.parse(fs.readFileSync(config, 'utf8'));
fs.appendFileSync(directory + '/starts', process.pid + '\\n');
console.log('environment: ' + (process.env.GREETING ?? '') + (process.env.VITEST ?? ''));
if (mode === 'fails') { console.error('cannot read my configuration'); process.exit(1); }
process.on('SIGTERM', () => { if (mode !== 'stubborn') process.exit(0); });
process.on('SIGHUP', () => fs.appendFileSync(directory + '/hangups', 'x'));
if (mode !== 'never ready') fs.writeFileSync(directory + '/ready', String(process.pid));
setInterval(() => {}, 1000);
`;

let directory: string;
let daemons: HelperDaemon[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-helper-'));
  daemons = [];
  await writeFile(join(directory, 'helper.cjs'), HELPER_PROGRAM);
  await configure('ordinary');
});

afterEach(async () => {
  for (const daemon of daemons) await daemon.stop();
  await rm(directory, { recursive: true });
});

const configure = (mode: string) => writeFile(join(directory, 'helper.json'), JSON.stringify({ directory, mode }));

const options = (): HelperOptions => ({
  name: 'vac-test',
  command: process.execPath,
  args: [join(directory, 'helper.cjs'), join(directory, 'helper.json')],
  mark: join(directory, 'helper.json'),
  directory,
  env: { GREETING: 'hello' },
  isReady: async ({ pid }) => (await readFile(join(directory, 'ready'), 'utf8').catch(() => '')) === String(pid),
  readySeconds: 60,
});

function daemon(changes: Partial<HelperOptions> = {}): HelperDaemon {
  const made = new HelperDaemon({ ...options(), ...changes });
  daemons.push(made);
  return made;
}

const starts = async () => (await readFile(join(directory, 'starts'), 'utf8')).trim().split('\n').map(Number);

describe('a helper', () => {
  test('is started once, however often and from wherever it is wanted', async () => {
    const first = daemon();
    expect(await first.status()).toBeNull();
    const [a, b] = await Promise.all([first.ensureRunning(), first.ensureRunning()]);
    expect([a.started, b.started]).toEqual([true, false]);
    expect(await daemon().ensureRunning()).toEqual({ process: a.process, started: false });
    expect(await starts()).toEqual([a.process.pid]);
  });

  test('gets its own environment and log, and not those of vacd', async () => {
    const helper = daemon();
    await helper.ensureRunning();
    expect(await readFile(helper.logFile, 'utf8')).toBe('environment: hello\n');
  });

  test('is found without its pid file, and with one that names another process', async () => {
    const { process: started } = await daemon().ensureRunning();
    for (const pidFile of [null, `${process.pid} 1\n`, `${started.pid} 12345\n`, 'rubbish']) {
      const helper = daemon();
      if (pidFile === null) await rm(helper.pidFile);
      else await writeFile(helper.pidFile, pidFile);
      expect(await helper.ensureRunning()).toEqual({ process: started, started: false });
      expect(parsePidFile(await readFile(helper.pidFile, 'utf8'))).toEqual(started);
    }
  });

  test('is not mistaken for a process that used its pid again', async () => {
    const other = daemon();
    await other.ensureRunning();
    const mark = join(directory, 'another.json');
    await writeFile(join(directory, 'vac-other.pid'), await readFile(other.pidFile));
    expect(await daemon({ name: 'vac-other', mark }).status()).toBeNull();
  });

  test('that was killed is started again', async () => {
    const helper = daemon();
    const { process: first } = await helper.ensureRunning();
    expect(await helper.hasEnded()).toBe(false);
    process.kill(first.pid, 'SIGKILL');
    expect(await waitUntil(async () => (await helper.status()) === null, 60)).toBe(true);
    expect([await helper.hasEnded(), await helper.hasEnded()]).toEqual([true, false]);
    const { process: second, started } = await helper.ensureRunning();
    expect(started).toBe(true);
    expect(second.pid).not.toBe(first.pid);
    await helper.stop();
    expect(await helper.hasEnded()).toBe(false);
  });

  test('that fails at its start is reported with its last words', async () => {
    await configure('fails');
    await expect(daemon().ensureRunning()).rejects.toMatchObject({
      code: 'helper-failed',
      message: expect.stringMatching(/vac-test .*ended at once.*cannot read my configuration/),
    });
  });

  test('that runs but does not become ready is replaced', async () => {
    await configure('never ready');
    let first: number | null = null;
    const isReady: HelperOptions['isReady'] = async (process) => {
      first ??= process.pid;
      // Those after it are given the time that they need on a busy host.
      return process.pid !== first && (await waitUntil(() => options().isReady(process), 60));
    };
    const helper = daemon({ readySeconds: 1, isReady });
    await expect(helper.ensureRunning()).rejects.toMatchObject({
      code: 'helper-failed',
      message: expect.stringContaining('did not become ready'),
    });
    await configure('ordinary');
    const { process: second, started } = await helper.ensureRunning();
    expect(started).toBe(true);
    expect(second.pid).not.toBe(first);
    expect(await readHelperProcess(first!, options())).toBeNull();
  });

  test('that is not installed is named', async () => {
    await expect(daemon({ command: '/no/such/vac-helper' }).ensureRunning()).rejects.toMatchObject({
      code: 'command-missing',
      message: expect.stringContaining('/no/such/vac-helper'),
    });
  });

  test('gets signals, and is told apart from none', async () => {
    const helper = daemon();
    expect(await helper.signal('SIGHUP')).toBe(false);
    await helper.ensureRunning();
    expect(await helper.signal('SIGHUP')).toBe(true);
    expect(await waitUntil(async () => existsSync(join(directory, 'hangups')), 60)).toBe(true);
  });

  test('is stopped, by force if it must be, and stopping twice is fine', async () => {
    await configure('stubborn');
    const helper = daemon({ stopSeconds: 0.5 });
    const { process: started } = await helper.ensureRunning();
    await helper.stop();
    expect(await readHelperProcess(started.pid, options())).toBeNull();
    expect(existsSync(helper.pidFile)).toBe(false);
    await helper.stop();
  });

  test('outlives the program that started it', async () => {
    const module = fileURLToPath(new URL('../../src/host/helper-daemon.ts', import.meta.url));
    const program = `import { HelperDaemon } from '${module}';
      const options = JSON.parse(process.argv[2]);
      const { process: { pid } } = await new HelperDaemon({ ...options, isReady: async () => true }).ensureRunning();
      console.log(pid);
      setInterval(() => {}, 1000);`;
    const script = join(directory, 'parent.mts');
    await writeFile(script, program);
    const { isReady: _, ...plain } = options();
    const parent = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script, JSON.stringify(plain)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
    const exited = new Promise((resolve) => parent.once('exit', resolve));
    parent.kill('SIGKILL');
    await exited;
    const found = await daemon().status();
    expect(found?.pid).toBe(pid);
    const { stdout } = await run('ps', ['-o', 'sid=', '-p', String(pid)]);
    expect(Number(stdout)).toBe(pid);
  });
});

test('systemd runs it as a transient unit, one name for each configuration', () => {
  const site = {
    ...options(),
    mark: '/var/lib/vac/nfs/ganesha.conf',
    command: 'ganesha.nfsd',
    args: ['-F', '-f', 'x'],
  };
  expect(systemdRunArguments(site, '/log')).toEqual([
    '--quiet',
    '--collect',
    `--unit=${unitName(site)}`,
    '--description=vac-test, helper of vacd',
    '--property=StandardOutput=append:/log',
    '--property=StandardError=append:/log',
    '--setenv=GREETING=hello',
    '--',
    'ganesha.nfsd',
    '-F',
    '-f',
    'x',
  ]);
  expect(unitName(site)).toMatch(/^vac-test-[0-9a-f]{8}\.service$/);
  expect(unitName({ ...site, mark: '/tmp/demo/nfs/ganesha.conf' })).not.toBe(unitName(site));
});

test('the command line tells the helper from a validation run, an editor and a zombie', () => {
  const identity = { command: '/usr/sbin/rsyslogd', mark: '/var/lib/vac/syslog/rsyslog.conf' };
  expect(isCommandLineOf(['rsyslogd', '-n', '-f', identity.mark, ''], identity)).toBe(true);
  expect(isCommandLineOf(['/usr/sbin/rsyslogd', `--config=${identity.mark}`, ''], identity)).toBe(true);
  expect(isCommandLineOf(['rsyslogd', '-N1', '-f', `${identity.mark}.candidate`, ''], identity)).toBe(false);
  expect(isCommandLineOf(['vi', identity.mark, ''], identity)).toBe(false);
  expect(isCommandLineOf([''], identity)).toBe(false);
});

test('the start time is field 22, whatever the name holds; the dead have none', () => {
  const fields = 'S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20';
  expect(parseStartTicks(`12 (a) b (c) ${fields}`)).toBe(4711);
  expect(parseStartTicks(`12 (x) Z${fields.slice(1)}`)).toBeNull();
});

test('Serial keeps the order and goes on after a failure', async () => {
  const serial = new Serial();
  const order: string[] = [];
  const first = serial.run(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push('first');
    throw new Error('first failed');
  });
  const second = serial.run(async () => order.push('second'));
  await expect(first).rejects.toThrow('first failed');
  await second;
  expect(order).toEqual(['first', 'second']);
});
