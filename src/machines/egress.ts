/**
 * Where a machine may send, by its machinetype's `egress_deny` and `egress_allow`, as rules for nft. Pure.
 *
 * The narrowest destination that fits decides, as with routes; one with a port is narrower than the same without; of two
 * alike, the denied one. What fits none is allowed, unless there is an `egress_allow`: then it is denied. So
 * `egress_deny = 10.0.0.0/8` with `egress_allow = 0.0.0.0/0 10.1.2.3:3128` is the Internet, and of the site its proxy alone.
 */

import { type EgressDestination, parseEgressDestination } from '../config/egress.js';
import type { MachineRecord } from '../factory/types.js';

/** Destinations as the configuration has them. */
export interface EgressRules {
  readonly deny: readonly string[];
  readonly allow: readonly string[];
}

/** The rules that a machine was started with; null: it may send anywhere. */
export function egressOf({ egressDeny, egressAllow }: MachineRecord): EgressRules | null {
  if (egressDeny === undefined && egressAllow === undefined) return null;
  const words = (text = '') => text.split(' ').filter((word) => word !== '');
  return { deny: words(egressDeny), allow: words(egressAllow) };
}

const DENIED = 'counter name egress goto dropped';
const ALLOWED = 'return';

/** Rules of a chain, for packets of one machine: it is left by `return`, or by going to the chain `dropped`. */
export function egressChain({ deny, allow }: EgressRules): string[] {
  const judged = [...destinations(deny, DENIED), ...destinations(allow, ALLOWED)];
  // A machine's record is ours; one that somebody altered beyond reading must not open what was closed.
  if (judged.length < deny.length + allow.length) return [DENIED];
  // The sort is stable: what is denied stays before what is allowed.
  judged.sort((a, b) => b.to.prefix - a.to.prefix || Number(b.to.port !== null) - Number(a.to.port !== null));
  return [...judged.map(({ to, verdict }) => `${matchOf(to)} ${verdict}`), ...(allow.length > 0 ? [DENIED] : [])];
}

function destinations(texts: readonly string[], verdict: string): { to: EgressDestination; verdict: string }[] {
  return texts.flatMap((text) => {
    const to = parseEgressDestination(text);
    return to === undefined ? [] : [{ to, verdict }];
  });
}

function matchOf({ address, prefix, port }: EgressDestination): string {
  const to = `ip daddr ${address}/${prefix}`;
  return port === null ? to : `${to} meta l4proto { tcp, udp } th dport ${port}`;
}
