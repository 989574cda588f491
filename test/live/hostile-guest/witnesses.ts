/** Who saw what the hostile machine did: the machine beside it, its port, and the host. */

import { type ChildProcess, spawn } from 'node:child_process';
import { lstat, readdir, readFile, stat } from 'node:fs/promises';
import type { MachineStatus } from '../../../src/daemon/status.js';
import { BRIDGE_NAME } from '../../../src/machines/network-xml.js';
import type { FaultSite } from '../faults-site.js';
import type { TestHost } from '../test-host.js';
import { OTHER_HOST_IP } from './attacks.js';

/** For what a guest does soon, on a host that has nothing else to do. */
const PATIENCE_SECONDS = 300;

/** Gives the host an address, and a way out, that are not the machines' network. What goes out there is lost. */
export async function makeOutside(host: TestHost): Promise<void> {
  const gateway = '192.0.2.254';
  for (const command of [
    'link add outside type veth peer name nowhere',
    'link set outside up',
    'link set nowhere up',
    `addr add ${OTHER_HOST_IP}/24 dev outside`,
    // Nobody is asked for its MAC.
    `neighbour add ${gateway} lladdr 02:00:00:00:00:01 dev outside nud permanent`,
    `route add 198.18.0.0/15 via ${gateway}`,
  ]) {
    await host.run('ip', command.split(' '));
  }
}

/** A program inside the host, and what it says. */
export function listen(host: TestHost, [command, ...args]: readonly string[]) {
  const [program, rest] = host.inside(command!, args);
  const child: ChildProcess = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout?.on('data', (part: Buffer) => {
    said += part;
  });
  return { said: () => said, end: () => child.kill('SIGKILL') };
}

/** What the innocent machine writes into its heartbeat file, from each look on. */
export class Beats {
  longestPauseSeconds = 0;
  /** Beats at which the host had not served it. */
  readonly unserved: string[] = [];
  last = '';
  /** MACs that it has seen for the factory's addresses. */
  readonly factoryMacs = new Set<string>();
  private lastCount = 0;
  private lastMs = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly site: FaultSite,
    private readonly machine: MachineStatus,
  ) {}

  async begin(): Promise<void> {
    await this.site.host.until('the innocent machine works', async () => (await this.look()) > 0, PATIENCE_SECONDS);
    this.longestPauseSeconds = 0;
    this.timer = setInterval(() => void this.look(), 250);
  }

  /** Waits for a beat that was written after now. */
  async end(): Promise<void> {
    const before = await this.look();
    await this.site.host.until(
      'the innocent machine still works',
      async () => (await this.look()) > before + 1,
      PATIENCE_SECONDS,
    );
    this.stop();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private async look(): Promise<number> {
    const text = await readFile(this.site.inMachine(this.machine.id, 'joboutputs/heartbeat'), 'utf8').catch(() => '');
    const count = Number(/^count=(\d+)$/m.exec(text)?.[1] ?? 0);
    if (count <= this.lastCount) return this.lastCount;
    const nowMs = performance.now();
    if (this.lastMs > 0) this.longestPauseSeconds = Math.max(this.longestPauseSeconds, (nowMs - this.lastMs) / 1000);
    this.lastMs = nowMs;
    this.lastCount = count;
    this.last = text;
    if (text.includes('served=no')) this.unserved.push(text);
    for (const [, mac] of text.matchAll(/169\.254\.169\.25[34] ([0-9a-f:]+)/g)) this.factoryMacs.add(mac!);
    return count;
  }
}

/** MACs that the bridge has learnt, with the port that each is at. */
export async function learntMacs(host: TestHost): Promise<Map<string, string>> {
  const table = await host.run('bridge', ['fdb', 'show', 'br', BRIDGE_NAME]);
  const learnt = table.split('\n').filter((line) => line !== '' && !line.includes('permanent'));
  return new Map(
    learnt.map((line) => {
      const [mac = '', , port = ''] = line.split(' ');
      return [mac, port];
    }),
  );
}

/** The MAC that the host itself has for a machine's address. */
export async function macAtHost(host: TestHost, ip: string): Promise<string | undefined> {
  return /lladdr (\S+)/.exec(await host.run('ip', ['neighbour', 'show', ip, 'dev', BRIDGE_NAME]))?.[1];
}

export async function trackedConnections(host: TestHost): Promise<number> {
  return Number(await host.run('cat', ['/proc/sys/net/netfilter/nf_conntrack_count']));
}

/** Entries of the host's table of connections that one machine may have. */
export async function trackedLimit(host: TestHost): Promise<number> {
  const rules = await host.run('nft', ['list', 'table', 'inet', 'vac']);
  return Number(/@connections \{ ip saddr ct count over (\d+)/.exec(rules)?.[1]);
}

/** What is in a directory and is no plain file that nobody may run. */
export async function oddFiles(directory: string): Promise<string[]> {
  const odd: string[] = [];
  for (const name of await readdir(directory)) {
    const info = await lstat(`${directory}/${name}`);
    if (!info.isFile() || (info.mode & 0o7111) !== 0) odd.push(`${name} ${info.mode.toString(8)}`);
  }
  return odd;
}

/** What is in a directory and is not this user's. */
export async function notOwnedBy(uid: number, directory: string): Promise<string[]> {
  const names = await readdir(directory);
  const infos = await Promise.all(names.map((name) => lstat(`${directory}/${name}`)));
  return names.filter((_, index) => infos[index]?.uid !== uid);
}

/** Size of the files of a directory whose names begin so. */
export async function bytesOf(directory: string, prefix = ''): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(prefix));
  const sizes = await Promise.all(names.map(async (name) => (await stat(`${directory}/${name}`)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
