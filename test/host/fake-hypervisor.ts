/** A hypervisor in memory, held to the same contract as libvirt (hypervisor-contract.ts), that can be told to go wrong. */

import { writeFile } from 'node:fs/promises';
import { XMLParser } from 'fast-xml-parser';
import { VacError } from '../../src/errors.js';
import type {
  CreateOptions,
  DomainFact,
  DomainListing,
  FoundNetwork,
  Hypervisor,
  HypervisorEvent,
  HypervisorFacts,
} from '../../src/host/hypervisor.js';
import { renderXml, xml } from '../../src/machines/xml.js';

interface DhcpHost {
  readonly mac?: string;
  readonly name?: string;
  readonly ip?: string;
}

interface FakeNetwork {
  readonly document: string;
  hosts: DhcpHost[];
  active: boolean;
  persistent: boolean;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  isArray: (name, _path, _leaf, isAttribute) => !isAttribute && (name === 'host' || name === 'ip'),
});

export class FakeHypervisor implements Hypervisor {
  readonly domains = new Map<string, DomainFact>();
  readonly networks = new Map<string, FakeNetwork>();
  /** Host devices of domains, by uuid; none unless a test sets them. */
  readonly interfaces = new Map<string, string[]>();
  /** Domains in which a guest's agent answers. */
  readonly agents = new Set<string>();
  /** Every call so far, as `method argument`. */
  readonly calls: string[] = [];
  private readonly eventListeners: ((event: HypervisorEvent) => void)[] = [];
  private readonly connectionListeners: (() => void)[] = [];
  private readonly failures = new Map<string, VacError>();
  private hanging: (() => void)[] | null = null;
  private closed = false;

  /** From now on no call ends; `answerAgain` lets them fail as timed out, and later ones work. */
  hang(): void {
    this.hanging ??= [];
  }

  answerAgain(): void {
    const waiting = this.hanging ?? [];
    this.hanging = null;
    for (const release of waiting) release();
    for (const listener of this.connectionListeners) listener();
  }

  /** The next call of this method is answered with an error. */
  failNext(method: keyof Hypervisor, error: VacError): void {
    this.failures.set(method, error);
  }

  emit(event: HypervisorEvent): void {
    for (const listener of this.eventListeners) listener(event);
  }

  /** A guest powers itself off. */
  powerOff(uuid: string, detail = 'shutdown'): void {
    const domain = this.domains.get(uuid);
    if (domain === undefined) return;
    this.domains.delete(uuid);
    this.emit({ uuid, name: domain.name, event: 'stopped', detail });
  }

  change(uuid: string, changes: Partial<DomainFact>): void {
    const domain = this.domains.get(uuid);
    if (domain !== undefined) this.domains.set(uuid, { ...domain, ...changes });
  }

  facts(): Promise<HypervisorFacts> {
    return this.call('facts', '', () => ({
      domainType: 'test',
      domainTypeReason: 'a hypervisor in memory',
      emulatorUid: null,
      emulatorGid: null,
    }));
  }

  listDomains(): Promise<DomainListing> {
    const askedAtMs = performance.now();
    return this.call('listDomains', '', () => ({ askedAtMs, domains: [...this.domains.values()] }));
  }

  createDomain(document: string, { paused = false }: CreateOptions = {}): Promise<void> {
    const { domain } = parse(document) as { domain?: { name?: string; uuid?: string } };
    return this.call('createDomain', domain?.name ?? '', () => {
      if (!domain?.name || !domain.uuid) throw refused('the domain has no name or uuid');
      const { name, uuid } = domain;
      if ([...this.domains.values()].some((other) => other.name === name || other.uuid === uuid)) {
        throw refused(`domain '${name}' already exists with uuid ${uuid}`);
      }
      const state = paused ? 'paused' : 'running';
      this.domains.set(uuid, { uuid, name, state, pausedByIoError: false, cpuSeconds: 0 });
      this.emit({ uuid, name, event: 'started', detail: 'booted' });
    });
  }

  shutdownDomain(uuid: string): Promise<void> {
    return this.call('shutdownDomain', uuid, () => this.powerOff(uuid));
  }

  destroyDomain(uuid: string): Promise<void> {
    return this.call('destroyDomain', uuid, () => this.powerOff(uuid, 'destroyed'));
  }

  suspendDomain(uuid: string): Promise<void> {
    return this.call('suspendDomain', uuid, () => this.change(uuid, { state: 'paused' }));
  }

  capDomain(uuid: string, part: number): Promise<void> {
    return this.call('capDomain', `${uuid} ${part}`, () => {});
  }

  async setGuestClock(uuid: string, unixSeconds: number): Promise<void> {
    const hasAgent = await this.call('setGuestClock', `${uuid} ${unixSeconds}`, () => this.agents.has(uuid));
    if (!hasAgent) throw refused('QEMU guest agent is not connected');
  }

