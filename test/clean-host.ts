/**
 * What the whole test run must leave as it found it: processes, network interfaces and namespaces, packet filters, mounts,
 * libvirt domains and networks. Compared before and after; what is left fails the run by name.
 *
 * Others work on the same host meanwhile (a factory, another test run), so whatever can tell whose it is counts only
 * if it is this run's: the run has a directory for temporary files of its own ($TMPDIR), which its processes have in
 * their arguments, environment or mounts, and its machines in their disks.
 */

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** How long what is just ending may take. */
const ENDING_SECONDS = 60;
/** Tables of iptables and libvirt, which come with their first use and stay. */
const HOSTS_TABLE = /^table \w+ (filter|nat|mangle|raw|security|broute|libvirt_network)$/;

/** Returns what vitest calls after all tests. */
export function setup(): () => Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'vac-tests-'));
  // As /tmp is: QEMU is a user of its own.
  chmodSync(directory, 0o1777);
  const hostsTmpdir = process.env.TMPDIR;
  process.env.TMPDIR = directory;
  const before = new Set(untold());

  return async () => {
    if (hostsTmpdir === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = hostsTmpdir;
    const left = () => [...told(basename(directory)), ...untold().filter((thing) => !before.has(thing))];
    const endMs = performance.now() + ENDING_SECONDS * 1000;
    while (left().length > 0 && performance.now() < endMs) await delay(100);
    const things = left();
    if (things.length === 0) {
      rmSync(directory, { recursive: true, force: true });
      return;
    }
    process.exitCode = 1;
    throw new Error(`the tests left behind (files: ${directory}):\n  ${things.join('\n  ')}`);
  };
}

/** What tells that it is of the run whose directory has this name. */
function told(run: string): string[] {
  return [
    ...processes(run),
    ...virsh('list', '--all', '--name')
      .filter((name) => virsh('dumpxml', name).some((line) => line.includes(run)))
      .map((name) => `domain ${name}`),
  ];
}

/** What does not tell whose it is. */
function untold(): string[] {
  return [
    ...lines('ip', '-o', 'link').map((line) => `interface ${line.split(':')[1]?.trim()}`),
    ...lines('ip', 'netns', 'list')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((name) => !isOfOtherRun(name))
      .map((name) => `network namespace ${name}`),
    ...lines('nft', 'list', 'tables').filter((table) => !HOSTS_TABLE.test(table)),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.includes(' /run/netns'))
      .map((line) => `mount ${line.split(' ')[1]}`),
    ...virsh('net-list', '--all', '--name').map((name) => `network ${name}`),
  ];
}

/** Tests name a namespace by their own pid (`vt1234-1`, `vc-1234-0`); at the end those of this run are gone. */
function isOfOtherRun(namespace: string): boolean {
  const pid = /^v[a-z]+-?(\d+)/.exec(namespace)?.[1];
  return pid !== undefined && existsSync(`/proc/${pid}`);
}

/** `process PID PROGRAM: ARGUMENTS` of each living process that names the run; not vitest and its own children. */
function processes(run: string): string[] {
  const ownMounts = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8');
      // "pid (program) state parent …", and the program's name may hold anything.
      const [, program, state, parent] = /\((.*)\) (\S) (\d+)/s.exec(read('stat')) ?? [];
      if (state === 'Z' || state === 'X' || Number(parent) === process.pid) return [];
      const isOfRun =
        read('cmdline').includes(run) ||
        read('environ').includes(run) ||
        (readlinkSync(`/proc/${pid}/ns/mnt`) !== ownMounts && read('mountinfo').includes(run));
      return isOfRun
        ? [`process ${pid} ${program}: ${read('cmdline').replaceAll('\0', ' ').trim().slice(0, 200)}`]
        : [];
    } catch {
      // Ended meanwhile.
      return [];
    }
  });
}

function virsh(...args: string[]): string[] {
  return lines('virsh', '-q', '-c', 'qemu:///system', ...args);
}

/** A command's lines; none where it cannot be asked, and so could not be used by tests either. */
function lines(command: string, ...args: string[]): string[] {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 120_000 })
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}
