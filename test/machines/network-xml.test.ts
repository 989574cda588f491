import { describe, expect, it } from 'vitest';
import {
  BRIDGE_NAME,
  bridgeOf,
  compareNetwork,
  dhcpHosts,
  dhcpHostXml,
  leaseNames,
  NETWORK_NAME,
  networkXml,
} from '../../src/machines/network-xml.js';
import { onTestDriver } from './libvirt-schema.js';

const FACTORY = 'factory1.example.com';
const made = (slots = 2, forwardDev: string | null = null) => networkXml(FACTORY, slots, forwardDev);
const compared = (document: string, slots = 2, forwardDev: string | null = null) =>
  compareNetwork(document, FACTORY, slots, forwardDev);
const SAME = { wrong: [], missingHosts: [], staleHosts: [] };

/** As libvirt 9 writes such a network down, with what it adds of its own. */
const FROM_LIBVIRT = `<network connections='1'>
  <name>${NETWORK_NAME}</name>
  <uuid>6a3d6b53-4a49-4aa9-8bd6-8b8b5b8f4c0e</uuid>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='vac0' stp='off' delay='0'/>
  <mac address='52:54:00:11:22:33'/>
  <ip address='169.254.169.253' netmask='255.255.0.0'>
    <dhcp>
      <host mac='56:4d:a9:fe:a9:00' name='factory1-00.example.com' ip='169.254.169.0'/>
      <host mac='56:4D:A9:FE:A9:01' name='factory1-01.example.com' ip='169.254.169.1'/>
    </dhcp>
  </ip>
  <ip family='ipv4' address='169.254.169.254' netmask='255.255.0.0'>
  </ip>
</network>`;

describe('networkXml', () => {
  it('is what was reviewed', () => expect(made()).toMatchSnapshot());
  it('is what was reviewed, through one interface', () => expect(made(0, 'eth1')).toMatchSnapshot());
  it('names a bridge that Linux can have', () => expect(BRIDGE_NAME.length).toBeLessThanOrEqual(15));

  it.each([
    [1, null],
    [300, 'eth1'],
  ])('comes back from libvirt as it went in: %i slots, through %s', async (slots, dev) => {
    const told = await onTestDriver(async (connection) => {
      await connection.defineNetwork(made(slots, dev));
      return connection.networkXml(NETWORK_NAME);
    });
    expect(told).not.toBe(made(slots, dev));
    expect(compared(told, slots, dev)).toEqual(SAME);
    expect(bridgeOf(told)).toBe(BRIDGE_NAME);
  });
});

describe('compareNetwork', () => {
  it('finds nothing wrong with what it makes itself, nor with how libvirt tells it', () => {
    expect(compared(made())).toEqual(SAME);
    expect(compared(made(1), 1)).toEqual(SAME);
    expect(compared(made(3, 'eth1'), 3, 'eth1')).toEqual(SAME);
    expect(compared(FROM_LIBVIRT)).toEqual(SAME);
  });

  it('takes a prefix for a netmask', () => {
    expect(compared(FROM_LIBVIRT.replace("netmask='255.255.0.0'", "prefix='16'"))).toEqual(SAME);
  });

  it.each([
    ['isolated', "<forward mode='nat'>", "<forward mode='route'>", 'its forward mode is route, not nat'],
    ['through one interface', "mode='nat'", "mode='nat' dev='eth0'", 'its forward dev is eth0, not left open'],
    ['without our gateway', '169.254.169.253', '169.254.169.252', 'it lacks the address 169.254.169.253'],
    ['without the metadata address', '169.254.169.254', '169.254.1.1', 'it lacks the address 169.254.169.254'],
    ['smaller', '255.255.0.0', '255.255.255.0', 'its netmask is 255.255.255.0, not 255.255.0.0'],
    [
      'one whose metadata address is its own broadcast address',
      "254' netmask='255.255.0.0'",
      "254' prefix='32'",
      'the netmask of 169.254.169.254 is /32, not 255.255.0.0',
    ],
    ['with a bridge of another name', "name='vac0'", "name='virbr7'", 'its bridge is virbr7, not vac0'],
    ['without a bridge', "<bridge name='vac0' stp='off' delay='0'/>", '', 'it has no bridge'],
  ])('says what is wrong with one that is %s', (_, from, to, problem) => {
    expect(compared(FROM_LIBVIRT.replace(from, to)).wrong).toEqual([problem]);
  });

  it('misses the interface that it must go through', () => {
    expect(compared(FROM_LIBVIRT, 2, 'eth1').wrong).toEqual(['its forward dev is missing, not eth1']);
  });

  it.each(['', '<network/>', 'no XML at all', '<domain/>'])('finds everything wrong with %j', (document) => {
    expect(compared(document).wrong).toContain('it has no bridge');
  });

  it('adds leases of new slots, and leaves those of slots that are no more', () => {
    expect(compared(FROM_LIBVIRT, 3)).toEqual({ ...SAME, missingHosts: [dhcpHosts(FACTORY, 3)[2]] });
    expect(compared(FROM_LIBVIRT, 1)).toEqual(SAME);
  });

  it.each([
    ['another name', "name='factory1-01.example.com'", "name='old-01.example.com'", { name: 'old-01.example.com' }],
    ['another address', "ip='169.254.169.1'", "ip='169.254.7.7'", { ip: '169.254.7.7' }],
    ['another MAC', "mac='56:4D:A9:FE:A9:01'", "mac='52:54:00:00:00:01'", { mac: '52:54:00:00:00:01' }],
  ])('replaces a lease of ours with %s', (_, from, to, is) => {
    const wanted = dhcpHosts(FACTORY, 2)[1]!;
    const found = { mac: '56:4D:A9:FE:A9:01', ip: wanted.ip, name: wanted.name, ...is };
    expect(compared(FROM_LIBVIRT.replace(from, to))).toEqual({
      wrong: [],
      missingHosts: [wanted],
      staleHosts: [found],
    });
  });

  it('removes a lease that stands in the way of two only once', () => {
    const mixed = FROM_LIBVIRT.replace(/\s*<host mac='56:4D.*\n/, '\n').replace('169.254.169.0', '169.254.169.1');
    const { missingHosts, staleHosts } = compared(mixed);
    expect(missingHosts).toEqual(dhcpHosts(FACTORY, 2));
    expect(staleHosts).toHaveLength(1);
  });

  it('names a lease without a name, as somebody else may have made it, by what it has', () => {
    const nameless = FROM_LIBVIRT.replace(" name='factory1-01.example.com'", '');
    const { staleHosts } = compared(nameless);
    expect(staleHosts.map(dhcpHostXml)).toEqual(["<host mac='56:4D:A9:FE:A9:01' ip='169.254.169.1'/>\n"]);
  });
});

describe('leaseNames', () => {
  it('tells whose network it is, leases without a name aside', () => {
    expect(leaseNames(FROM_LIBVIRT)).toEqual(['factory1-00.example.com', 'factory1-01.example.com']);
    expect(leaseNames(FROM_LIBVIRT.replace(" name='factory1-00.example.com'", ''))).toEqual([
      'factory1-01.example.com',
    ]);
    expect(leaseNames('<network/>')).toEqual([]);
  });
});

describe('bridgeOf', () => {
  it.each([
    [FROM_LIBVIRT, 'vac0'],
    ['<network/>', null],
    ['', null],
  ])('reads the name of the bridge', (document, bridge) => expect(bridgeOf(document)).toBe(bridge));
});
