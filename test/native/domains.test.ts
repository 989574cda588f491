import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, type LifecycleEvent, open } from 'libvirt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { domainXml } from './domain-xml.js';

const UNKNOWN_UUID = '00000000-0000-4000-8000-000000000000';

let connection: Connection;
let events: LifecycleEvent[];
let directory: string;

beforeEach(async () => {
  connection = await open('test:///default');
  events = [];
  connection.on('lifecycle', (event) => events.push(event));
  directory = mkdtempSync(join(tmpdir(), 'libvirt-domains-'));
});

afterEach(async () => {
  await connection.close();
  rmSync(directory, { recursive: true });
});

const eventsOf = (uuid: string) => events.filter((e) => e.uuid === uuid).map((e) => `${e.name} ${e.event} ${e.detail}`);

describe('a transient domain', () => {
  it('lives from creation to shutdown, with an event for each step', async () => {
    const { uuid, name, id } = await connection.createDomain(domainXml('one'));
    expect(name).toBe('one');
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(id).toBeGreaterThan(0);
    expect(await connection.lookupDomainByName('one')).toEqual({ uuid, name, id });
    expect(await connection.domainState(uuid)).toEqual({ state: 'running', reason: 'booted' });
    expect(await connection.domainInfo(uuid)).toMatchObject({
      state: 'running',
      maximumMemoryKiB: 65536,
      processors: 1,
    });

    await connection.suspendDomain(uuid);
    expect(await connection.domainState(uuid)).toEqual({ state: 'paused', reason: 'user' });
    await connection.resumeDomain(uuid);
    expect(await connection.domainState(uuid)).toEqual({ state: 'running', reason: 'unpaused' });
    await connection.shutdownDomain(uuid);

    await expect(connection.domainInfo(uuid)).rejects.toMatchObject({
      codeName: 'VIR_ERR_NO_DOMAIN',
      code: 42,
      operation: 'domainInfo',
    });
    await expect
      .poll(() => eventsOf(uuid))
      .toEqual(['one started booted', 'one suspended paused', 'one resumed unpaused', 'one stopped shutdown']);
  });

  it('can be destroyed', async () => {
    const { uuid } = await connection.createDomain(domainXml('two'));
    await connection.destroyDomain(uuid);
    await expect.poll(() => eventsOf(uuid)).toContain('two stopped destroyed');
    expect((await connection.listDomains()).map((domain) => domain.name)).toEqual(['test']);
  });

  it('is refused with what is wrong in its XML', async () => {
    await expect(connection.createDomain('<domain')).rejects.toMatchObject({ codeName: 'VIR_ERR_XML_DETAIL' });
    await expect(connection.createDomain(domainXml(''))).rejects.toMatchObject({ operation: 'createDomain' });
    await expect(
      connection.createDomain(domainXml('three', { extra: '<nosuch/>' }), { validate: true }),
    ).rejects.toMatchObject({ codeName: 'VIR_ERR_XML_INVALID_SCHEMA' });
  });

  it('can be restored from what was saved', async () => {
    const { uuid } = await connection.createDomain(domainXml('saved'));
    const path = join(directory, 'saved');
    await connection.saveDomain(uuid, path);
    expect(statSync(path).size).toBeGreaterThan(0);
    await expect.poll(() => eventsOf(uuid)).toContain('saved stopped saved');
    await connection.restoreDomain(path);
    expect((await connection.domainState(uuid)).state).toBe('running');
    await connection.destroyDomain(uuid);
  });

  it('can be dumped', async () => {
    const { uuid } = await connection.createDomain(domainXml('dumped'));
    await connection.coreDumpDomain(uuid, join(directory, 'core'));
    expect(statSync(join(directory, 'core')).size).toBeGreaterThan(0);
    await connection.destroyDomain(uuid);
  });

  it('gives its XML whole, also when it is big and beyond ASCII', async () => {
    const description = 'Grüße ☃ '.repeat(20_000);
    const { uuid } = await connection.createDomain(
      domainXml('big', { extra: `<description>${description}</description>` }),
    );
    expect(await connection.domainXml(uuid, { secure: true })).toContain(description);
    await connection.destroyDomain(uuid);
  });
});

