/**
 * The rules that contain machines, in a real kernel: each attack is first seen to work without them, then sent again.
 * Machines here are network namespaces; what a real guest does is in the other live tests.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bridge } from '../../../src/host/bridge.js';
import { Firewall } from '../../../src/host/firewall.js';
import type { ContainmentWish, DropReason } from '../../../src/machines/containment-wish.js';
import { GATEWAY_IP, METADATA_IP, slotIp, slotMac } from '../../../src/machines/layout.js';
import { until } from '../test-host.js';
import { ContainmentHosts, FACTORY_IP, OTHER_OUTSIDE_IP, OUTSIDE_IP } from './containment-hosts.js';
import { arp, BROADCAST, dhcp, ethernet, ipv4, MARKER, tcp, udp } from './frames.js';

const MAC = slotMac(0);
const IP = slotIp(0);
const NEIGHBOUR_MAC = slotMac(1);
const NEIGHBOUR_IP = slotIp(1);
const STRANGE_MAC = '56:4d:00:00:00:01';
const LLDP = '01:80:c2:00:00:0e';
/** Addresses of bridges that the kernel treats apart from others, in two ways. */
const RESERVED = ['01:80:c2:00:00:03', LLDP];
const ANYWHERE = '255.255.255.255';
/** Of the factory, which hands on what comes to it. */
const FORWARDED_PORT = 8443;

let hosts: ContainmentHosts;
let firewall: Firewall;
let gatewayMac: string;
/** Forged frames that arrived at the factory's bridge, and at the neighbour. */
let atFactory: readonly string[];
let atNeighbour: readonly string[];
/** Forged packets that left the factory. */
let atOutside: readonly string[];
/** Of services, that arrived at the machine of port 0. */
let answers: readonly string[];

function wish(changes: Partial<ContainmentWish> = {}): ContainmentWish {
  return {
    slots: 2,
    formerPorts: [],
    isolatedSlots: [],
    egress: new Map(),
    hasNfs: true,
    syslog: {
      udpPort: 514,
      tcpPorts: [514],
      datagrams: { perSecond: 100, burst: 500 },
      bytes: { perSecond: 262_144, burst: 1_048_576 },
      maxConnections: 8,
    },
    maxConnections: 4096,
    ...changes,
  };
}

beforeAll(async () => {
  hosts = await ContainmentHosts.create();
  firewall = new Firewall([...hosts.inside('factory'), 'nft']);
  gatewayMac = await hosts.in('factory', 'cat', '/sys/class/net/vac0/address');
  atFactory = await hosts.keep('factory', 'sniff', 'vac0', MARKER);
  atNeighbour = await hosts.keep(1, 'sniff', 'eth0', MARKER);
  atOutside = await hosts.keep('outside', 'sniff', 'eth0', MARKER);
  // As for a container of the host's.
  await hosts.nft('add chain ip nat pre { type nat hook prerouting priority -100; }');
  await hosts.nft(`add rule ip nat pre ip daddr ${FACTORY_IP} tcp dport ${FORWARDED_PORT} dnat to ${OUTSIDE_IP}:443`);
  answers = await hosts.keep(0, 'sniff', 'eth0', Buffer.from('hello').toString('hex'));
  const everywhere = (port: number) => [`tcp:0.0.0.0:${port}`, `udp:0.0.0.0:${port}`];
  await hosts.keep('factory', 'serve', ...[22, 53, 80, 111, 514, 995, 2049, 5900, 10195, 20048].flatMap(everywhere));
  await hosts.keep('outside', 'serve', ...[443, 995, 3128].flatMap(everywhere));
  for (const slot of [0, 1] as const) await hosts.keep(slot, 'serve', ...everywhere(22));
}, 60_000);

afterAll(async () => {
  await hosts?.destroy();
});

interface Attack {
  readonly name: string;
  /** From port 0; made when the gateway's MAC is known. */
  readonly frame: () => string;
  /** Where it is seen without the rules. */
  readonly seenBy: 'factory' | 'neighbour';
  readonly stoppedBy: DropReason;
}

const claim = (senderMac: string, senderIp: string, operation: 1 | 2 = 2) =>
  arp({ operation, senderMac, senderIp, targetIp: GATEWAY_IP });
