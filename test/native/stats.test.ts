import { type Connection, open } from 'libvirt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { domainXml } from './domain-xml.js';

let connection: Connection;

beforeEach(async () => {
  connection = await open('test:///default');
});

afterEach(() => connection.close());

it('gives all domains at once, filled in where the driver has no statistics of its own', async () => {
  const { uuid } = await connection.createDomain(domainXml('busy'));
  await connection.suspendDomain(uuid);
  const stats = await connection.domainStats({ active: true });
  expect(stats.map((domain) => domain.name).sort()).toEqual(['busy', 'test']);
  const busy = stats.find((domain) => domain.uuid === uuid);
  // The in-memory driver reports the state alone: the rest comes from virDomainGetInfo.
  expect(busy).toMatchObject({
    state: 'paused',
    stateReason: 'user',
    balloon: { currentKiB: 65536, maximumKiB: 65536, rssKiB: null },
    vcpuCurrent: 1,
    raw: { 'state.state': 3 },
  });
  expect(busy?.cpuTimeSeconds).toBeGreaterThan(0);
  await connection.destroyDomain(uuid);
});

it('asks no more than it is told to', async () => {
  const stats = await connection.domainStats({ groups: [] });
  expect(stats).toMatchObject([{ name: 'test', state: 'running', cpuTimeSeconds: null, vcpuCurrent: null }]);
});

it('tells running domains from others', async () => {
  const { uuid } = await connection.defineDomain(domainXml('idle'));
  expect((await connection.listDomains()).map((domain) => domain.name).sort()).toEqual(['idle', 'test']);
  expect((await connection.listDomains({ active: true })).map((domain) => domain.name)).toEqual(['test']);
  expect(await connection.domainStats({ inactive: true })).toMatchObject([{ uuid, id: null, state: 'shutoff' }]);
  await connection.undefineDomain(uuid);
});
