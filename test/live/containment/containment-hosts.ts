/**
 * A factory's network without libvirt: a namespace with the bridge, its addresses and a port for each of two machines, which
 * are namespaces too; and one outside, which the factory routes to with NAT. Nothing of it touches the host's own network.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { run } from '../../../src/host/exec.js';
import { GATEWAY_IP, METADATA_IP, slotDevice, slotIp, slotMac } from '../../../src/machines/layout.js';
import { BRIDGE_NAME } from '../../../src/machines/network-xml.js';

export const OUTSIDE_IP = '192.0.2.1';
export const OTHER_OUTSIDE_IP = '198.51.100.1';
/** The factory's address towards the outside. */
export const FACTORY_IP = '192.0.2.2';

const PEER = fileURLToPath(new URL('./peer.py', import.meta.url));

/** Who answers may be held up for so long. */
const PATIENCE_SECONDS = 60;

type Where = 'factory' | 'outside' | 0 | 1;

let count = 0;

export class ContainmentHosts {
  private readonly prefix = `vc-${process.pid}-${count++}`;
  private readonly children: ChildProcess[] = [];
  private readonly namespaces: string[] = [];
  private factoryPid = 0;

  private constructor(private readonly factoryNamespace: string | null) {}

  /** @param factoryNamespace one that is there, and stays, for a factory with more in it; default: of its own */
  static async create(factoryNamespace: string | null = null): Promise<ContainmentHosts> {
    const hosts = new ContainmentHosts(factoryNamespace);
    try {
      await hosts.build();
    } catch (error) {
      await hosts.destroy();
      throw error;
    }
    return hosts;
  }

  private async build(): Promise<void> {
    for (const where of ['factory', 'outside', 0, 1] as const) {
      if (where !== 'factory' || this.factoryNamespace === null) {
        await run('ip', ['netns', 'add', this.name(where)]);
        this.namespaces.push(this.name(where));
      }
      await this.ip(where, 'link', 'set', 'lo', 'up');
    }
    await this.ip('factory', 'link', 'add', BRIDGE_NAME, 'type', 'bridge');
    for (const address of [GATEWAY_IP, METADATA_IP]) {
      await this.ip('factory', 'address', 'add', `${address}/16`, 'dev', BRIDGE_NAME);
    }
    await this.ip('factory', 'link', 'set', BRIDGE_NAME, 'up');
    for (const slot of [0, 1] as const) {
      const device = slotDevice(slot);
      await this.ip('factory', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.name(slot));
      await this.ip('factory', 'link', 'set', device, 'master', BRIDGE_NAME, 'up');
      await this.ip(slot, 'link', 'set', 'eth0', 'address', slotMac(slot), 'up');
      await this.ip(slot, 'address', 'add', `${slotIp(slot)}/16`, 'dev', 'eth0');
      await this.ip(slot, 'route', 'add', 'default', 'via', GATEWAY_IP);
    }
    await this.ip(
      'factory',
      'link',
      'add',
      'up0',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      this.name('outside'),
    );
    await this.ip('factory', 'address', 'add', `${FACTORY_IP}/24`, 'dev', 'up0');
    await this.ip('factory', 'link', 'set', 'up0', 'up');
    await this.ip('outside', 'address', 'add', `${OUTSIDE_IP}/24`, 'dev', 'eth0');
    await this.ip('outside', 'address', 'add', `${OTHER_OUTSIDE_IP}/32`, 'dev', 'eth0');
    await this.ip('outside', 'link', 'set', 'eth0', 'up');
    await this.ip('factory', 'route', 'add', `${OTHER_OUTSIDE_IP}/32`, 'via', OUTSIDE_IP);
    // Somebody outside who knows of the machines, and tries to reach them through the factory.
    await this.ip('outside', 'route', 'add', '169.254.0.0/16', 'via', FACTORY_IP);
    await this.in('factory', 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
    // Where br_netfilter is loaded it looks at bridged packets too: what is tried here must not be stopped by it.
    await this.in(
      'factory',
      'sh',
      '-c',
      'for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 > $f; done',
    );
    await this.nft('add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }');
    await this.nft('add rule ip nat post oifname "up0" ip saddr 169.254.0.0/16 masquerade');
  }

  /** The command line of a program there. */
  inside(where: Where): string[] {
    return ['ip', 'netns', 'exec', this.name(where)];
  }

  /** Runs a program there; its output without the last line feed. */
  async in(where: Where, ...command: string[]): Promise<string> {
    const [ip = '', ...args] = this.inside(where);
    return (await run(ip, [...args, ...command], { timeoutSeconds: 120 })).stdout.trim();
  }

  async nft(script: string): Promise<void> {
    await this.in('factory', 'nft', script);
  }

  /** A job of peer.py there, to its end. */
  peer(where: Where, ...job: string[]): Promise<string> {
    return this.in(where, 'python3', PEER, ...job);
  }

  /** Asks what should answer: "hello", however long it takes. What should not is asked by `peer`, which waits a moment. */
  reach(where: Where, kind: string, address: string, port: number): Promise<string> {
    return this.peer(where, kind, address, String(port), String(PATIENCE_SECONDS));
  }

  /** How many of so many connections are answered; for a while as many as there should be are waited for. */
  async many(where: Where, address: string, port: number, connections: number, expected = 0): Promise<number> {
    return Number(await this.peer(where, 'many', address, String(port), String(connections), String(expected)));
  }

  /** A job of peer.py there that goes on; its lines after the first, as they come. */
  async keep(where: Where, ...job: string[]): Promise<readonly string[]> {
    const [ip = '', ...args] = this.inside(where);
    const child = spawn(ip, [...args, 'python3', PEER, ...job], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.children.push(child);
    if (where === 'factory') this.factoryPid = child.pid!;
    const lines: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`${job.join(' ')} ended early`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'ready') resolve();
        else lines.push(line);
      });
    });
    return lines;
  }

  /** /sys/class/net of the factory, while a job of it goes on. */
  sysfs(): string {
    return `/proc/${this.factoryPid}/root/sys/class/net`;
  }

  async destroy(): Promise<void> {
    const ended = this.children.map((child) => new Promise((resolve) => child.once('close', resolve)));
    for (const child of this.children) child.kill('SIGKILL');
    await Promise.all(ended);
    for (const name of this.namespaces.splice(0)) await run('ip', ['netns', 'delete', name]);
  }

  private name(where: Where): string {
    return (where === 'factory' ? this.factoryNamespace : null) ?? `${this.prefix}-${where}`;
  }

  private ip(where: Where, ...args: string[]): Promise<unknown> {
    return run('ip', ['-n', this.name(where), ...args]);
  }
}
