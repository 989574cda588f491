import type { ContainmentWish } from '../../src/machines/containment-wish.js';

/** Of a factory with two slots whose machines mount from the host and log nowhere, but for `changes`. */
export function testWish(changes: Partial<ContainmentWish> = {}): ContainmentWish {
  return {
    slots: 2,
    formerPorts: [],
    isolatedSlots: [],
    egress: new Map(),
    hasNfs: true,
    syslog: null,
    maxConnections: 4096,
    ...changes,
  };
}
