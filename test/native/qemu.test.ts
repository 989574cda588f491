import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, type LifecycleEvent, open } from 'libvirt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { domainXml } from './domain-xml.js';
import { PrivateLibvirtd, privateLibvirtdUnavailable } from './private-libvirtd.js';

const title =
  privateLibvirtdUnavailable === null ? 'the QEMU driver' : `the QEMU driver: ${privateLibvirtdUnavailable}`;
const balloon = "<memballoon model='virtio'/>";

describe.skipIf(privateLibvirtdUnavailable !== null)(title, () => {
  let libvirtd: PrivateLibvirtd;
  let connection: Connection;
  let events: LifecycleEvent[];

  beforeAll(async () => {
    libvirtd = await PrivateLibvirtd.start();
    connection = await open(libvirtd.qemuUri, { callTimeoutSeconds: 60 });
    events = [];
    connection.on('lifecycle', (event) => events.push(event));
  });

  afterAll(async () => {
    await connection.close();
    await libvirtd.stop();
  });

  it('tells what the host can run', async () => {
    expect(await connection.driverType()).toBe('QEMU');
    expect(await connection.hypervisorVersion()).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await connection.capabilitiesXml()).toContain("<domain type='qemu'");
    expect(await connection.domainCapabilitiesXml({ virtType: 'qemu', arch: 'x86_64', machine: 'q35' })).toContain(
      '<domain>qemu</domain>',
    );
    await expect(connection.domainCapabilitiesXml({ arch: 'nosuch' })).rejects.toMatchObject({
      codeName: 'VIR_ERR_INVALID_ARG',
    });
    expect((await connection.nodeInfo()).processors).toBeGreaterThan(0);
    expect(await connection.listDomains()).toEqual([]);
  });

  it('runs a domain: paused, resumed, measured, dumped, destroyed', async () => {
    const { uuid } = await connection.createDomain(domainXml('real', { type: 'qemu', devices: balloon }), {
      paused: true,
    });
    expect((await connection.domainState(uuid)).state).toBe('paused');
    await connection.resumeDomain(uuid);
    const [stats] = await connection.domainStats({ waitForBusy: true, groups: ['cpu', 'balloon', 'vcpu', 'block'] });
    expect(stats).toMatchObject({ uuid, state: 'running', vcpuCurrent: 1, balloon: { maximumKiB: 65536 } });
    expect(stats?.cpuTimeSeconds).toBeGreaterThan(0);
    expect(stats?.balloon.rssKiB).toBeGreaterThan(1000);
    expect(typeof stats?.raw['cpu.time']).toBe('bigint');

    const directory = mkdtempSync(join(tmpdir(), 'libvirt-qemu-'));
    await connection.coreDumpDomain(uuid, join(directory, 'core'), { memoryOnly: true, live: true });
    expect(statSync(join(directory, 'core')).size).toBeGreaterThan(65536 * 1024 * 0.9);
    rmSync(directory, { recursive: true });

    // Without a guest agent the clock cannot be set.
    await expect(connection.setDomainTime(uuid, 1_700_000_000.5)).rejects.toMatchObject({ operation: 'setDomainTime' });
    await connection.destroyDomain(uuid, { graceful: true });
    const seen = () => events.filter((e) => e.uuid === uuid).map((e) => `${e.event} ${e.detail}`);
    await expect.poll(seen).toContain('stopped destroyed');
    // The dump adds a pair of suspended and resumed.
    expect(seen().slice(0, 3)).toEqual(['started booted', 'suspended paused', 'resumed unpaused']);
  });

  it('destroys an autodestroy domain with the connection that made it', async () => {
    const maker = await open(libvirtd.qemuUri);
    const { uuid } = await maker.createDomain(domainXml('mine', { type: 'qemu' }), { autodestroy: true });
    expect((await connection.domainState(uuid)).state).toBe('running');
    await maker.close();
    await expect.poll(() => events.filter((e) => e.uuid === uuid).map((e) => e.event)).toContain('stopped');
  });

  it('names the part of a domain that it cannot make', async () => {
    const disk = `<disk type='file' device='disk'><source file='/nonexistent.img'/><target dev='vda' bus='virtio'/></disk>`;
    const error: unknown = await connection
      .createDomain(domainXml('broken', { type: 'qemu', devices: disk }))
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'LibvirtError', operation: 'createDomain' });
    expect((error as Error).message).toContain('/nonexistent.img');
    expect(await connection.listDomains()).toEqual([]);
  });

  it('makes a network with DHCP, and changes it while it runs', async () => {
    const xml = `<network><name>leases</name><bridge name='vt-leases'/><ip address='192.168.77.1' netmask='255.255.255.0'>
      <dhcp><range start='192.168.77.10' end='192.168.77.20'/></dhcp></ip></network>`;
    await connection.defineNetwork(xml);
    await connection.startNetwork('leases');
    const host = `<host mac='56:4d:a9:fe:a9:01' ip='192.168.77.11'/>`;
    await connection.updateNetwork('leases', { command: 'addLast', section: 'dhcpHost', xml: host, live: true });
    expect(await connection.networkXml('leases')).toContain("ip='192.168.77.11'");
    expect(await connection.networkXml('leases', { inactive: true })).not.toContain("ip='192.168.77.11'");
    expect(await connection.networkDhcpLeases('leases', { mac: '56:4d:a9:fe:a9:01' })).toEqual([]);
    await connection.undefineNetwork('leases');
    expect(await connection.lookupNetwork('leases')).toMatchObject({ active: true, persistent: false });
    await connection.destroyNetwork('leases');
    expect(await connection.listNetworks()).toEqual([]);
  });

  it('keeps network filters by name and UUID', async () => {
    const rule = `<rule action='drop' direction='inout' priority='500'><all/></rule>`;
    const { uuid } = await connection.defineNwfilter(`<filter name='drop-all' chain='root'>${rule}</filter>`);
    expect(await connection.listNwfilters()).toEqual([{ name: 'drop-all', uuid }]);
    expect(await connection.nwfilterXml(uuid)).toContain("action='drop'");
    await connection.undefineNwfilter('drop-all');
    await expect(connection.nwfilterXml('drop-all')).rejects.toMatchObject({ codeName: 'VIR_ERR_NO_NWFILTER' });
  });
});