const syslog = (from: string) => ipv4({ from, to: METADATA_IP, protocol: 17 }, udp(5000, 514, ''));
const toNeighbour = () => ipv4({ from: IP, to: NEIGHBOUR_IP, protocol: 17 }, udp(5000, 22, ''));
const broadcast = (fromPort: number, toPort: number, payload: string, from = IP, fragment = 0) =>
  ipv4({ from, to: ANYWHERE, protocol: 17, fragment }, udp(fromPort, toPort, payload));

const ATTACKS: readonly Attack[] = [
  {
    name: "a packet from the neighbour's MAC",
    frame: () => ethernet(gatewayMac, NEIGHBOUR_MAC, 0x0800, syslog(IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_mac',
  },
  {
    name: "a packet from a made-up MAC, as in a flood of the bridge's table",
    frame: () => ethernet(gatewayMac, STRANGE_MAC, 0x0800, syslog(IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_mac',
  },
  {
    name: "a packet from the neighbour's IP",
    frame: () => ethernet(gatewayMac, MAC, 0x0800, syslog(NEIGHBOUR_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_ip',
  },
  {
    name: 'a packet from an address of the outside',
    frame: () => ethernet(gatewayMac, MAC, 0x0800, syslog(OUTSIDE_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_ip',
  },
  {
    name: "an ARP answer in the gateway's name",
    frame: () => ethernet(BROADCAST, MAC, 0x0806, claim(MAC, GATEWAY_IP)),
    seenBy: 'neighbour',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: 'a gratuitous ARP request for the address of the metadata service',
    frame: () =>
      ethernet(
        BROADCAST,
        MAC,
        0x0806,
        arp({ operation: 1, senderMac: MAC, senderIp: METADATA_IP, targetIp: METADATA_IP }),
      ),
    seenBy: 'neighbour',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: "an ARP answer to the host in the neighbour's name",
    frame: () => ethernet(gatewayMac, MAC, 0x0806, claim(MAC, NEIGHBOUR_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: "an ARP message that speaks of another's MAC than its frame",
    frame: () => ethernet(gatewayMac, MAC, 0x0806, claim(NEIGHBOUR_MAC, IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: 'a search for neighbours by ARP',
    frame: () =>
      ethernet(BROADCAST, MAC, 0x0806, arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: NEIGHBOUR_IP })),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'an offer of a DHCP server',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(67, 68, dhcp(2, NEIGHBOUR_MAC, 2))),
    seenBy: 'neighbour',
    stoppedBy: 'rogue_dhcp',
  },
  {
    name: "a DHCPDECLINE in the neighbour's name, after which its address would not be given out",
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, NEIGHBOUR_MAC, 4), '0.0.0.0')),
    seenBy: 'factory',
    stoppedBy: 'spoofed_dhcp',
  },
  {
    name: 'the same in the first of two fragments',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, NEIGHBOUR_MAC, 4), IP, 0x2000)),
    seenBy: 'factory',
    stoppedBy: 'odd_packet',
  },
  {
    name: 'a packet with IP options (source route)',
    frame: () =>
      ethernet(
        gatewayMac,
        MAC,
        0x0800,
        ipv4({ from: IP, to: METADATA_IP, protocol: 17, options: '830704a9fea90100' }, udp(5000, 514, '')),
      ),
    seenBy: 'factory',
    stoppedBy: 'odd_packet',
  },
  {
    name: 'an IPv6 packet to all nodes, as by a router that advertises itself',
    frame: () =>
      ethernet(BROADCAST, MAC, 0x86dd, `6000000000003bff${'fe80'.padEnd(32, '1')}${'ff02'.padEnd(31, '0')}1`),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a packet with the VLAN tag 0',
    frame: () => ethernet(gatewayMac, MAC, 0x8100, `00000800${syslog(NEIGHBOUR_IP)}`),
    seenBy: 'factory',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a packet with the VLAN tag 5',
    frame: () => ethernet(BROADCAST, MAC, 0x8100, `00050800${syslog(IP)}`),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a message of spanning tree',
    frame: () => ethernet('01:80:c2:00:00:00', MAC, 0x0026, '42420300000000'),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a frame of a protocol of its own',
    frame: () => ethernet(BROADCAST, MAC, 0x88b5, ''),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: "a packet straight to the neighbour's MAC",
    frame: () => ethernet(NEIGHBOUR_MAC, MAC, 0x0800, toNeighbour()),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'a packet to the neighbour through the gateway',
    frame: () => ethernet(gatewayMac, MAC, 0x0800, toNeighbour()),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'a broadcast to a port of everybody',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(5000, 9999, '')),
    seenBy: 'neighbour',
    stoppedBy: 'to_host',
  },
];

/** To a service that is closed to machines. */
const lldpPacket = () => ipv4({ from: IP, to: FACTORY_IP, protocol: 17 }, udp(5000, 995, ''));

/** Of no connection: NAT leaves it as it is. */
const strayPacket = () =>
  ethernet(gatewayMac, MAC, 0x0800, ipv4({ from: IP, to: OUTSIDE_IP, protocol: 6 }, tcp(5000, 443, 3)));

async function packets(reason: DropReason): Promise<number> {
  return (await firewall.counters()).byReason[reason].packets;
}

describe('without the rules', () => {
  it.each(ATTACKS)('$name is seen by the $seenBy', async ({ frame, seenBy }) => {
    const seen = seenBy === 'factory' ? atFactory : atNeighbour;
    const before = seen.length;
    // What an attack before has made the factory believe of its neighbours.
    await hosts.in('factory', 'ip', 'neigh', 'flush', 'dev', 'vac0');
    await hosts.peer(0, 'frames', 'eth0', frame());
    await until('it happens', async () => seen.length > before, 10);
  });

  it.each(RESERVED)("a frame to %s teaches the bridge another's MAC", async (reserved) => {
    await hosts.peer(0, 'frames', 'eth0', ethernet(reserved, STRANGE_MAC, 0x88cc, ''));
    await until('it is learnt', async () => (await portOf(STRANGE_MAC)) === 'vac-p0', 10);
    await hosts.in('factory', 'bridge', 'fdb', 'del', STRANGE_MAC, 'dev', 'vac-p0', 'master');
  });

  it('a packet in a frame of LLDP reaches any port and address of the host, past the bridge', async () => {
    const before = answers.length;
    await hosts.peer(0, 'frames', 'eth0', ethernet(LLDP, MAC, 0x0800, lldpPacket()));
    await until('the host answers', () => answers.length > before, 10);
  });

  it('a packet of no connection leaves the host, with its machine’s own address', async () => {
    const before = atOutside.length;
    await hosts.peer(0, 'frames', 'eth0', strayPacket());
    await until('it is outside', () => atOutside.length > before, 10);
  });

  it.each([22, 995, 5900, FORWARDED_PORT])('the port %i of the host is open to machines', async (port) => {
    expect(await hosts.peer(0, 'tcp', FACTORY_IP, String(port))).toBe('hello');
  });
});

async function portOf(mac: string): Promise<string | undefined> {
  const table = await hosts.in('factory', 'bridge', 'fdb', 'show', 'br', 'vac0');
  return table
    .split('\n')
    .map((line) => line.split(' '))
    .find(([address]) => address === mac)?.[2];
}

describe('with the rules', () => {
  beforeAll(async () => {
    await firewall.ensure(wish());
    await new Bridge(hosts.sysfs()).ensure();
  });

  it.each(ATTACKS)('$name is stopped, and counted as $stoppedBy', async ({ frame, seenBy, stoppedBy }) => {
    const seen = { factory: atFactory.length, neighbour: atNeighbour.length };
    const before = await firewall.counters();
    // A broadcast that is no attack comes after it on the same way: what was let through would be there by then.
    const honest = arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: GATEWAY_IP });
    await hosts.peer(0, 'frames', 'eth0', frame(), ethernet(BROADCAST, MAC, 0x0806, honest));
    await until('it is counted', async () => (await packets(stoppedBy)) > before.byReason[stoppedBy].packets, 10);
    await until(
      'the honest one is there',
      () => atFactory.slice(seen.factory).includes(ethernet(BROADCAST, MAC, 0x0806, honest)),
      10,
    );
    expect(atNeighbour.length).toBe(seen.neighbour);
    if (seenBy === 'factory') expect(atFactory.slice(seen.factory)).not.toContain(frame());
    const { bySlot } = await firewall.counters();
    expect(bySlot.get(0)!.packets).toBeGreaterThan(before.bySlot.get(0)?.packets ?? 0);
  });

  it.each(RESERVED)("a frame to %s teaches nobody another's MAC", async (reserved) => {
    await hosts.peer(0, 'frames', 'eth0', ethernet(reserved, STRANGE_MAC, 0x88cc, ''));
    // What it would have taught is known by the time that the next frame has come.
    const before = atFactory.length;
    const honest = arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: GATEWAY_IP });
    await hosts.peer(0, 'frames', 'eth0', ethernet(BROADCAST, MAC, 0x0806, honest));
    await until('the next frame is there', () => atFactory.length > before, 10);
    expect(await portOf(STRANGE_MAC)).toBeUndefined();
  });

  it('a packet in a frame of LLDP is stopped', async () => {
    const before = { answers: answers.length, packets: await packets('odd_packet') };
    await hosts.peer(0, 'frames', 'eth0', ethernet(LLDP, MAC, 0x0800, lldpPacket()));
    await until('it is counted', async () => (await packets('odd_packet')) > before.packets, 10);
    expect(await hosts.peer(0, 'udp', METADATA_IP, '514')).toBe('hello');
    expect(answers.length).toBe(before.answers + 1);
  });

  it('a packet of no connection stays here', async () => {
    const before = { seen: atOutside.length, packets: await packets('odd_packet') };
    await hosts.peer(0, 'frames', 'eth0', strayPacket());
    await until('it is counted', async () => (await packets('odd_packet')) > before.packets, 10);
    expect(await hosts.peer(0, 'tcp', OUTSIDE_IP, '443')).toBe('hello');
    expect(atOutside.length).toBe(before.seen);
  });

  it.each([
    ['tcp', METADATA_IP, 80],
    ['tcp', GATEWAY_IP, 80],
    ['udp', GATEWAY_IP, 53],
    ['tcp', GATEWAY_IP, 53],
    ['tcp', METADATA_IP, 2049],
    ['tcp', METADATA_IP, 111],
    ['udp', METADATA_IP, 20048],
    ['udp', METADATA_IP, 514],
    ['tcp', METADATA_IP, 514],
    ['tcp', OUTSIDE_IP, 443],
    ['udp', OUTSIDE_IP, 443],
  ] as const)('%s to %s port %i is open to a machine', async (kind, address, port) => {
    expect(await hosts.peer(0, kind, address, String(port))).toBe('hello');
  });

  it.each([
    ['tcp', FACTORY_IP, 22, 'to_host'],
    ['tcp', METADATA_IP, 22, 'to_host'],
    ['tcp', GATEWAY_IP, 22, 'to_host'],
    ['tcp', FACTORY_IP, 80, 'to_host'],
    ['tcp', FACTORY_IP, 2049, 'to_host'],
    ['tcp', GATEWAY_IP, 2049, 'to_host'],
    ['tcp', METADATA_IP, 5900, 'to_host'],
    ['tcp', FACTORY_IP, 10195, 'to_host'],
    ['udp', METADATA_IP, 53, 'to_host'],
    ['udp', FACTORY_IP, 514, 'to_host'],
    ['udp', METADATA_IP, 995, 'to_host'],
    ['udp', GATEWAY_IP, 995, 'to_host'],
    ['udp', FACTORY_IP, 995, 'to_host'],
    ['tcp', FACTORY_IP, FORWARDED_PORT, 'to_host'],
    ['udp', OUTSIDE_IP, 995, 'vacquery'],
    ['tcp', NEIGHBOUR_IP, 22, 'neighbour'],
  ] as const)('%s to %s port %i is closed to a machine (%s)', async (kind, address, port, reason) => {
    const before = await packets(reason);
    expect(await hosts.peer(0, kind, address, String(port))).toBe('nothing');
    expect(await packets(reason)).toBeGreaterThan(before);
  });

  it('the host reaches its machines; who is outside reaches neither them nor what is for them', async () => {
    expect(await hosts.peer('factory', 'tcp', IP, '22')).toBe('hello');
    const before = await packets('from_outside');
    expect(await hosts.peer('outside', 'tcp', IP, '22')).toBe('nothing');
    expect(await hosts.peer('outside', 'tcp', METADATA_IP, '80')).toBe('nothing');
    expect(await hosts.peer('outside', 'tcp', FACTORY_IP, '22')).toBe('hello');
    expect(await packets('from_outside')).toBeGreaterThanOrEqual(before + 2);
  });

  it('a flood of syslog is cut to the rate of one machine, is counted whole, and takes nothing from the neighbour', async () => {
    const known = (await firewall.syslogDatagrams())?.get(IP) ?? 0;
    await hosts.peer(0, 'flood', METADATA_IP, '514', '2000');
    expect(await packets('flood_syslog')).toBeGreaterThan(1000);
    expect((await firewall.syslogDatagrams())?.get(IP)).toBe(known + 2000);
    expect(await hosts.peer(1, 'udp', METADATA_IP, '514')).toBe('hello');
  });

  it('floods of DNS, DHCP, ARP and connections are cut', async () => {
    await hosts.peer(0, 'flood', GATEWAY_IP, '53', '1500');
    expect(await packets('flood_dns')).toBeGreaterThan(100);
    const discover = ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, MAC, 1), '0.0.0.0'));
    await hosts.peer(0, 'frames', 'eth0', ...Array<string>(60).fill(discover));
    expect(await packets('flood_dhcp')).toBeGreaterThan(10);
    const search = ethernet(
      BROADCAST,
      MAC,
      0x0806,
      arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: GATEWAY_IP }),
    );
    await hosts.peer(0, 'frames', 'eth0', ...Array<string>(600).fill(search));
    expect(await packets('flood_arp')).toBeGreaterThan(100);
    expect(Number(await hosts.peer(0, 'many', METADATA_IP, '80', '50'))).toBe(50);
    expect(Number(await hosts.peer(1, 'many', METADATA_IP, '80', '50'))).toBe(50);
  });
});

