/**
 * The rules that contain machines, in a real kernel: each attack is first seen to work without them, then sent again.
 * Machines here are network namespaces; what a real guest does is in the other live tests.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { Bridge } from '../../../src/host/bridge.js';
import { Firewall } from '../../../src/host/firewall.js';
import { type DropReason, RATES, type Rate } from '../../../src/machines/containment-wish.js';
import { GATEWAY_IP, METADATA_IP } from '../../../src/machines/layout.js';
import { until } from '../test-host.js';
import { AttackSite, isStopped, wish } from './attack-site.js';
import {
  ATTACKS,
  discover,
  IP,
  MAC,
  NEIGHBOUR_IP,
  NEIGHBOUR_MAC,
  SERVICES,
  STRANGE_MAC,
  searchOfGateway,
  syslog,
} from './attacks.js';
import { type ContainmentHosts, FACTORY_IP, OTHER_OUTSIDE_IP, OUTSIDE_IP } from './containment-hosts.js';
import { ethernet, ipv4, tcp, udp } from './frames.js';

const SECURITY = fileURLToPath(new URL('../../../etc/security.md', import.meta.url));
const LLDP = '01:80:c2:00:00:0e';
/** Addresses of bridges that the kernel treats apart from others, in two ways. */
const RESERVED = ['01:80:c2:00:00:03', LLDP];
/** Of the factory, which hands on what comes to it. */
const FORWARDED_PORT = 8443;

let site: AttackSite;
let hosts: ContainmentHosts;
let firewall: Firewall;
let gatewayMac: string;
/** Of services, that arrived at the machine of port 0. */
let answers: readonly string[];

beforeAll(async () => {
  site = await AttackSite.create();
  ({ hosts, gatewayMac } = site);
  firewall = new Firewall([...hosts.inside('factory'), 'nft']);
  // As for a container of the host's.
  await hosts.nft('add chain ip nat pre { type nat hook prerouting priority -100; }');
  await hosts.nft(`add rule ip nat pre ip daddr ${FACTORY_IP} tcp dport ${FORWARDED_PORT} dnat to ${OUTSIDE_IP}:443`);
  answers = await hosts.keep(0, 'sniff', 'eth0', Buffer.from('hello').toString('hex'));
});

afterAll(async () => {
  await site?.destroy();
});

/** To a service that is closed to machines. */
const lldpPacket = () => ipv4({ from: IP, to: FACTORY_IP, protocol: 17 }, udp(5000, 995, ''));

/** Of no connection: NAT leaves it as it is. */
const strayPacket = () =>
  ethernet(gatewayMac, MAC, 0x0800, ipv4({ from: IP, to: OUTSIDE_IP, protocol: 6 }, tcp(5000, 443, 3)));

/** Of UDP from a port of the host to the one that forged datagrams come from (frames.ts), in hex. */
const answerFrom = (port: number) => `${port.toString(16).padStart(4, '0')}1388`;
const answersFrom = (port: number) => answers.filter((frame) => frame.includes(answerFrom(port))).length;

async function packets(reason: DropReason): Promise<number> {
  return (await firewall.counters()).byReason[reason].packets;
}

/** The kernel counts what it hands on a moment after it was sent. */
async function untilCounted(reason: DropReason, atLeast: number): Promise<void> {
  await until(`${atLeast} packets are counted as ${reason}`, async () => (await packets(reason)) >= atLeast);
}

/**
 * Sends so many at once, and waits until all but what a rate lets pass in the time that this took are counted as dropped.
 * Where it took so long that all may pass, it proves nothing and is done again.
 *
 * @param flood resolves to its seconds
 */
async function untilCut(reason: DropReason, rate: Rate, count: number, flood: () => Promise<string>): Promise<void> {
  for (;;) {
    const before = await packets(reason);
    const mostPassed = Math.ceil(rate.burst + rate.perSecond * Number(await flood())) + 1;
    if (mostPassed < count) return untilCounted(reason, before + count - mostPassed);
  }
}

