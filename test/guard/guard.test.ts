/** The real child, built (`npx tsc -p src`), as vacd starts it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guardCommand } from '../../src/guard/command.js';
import { rightsLeft } from '../../src/guard/confine.js';
import { Guard, type GuardOptions } from '../../src/guard/guard.js';
import type { ParentPart } from '../../src/guard/part.js';
import { MetadataParent } from '../../src/metadata/parent.js';
import { type ListenAddress, MetadataSockets } from '../../src/metadata/sockets.js';
import { ask, OWNER, TestSite } from '../metadata/site.js';

const IDENTITY = { uid: 65534, gid: 65534 };
const MACHINE_IP = '127.0.0.2';
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const DIST = here('../../dist');

let site: TestSite;
let sockets: MetadataSockets;
let guard: Guard | null;
let problems: string[];
let directory: string;
const processes: ChildProcess[] = [];

beforeEach(async () => {
  site = await TestSite.make();
  await site.add(MACHINE_IP);
  directory = mkdtempSync(join(tmpdir(), 'vac-guard-'));
  sockets = new MetadataSockets([{ address: '127.0.0.254', port: 0 }]);
  sockets.bind();
  guard = null;
  problems = [];
});
afterEach(async () => {
  await guard?.close();
  sockets.close();
  for (const process of processes.splice(0)) process.kill('SIGKILL');
  await site.remove();
  rmSync(directory, { recursive: true });
});

function makeGuard(options: Partial<GuardOptions> = {}): Guard {
  const onProblem = (line: string) => problems.push(line);
  const metadata = new MetadataParent({
    guestOwner: OWNER,
    machineByIp: site.holder,
    sockets: () => sockets.descriptors(),
    onProblem,
  });
  guard = new Guard({
    parts: [metadata],
    what: 'the child',
    mark: directory,
    identity: IDENTITY,
    onProblem,
    // None is taken for hung that is only held up.
    beatSeconds: 30,
    ...options,
  });
  return guard;
}

async function serving(options: Partial<GuardOptions> = {}): Promise<{ guard: Guard; at: ListenAddress; pid: number }> {
  const made = makeGuard(options);
  // It may take longer to begin than one check waits.
  await made.ensureRunning().catch(() => made.check());
  return { guard: made, at: sockets.bound()[0]!, pid: made.pid! };
}

/** Whether a process lives, one that has ended and is not yet reaped apart. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('machines are served by the child', () => {
  it('as by vacd itself', async () => {
    const { at } = await serving();
    const machine = site.machines.get(MACHINE_IP)!;
    await site.add('127.0.0.3', { id: 'another', uuid: 'other' });
    expect((await ask(at, MACHINE_IP, '/latest/meta-data/instance-id')).body).toBe(machine.uuid);
    expect((await ask(at, '127.0.0.3', '/latest/meta-data/instance-id')).body).toBe('other');
    expect((await ask(at, MACHINE_IP, '/latest/user-data')).body).toBe('#!/bin/sh\n# of 127.0.0.2 \xff\n');
    expect((await ask(at, MACHINE_IP, '/machinefeatures/')).body).toBe('hs06\ntotal_cpu');
    expect(await ask(at, MACHINE_IP, '/machinefeatures/total_cpu')).toMatchObject({ body: '4' });
    expect((await ask(at, MACHINE_IP, '/machinefeatures/total_cpu', { method: 'HEAD' })).body).toBe('');
    for (const path of ['/', '/joboutputs/', '/latest/user-data', '/openstack/latest/meta_data.json'])
      expect((await ask(at, '127.0.0.9', path)).status, path).toBe(404);
  });

  it('with large files too, in both directions', async () => {
    const { at } = await serving();
    const directory = site.machines.get(MACHINE_IP)!.directory;
    const body = Buffer.alloc(9_000_001, 'vac factory ');
    expect((await ask(at, MACHINE_IP, '/joboutputs/log', { method: 'PUT', body })).status).toBe(201);
    expect(body.equals(await readFile(join(directory, 'joboutputs/log')))).toBe(true);
    expect((await ask(at, MACHINE_IP, '/joboutputs/log')).body).toBe(body.toString('latin1'));
    expect((await ask(at, MACHINE_IP, '/joboutputs/log', { method: 'HEAD' })).status).toBe(200);
    await writeFile(join(directory, 'user_data'), body);
    expect((await ask(at, MACHINE_IP, '/latest/user-data')).body).toBe(body.toString('latin1'));
    expect((await ask(at, MACHINE_IP, '/joboutputs/empty', { method: 'PUT', body: '' })).status).toBe(201);
    expect((await ask(at, MACHINE_IP, '/joboutputs/empty')).body).toBe('');
    const tooLarge = Buffer.alloc(11_000_000);
    expect((await ask(at, MACHINE_IP, '/joboutputs/log', { method: 'PUT', body: tooLarge })).status).toBe(413);
    expect(await readdir(join(directory, 'joboutputs'))).toEqual(['empty', 'log']);
    expect(problems).toEqual([]);
  });

  it('many at a time', async () => {
    const { at } = await serving();
    for (let index = 3; index < 13; index += 1) await site.add(`127.0.0.${index}`, { id: `machine ${index}` });
    const body = (index: number) => Buffer.alloc(300_000, `of ${index} `);
    const all = Array.from({ length: 100 }, async (_, count) => {
      const index = 3 + (count % 10);
      const path = `/joboutputs/log${count}`;
      expect((await ask(at, `127.0.0.${index}`, path, { method: 'PUT', body: body(index) })).status).toBe(201);
      expect((await ask(at, `127.0.0.${index}`, path)).body).toBe(body(index).toString());
    });
    await Promise.all(all);
  });

  it('and told of no host fault but that there is one', async () => {
    const { at } = await serving();
    const { directory } = site.machines.get(MACHINE_IP)!;
    rmSync(join(directory, 'joboutputs'), { recursive: true });
    expect(await ask(at, MACHINE_IP, '/joboutputs/')).toMatchObject({ status: 500, body: 'error\n' });
    expect(await ask(at, MACHINE_IP, '/joboutputs/x', { method: 'PUT', body: 'x' })).toMatchObject({ status: 500 });
    expect(problems).toEqual([
      expect.stringMatching(/^metadata: listing joboutputs of 1700000000_prod_\S+ failed: ENOENT/),
      expect.stringMatching(/^metadata: writing joboutputs\/x of \S+ failed: ENOENT/),
    ]);
  });

  it('which leaves nothing of an upload that breaks off', async () => {
    const { at } = await serving();
    const files = () => readdir(join(site.machines.get(MACHINE_IP)!.directory, 'joboutputs'));
    const socket = connect({ host: at.address, port: at.port, localAddress: MACHINE_IP });
    socket.write('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await expect.poll(async () => (await files()).length).toBe(1);
    socket.destroy();
    await expect.poll(files).toEqual([]);
    expect(problems).toEqual([]);
  });
});

describe('the child', () => {
  it('is not root, has no rights, and is limited', async () => {
    const { pid } = await serving();
    expect(rightsLeft(await readFile(`/proc/${pid}/status`, 'utf8'), IDENTITY)).toBeNull();
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(/Max core file size\s+0\s+0 /);
    expect(limits).toMatch(/Max file size\s+0\s+0 /);
    expect(limits).toMatch(/Max open files\s+4096\s+4096 /);
    expect(limits).toMatch(/Max data size\s+536870912\s+536870912 /);
    // Root's: nobody of its own user can look into it or change it.
    expect((await stat(`/proc/${pid}/mem`)).uid).toBe(0);
    expect(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8')).toBe('500\n');
    expect(await readFile(`/proc/${pid}/environ`, 'latin1')).not.toMatch(/HOME|NODE_OPTIONS|NOTIFY_SOCKET/);
  });

  it.each([
    { opensConnections: false, connection: 'could not open a connection: ENETUNREACH' },
    // As that for VacQuery, which asks for other factories' addresses.
    { opensConnections: true, connection: 'could open a connection' },
  ])('can do nothing of what an attacker would like, but: $connection', async ({ opensConnections, connection }) => {
    chmodSync(directory, 0o777);
    writeFileSync(join(directory, 'secret'), 'x', { mode: 0o600 });
    const [{ address, port }] = sockets.bound() as [ListenAddress];
    await serving({
      command: (task, mark) => {
        const [command, args] = guardCommand(task, mark, here('try-rights.mjs'));
        return ['env', [`TEST_DIR=${directory}`, `TEST_ADDRESS=${address}`, `TEST_PORT=${port}`, command, ...args]];
      },
      parts: [{ name: 'try', opensConnections, sockets: () => new Map(), attach() {}, detach() {}, receive() {} }],
    });
    await expect.poll(() => problems.length).toBe(9);
    expect(problems).toContain(connection);
    expect(problems.filter((line) => line !== connection)).toEqual([
      'could not read the file: EACCES',
      'could not write a file: EFBIG',
      'could not become root: EPERM',
      'could not run a program: EAGAIN',
      'could not start a thread: ERR_WORKER_INIT_FAILED',
      'could not look into vacd: EACCES',
      'could not kill vacd: EPERM',
      'could look up a name',
    ]);
  });

  it('works where it cannot read its own program any more', async () => {
    const program = join(directory, 'closed');
    await mkdir(program, { mode: 0o700 });
    cpSync(DIST, join(program, 'dist'), { recursive: true });
    writeFileSync(join(program, 'package.json'), '{"type": "module"}');
    const { at } = await serving({
      command: (task, mark) => guardCommand(task, mark, join(program, 'dist/vacd-guard.js')),
    });
    const body = Buffer.alloc(1_000_000, 'x');
    expect((await ask(at, MACHINE_IP, '/joboutputs/log', { method: 'PUT', body })).status).toBe(201);
    for (const path of [
      '/joboutputs/log',
      '/openstack/latest/meta_data.json',
      '/latest/user-data',
      '/nocloud/meta-data',
    ])
      expect((await ask(at, MACHINE_IP, path)).status, path).toBe(200);
    expect((await ask(at, MACHINE_IP, '/%zz')).status).toBe(404);
    expect((await ask(at, MACHINE_IP, `/${'x'.repeat(10_000)}`)).status).toBe(431);
    expect(problems).toEqual([]);
  });
});

describe('when the child ends', () => {
  it('another one serves at once, and what was not yet accepted waits for it', async () => {
    const { guard, at, pid } = await serving();
    // Stopped, it accepts nothing: these wait in the socket.
    process.kill(pid, 'SIGSTOP');
    const waiting = Array.from({ length: 20 }, () => ask(at, MACHINE_IP, '/machinefeatures/total_cpu'));
    await expect.poll(() => backlogOf(at.port)).toBe(20);
    process.kill(pid, 'SIGKILL');
    expect((await Promise.all(waiting)).map(({ body }) => body)).toEqual(Array(20).fill('4'));
    expect(guard.pid).not.toBe(pid);
    await expect.poll(() => guard.facts()).toEqual({ serving: true, ends: 1, problem: null });
    expect(problems).toEqual([expect.stringMatching(/^the child was ended by SIGKILL; another is started/)]);
    await guard.check();
  });

  it('what was under way breaks off and leaves nothing, and works when it is tried again', async () => {
    const { at, pid } = await serving();
    const files = () => readdir(join(site.machines.get(MACHINE_IP)!.directory, 'joboutputs'));
    const socket = connect({ host: at.address, port: at.port, localAddress: MACHINE_IP });
    socket.on('error', () => {});
    socket.write('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await expect.poll(async () => (await files()).length).toBe(1);
    process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => socket.once('close', resolve));
    await expect.poll(files).toEqual([]);
    expect((await ask(at, MACHINE_IP, '/joboutputs/log', { method: 'PUT', body: 'whole' })).status).toBe(201);
  });

  it('or hangs, it is ended and replaced', async () => {
    const { guard, at, pid } = await serving({ beatSeconds: 1 });
    process.kill(pid, 'SIGSTOP');
    expect((await ask(at, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
    expect(guard.pid).not.toBe(pid);
    expect(lives(pid)).toBe(false);
    expect(problems[0]).toMatch(/did not answer for 5 s and was ended; another is started/);
  });

  it('is not taken for one that hangs while it begins, however long that takes', async () => {
    const { at } = await serving({
      beatSeconds: 1,
      command: (task, mark) => {
        const [command, args] = guardCommand(task, mark);
        return ['sh', ['-c', 'sleep 7; exec "$0" "$@"', command, ...args]];
      },
    });
    expect(problems).toEqual([]);
    expect((await ask(at, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
  });

  it('again and again, it is a fault that is told, and is tried ever more slowly', async () => {
    const made = makeGuard({ command: () => ['sh', ['-c', 'echo "no such luck" >&2; exit 7']] });
    await expect(made.ensureRunning()).rejects.toMatchObject({ code: 'helper-failed' });
    await expect.poll(() => made.facts().ends).toBeGreaterThanOrEqual(3);
    await expect(made.check()).rejects.toMatchObject({
      code: 'helper-failed',
      message: expect.stringMatching(
        /^the child does not stay up: [3-9] ended soon after their start, the last one ended with code 7$/,
      ),
    });
    expect(problems).toContain('no such luck');
    expect(problems).toContainEqual(expect.stringMatching(/ended with code 7; another is started in 2 s$/));
    expect(made.facts()).toMatchObject({ serving: false, problem: expect.stringContaining('not stay up') });
    await made.close();
    expect(made.facts().problem).toBeNull();
  });

  it('three times in a minute, the next one serves, and it is told that there is trouble', async () => {
    const { guard, at } = await serving();
    for (let count = 0; count < 3; count += 1) {
      process.kill(guard.pid!, 'SIGKILL');
      await expect.poll(() => problems).toHaveLength(count + 1);
      expect((await ask(at, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
    }
    for (const asked of [guard.check(), guard.ensureRunning()])
      await expect(asked).rejects.toThrow(
        'does not stay up: 3 ended soon after their start, the last one was ended by',
      );
  });

  it('since it cannot be started at all, that is told as well', async () => {
    const made = makeGuard({ command: () => ['/nonexistent/setpriv', []] });
    await expect(made.ensureRunning()).rejects.toThrow(/cannot be started: .*ENOENT/);
  });

  it('since the system refuses, vacd goes on and tries again', async () => {
    const made = makeGuard({ command: () => ['no\0program', []] });
    await expect(made.ensureRunning()).rejects.toThrow(/cannot be started: .*null bytes/);
  });
});

/** Connections at a listening port that nobody has accepted. */
async function backlogOf(port: number): Promise<number> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const listening = lines.find(([, local, , state]) => local?.endsWith(`:${hex}`) && state === '0A');
  return Number.parseInt(listening?.[4]?.split(':')[1] ?? '0', 16);
}