  async dumpMemory(uuid: string, path: string): Promise<void> {
    const domain = await this.call('dumpMemory', uuid, () => this.domains.get(uuid));
    if (domain === undefined) throw refused(`no domain with uuid ${uuid}`);
    await writeFile(path, `memory of ${uuid}`);
  }

  resumeDomain(uuid: string): Promise<void> {
    return this.call('resumeDomain', uuid, () => this.change(uuid, { state: 'running', pausedByIoError: false }));
  }

  domainInterfaces(uuid: string): Promise<string[]> {
    return this.call('domainInterfaces', uuid, () => this.interfaces.get(uuid) ?? []);
  }

  network(name: string): Promise<FoundNetwork | null> {
    return this.call('network', name, () => {
      const network = this.networks.get(name);
      if (network === undefined) return null;
      const { active, persistent } = network;
      return { xml: networkDocument(network), active, persistent };
    });
  }

  createNetwork(document: string): Promise<void> {
    const { network } = parse(document) as {
      network?: { name?: string; ip?: { dhcp?: { host?: DhcpHost[] } }[] };
    };
    return this.call('createNetwork', network?.name ?? '', () => {
      if (!network?.name) throw refused('the network has no name');
      const hosts = (network.ip ?? []).flatMap(({ dhcp }) => dhcp?.host ?? []);
      this.networks.set(network.name, { document, hosts, active: true, persistent: true });
    });
  }

  startNetwork(name: string): Promise<void> {
    return this.call('startNetwork', name, () => {
      const network = this.networks.get(name);
      if (network === undefined) throw refused(`no network ${name}`);
      if (network.active) throw refused(`network ${name} is active already`);
      network.active = true;
    });
  }

  storeNetwork(name: string): Promise<void> {
    return this.call('storeNetwork', name, () => {
      const network = this.networks.get(name);
      if (network === undefined) throw refused(`no network ${name}`);
      network.persistent = true;
    });
  }

  removeNetwork(name: string): Promise<void> {
    return this.call('removeNetwork', name, () => {
      this.networks.delete(name);
    });
  }

  changeDhcpHost(name: string, change: 'add' | 'delete', hostXml: string): Promise<void> {
    const [wanted] = (parse(hostXml) as { host: DhcpHost[] }).host;
    return this.call('changeDhcpHost', `${change} ${hostXml.trim()}`, () => {
      const network = this.networks.get(name);
      if (network === undefined) throw refused(`no network ${name}`);
      const keys = ['mac', 'name', 'ip'] as const;
      const lower = (text: string | undefined) => text?.toLowerCase();
      if (change === 'delete') {
        // libvirt finds the one that agrees in all that is given.
        const index = network.hosts.findIndex((host) =>
          keys.every((key) => wanted?.[key] === undefined || lower(host[key]) === lower(wanted[key])),
        );
        if (index < 0) throw refused(`no such DHCP host in ${name}`);
        network.hosts = network.hosts.toSpliced(index, 1);
        return;
      }
      // And refuses one that agrees with another in anything.
      const clash = network.hosts.some((host) =>
        keys.some((key) => host[key] !== undefined && lower(host[key]) === lower(wanted?.[key])),
      );
      if (clash || wanted === undefined) throw refused(`there is a DHCP host like that in ${name}`);
      network.hosts = [...network.hosts, wanted];
    });
  }

  onEvent(listener: (event: HypervisorEvent) => void): void {
    this.eventListeners.push(listener);
  }

  onConnectionChange(listener: () => void): void {
    this.connectionListeners.push(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private async call<T>(method: string, argument: string, work: () => T): Promise<T> {
    this.calls.push(`${method} ${argument}`.trim());
    if (this.closed) throw new VacError('hypervisor-unreachable', 'the connection was closed');
    if (this.hanging !== null) {
      await new Promise<void>((resolve) => this.hanging?.push(resolve));
      throw new VacError('hypervisor-unreachable', `${method} got no answer in time`);
    }
    const failure = this.failures.get(method);
    this.failures.delete(method);
    if (failure !== undefined) throw failure;
    return work();
  }
}

function refused(words: string): VacError {
  return new VacError('hypervisor-refused', `libvirt refused: ${words}`);
}

function parse(document: string): unknown {
  try {
    return parser.parse(document);
  } catch {
    return {};
  }
}

function networkDocument({ document, hosts }: FakeNetwork): string {
  const attributes = hosts.map((host) => ({ ...host }) as Record<string, string>);
  const dhcp = renderXml(
    xml(
      'dhcp',
      {},
      attributes.map((host) => xml('host', host)),
    ),
  );
  return document.replace(/<dhcp\/>|<dhcp>.*<\/dhcp>/s, dhcp.trim());
}
