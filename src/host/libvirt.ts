/** The hypervisor façade on the real libvirt: one connection, made again whenever it is lost or hangs. */

import { readFile } from 'node:fs/promises';
import { XMLParser } from 'fast-xml-parser';
import { type Connection, LibvirtError, LibvirtTimeoutError, open } from 'libvirt';
import { VacError } from '../errors.js';
import { run } from './exec.js';
import type {
  CreateOptions,
  DomainFact,
  DomainListing,
  FoundNetwork,
  Hypervisor,
  HypervisorEvent,
  HypervisorFacts,
} from './hypervisor.js';

/** A listing that takes longer than this means that libvirt hangs; it answers in milliseconds. */
const LIST_TIMEOUT_SECONDS = 10;
/** Creating a domain runs dnsmasq, iptables and QEMU; with many at once it takes its time. */
const CREATE_TIMEOUT_SECONDS = 120;
/** Of a cap on processors; the kernel's own default. */
const CAP_PERIOD_MICROSECONDS = 100_000;
const CALL_TIMEOUT_SECONDS = 30;
/** Of each answer of a guest's agent; libvirt asks for two. Far below what counts as a libvirt that hangs. */
const AGENT_TIMEOUT_SECONDS = 3;
/** A hundred gigabytes on a slow disk. */
const DUMP_TIMEOUT_SECONDS = 3600;
/** A libvirtd that does not answer pings for 15 s has lost us, and we it. */
const KEEP_ALIVE = { intervalSeconds: 5, count: 3 };

/** How a call ended: libvirt did it, answered no, or did not answer. */
export type CallOutcome = 'done' | 'refused' | 'unreachable';

/** Told of each call of libvirt when it is over, by libvirt's own name for it. */
export type CallListener = (call: string, milliseconds: number, outcome: CallOutcome) => void;

export class LibvirtHypervisor implements Hypervisor {
  private connection: Promise<Connection> | null = null;
  private readonly eventListeners: ((event: HypervisorEvent) => void)[] = [];
  private readonly connectionListeners: (() => void)[] = [];
  private closed = false;
  private tellCall: CallListener = () => {};

  constructor(private readonly uri: string) {}

  /** One at a time, the last one set. */
  onCall(listener: CallListener): void {
    this.tellCall = listener;
  }

  async facts(): Promise<HypervisorFacts> {
    const emulator = dacOwner(await this.call('capabilities', (c) => c.capabilitiesXml()));
    if (this.uri.startsWith('test')) {
      return { domainType: 'test', domainTypeReason: "libvirt's test driver: no machine really runs", ...emulator };
    }
    return { ...(await kvmFacts()), ...emulator };
  }

  async listDomains(): Promise<DomainListing> {
    const askedAtMs = performance.now();
    const stats = await this.call('domainStats', (c) =>
      c.domainStats({ active: true, groups: ['cpu'], timeoutSeconds: LIST_TIMEOUT_SECONDS }),
    );
    const domains = stats.flatMap((s): DomainFact[] => {
      if (s.state === 'shutoff' || s.state === 'crashed') return [];
      const state = s.state === 'paused' || s.state === 'shutdown' ? s.state : 'running';
      return [
        {
          uuid: s.uuid,
          name: s.name,
          state,
          pausedByIoError: s.state === 'paused' && s.stateReason === 'ioerror',
          cpuSeconds: s.cpuTimeSeconds ?? 0,
        },
      ];
    });
    return { askedAtMs, domains };
  }

  async createDomain(xml: string, { paused = false }: CreateOptions = {}): Promise<void> {
    // libvirt's test driver cannot begin paused.
    const isTest = this.uri.startsWith('test');
    const options = { timeoutSeconds: CREATE_TIMEOUT_SECONDS, paused: paused && !isTest };
    const { uuid } = await this.call('createDomain', (c) => c.createDomain(xml, options));
    if (paused && isTest) await this.suspendDomain(uuid);
  }

  async shutdownDomain(uuid: string): Promise<void> {
    const options = this.uri.startsWith('test') ? {} : ({ mode: 'acpi' } as const);
    await this.unlessGone('shutdownDomain', (c) => c.shutdownDomain(uuid, options));
  }

  async destroyDomain(uuid: string): Promise<void> {
    await this.unlessGone('destroyDomain', (c) => c.destroyDomain(uuid));
  }