describe('the limit of connections', () => {
  it('holds for one machine, here and outside together, and not for the next', async () => {
    await firewall.ensure(wish({ maxConnections: 40 }));
    expect(Number(await hosts.peer(0, 'many', OUTSIDE_IP, '443', '30'))).toBe(30);
    const more = Number(await hosts.peer(0, 'many', METADATA_IP, '80', '100'));
    expect(more).toBeLessThanOrEqual(40);
    expect(await packets('too_many_connections')).toBeGreaterThan(0);
    expect(Number(await hosts.peer(1, 'many', METADATA_IP, '80', '30'))).toBe(30);
  });

  it.each([
    ['DNS', GATEWAY_IP, 53, 4, 'flood_dns'],
    ['NFS', METADATA_IP, 2049, 16, 'too_many_connections'],
  ] as const)('to %s is small, so that one machine leaves some to the next', async (_, address, port, most, reason) => {
    await firewall.ensure(wish());
    const before = await packets(reason);
    expect(Number(await hosts.peer(0, 'many', address, String(port), '40'))).toBe(most);
    expect(await packets(reason)).toBeGreaterThan(before);
    expect(await hosts.peer(1, 'tcp', address, String(port))).toBe('hello');
  });

  it('of syslog is small', async () => {
    expect(Number(await hosts.peer(1, 'many', METADATA_IP, '514', '20'))).toBeLessThanOrEqual(8);
    expect(await packets('flood_syslog_tcp')).toBeGreaterThan(0);
  });
});

