/** What the factory relies on of a hypervisor: one suite for the fake and for libvirt. */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DomainFact, Hypervisor, HypervisorEvent } from '../../src/host/hypervisor.js';
import { domainXml } from '../../src/machines/domain-xml.js';
import { compareNetwork, dhcpHosts, dhcpHostXml, NETWORK_NAME, networkXml } from '../../src/machines/network-xml.js';
import { testRecord } from '../machines/record.js';

const FACTORY = 'factory1.example.com';

/** A domain as the factory writes it; each with a name and a uuid of its own. */
function domain(changes: { name?: string; uuid?: string } = {}): { uuid: string; name: string; document: string } {
  const uuid = changes.uuid ?? randomUUID();
  const name = changes.name ?? `contract-${uuid.slice(0, 8)}.example.com`;
  const document = domainXml(testRecord({ uuid, hostname: name, memoryMiB: 64, processors: 1 }), {
    domainType: 'test',
    machineType: 'q35',
    firmware: 'bios',
    networkName: 'default',
    consolePath: '/dev/null',
    nvramPath: '/dev/null',
    disks: [],
    space: 'vac01.example.com',
    factory: FACTORY,
  });
  return { uuid, name, document };
}

/**
 * @param make a hypervisor with nothing of earlier tests in it; it may have domains and networks of its own, which the
 * suite leaves alone
 */