  async suspendDomain(uuid: string): Promise<void> {
    await this.unlessGone('suspendDomain', (c) => c.suspendDomain(uuid));
  }

  async capDomain(uuid: string, part: number): Promise<void> {
    const quotaMicroseconds = part >= 1 ? -1 : Math.max(1000, Math.round(part * CAP_PERIOD_MICROSECONDS));
    const bandwidth = { periodMicroseconds: CAP_PERIOD_MICROSECONDS, quotaMicroseconds };
    await this.unlessGone('setVcpuBandwidth', (c) => c.setVcpuBandwidth(uuid, bandwidth, { live: true }));
  }

  async setGuestClock(uuid: string, unixSeconds: number): Promise<void> {
    // A guest's agent may hang, or mean to: it must hold no worker of libvirtd, of which there are twenty.
    await this.call('setAgentResponseTimeout', (c) => c.setAgentResponseTimeout(uuid, AGENT_TIMEOUT_SECONDS));
    await this.call('setDomainTime', (c) => c.setDomainTime(uuid, unixSeconds));
  }

  async dumpMemory(uuid: string, path: string): Promise<void> {
    const options = this.uri.startsWith('test') ? {} : { memoryOnly: true };
    await this.call('coreDumpDomain', (c) =>
      c.coreDumpDomain(uuid, path, { ...options, timeoutSeconds: DUMP_TIMEOUT_SECONDS }),
    );
  }

  async resumeDomain(uuid: string): Promise<void> {
    await this.unlessGone('resumeDomain', (c) => c.resumeDomain(uuid));
  }

  async domainInterfaces(uuid: string): Promise<string[]> {
    let xml = '';
    await this.unlessGone('domainXml', async (c) => {
      xml = await c.domainXml(uuid);
    });
    return interfaceDevices(xml);
  }

  async network(name: string): Promise<FoundNetwork | null> {
    const networks = await this.call('listNetworks', (c) => c.listNetworks());
    const network = networks.find((candidate) => candidate.name === name);
    if (network === undefined) return null;
    const { active, persistent } = network;
    return { xml: await this.call('networkXml', (c) => c.networkXml(name)), active, persistent };
  }

  async createNetwork(xml: string): Promise<void> {
    const { name } = await this.call('defineNetwork', (c) => c.defineNetwork(xml));
    await this.call('setNetworkAutostart', (c) => c.setNetworkAutostart(name, true));
    await this.call('startNetwork', (c) => c.startNetwork(name));
  }

  async startNetwork(name: string): Promise<void> {
    await this.call('startNetwork', (c) => c.startNetwork(name));
  }

  async storeNetwork(name: string): Promise<void> {
    const xml = await this.call('networkXml', (c) => c.networkXml(name));
    await this.call('defineNetwork', (c) => c.defineNetwork(xml));
    await this.call('setNetworkAutostart', (c) => c.setNetworkAutostart(name, true));
  }

  async removeNetwork(name: string): Promise<void> {
    const network = await this.network(name);
    if (network === null) return;
    if (network.active) await this.call('destroyNetwork', (c) => c.destroyNetwork(name));
    // A transient network is gone with its end.
    await this.call('undefineNetwork', (c) => c.undefineNetwork(name).catch(ignore('VIR_ERR_NO_NETWORK')));
  }

  async changeDhcpHost(name: string, change: 'add' | 'delete', hostXml: string): Promise<void> {
    const command = change === 'add' ? 'addLast' : 'delete';
    await this.call('updateNetwork', (c) =>
      c.updateNetwork(name, { command, section: 'dhcpHost', xml: hostXml, live: true, config: true }),
    );
  }

  onEvent(listener: (event: HypervisorEvent) => void): void {
    this.eventListeners.push(listener);
  }