describe('when vacd ends', () => {
  async function startParent(): Promise<{ parent: ChildProcess; pid: number; port: number }> {
    const task = { mark: directory, address: '127.0.0.253', identity: IDENTITY };
    const parent = spawn(process.execPath, [here('parent-worker.mjs'), JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    processes.push(parent);
    const [line] = (await once(parent.stdout!, 'data')) as [Buffer];
    return { parent, ...(JSON.parse(String(line)) as { pid: number; port: number }) };
  }
  const portIsFree = (port: number) => {
    const trial = new MetadataSockets([{ address: '127.0.0.253', port }]);
    try {
      trial.bind();
      return true;
    } catch {
      return false;
    } finally {
      trial.close();
    }
  };

  it('by its own will, the child is gone and the ports are free', async () => {
    const { guard, pid, at } = await serving();
    await guard.close();
    sockets.close();
    expect(lives(pid)).toBe(false);
    await expect(ask(at, MACHINE_IP, '/')).rejects.toThrow('ECONNREFUSED');
    expect(problems).toEqual([]);
  });

  it('by kill -9, so does the child, and frees the ports', async () => {
    const { parent, pid, port } = await startParent();
    expect(lives(pid)).toBe(true);
    expect(portIsFree(port)).toBe(false);
    parent.kill('SIGKILL');
    await expect.poll(() => lives(pid)).toBe(false);
    await expect.poll(() => portIsFree(port)).toBe(true);
  });

  it('by kill -9 while the child hangs, the next vacd ends that', async () => {
    const { parent, pid, port } = await startParent();
    process.kill(pid, 'SIGSTOP');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect(portIsFree(port)).toBe(false);
    await makeGuard({ mark: `${directory}/of-another` }).ensureRunning();
    expect(lives(pid)).toBe(true);
    await guard!.close();
    await makeGuard().ensureRunning();
    expect(lives(pid)).toBe(false);
    expect(portIsFree(port)).toBe(true);
    expect(problems).toContain('the child, of an earlier vacd, hung and was ended');
  });
});

describe('a child that has been taken over', () => {
  const hostile = (attack: string): Partial<GuardOptions> => ({
    command: (task, mark) => {
      const [command, args] = guardCommand(task, mark, here('hostile-child.mjs'));
      return ['env', [`HOSTILE=${attack}`, command, ...args]];
    },
  });

  it.each([
    'garbage',
    'no JSON',
    'no part',
    'no type',
    'wrong fields',
    'no question',
    'a place that is none',
  ])('and sends %s is killed', async (attack) => {
    makeGuard(hostile(attack));
    await guard!.ensureRunning().catch(() => {});
    await expect.poll(() => problems.join('\n')).toMatch(/was ended: .+; another is started/);
  });

  it('fills neither log nor memory with its words, and takes not all the time', async () => {
    const before = process.memoryUsage().rss;
    await serving(hostile('words without end'));
    const began = process.cpuUsage();
    const beganMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { user, system } = process.cpuUsage(began);
    const seconds = (performance.now() - beganMs) / 1000;
    expect((user + system) / 1e6 / seconds).toBeLessThan(0.8);
    expect(problems.length).toBeLessThan(40);
    for (const problem of problems) expect(problem).toBe('[2Jaaa');
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});

it('the child gets the sockets that come later, and keeps those that it had', async () => {
  const two = new MetadataSockets([
    { address: '127.0.0.254', port: 0 },
    { address: '127.0.0.253', port: 0 },
  ]);
  two.bind();
  let known = 1;
  const metadata: ParentPart = new MetadataParent({
    guestOwner: OWNER,
    machineByIp: site.holder,
    sockets: () => new Map([...two.descriptors()].slice(0, known)),
    onProblem: (line) => problems.push(line),
  });
  const { guard } = await serving({ parts: [metadata] });
  try {
    const [first, second] = two.bound() as [ListenAddress, ListenAddress];
    expect((await ask(first, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
    known = 2;
    const waiting = ask(second, MACHINE_IP, '/machinefeatures/total_cpu');
    await guard.renew();
    expect((await waiting).body).toBe('4');
    expect((await ask(first, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
    expect(problems).toEqual([]);
  } finally {
    two.close();
  }
});