describe('what changes while machines run', () => {
  const reach = (slot: 0 | 1, address: string, port: number) => hosts.peer(slot, 'tcp', address, String(port));

  it('a machine in quarantine is cut off in both directions, another is not; afterwards it is back', async () => {
    await firewall.ensure(wish({ isolatedSlots: [0] }));
    expect(await reach(0, METADATA_IP, 80)).toBe('nothing');
    expect(await hosts.peer('factory', 'tcp', IP, '22')).toBe('nothing');
    expect(await packets('isolated')).toBeGreaterThan(0);
    expect(await reach(1, METADATA_IP, 80)).toBe('hello');
    await firewall.ensure(wish());
    expect(await reach(0, METADATA_IP, 80)).toBe('hello');
  });

  it('egress rules hold for their machine alone: the narrowest decides, and with an allow-list the rest is closed', async () => {
    const rules = { deny: [`${OUTSIDE_IP.replace(/\d+$/, '0')}/24`], allow: ['0.0.0.0/0', `${OUTSIDE_IP}:3128`] };
    await firewall.ensure(wish({ egress: new Map([[0, rules]]) }));
    expect(await reach(0, OUTSIDE_IP, 443)).toBe('nothing');
    expect(await packets('egress')).toBeGreaterThan(0);
    expect(await reach(0, OUTSIDE_IP, 3128)).toBe('hello');
    expect(await reach(0, OTHER_OUTSIDE_IP, 443)).toBe('hello');
    expect(await reach(0, METADATA_IP, 80)).toBe('hello');
    expect(await reach(1, OUTSIDE_IP, 443)).toBe('hello');
    await firewall.ensure(wish({ egress: new Map([[0, { deny: [], allow: [OTHER_OUTSIDE_IP] }]]) }));
    expect(await reach(0, OTHER_OUTSIDE_IP, 443)).toBe('hello');
    expect(await reach(0, OUTSIDE_IP, 3128)).toBe('nothing');
    await firewall.ensure(wish());
    expect(await reach(0, OUTSIDE_IP, 443)).toBe('hello');
  });
});