  onConnectionChange(listener: () => void): void {
    this.connectionListeners.push(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    const { connection } = this;
    this.connection = null;
    await (await connection?.catch(() => null))?.close();
  }

  /** Runs a call on the connection there is, or a new one, and tells libvirt's trouble from its refusals. */
  private async call<T>(name: string, work: (connection: Connection) => Promise<T>): Promise<T> {
    if (this.closed) throw new VacError('hypervisor-unreachable', `the connection to ${this.uri} was closed`);
    this.connection ??= this.connect();
    const mine = this.connection;
    let connection: Connection | null = null;
    let beganMs = 0;
    try {
      connection = await mine;
      beganMs = performance.now();
      const result = await work(connection);
      this.tellCall(name, performance.now() - beganMs, 'done');
      return result;
    } catch (cause) {
      if (!(cause instanceof LibvirtError)) throw cause;
      const tookMs = performance.now() - beganMs;
      const lost = connection === null || cause instanceof LibvirtTimeoutError || !(await this.stillAlive(connection));
      if (connection !== null) this.tellCall(name, tookMs, lost ? 'unreachable' : 'refused');
      if (!lost) throw new VacError('hypervisor-refused', `libvirt refused: ${cause.message}`, { cause });
      if (this.connection === mine) this.drop(connection);
      throw new VacError(
        'hypervisor-unreachable',
        `${cause.message} (${this.uri}; is libvirtd running? systemctl status libvirtd)`,
        { cause },
      );
    }
  }

  /** The hanging call's thread is left behind with its connection: the next call gets new ones of both. */
  private drop(connection: Connection | null): void {
    this.connection = null;
    // A connection that never came about is no news: who asked for it is told by the error.
    if (connection === null) return;
    connection.close().catch(() => {});
    for (const listener of this.connectionListeners) listener();
  }

  private async stillAlive(connection: Connection): Promise<boolean> {
    return connection.isAlive().catch(() => false);
  }

  private async connect(): Promise<Connection> {
    const keepAlive = this.uri.startsWith('test') ? undefined : KEEP_ALIVE;
    const beganMs = performance.now();
    const connection = await open(this.uri, {
      callTimeoutSeconds: CALL_TIMEOUT_SECONDS,
      ...(keepAlive === undefined ? {} : { keepAlive }),
    }).catch((error: unknown) => {
      this.tellCall('open', performance.now() - beganMs, 'unreachable');
      throw error;
    });
    this.tellCall('open', performance.now() - beganMs, 'done');
    const current = this.connection;
    connection.on('lifecycle', ({ uuid, name, event, detail }) => {
      for (const listener of this.eventListeners) listener({ uuid, name, event, detail });
    });
    connection.on('closed', () => {
      if (this.connection === current && !this.closed) this.drop(connection);
    });
    return connection;
  }

  private async unlessGone(name: string, work: (connection: Connection) => Promise<void>): Promise<void> {
    await this.call(name, (c) => work(c).catch(ignore('VIR_ERR_NO_DOMAIN')));
  }
}

function ignore(codeName: string): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof LibvirtError) || error.codeName !== codeName) throw error;
  };
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  isArray: (name) => name === 'interface',
});

function interfaceDevices(xml: string): string[] {
  const { domain } = parser.parse(xml) as { domain?: { devices?: { interface?: { target?: { dev?: string } }[] } } };
  return (domain?.devices?.interface ?? []).flatMap(({ target }) => (target?.dev === undefined ? [] : [target.dev]));
}

/** User and group of libvirt's DAC label for domains (`+64055:+64055`). */
function dacOwner(capabilities: string): Pick<HypervisorFacts, 'emulatorUid' | 'emulatorGid'> {
  const label = /<model>dac<\/model>[\s\S]*?<baselabel[^>]*>\+(\d+):\+(\d+)</.exec(capabilities);
  return label === null
    ? { emulatorUid: null, emulatorGid: null }
    : { emulatorUid: Number(label[1]), emulatorGid: Number(label[2]) };
}

/**
 * KVM only where an ordinary guest boots with it: a processor with VT-x or AMD-V, and a /dev/kvm that QEMU can open.
 * A paravirtual-only /dev/kvm opens and even creates machines, which then hang in their firmware.
 */
async function kvmFacts(): Promise<Pick<HypervisorFacts, 'domainType' | 'domainTypeReason'>> {
  const flags = /^flags\s*:.*\b(vmx|svm)\b/m.exec(await readFile('/proc/cpuinfo', 'utf8'));
  if (flags === null) {
    return {
      domainType: 'qemu',
      domainTypeReason: 'emulation (TCG, slow): this processor shows neither vmx nor svm',
    };
  }
  const { exitCode } = await run('test', ['-r', '/dev/kvm', '-a', '-w', '/dev/kvm'], { allowExitCodes: [0, 1] });
  return exitCode === 0
    ? { domainType: 'kvm', domainTypeReason: `KVM (${flags[1]})` }
    : {
        domainType: 'qemu',
        domainTypeReason: 'emulation (TCG, slow): /dev/kvm is missing or cannot be opened',
      };
}