test('etc/security.md tells how many attacks there are', async () => {
  const kinds = new Set(ATTACKS.map(({ name }) => name)).size;
  expect(await readFile(SECURITY, 'utf8')).toContain(`${kinds} kinds of forged frames`);
  expect(kinds).toBe(ATTACKS.length);
});

describe('without the rules', () => {
  it.each(ATTACKS)('$name is seen by the $seenBy', async (attack) => {
    expect(await site.attack(attack)).toContain(attack.seenBy);
  });

  it.each(RESERVED)("a frame to %s teaches the bridge another's MAC", async (reserved) => {
    await hosts.peer(0, 'frames', 'eth0', ethernet(reserved, STRANGE_MAC, 0x88cc, ''));
    await until('it is learnt', async () => (await portOf(STRANGE_MAC)) === 'vac-p0');
    await hosts.in('factory', 'bridge', 'fdb', 'del', STRANGE_MAC, 'dev', 'vac-p0', 'master');
  });

  it('a packet in a frame of LLDP reaches any port and address of the host, past the bridge', async () => {
    await hosts.peer(0, 'frames', 'eth0', ethernet(LLDP, MAC, 0x0800, lldpPacket()));
    await until('the host answers', () => answersFrom(995) === 1);
  });

  it('a packet of no connection leaves the host, with its machine’s own address', async () => {
    const before = site.atOutside.length;
    await hosts.peer(0, 'frames', 'eth0', strayPacket());
    await until('it is outside', () => site.atOutside.length > before);
  });

  it.each([22, 995, 5900, FORWARDED_PORT])('the port %i of the host is open to machines', async (port) => {
    expect(await hosts.reach(0, 'tcp', FACTORY_IP, port)).toBe('hello');
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

  it.each(ATTACKS)('$name is stopped, and counted as $stoppedBy', async (attack) => {
    const before = await firewall.counters();
    expect(await site.attack(attack)).toSatisfy((witnesses) => isStopped(attack, witnesses));
    const after = await firewall.counters();
    expect(after.byReason[attack.stoppedBy].packets).toBeGreaterThan(before.byReason[attack.stoppedBy].packets);
    expect(after.bySlot.get(0)!.packets).toBeGreaterThan(before.bySlot.get(0)?.packets ?? 0);
  });

  it('a machine gets a lease', async () => {
    expect(await site.dhcpPasses()).toBe(true);
  });

  it.each(RESERVED)("a frame to %s teaches nobody another's MAC", async (reserved) => {
    await hosts.peer(0, 'frames', 'eth0', ethernet(reserved, STRANGE_MAC, 0x88cc, ''));
    // What it would have taught is known by the time that the next frame has come.
    const before = site.atFactory.length;
    await hosts.peer(0, 'frames', 'eth0', searchOfGateway());
    await until('the next frame is there', () => site.atFactory.length > before);
    expect(await portOf(STRANGE_MAC)).toBeUndefined();
  });

  it('a packet in a frame of LLDP is stopped', async () => {
    const before = { answers: answersFrom(514), packets: await packets('odd_packet') };
    await hosts.peer(0, 'frames', 'eth0', ethernet(LLDP, MAC, 0x0800, lldpPacket()));
    await untilCounted('odd_packet', before.packets + 1);
    // What is answered later is seen later.
    await hosts.peer(0, 'frames', 'eth0', ethernet(gatewayMac, MAC, 0x0800, syslog(IP)));
    await until('the next is answered', () => answersFrom(514) > before.answers);
    expect(answersFrom(995)).toBe(1);
  });

  it('a packet of no connection stays here', async () => {
    const before = { seen: site.atOutside.length, packets: await packets('odd_packet') };
    await hosts.peer(0, 'frames', 'eth0', strayPacket());
    await untilCounted('odd_packet', before.packets + 1);
    expect(await hosts.reach(0, 'tcp', OUTSIDE_IP, 443)).toBe('hello');
    expect(site.atOutside.length).toBe(before.seen);
  });

  it.each(SERVICES)('%s to %s port %i is open to a machine', async (kind, address, port) => {
    expect(await hosts.reach(0, kind, address, port)).toBe('hello');
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
    await untilCounted(reason, before + 1);
  });

  it('the host reaches its machines; who is outside reaches neither them nor what is for them', async () => {
    expect(await hosts.reach('factory', 'tcp', IP, 22)).toBe('hello');
    const before = await packets('from_outside');
    expect(await hosts.peer('outside', 'tcp', IP, '22')).toBe('nothing');
    expect(await hosts.peer('outside', 'tcp', METADATA_IP, '80')).toBe('nothing');
    expect(await hosts.reach('outside', 'tcp', FACTORY_IP, 22)).toBe('hello');
    await untilCounted('from_outside', before + 2);
  });

  it('a flood of syslog is cut to the rate of one machine, is counted whole, and takes nothing from the neighbour', async () => {
    const known = (await firewall.syslogDatagrams())?.get(IP) ?? 0;
    let sent = 0;
    await untilCut('flood_syslog', wish().syslog!.datagrams, 2000, () => {
      sent += 2000;
      return hosts.peer(0, 'flood', METADATA_IP, '514', '2000');
    });
    const counted = async () => (await firewall.syslogDatagrams())?.get(IP);
    await until('each is counted', async () => (await counted()) === known + sent);
    expect(await hosts.reach(1, 'udp', METADATA_IP, 514)).toBe('hello');
  });

  it('floods of DNS, DHCP, ARP and connections are cut', async () => {
    const frames = (count: number, frame: string) => () =>
      hosts.peer(0, 'frames', 'eth0', ...Array<string>(count).fill(frame));
    await untilCut('flood_dns', RATES.dns, 1500, () => hosts.peer(0, 'flood', GATEWAY_IP, '53', '1500'));
    await untilCut('flood_dhcp', RATES.dhcp, 60, frames(60, discover()));
    await untilCut('flood_arp', RATES.arp, 600, frames(600, searchOfGateway()));
    expect(await hosts.many(0, METADATA_IP, 80, 50, 50)).toBe(50);
    expect(await hosts.many(1, METADATA_IP, 80, 50, 50)).toBe(50);
  });
});

describe('the limit of connections', () => {
  it('holds for one machine, here and outside together, and not for the next', async () => {
    await firewall.ensure(wish({ maxConnections: 40 }));
    expect(await hosts.many(0, OUTSIDE_IP, 443, 30, 30)).toBe(30);
    expect(await hosts.many(0, METADATA_IP, 80, 100)).toBeLessThanOrEqual(40);
    await untilCounted('too_many_connections', 1);
    expect(await hosts.many(1, METADATA_IP, 80, 30, 30)).toBe(30);
  });

  it.each([
    ['DNS', GATEWAY_IP, 53, 4, 'flood_dns'],
    ['NFS', METADATA_IP, 2049, 16, 'too_many_connections'],
  ] as const)('to %s is small, so that one machine leaves some to the next', async (_, address, port, most, reason) => {
    await firewall.ensure(wish());
    const before = await packets(reason);
    expect(await hosts.many(0, address, port, 40, most)).toBe(most);
    await untilCounted(reason, before + 1);
    expect(await hosts.reach(1, 'tcp', address, port)).toBe('hello');
  });

  it('of syslog is small', async () => {
    expect(await hosts.many(1, METADATA_IP, 514, 20, 8)).toBeLessThanOrEqual(8);
    await untilCounted('flood_syslog_tcp', 1);
  });
});

describe('what changes while machines run', () => {
  const reach = (slot: 0 | 1, address: string, port: number) => hosts.reach(slot, 'tcp', address, port);
  const ask = (slot: 0 | 1, address: string, port: number) => hosts.peer(slot, 'tcp', address, String(port));

  it('a machine in quarantine is cut off in both directions, another is not; afterwards it is back', async () => {
    await firewall.ensure(wish({ isolatedSlots: [0] }));
    expect(await ask(0, METADATA_IP, 80)).toBe('nothing');
    expect(await hosts.peer('factory', 'tcp', IP, '22')).toBe('nothing');
    await untilCounted('isolated', 1);
    expect(await reach(1, METADATA_IP, 80)).toBe('hello');
    await firewall.ensure(wish());
    expect(await reach(0, METADATA_IP, 80)).toBe('hello');
  });

  it('egress rules hold for their machine alone: the narrowest decides, and with an allow-list the rest is closed', async () => {
    const rules = { deny: [`${OUTSIDE_IP.replace(/\d+$/, '0')}/24`], allow: ['0.0.0.0/0', `${OUTSIDE_IP}:3128`] };
    await firewall.ensure(wish({ egress: new Map([[0, rules]]) }));
    expect(await ask(0, OUTSIDE_IP, 443)).toBe('nothing');
    await untilCounted('egress', 1);
    expect(await reach(0, OUTSIDE_IP, 3128)).toBe('hello');
    expect(await reach(0, OTHER_OUTSIDE_IP, 443)).toBe('hello');
    expect(await reach(0, METADATA_IP, 80)).toBe('hello');
    expect(await reach(1, OUTSIDE_IP, 443)).toBe('hello');
    await firewall.ensure(wish({ egress: new Map([[0, { deny: [], allow: [OTHER_OUTSIDE_IP] }]]) }));
    expect(await reach(0, OTHER_OUTSIDE_IP, 443)).toBe('hello');
    expect(await ask(0, OUTSIDE_IP, 3128)).toBe('nothing');
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
      expect(await hosts.reach(0, 'tcp', METADATA_IP, 80)).toBe('hello');
      const before = await packets('spoofed_ip');
      await hosts.peer(0, 'frames', 'eth0', ethernet(gatewayMac, MAC, 0x0800, syslog(NEIGHBOUR_IP)));
      await untilCounted('spoofed_ip', before + 1);
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
    ['what counts syslog was', 'delete table inet vac_counts'],
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

  it('keep what was counted of syslog when a vacd that starts, or more slots, make the rules anew', async () => {
    await firewall.ensure(wish());
    const counted = async () => (await firewall.syslogDatagrams())?.get(IP) ?? 0;
    const before = await counted();
    await hosts.peer(0, 'frames', 'eth0', ethernet(gatewayMac, MAC, 0x0800, syslog(IP)));
    await until('it is counted', async () => (await counted()) === before + 1);
    await new Firewall([...hosts.inside('factory'), 'nft']).ensure(wish());
    await firewall.ensure(wish({ slots: 3 }));
    expect(await counted()).toBe(before + 1);
    await firewall.check(wish({ slots: 3 }));
  });

  it('is content with what traffic does to the rules, and asks for others when they are wanted', async () => {
    await firewall.ensure(wish());
    await hosts.peer(0, 'tcp', OUTSIDE_IP, '443');
    await firewall.check(wish());
    await expect(firewall.check(wish({ slots: 3 }))).rejects.toMatchObject({ code: 'firewall-wrong' });
  });

  it('leave nothing when they are taken away, whatever of it is there, and are made again', async () => {
    await firewall.ensure(wish());
    await hosts.nft('delete table bridge vac');
    for (let times = 0; times < 2; times += 1) await firewall.remove();
    expect(await hosts.in('factory', 'nft', 'list', 'tables')).not.toContain(' vac');
    await firewall.ensure(wish());
    await firewall.check(wish());
  });

  it('says in one line what is wrong where nft is missing', async () => {
    const without = new Firewall(['/nonexistent/nft']);
    await expect(without.ensure(wish())).rejects.toMatchObject({
      code: 'firewall-wrong',
      message: expect.stringMatching(/nft .*package nftables$/),
    });
  });
});
