/**
 * The rules that contain machines, as text for nft. Pure; host/firewall.ts applies it. Each machine is root in itself and
 * hostile: what it sends is judged on its port of the bridge (who sends) and in the host (where to).
 *
 * Two tables, each named {@link TABLE}. That of family `bridge` knows for every slot the triple of device, MAC and IP, so
 * that a start needs no rule of its own. That of family `inet` says which of the host's services a machine reaches and
 * what it may send through the host. Both stand beside whatever else the host has (libvirt, firewalld, the site): a drop
 * here is final, an accept here is none elsewhere.
 *
 * What changes while machines run (quarantine, egress of a machinetype) is in one set and one map, filled by
 * {@link changingRules}; all else is {@link standingRules}. Only features that nft 0.9 and kernel 4.18 have are used.
 */

import { BRIDGE_FILLED, bridgeTable } from './bridge-rules.js';
import { type ContainmentWish, TABLE } from './containment-wish.js';
import { egressChain } from './egress.js';
import { INET_FILLED, inetTable } from './inet-rules.js';
import { slotDevice, slotIp } from './layout.js';
import { withoutTable } from './nft-text.js';
import { countsTable, SYSLOG_COUNTS } from './syslog-counts.js';

/** Sets that packets fill: what is in them is none of our doing. */
export const FILLED_BY_PACKETS: readonly string[] = [...BRIDGE_FILLED, ...INET_FILLED, SYSLOG_COUNTS];

/**
 * Both tables as they are before any machine runs, for one transaction that replaces what is there; and the one of
 * syslog-counts.ts, which is kept.
 */
export function standingRules(wish: ContainmentWish): string {
  return [
    ...['bridge', 'inet'].flatMap((family) => withoutTable(`${family} ${TABLE}`)),
    ...bridgeTable(wish),
    ...inetTable(wish),
    ...countsTable(wish.syslog),
    '',
  ].join('\n');
}

/**
 * What is put into the standing tables, and taken out, while machines run.
 *
 * @param before the slots that the tables have egress rules of now; those of every slot are written anew
 */
export function changingRules(
  { isolatedSlots, egress, formerPorts }: ContainmentWish,
  before: Iterable<number> = [],
): string {
  const isolated = new Set(isolatedSlots);
  const devices = [
    ...[...isolated].sort((a, b) => a - b).map(slotDevice),
    ...formerPorts.filter(({ slot }) => isolated.has(slot)).map(({ device }) => device),
  ];
  const chains = [...egress].sort(([a], [b]) => a - b);
  return [
    `flush set bridge ${TABLE} isolated`,
    ...devices.map((device) => `add element bridge ${TABLE} isolated { "${device}" }`),
    `flush map inet ${TABLE} egress_of`,
    ...[...before].flatMap((slot) => [
      `flush chain inet ${TABLE} ${egressName(slot)}`,
      `delete chain inet ${TABLE} ${egressName(slot)}`,
    ]),
    ...chains.flatMap(([slot, rules]) => [
      `add chain inet ${TABLE} ${egressName(slot)}`,
      ...egressChain(rules).map((rule) => `add rule inet ${TABLE} ${egressName(slot)} ${rule}`),
      `add element inet ${TABLE} egress_of { ${slotIp(slot)} : jump ${egressName(slot)} }`,
    ]),
    '',
  ].join('\n');
}

function egressName(slot: number): string {
  return `egress_${slot}`;
}
