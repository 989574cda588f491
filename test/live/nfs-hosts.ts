/**
 * A factory and two guests as network namespaces: the factory has 169.254.169.254, a /run of its own and one point-to-point
 * line to each guest. Nothing of it touches the host's network, sockets in /run or message bus.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type RunResult, run } from '../../src/host/exec.js';
import { waitUntil } from '../../src/host/helper-daemon.js';

export const FACTORY_IP = '169.254.169.254';
const GATEWAY_IP = '169.254.169.253';

export interface Driver {
  readonly pid: number;
  /** Calls a method of the NFS server or relay; rejects with its message and code. */
  call<T>(method: string, ...args: unknown[]): Promise<T>;
  /** As {@link call}, and how long it took inside the driver. */
  timed(method: string, ...args: unknown[]): Promise<number>;
  /** As a crash of vacd: SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
}

let count = 0;

export class LiveHosts {
  private readonly undo: (() => Promise<unknown>)[] = [];
  private readonly prefix = `vt-${process.pid}-${count++}`;
  private holder: ChildProcess | null = null;
  stateDir = '';

  /** @param guestIps addresses of the guests, in the order of their numbers */
  static async create(guestIps: readonly string[]): Promise<LiveHosts> {
    const hosts = new LiveHosts();
    try {
      await hosts.build(guestIps);
    } catch (error) {
      await hosts.destroy();
      throw error;
    }
    return hosts;
  }

  private async build(guestIps: readonly string[]): Promise<void> {
    this.stateDir = await mkdtemp(join(tmpdir(), 'vt-'));
    this.undo.push(() => rm(this.stateDir, { recursive: true }));
    const factory = `${this.prefix}-f`;
    await this.addNamespace(factory);
    // As libvirt makes the real one: the address that guests speak to is the bridge's second.
    await run('ip', ['-n', factory, 'link', 'add', 'vac0', 'type', 'bridge']);
    for (const ip of [GATEWAY_IP, FACTORY_IP]) {
      await run('ip', ['-n', factory, 'address', 'add', `${ip}/16`, 'dev', 'vac0']);
    }
    await run('ip', ['-n', factory, 'link', 'set', 'vac0', 'up']);
    for (const [index, ip] of guestIps.entries()) {
      const guest = this.guest(index);
      await this.addNamespace(guest);
      const line = `g${index}`;
      await run('ip', ['link', 'add', line, 'netns', factory, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', guest]);
      await run('ip', ['-n', factory, 'link', 'set', line, 'up']);
      await run('ip', ['-n', factory, 'route', 'add', `${ip}/32`, 'dev', line]);
      await run('ip', ['-n', guest, 'address', 'add', `${ip}/32`, 'dev', 'eth0']);
      await run('ip', ['-n', guest, 'link', 'set', 'eth0', 'up']);
      await run('ip', ['-n', guest, 'route', 'add', `${FACTORY_IP}/32`, 'dev', 'eth0']);
    }
    const inside = 'mount -t tmpfs tmpfs /run && mkdir /run/rpcbind && echo ready && exec cat';
    this.holder = spawn('ip', ['netns', 'exec', factory, 'unshare', '-m', 'sh', '-c', inside], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await nextLine(this.holder);
  }

  private async addNamespace(name: string): Promise<void> {
    await run('ip', ['netns', 'add', name]);
    this.undo.push(async () => {
      await killAllIn(name);
      await run('ip', ['netns', 'delete', name]);
    });
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  }

  /**
   * A fresh vacd process in the factory; helpers of earlier ones are there still.
   *
   * @param path its PATH, to keep programs from it
   * @param options of the syslog relay
   */
  async startDriver(
    part: 'nfs' | 'syslog' | 'directories',
    { address = FACTORY_IP, path = process.env.PATH!, options = {} } = {},
  ): Promise<Driver> {
    const script = fileURLToPath(new URL(`./${part}-driver.ts`, import.meta.url));
    const node = [process.execPath, '--import', import.meta.resolve('tsx'), script];
    const child = this.spawnInFactory(
      '/usr/bin/env',
      `PATH=${path}`,
      ...node,
      this.stateDir,
      address,
      JSON.stringify(options),
    );
    const exited = new Promise((resolve) => child.once('exit', resolve));
    await nextLine(child);
    const ask = async (call: string, args: unknown[]) => {
      child.stdin!.write(`${JSON.stringify({ call, args })}\n`);
      const reply = JSON.parse(await nextLine(child)) as Record<string, unknown>;
      if (reply.error !== undefined) throw Object.assign(new Error(String(reply.error)), { code: reply.code });
      return reply;
    };
    return {
      pid: child.pid!,
      call: async <T>(method: string, ...args: unknown[]) => (await ask(method, args)).result as T,
      timed: async (method, ...args) => (await ask(method, args)).milliseconds as number,
      kill: async () => {
        child.kill('SIGKILL');
        await exited;
      },
    };
  }

  /** Starts a program in the factory's namespaces; it ends with them at the latest. */
  spawnInFactory(command: string, ...args: string[]): ChildProcess {
    return spawn('nsenter', [...this.inFactory(), command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** The next line that a process of {@link spawnInFactory} prints. */
  lineOf(child: ChildProcess): Promise<string> {
    return nextLine(child);
  }

  /** Runs a program in the factory's namespaces. */
  factory(command: string, ...args: string[]): Promise<RunResult> {
    return run('nsenter', [...this.inFactory(), command, ...args]);
  }

  /** Runs a program as guest number `index`; exit codes are the caller's to judge. */
  asGuest(index: number, command: string, ...args: string[]): Promise<RunResult> {
    return run('ip', ['netns', 'exec', this.guest(index), command, ...args], {
      timeoutSeconds: 90,
      allowExitCodes: Array.from({ length: 256 }, (_, code) => code),
    });
  }

  /** Starts a program as guest number `index`; it ends with the guest at the latest. */
  spawnAsGuest(index: number, command: string, ...args: string[]): ChildProcess {
    return spawn('ip', ['netns', 'exec', this.guest(index), command, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  }

  /** Pids of all processes in the factory that run `program`. */
  async pidsOf(program: string): Promise<number[]> {
    const found: number[] = [];
    for (const pid of await pidsIn(`${this.prefix}-f`)) {
      const [name] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
      if (name?.split('/').at(-1) === program) found.push(pid);
    }
    return found;
  }

  async destroy(): Promise<void> {
    for (const step of this.undo.splice(0).reverse()) await step();
  }

  private guest(index: number): string {
    return `${this.prefix}-g${index}`;
  }

  private inFactory(): string[] {
    // `ip netns exec` and `unshare` replace themselves: the holder is the shell's `cat` by now.
    return ['-t', String(this.holder!.pid), '-n', '-m', '--'];
  }
}

async function pidsIn(namespace: string): Promise<number[]> {
  const { stdout } = await run('ip', ['netns', 'pids', namespace]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

/** Ends every process of a namespace and waits until they are reaped. */
async function killAllIn(namespace: string): Promise<void> {
  const killed = new Set<number>();
  await waitUntil(async () => {
    const pids = await pidsIn(namespace);
    for (const pid of pids) {
      killed.add(pid);
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended between listing and killing: what was wanted.
      }
    }
    // One that was listed may have made another before it was killed.
    return pids.length === 0 && [...killed].every((pid) => !existsSync(`/proc/${pid}`));
  }, 60);
}

const readers = new WeakMap<ChildProcess, AsyncIterator<string>>();

/** The next line that a process prints; rejects when it ends instead. */
async function nextLine(child: ChildProcess): Promise<string> {
  const reader = readers.get(child) ?? createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  readers.set(child, reader);
  const { done, value } = await reader.next();
  if (done) throw new Error(`${child.spawnargs.join(' ')} ended early`);
  return value;
}
