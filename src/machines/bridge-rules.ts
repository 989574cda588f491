/**
 * The table of family `bridge`: who sends. Each port may send with its slot's MAC and IP alone, IPv4 and ARP alone, and to
 * the host alone. Pure.
 */

import { type ContainmentWish, type DropReason, RATES, slotCounter, TABLE } from './containment-wish.js';
import { slotDevice, slotIp, slotMac } from './layout.js';
import { chain, elements, hook, limited, ours, rateRule, slotsOf } from './nft-text.js';

const BRIDGE_REASONS: readonly DropReason[] = [
  'isolated',
  'spoofed_mac',
  'spoofed_ip',
  'spoofed_arp',
  'spoofed_dhcp',
  'rogue_dhcp',
  'odd_packet',
  'other_protocol',
  'neighbour',
  'flood_arp',
  'flood_dhcp',
];
const RATE_SETS = ['arp_rate', 'dhcp_rate'] as const;

/** Sets of it that packets fill. */
export const BRIDGE_FILLED: readonly string[] = RATE_SETS;

interface Port {
  readonly device: string;
  readonly slot: number;
}

export function bridgeTable(wish: ContainmentWish): string[] {
  const ports: Port[] = [...slotsOf(wish).map((slot) => ({ device: slotDevice(slot), slot })), ...wish.formerPorts];
  const mac = (slot: number) => slotMac(slot).toLowerCase();
  return [
    `table bridge ${TABLE} {`,
    ...BRIDGE_REASONS.map((reason) => `  counter ${reason} {}`),
    ...slotsOf(wish).map((slot) => `  counter ${slotCounter(slot)} {}`),
    ...elements(
      'map dropped_of',
      'ifname : counter',
      ports.map(({ device, slot }) => `"${device}" : "${slotCounter(slot)}"`),
    ),
    ...elements(
      'set macs',
      'ifname . ether_addr',
      ports.map(({ device, slot }) => `"${device}" . ${mac(slot)}`),
    ),
    ...elements(
      'set slots',
      'ifname . ether_addr . ipv4_addr',
      ports.map(({ device, slot }) => `"${device}" . ${mac(slot)} . ${slotIp(slot)}`),
    ),
    ...elements('set machine_macs', 'ether_addr', slotsOf(wish).map(mac)),
    ...elements('set machine_ips', 'ipv4_addr', slotsOf(wish).map(slotIp)),
    ...elements('set isolated', 'ifname', []),
    ...RATE_SETS.flatMap((name) => limited(name, 'ifname', wish)),
    // No two operands of a comparison may come from the packet, so the MAC that a DHCP message speaks of (chaddr, byte 28
    // after the UDP header of 8) is compared in a chain of each slot.
    ...slotsOf(wish).flatMap((slot) =>
      chain(`dhcp_${slot}`, [
        `@th,288,48 0x${mac(slot).replaceAll(':', '')} accept`,
        'counter name spoofed_dhcp goto dropped',
      ]),
    ),
    ...elements(
      'map dhcp_of',
      'ifname : verdict',
      ports.map(({ device, slot }) => `"${device}" : goto dhcp_${slot}`),
    ),
    ...chain('dropped', ['counter name iifname map @dropped_of', 'drop']),
    ...chain('from_machine', [
      'iifname @isolated counter name isolated goto dropped',
      'iifname . ether saddr != @macs counter name spoofed_mac goto dropped',
      'ether daddr @machine_macs counter name neighbour goto dropped',
      'ether type arp goto machine_arp',
      'ether type ip goto machine_ip',
      'counter name other_protocol goto dropped',
    ]),
    ...chain('machine_arp', [
      rateRule('arp_rate', 'iifname', RATES.arp, 'flood_arp'),
      'arp htype != 1 counter name odd_packet goto dropped',
      'arp ptype != ip counter name odd_packet goto dropped',
      'arp hlen != 6 counter name odd_packet goto dropped',
      'arp plen != 4 counter name odd_packet goto dropped',
      'iifname . arp saddr ether != @macs counter name spoofed_arp goto dropped',
      // Of its own address it may speak; a search for others finds nobody, and is told of.
      'arp daddr ip @machine_ips iifname . arp saddr ether . arp daddr ip != @slots counter name neighbour goto dropped',
      'iifname . arp saddr ether . arp saddr ip @slots accept',
      // Whether an address is taken is asked without one (RFC 5227), by some guests before they use theirs.
      'arp operation request arp saddr ip 0.0.0.0 accept',
      'counter name spoofed_arp goto dropped',
    ]),
    ...chain('machine_ip', [
      'ip hdrlength != 5 counter name odd_packet goto dropped',
      'udp sport 67 counter name rogue_dhcp goto dropped',
      'udp dport 67 ip frag-off & 0x3fff != 0 counter name odd_packet goto dropped',
      'udp dport 67 goto machine_dhcp',
      'iifname . ether saddr . ip saddr @slots accept',
      'counter name spoofed_ip goto dropped',
    ]),
    ...chain('machine_dhcp', [
      rateRule('dhcp_rate', 'iifname', RATES.dhcp, 'flood_dhcp'),
      'udp sport != 68 counter name odd_packet goto dropped',
      'ip saddr != 0.0.0.0 iifname . ether saddr . ip saddr != @slots counter name spoofed_ip goto dropped',
      'iifname vmap @dhcp_of',
      'counter name spoofed_dhcp goto dropped',
    ]),
    ...chain('prerouting', [hook('prerouting', -300), ...ours(wish, 'iifname', 'jump from_machine')]),
    // Frames to 01:80:c2:00:00:0x come here without having passed prerouting, and teach the bridge their sender's MAC.
    ...chain('reserved', ['ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name odd_packet goto dropped']),
    ...chain('input', [hook('input', -300), ...ours(wish, 'iifname', 'jump reserved')]),
    ...chain('forward', [
      hook('forward', -300),
      // A broadcast for the host comes by here too, for every other port.
      ...ours(wish, 'iifname', 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 drop'),
      ...ours(wish, 'iifname', 'counter name neighbour goto dropped'),
      ...ours(wish, 'oifname', 'counter name neighbour drop'),
    ]),
    ...chain('output', [hook('output', -300), 'oifname @isolated counter name isolated drop']),
    '}',
  ];
}
