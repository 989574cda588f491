/**
 * What the whole test run must leave as it found it: processes of the kinds that tests start, network interfaces and
 * namespaces, mounts, libvirt domains and networks. Compared before and after; a difference fails the run by name.
 */

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const HELPERS = new Set([
  'libvirtd',
  'virtlogd',
  'qemu-system-x86',
  'qemu-system-x86_64',
  'ganesha.nfsd',
  'rsyslogd',
  'dnsmasq',
  'dbus-daemon',
  'rpcbind',
]);

function lines(command: string, args: readonly string[]): string[] {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')
      .filter((line) => line.trim() !== '');
  } catch {
    return [];
  }
}

/** `program: arguments` of each process of a kind that tests start. */
function helperProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        // A process that has ended and waits for its parent has no command line any more.
        return HELPERS.has(name) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
          ? [`${name}: ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()}`]
          : [];
      } catch {
        return [];
      }
    });
}

function snapshot(): Map<string, number> {
  const things = [
    ...helperProcesses().map((line) => `process ${line}`),
    ...lines('ip', ['-o', 'link']).map((line) => `interface ${line.split(':')[1]?.trim()}`),
    ...lines('ip', ['netns', 'list']).map((line) => `namespace ${line.split(' ')[0]}`),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => `mount ${line.split(' ')[1]}`),
    ...lines('virsh', ['-q', '-c', 'qemu:///system', 'list', '--all', '--name']).map((line) => `domain ${line}`),
    ...lines('virsh', ['-q', '-c', 'qemu:///system', 'net-list', '--all', '--name']).map((line) => `network ${line}`),
  ];
  const counts = new Map<string, number>();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  return counts;
}

export function setup(): () => void {
  const before = snapshot();
  return () => {
    const left = [...snapshot()].filter(([thing, count]) => count > (before.get(thing) ?? 0)).map(([thing]) => thing);
    if (left.length === 0) return;
    process.exitCode = 1;
    throw new Error(`the tests left behind:\n  ${left.join('\n  ')}`);
  };
}
