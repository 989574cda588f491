/**
 * A complete hypervisor of a test's own: a network namespace and private /run, /var/lib/libvirt, /etc/libvirt …, with
 * its own virtlogd and libvirtd (HOST.md "Several hypervisors on one host"). What a test stops, hangs or breaks there
 * is nobody else's, and everything goes with the namespace.
 */

import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/** Directories that the namespace has for itself; host packages' files in them are copied in. */
const PRIVATE_DIRECTORIES = ['/run', '/var/lib/libvirt', '/var/cache/libvirt', '/etc/libvirt', '/var/log/libvirt'];

let created = 0;

export class TestHost {
  private constructor(
    readonly namespace: string,
    /** A directory for the test, seen alike inside and outside; removed at the end. */
    readonly directory: string,
    /** The process that keeps the namespaces. */
    private readonly keeperPid: number,
  ) {}

  static async create(): Promise<TestHost> {
    created += 1;
    const namespace = `vt${process.pid}-${created}`;
    const directory = await mkdtemp(join(tmpdir(), 'vac-host-'));
    // QEMU runs as a user of its own and must reach the state directory below.
    await chmod(directory, 0o711);
    await exec('ip', ['netns', 'add', namespace]);
    const script = [
      'set -e',
      `mkdir -p ${PRIVATE_DIRECTORIES.map((path) => directory + path).join(' ')}`,
      ...PRIVATE_DIRECTORIES.slice(1).map((path) => `cp -a ${path}/. ${directory}${path}/ 2>/dev/null || true`),
      `rm -f ${directory}/etc/libvirt/qemu/networks/autostart/*`,
      ...PRIVATE_DIRECTORIES.map((path) => `mount --bind ${directory}${path} ${path}`),
      `hostname ${namespace}`,
      'ip link set lo up',
      'mkdir -p /run/libvirt',
      'virtlogd -d',
      'libvirtd -d',
      'echo ready',
      'exec sleep infinity',
    ].join('\n');
    const keeper = spawn(
      'ip',
      ['netns', 'exec', namespace, 'unshare', '--mount', '--uts', '--propagation', 'private', 'bash', '-c', script],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      },
    );
    let said = '';
    keeper.stderr.on('data', (part: Buffer) => {
      said += part;
    });
    await new Promise<void>((resolve, reject) => {
      keeper.stdout.once('data', () => resolve());
      keeper.once('exit', (code) => reject(new Error(`the test host's namespace ended with ${code}: ${said}`)));
    });
    keeper.unref();
    keeper.stdout.destroy();
    keeper.stderr.destroy();
    const host = new TestHost(namespace, directory, keeper.pid!);
    await host.until(
      'libvirtd answers',
      async () => (await host.try('virsh', ['-c', 'qemu:///system', 'version'])) !== null,
    );
    return host;
  }

  /** The command line that runs a program inside. */
  inside(command: string, args: readonly string[]): [string, string[]] {
    return ['nsenter', ['--target', String(this.keeperPid), '--mount', '--net', '--uts', command, ...args]];
  }

  /** Where this process finds a file of the namespace: a file system that was mounted inside is seen only there. */
  seenInside(path: string): string {
    return `/proc/${this.keeperPid}/root${path}`;
  }

  async run(command: string, args: readonly string[]): Promise<string> {
    const { stdout } = await exec(...this.inside(command, args), { timeout: 60_000 });
    return stdout;
  }

  async try(command: string, args: readonly string[]): Promise<string | null> {
    return this.run(command, args).catch(() => null);
  }

  virsh(...args: string[]): Promise<string> {
    return this.run('virsh', ['-q', '-c', 'qemu:///system', ...args]);
  }

  async domains(): Promise<string[]> {
    return words(await this.virsh('list', '--name'));
  }

  async networks(): Promise<string[]> {
    return words(await this.virsh('net-list', '--all', '--name'));
  }

  /** Pids of processes inside with this name. */
  async pidsOf(name: string): Promise<number[]> {
    return words((await exec('ip', ['netns', 'pids', this.namespace])).stdout)
      .map(Number)
      .filter((pid) => commOf(pid) === name);
  }

  /** Waits until a condition holds. @throws after `seconds` with what was waited for */
  async until(what: string, condition: () => Promise<boolean> | boolean, seconds = 90): Promise<void> {
    await until(what, condition, seconds);
  }

  /** Starts the virtlogd and libvirtd of this host again, after a test has ended them. */
  async startLibvirtd(): Promise<void> {
    await this.run('libvirtd', ['-d']);
    await this.until(
      'libvirtd answers',
      async () => (await this.try('virsh', ['-c', 'qemu:///system', 'version'])) !== null,
    );
  }

  /** Ends every process inside and removes what the host was made of. */
  async destroy(): Promise<void> {
    for (let round = 0; round < 300; round += 1) {
      const pids = words((await exec('ip', ['netns', 'pids', this.namespace])).stdout).map(Number);
      if (pids.length === 0) break;
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGCONT');
          process.kill(pid, 'SIGKILL');
        } catch {
          // Ended by itself meanwhile.
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await exec('ip', ['netns', 'delete', this.namespace]);
    await rm(this.directory, { recursive: true, force: true });
  }
}

export async function until(what: string, condition: () => Promise<boolean> | boolean, seconds = 90): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited ${seconds} s in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function commOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return null;
  }
}
