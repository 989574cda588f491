/**
 * How many datagrams of syslog each machine sent, taken or not: the relay tells from it how many lines were lost. In a table
 * of family `inet` of its own, which stays as it is when those of network-rules.ts are made anew, as each vacd does when it
 * starts: what was sent until then would be forgotten, and what was lost of it with that. Pure.
 */

import type { SyslogContainment } from './containment-wish.js';
import { METADATA_IP } from './layout.js';
import { BRIDGE_NAME } from './network-xml.js';
import { chain, hook, withoutTable } from './nft-text.js';

export const COUNTS_TABLE = 'vac_counts';
/** Its set, a counter for each address. */
export const SYSLOG_COUNTS = 'syslog_datagrams';

/** As many as the machines' network has, so that it need never be made anew for more of them. */
const ADDRESSES = 65_536;

/** For a transaction of nft: made if it is not there, else kept with what was counted. */
export function countsTable(syslog: SyslogContainment | null): string[] {
  if (syslog === null) return withoutTable(`inet ${COUNTS_TABLE}`);
  return [
    `table inet ${COUNTS_TABLE} {`,
    // Another definition by this name would be refused where there is this one.
    `  set ${SYSLOG_COUNTS} { type ipv4_addr; size ${ADDRESSES}; flags dynamic; }`,
    // Before the rules that drop what is too much.
    ...chain('input', [hook('input', -20)]),
    '}',
    `flush chain inet ${COUNTS_TABLE} input`,
    `add rule inet ${COUNTS_TABLE} input iifname "${BRIDGE_NAME}" ip daddr ${METADATA_IP} udp dport ${syslog.udpPort} update @${SYSLOG_COUNTS} { ip saddr counter }`,
  ];
}