export function hypervisorContract(make: () => Promise<Hypervisor>): void {
  let hypervisor: Hypervisor;
  let ours: string[];

  beforeEach(async () => {
    hypervisor = await make();
    ours = [];
  });

  afterEach(async () => {
    for (const uuid of ours) await hypervisor.destroyDomain(uuid).catch(() => {});
    await hypervisor.removeNetwork(NETWORK_NAME).catch(() => {});
    await hypervisor.close();
  });

  async function create(of = domain()) {
    ours.push(of.uuid);
    await hypervisor.createDomain(of.document);
    return of;
  }

  async function listed(uuid: string): Promise<DomainFact | undefined> {
    return (await hypervisor.listDomains()).domains.find((fact) => fact.uuid === uuid);
  }

  const refused = { code: 'hypervisor-refused' };

  it('tells what kind of machines it runs, and why', async () => {
    const facts = await hypervisor.facts();
    expect(['kvm', 'qemu', 'test']).toContain(facts.domainType);
    expect(facts.domainTypeReason).not.toBe('');
  });

  describe('domains', () => {
    it('run once created', async () => {
      const { uuid, name } = await create();
      const fact = await listed(uuid);
      expect(fact).toEqual({ uuid, name, state: 'running', pausedByIoError: false, cpuSeconds: expect.any(Number) });
      expect(fact?.cpuSeconds).toBeGreaterThanOrEqual(0);
    });

    it('are listed as of a moment within the call', async () => {
      const before = performance.now();
      const { askedAtMs } = await hypervisor.listDomains();
      expect(askedAtMs).toBeGreaterThanOrEqual(before);
      expect(askedAtMs).toBeLessThanOrEqual(performance.now());
    });

    it('are refused when the name is in use, and the first one runs on', async () => {
      const { uuid, name } = await create();
      await expect(hypervisor.createDomain(domain({ name }).document)).rejects.toMatchObject(refused);
      expect(await listed(uuid)).toMatchObject({ name, state: 'running' });
    });

    it('are refused when the uuid is in use, and the first one runs on', async () => {
      const { uuid, name } = await create();
      await expect(hypervisor.createDomain(domain({ uuid, name: 'other' }).document)).rejects.toMatchObject(refused);
      expect(await listed(uuid)).toMatchObject({ name, state: 'running' });
    });

    it.each(['', '<domain/>', 'no XML'])('are refused when they are %j', async (document) => {
      await expect(hypervisor.createDomain(document)).rejects.toMatchObject(refused);
    });

    it('are gone once destroyed, and their names are free', async () => {
      const { uuid, name } = await create();
      await hypervisor.destroyDomain(uuid);
      expect(await listed(uuid)).toBeUndefined();
      await create(domain({ name }));
    });

    it('that are asked to shut down, and do, are gone', async () => {
      const { uuid } = await create();
      await hypervisor.shutdownDomain(uuid);
      await expect.poll(() => listed(uuid)).toBeUndefined();
    });

    it('wait for being resumed when they were asked to', async () => {
      const { uuid, document } = domain();
      ours.push(uuid);
      await hypervisor.createDomain(document, { paused: true });
      expect(await listed(uuid)).toMatchObject({ state: 'paused', pausedByIoError: false });
      await hypervisor.resumeDomain(uuid);
      expect(await listed(uuid)).toMatchObject({ state: 'running' });
    });

    it('are paused once suspended, and run once resumed', async () => {
      const { uuid } = await create();
      await hypervisor.suspendDomain(uuid);
      expect(await listed(uuid)).toMatchObject({ state: 'paused', pausedByIoError: false });
      await hypervisor.resumeDomain(uuid);
      expect(await listed(uuid)).toMatchObject({ state: 'running' });
    });

    it('have their memory written to a file; of one that is gone there is none', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'vac-dump-'));
      try {
        const { uuid } = await create();
        await hypervisor.suspendDomain(uuid);
        await hypervisor.dumpMemory(uuid, join(directory, 'memory'));
        expect((await stat(join(directory, 'memory'))).size).toBeGreaterThan(0);
        expect(await listed(uuid)).toMatchObject({ state: 'paused' });
        await expect(hypervisor.dumpMemory(domain().uuid, join(directory, 'none'))).rejects.toMatchObject({
          code: 'hypervisor-refused',
        });
      } finally {
        await rm(directory, { recursive: true });
      }
    });

    it('without an agent cannot have their clock set', async () => {
      const { uuid } = await create();
      await expect(hypervisor.setGuestClock(uuid, 1_700_000_000)).rejects.toMatchObject({ code: 'hypervisor-refused' });
      expect(await listed(uuid)).toMatchObject({ state: 'running' });
    });

    it('that are gone may be shut down, destroyed, suspended and resumed, and have no interfaces', async () => {
      const { uuid } = domain();
      await hypervisor.shutdownDomain(uuid);
      await hypervisor.destroyDomain(uuid);
      await hypervisor.suspendDomain(uuid);
      await hypervisor.resumeDomain(uuid);
      expect(await hypervisor.domainInterfaces(uuid)).toEqual([]);
    });

    it('announce that they started and stopped', async () => {
      const events: HypervisorEvent[] = [];
      hypervisor.onEvent((event) => events.push(event));
      const { uuid, name } = await create();
      await expect.poll(() => events).toContainEqual({ uuid, name, event: 'started', detail: 'booted' });
      await hypervisor.destroyDomain(uuid);
      await expect.poll(() => events).toContainEqual({ uuid, name, event: 'stopped', detail: 'destroyed' });
    });
  });

  describe('networks', () => {
    const found = async () => {
      const network = await hypervisor.network(NETWORK_NAME);
      if (network === null) return null;
      const { xml, active, persistent } = network;
      return { ...compareNetwork(xml, FACTORY, 2, null), active, persistent };
    };
    const whole = { wrong: [], missingHosts: [], staleHosts: [], active: true, persistent: true };
    const [first, second] = dhcpHosts(FACTORY, 2);

    it('are null when there is none', async () => expect(await found()).toBeNull());

    it('are active once created, and what was asked for', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 2, null));
      expect(await found()).toEqual(whole);
    });

    it('are refused a second start', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 2, null));
      await expect(hypervisor.startNetwork(NETWORK_NAME)).rejects.toMatchObject(refused);
    });

    it('may be stored when they are, and stay as they run', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 2, null));
      await hypervisor.storeNetwork(NETWORK_NAME);
      expect(await found()).toEqual(whole);
    });

    it('are not stored when there is none', async () => {
      await expect(hypervisor.storeNetwork(NETWORK_NAME)).rejects.toMatchObject(refused);
    });

    it('are refused a start when there is none', async () => {
      await expect(hypervisor.startNetwork(NETWORK_NAME)).rejects.toMatchObject(refused);
    });

    it('are gone once removed, and may be removed again, and made again', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 2, null));
      await hypervisor.removeNetwork(NETWORK_NAME);
      expect(await found()).toBeNull();
      await hypervisor.removeNetwork(NETWORK_NAME);
      await hypervisor.createNetwork(networkXml(FACTORY, 2, null));
      expect(await found()).toEqual(whole);
    });

    it('take and lose DHCP leases while they run', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 1, null));
      await hypervisor.changeDhcpHost(NETWORK_NAME, 'add', dhcpHostXml(second!));
      expect(await found()).toEqual(whole);
      await hypervisor.changeDhcpHost(NETWORK_NAME, 'delete', dhcpHostXml(first!));
      expect(await found()).toEqual({ ...whole, missingHosts: [first] });
    });

    it('lose a lease without a name by what it has', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 1, null));
      const nameless = { mac: second!.mac, ip: second!.ip };
      await hypervisor.changeDhcpHost(NETWORK_NAME, 'add', dhcpHostXml(nameless));
      expect(await found()).toMatchObject({ staleHosts: [nameless] });
      await hypervisor.changeDhcpHost(NETWORK_NAME, 'delete', dhcpHostXml(nameless));
      expect(await found()).toMatchObject({ missingHosts: [second], staleHosts: [] });
    });

    it('refuse a lease that clashes, and the removal of one that is not there', async () => {
      await hypervisor.createNetwork(networkXml(FACTORY, 1, null));
      const clash = dhcpHostXml({ ...second!, ip: first!.ip });
      await expect(hypervisor.changeDhcpHost(NETWORK_NAME, 'add', clash)).rejects.toMatchObject(refused);
      const missing = dhcpHostXml(second!);
      await expect(hypervisor.changeDhcpHost(NETWORK_NAME, 'delete', missing)).rejects.toMatchObject(refused);
    });
  });

  it('does nothing more once closed', async () => {
    await hypervisor.close();
    await expect(hypervisor.listDomains()).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
  });
}