describe('a persistent domain', () => {
  it('is defined, started, stopped and undefined', async () => {
    const { uuid, id } = await connection.defineDomain(domainXml('kept'));
    expect(id).toBeNull();
    expect(await connection.listDomains({ inactive: true })).toMatchObject([{ uuid, state: 'shutoff', id: null }]);
    await connection.startDomain(uuid);
    await expect(connection.startDomain(uuid)).rejects.toThrow('startDomain: ');
    await connection.destroyDomain(uuid);
    await connection.undefineDomain(uuid);
    await expect
      .poll(() => eventsOf(uuid))
      .toEqual(['kept defined added', 'kept started booted', 'kept stopped destroyed', 'kept undefined removed']);
  });

  it('keeps snapshots by name', async () => {
    const { uuid } = await connection.defineDomain(domainXml('snapped'));
    expect(await connection.createSnapshot(uuid, '<domainsnapshot><name>s1</name></domainsnapshot>')).toBe('s1');
    expect(await connection.listSnapshots(uuid)).toEqual(['s1']);
    await connection.deleteSnapshot(uuid, 's1');
    expect(await connection.listSnapshots(uuid)).toEqual([]);
    await expect(connection.deleteSnapshot(uuid, 's1')).rejects.toMatchObject({
      codeName: 'VIR_ERR_NO_DOMAIN_SNAPSHOT',
    });
    await connection.undefineDomain(uuid);
  });
});

describe('tuning', () => {
  it('reads and sets scheduler parameters with the types that the driver wants', async () => {
    const { uuid } = await connection.createDomain(domainXml('tuned'));
    expect(await connection.schedulerParameters(uuid)).toEqual({ weight: 50 });
    await connection.setSchedulerParameters(uuid, { weight: 70 });
    await expect(
      connection.setVcpuBandwidth(uuid, { periodMicroseconds: 100_000, quotaMicroseconds: 50_000 }),
    ).rejects.toMatchObject({ codeName: 'VIR_ERR_ARGUMENT_UNSUPPORTED' });
    await connection.destroyDomain(uuid);
  });

  it('moves the balloon', async () => {
    const { uuid } = await connection.createDomain(domainXml('balloon'));
    await connection.setMemory(uuid, 32768, { live: true });
    expect((await connection.domainInfo(uuid)).memoryKiB).toBe(32768);
    await connection.destroyDomain(uuid);
  });
});

it('every call about a domain that is not there says so', async () => {
  const calls: Record<string, () => Promise<unknown>> = {
    domainState: () => connection.domainState(UNKNOWN_UUID),
    domainXml: () => connection.domainXml(UNKNOWN_UUID),
    startDomain: () => connection.startDomain(UNKNOWN_UUID),
    shutdownDomain: () => connection.shutdownDomain(UNKNOWN_UUID, { mode: 'acpi' }),
    rebootDomain: () => connection.rebootDomain(UNKNOWN_UUID, { mode: 'agent' }),
    resetDomain: () => connection.resetDomain(UNKNOWN_UUID),
    destroyDomain: () => connection.destroyDomain(UNKNOWN_UUID, { graceful: true }),
    suspendDomain: () => connection.suspendDomain(UNKNOWN_UUID),
    resumeDomain: () => connection.resumeDomain(UNKNOWN_UUID),
    undefineDomain: () => connection.undefineDomain(UNKNOWN_UUID, { nvram: true }),
    saveDomain: () => connection.saveDomain(UNKNOWN_UUID, '/nonexistent/save'),
    coreDumpDomain: () => connection.coreDumpDomain(UNKNOWN_UUID, '/nonexistent/core', { memoryOnly: true }),
    abortDomainJob: () => connection.abortDomainJob(UNKNOWN_UUID),
    createSnapshot: () => connection.createSnapshot(UNKNOWN_UUID, '<domainsnapshot/>'),
    setDomainTime: () => connection.setDomainTime(UNKNOWN_UUID, 'sync'),
    setAgentResponseTimeout: () => connection.setAgentResponseTimeout(UNKNOWN_UUID, 5),
    attachDomainDevice: () => connection.attachDomainDevice(UNKNOWN_UUID, '<disk/>'),
    detachDomainDevice: () => connection.detachDomainDevice(UNKNOWN_UUID, '<disk/>'),
    updateDomainDevice: () => connection.updateDomainDevice(UNKNOWN_UUID, '<disk/>', { live: true }),
    setBlkioWeight: () => connection.setBlkioWeight(UNKNOWN_UUID, 500),
    setMemory: () => connection.setMemory(UNKNOWN_UUID, 1024),
    domainInterfaceAddresses: () => connection.domainInterfaceAddresses(UNKNOWN_UUID),
  };
  for (const [operation, call] of Object.entries(calls)) {
    await expect(call(), operation).rejects.toMatchObject({ codeName: 'VIR_ERR_NO_DOMAIN', operation });
  }
});