describe('the port of a machine of an earlier version', () => {
  it('is contained by the name that libvirt gave it', async () => {
    await hosts.in('factory', 'ip', 'link', 'set', 'vac-p0', 'down');
    await hosts.in('factory', 'ip', 'link', 'set', 'vac-p0', 'name', 'vnet7');
    await hosts.in('factory', 'ip', 'link', 'set', 'vnet7', 'up');
    try {
      await firewall.ensure(wish({ formerPorts: [{ device: 'vnet7', slot: 0 }] }));
      expect(await hosts.peer(0, 'tcp', METADATA_IP, '80')).toBe('hello');
      const before = await packets('spoofed_ip');
      await hosts.peer(0, 'frames', 'eth0', ethernet(gatewayMac, MAC, 0x0800, syslog(NEIGHBOUR_IP)));
      await until('it happens', async () => (await packets('spoofed_ip')) > before, 10);
    } finally {
      await hosts.in('factory', 'ip', 'link', 'set', 'vnet7', 'down');
      await hosts.in('factory', 'ip', 'link', 'set', 'vnet7', 'name', 'vac-p0');
      await hosts.in('factory', 'ip', 'link', 'set', 'vac-p0', 'up');
    }
  });
});

describe('check and ensure', () => {
  const quarantine = wish({ isolatedSlots: [1] });

  it.each([
    ['a table was removed', 'delete table bridge vac'],
    ['the other one was', 'delete table inet vac'],
    ['a chain was emptied', 'flush chain inet vac input'],
    ['a port was taken out', `delete element bridge vac slots { "vac-p1" . ${NEIGHBOUR_MAC} . ${NEIGHBOUR_IP} }`],
    ['the quarantine was lifted', 'delete element bridge vac isolated { "vac-p1" }'],
  ])('find that %s, and repair it', async (_what, script) => {
    await firewall.ensure(quarantine);
    await firewall.check(quarantine);
    await hosts.nft(script);
    await expect(firewall.check(quarantine)).rejects.toMatchObject({ code: 'firewall-wrong' });
    await firewall.ensure(quarantine);
    await firewall.check(quarantine);
    expect(await hosts.peer(1, 'tcp', METADATA_IP, '80')).toBe('nothing');
  });

  it('is content with what traffic does to the rules, and asks for others when they are wanted', async () => {
    await firewall.ensure(wish());
    await hosts.peer(0, 'tcp', OUTSIDE_IP, '443');
    await firewall.check(wish());
    await expect(firewall.check(wish({ slots: 3 }))).rejects.toMatchObject({ code: 'firewall-wrong' });
  });

  it('says in one line what is wrong where nft is missing', async () => {
    const without = new Firewall(['/nonexistent/nft']);
    await expect(without.ensure(wish())).rejects.toMatchObject({
      code: 'firewall-wrong',
      message: expect.stringMatching(/nft .*package nftables$/),
    });
  });
});
