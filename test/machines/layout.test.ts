import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  diskPaths,
  GATEWAY_IP,
  MAX_SLOTS,
  METADATA_IP,
  machineId,
  StateLayout,
  slotHostname,
  slotIp,
  slotMac,
  slotOfHostname,
} from '../../src/machines/layout.js';
import { testRecord } from './record.js';

describe('slotIp and slotMac (SPEC 5)', () => {
  it.each([
    [0, '169.254.169.0', '56:4D:A9:FE:A9:00'],
    [7, '169.254.169.7', '56:4D:A9:FE:A9:07'],
    [100, '169.254.169.100', '56:4D:A9:FE:A9:64'],
    [252, '169.254.169.252', '56:4D:A9:FE:A9:FC'],
    [253, '169.254.170.0', '56:4D:A9:FE:AA:00'],
    [254, '169.254.170.1', '56:4D:A9:FE:AA:01'],
    [507, '169.254.170.254', '56:4D:A9:FE:AA:FE'],
    [508, '169.254.171.0', '56:4D:A9:FE:AB:00'],
    [MAX_SLOTS - 1, '169.254.255.254', '56:4D:A9:FE:FF:FE'],
  ])('of slot %i are %s and %s', (slot, ip, mac) => {
    expect(slotIp(slot)).toBe(ip);
    expect(slotMac(slot)).toBe(mac);
  });

  it("are different for every slot, inside the network, and never the factory's or a broadcast address", () => {
    const addresses = Array.from({ length: MAX_SLOTS }, (_, slot) => slotIp(slot));
    expect(new Set(addresses).size).toBe(MAX_SLOTS);
    expect(addresses).not.toContain(METADATA_IP);
    expect(addresses).not.toContain(GATEWAY_IP);
    const strange = addresses.filter((ip) => {
      const [a, b, c, d] = ip.split('.').map(Number) as [number, number, number, number];
      return a !== 169 || b !== 254 || c < 169 || c > 255 || d < 0 || d > 254;
    });
    expect(strange).toEqual([]);
  });

  it('give addresses that are unicast and locally administered', () => {
    expect(Number.parseInt(slotMac(0).slice(0, 2), 16) & 0b11).toBe(0b10);
  });
});

describe('slotHostname (SPEC 1)', () => {
  it.each([
    ['factory1.example.com', 0, 'factory1-00.example.com'],
    ['factory1.example.com', 12, 'factory1-12.example.com'],
    ['factory1.example.com', 123, 'factory1-123.example.com'],
    ['alone', 5, 'alone-05'],
  ])('of %s, slot %i is %s', (factory, slot, hostname) => expect(slotHostname(factory, slot)).toBe(hostname));

  it('is undone by slotOfHostname, for any factory and slot', () => {
    const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
    const fqdn = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
    fc.assert(
      fc.property(fqdn, fc.nat({ max: MAX_SLOTS - 1 }), (factory, slot) => {
        expect(slotOfHostname(factory, slotHostname(factory, slot))).toBe(slot);
      }),
    );
  });

  it.each([
    ['another factory', 'factory2-03.example.com'],
    ["another factory's, whose name begins with ours", 'factory1-new-03.example.com'],
    ['another domain', 'factory1-03.example.org'],
    ['no domain', 'factory1-03'],
    ['more domain', 'factory1-03.sub.example.com'],
    ['one digit', 'factory1-3.example.com'],
    ['a leading zero too many', 'factory1-003.example.com'],
    ['no number', 'factory1-xx.example.com'],
    ['a sign', 'factory1--1.example.com'],
    ['a number beyond all slots', 'factory1-99999999999999999999999.example.com'],
    ['the factory itself', 'factory1.example.com'],
    ['nothing', ''],
  ])('of %s is no slot of ours', (_, hostname) => expect(slotOfHostname('factory1.example.com', hostname)).toBeNull());
});

describe('paths', () => {
  const layout = new StateLayout('/var/lib/vac');

  it('are those that sites know (SPEC 5)', () => {
    const id = machineId(1_700_000_000, 'prod', 'factory1-03.example.com');
    expect(id).toBe('1700000000_prod_factory1-03.example.com');
    expect(layout.machine(id)).toBe(`/var/lib/vac/machines/${id}`);
    expect(layout.slot('factory1-03.example.com')).toBe('/var/lib/vac/slots/factory1-03.example.com');
    expect(layout.counts()).toBe('/var/lib/vac/counts');
    expect(layout.factoryHeartbeat()).toBe('/var/lib/vac/factory-heartbeat');
    expect(layout.responderHeartbeat()).toBe('/var/lib/vac/responder-heartbeat');
    expect(layout.factoryError()).toBe('/var/lib/vac/factory-error');
    expect(layout.machinetypeFiles('prod')).toBe('/var/lib/vac/machinetypes/prod/files');
  });

  it("of a machine's disks are in its directory", () => {
    const record = testRecord();
    for (const path of Object.values(diskPaths(layout, record))) {
      expect(path.startsWith(`${layout.machine(record.id)}/`)).toBe(true);
    }
  });
});
