/**
 * A space of a test's own: hypervisors (test-host.ts) that hang on one bridge, know each other by name, and lose a part
 * of all VacQuery datagrams. The bridge has a network namespace to itself, so that nothing of it is on the host.
 */

import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { Journal, type JournalEntry } from '../../src/machines/journal.js';
import { StateLayout } from '../../src/machines/layout.js';
import { TestHost } from './test-host.js';
import { Worker } from './worker.js';

const exec = promisify(execFile);

const BUILD_GUEST = fileURLToPath(new URL('../../etc/demo/build-guest.sh', import.meta.url));
const VAC = fileURLToPath(new URL('../../dist/vac.js', import.meta.url));
/** Of a network for examples (RFC 5737), on an interface that every host has. */
const ADDRESS = '192.0.2';
const INTERFACE = 'space0';

export class TestFactory {
  readonly stateDir: string;
  readonly configPath: string;
  /** The demo guest (etc/demo); each host its own copy, as each libvirtd makes its own of who may read it. */
  readonly image: string;
  private current: Worker | null = null;

  constructor(
    readonly host: TestHost,
    /** FQDN. */
    readonly name: string,
    readonly address: string,
  ) {
    this.stateDir = join(host.directory, 'state');
    this.configPath = join(host.directory, 'vac.conf');
    this.image = join(host.directory, 'demo.qcow2');
  }

  /** Starts the program vacd, anew if it was killed. */
  start(): Worker {
    const { stateDir, configPath, name } = this;
    this.current = Worker.startVacd(this.host, { stateDir, configPath, factory: name });
    return this.current;
  }

  /** The vacd that was started last. */
  get vacd(): Worker {
    if (this.current === null) throw new Error(`${this.name} was not started`);
    return this.current;
  }

  async kill(): Promise<void> {
    await this.current?.kill();
  }

  /** Runs the command `vac` on this factory's host, without a terminal. */
  async vac(command: string, ...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
    const options = ['--state-dir', this.stateDir, '--config', this.configPath];
    const [program, programArgs] = this.host.inside(process.execPath, [VAC, command, ...options, ...args]);
    return exec(program, programArgs).then(
      (said) => ({ exitCode: 0, ...said }),
      ({ code, stdout, stderr }) => ({ exitCode: Number(code), stdout, stderr }),
    );
  }

  /** Null: vacd does not answer. */
  async status(): Promise<FactoryStatus | null> {
    return (await this.current?.status()) ?? null;
  }

  /** Everything that its machines' directories tell, in the order of their creation. */
  async journal(): Promise<JournalEntry[]> {
    const { entries, unreadable } = await new Journal(new StateLayout(this.stateDir)).readAll();
    if (unreadable.length > 0) throw new Error(`unreadable machines of ${this.name}: ${JSON.stringify(unreadable)}`);
    return entries;
  }
}

export class TestSpace {
  private constructor(
    private readonly bridgeNamespace: string,
    /** For files that all factories read. */
    readonly directory: string,
    readonly factories: readonly TestFactory[],
  ) {}

  /**
   * @param names the factories' FQDNs, a host for each
   * @param lossPercent how many of all VacQuery datagrams between them are lost
   */
  static async create(names: readonly string[], lossPercent: number): Promise<TestSpace> {
    const bridgeNamespace = `vt${process.pid}-bridge`;
    const directory = await mkdtemp(join(tmpdir(), 'vac-space-'));
    await exec('ip', ['netns', 'add', bridgeNamespace]);
    const hosts = await Promise.allSettled(names.map(() => TestHost.create()));
    const factories = hosts.flatMap((host, index) =>
      host.status === 'fulfilled' ? [new TestFactory(host.value, names[index]!, `${ADDRESS}.${index + 1}`)] : [],
    );
    const space = new TestSpace(bridgeNamespace, directory, factories);
    try {
      const failed = hosts.find((host) => host.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await space.join();
      for (const factory of factories) {
        await factory.host.run('hostname', [factory.name]);
        await space.nameFactories(factory.host);
        await loseDatagrams(factory.host, lossPercent);
        await mkdir(factory.stateDir);
      }
      await space.copyGuest();
    } catch (error) {
      await space.destroy();
      throw error;
    }
    return space;
  }

  private async join(): Promise<void> {
    const link = (...args: string[]) => exec('ip', ['-n', this.bridgeNamespace, 'link', ...args]);
    await link('add', 'bridge0', 'type', 'bridge');
    await link('set', 'bridge0', 'up');
    for (const [index, { host, address }] of this.factories.entries()) {
      const port = `port${index}`;
      await link('add', port, 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', host.namespace);
      await link('set', port, 'master', 'bridge0', 'up');
      await host.run('ip', ['address', 'add', `${address}/24`, 'dev', INTERFACE]);
      await host.run('ip', ['link', 'set', INTERFACE, 'up']);
    }
  }

  private async nameFactories(host: TestHost): Promise<void> {
    const path = join(host.directory, 'hosts');
    const lines = ['127.0.0.1 localhost', ...this.factories.map(({ name, address }) => `${address} ${name}`)];
    await writeFile(path, `${lines.join('\n')}\n`);
    await host.run('mount', ['--bind', path, '/etc/hosts']);
  }

  private async copyGuest(): Promise<void> {
    const built = join(this.directory, 'demo.qcow2');
    await exec('bash', [BUILD_GUEST, built]);
    for (const { image } of this.factories) await copyFile(built, image);
  }

  /** How many VacQuery datagrams came to the factories so far, and how many of these were dropped. */
  async datagrams(): Promise<{ seen: number; lost: number }> {
    const sums = { seen: 0, lost: 0 };
    for (const { host } of this.factories) {
      const { nftables } = JSON.parse(await host.run('nft', ['-j', 'list', 'counters', 'table', 'inet', 'loss'])) as {
        nftables: { counter?: { name: 'seen' | 'lost'; packets: number } }[];
      };
      for (const { counter } of nftables) if (counter !== undefined) sums[counter.name] += counter.packets;
    }
    return sums;
  }

  /** Ends everything and takes it away. */
  async destroy(): Promise<void> {
    await Promise.all(this.factories.map(({ host }) => host.destroy()));
    await exec('ip', ['netns', 'delete', this.bridgeNamespace]);
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Queries and answers alike, each where it arrives; netem is not in every kernel. */
async function loseDatagrams(host: TestHost, percent: number): Promise<void> {
  const rules = ['dport', 'sport'].flatMap((port) => {
    const datagram = `iifname ${INTERFACE} udp ${port} 995`;
    return [`${datagram} counter name seen`, `${datagram} numgen random mod 100 < ${percent} counter name lost drop`];
  });
  const path = join(host.directory, 'loss.nft');
  const lines = [
    'table inet loss {',
    'counter seen {}',
    'counter lost {}',
    'chain arriving {',
    'type filter hook input priority -300;',
    ...rules,
    '}',
    '}',
  ];
  await writeFile(path, `${lines.join('\n')}\n`);
  await host.run('nft', ['-f', path]);
}
