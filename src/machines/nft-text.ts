/** Pieces of text for nft, as both tables of network-rules.ts need them. Pure. */

import type { ContainmentWish, DropReason, Rate } from './containment-wish.js';
import { SLOT_DEVICE_PREFIX } from './layout.js';

/** A table, by family and name, is taken away if it is there: made first, since one that is missing would refuse the whole. */
export function withoutTable(table: string): string[] {
  return [`table ${table} {}`, `delete table ${table}`];
}

/** The hooks see every device of the host: ours are told by their names. */
export function ours({ formerPorts }: ContainmentWish, key: 'iifname' | 'oifname', verdict: string): string[] {
  const former = formerPorts.map(({ device }) => `"${device}"`);
  return [
    `${key} "${SLOT_DEVICE_PREFIX}*" ${verdict}`,
    ...(former.length === 0 ? [] : [`${key} { ${former.join(', ')} } ${verdict}`]),
  ];
}

export function slotsOf({ slots }: ContainmentWish): number[] {
  return Array.from({ length: slots }, (_, slot) => slot);
}

/**
 * A set that packets fill has one element for each machine at most, for their addresses were judged before; and, until it is
 * tidied, the same again that is past its time. In a full set nothing would be limited.
 */
export function sizeOf({ slots, formerPorts }: ContainmentWish): number {
  return 2 * Math.max(1, slots + formerPorts.length);
}

export function limited(name: string, type: string, wish: ContainmentWish): string[] {
  return [`  set ${name} { type ${type}; size ${sizeOf(wish)}; flags dynamic; timeout 1m; }`];
}

export function rateRule(set: string, key: string, { perSecond, burst }: Rate, reason: DropReason): string {
  return `update @${set} { ${key} limit rate over ${perSecond}/second burst ${burst} packets } counter name ${reason} goto dropped`;
}

export function elements(what: string, type: string, members: readonly string[]): string[] {
  if (members.length === 0) return [`  ${what} { type ${type}; }`];
  return [
    `  ${what} {`,
    `    type ${type};`,
    '    elements = {',
    members.map((member) => `      ${member}`).join(',\n'),
    '    }',
    '  }',
  ];
}

export function chain(name: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

export function hook(name: string, priority: number): string {
  return `type filter hook ${name} priority ${priority}; policy accept;`;
}
