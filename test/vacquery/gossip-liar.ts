/** A space with a factory that says what a test makes up. */

import type { Change } from '../../src/vacquery/entry.js';
import type { GossipMessage, SentChange } from '../../src/vacquery/wire02.js';
import { encodeGossip } from '../../src/vacquery/wire02-encode.js';
import { GossipSpace, nameOf, running } from './gossip-space.js';
import { SPACE } from './snapshot.js';

/** Runs factories 1 and up; what factory 0 says the test makes up. */
export function spaceWithLiar(factories = 5, seed = 1): GossipSpace {
  const space = new GossipSpace({ factories, seed, absent: [0] });
  for (let index = 1; index < factories; index += 1) space.announce(index, running('lhcb', 1));
  space.runUntil(() => space.hasConverged(), 20);
  return space;
}

/** A datagram of factory 0. */
export function gossipDatagram(space: GossipSpace, parts: Partial<GossipMessage>): Uint8Array {
  const message: GossipMessage = {
    space: SPACE,
    factory: nameOf(0),
    vacVersion: null,
    timeSent: Math.floor(space.now().unixSeconds),
    sync: null,
    answer: null,
    ages: null,
    changes: [],
    ...parts,
  };
  return encodeGossip(message, space.gossip(1).roster);
}

/** That `machines` run on a factory, by a state of its entry that it was never in. */
export function forged(space: GossipSpace, index: number, machines: number, change: Partial<Change>): SentChange {
  const { roster } = space.gossip(1);
  const to = change.to ?? 50;
  const slice = { ...running('lhcb', machines), end: null, decayedUse: null, changedDs: 100, version: to };
  const base = { id: roster.ids[roster.indexOf(nameOf(index))]!, incarnation: 1, from: 0, to, changedDs: 100 };
  return { ageDs: 0, change: { ...base, head: null, slices: [slice], ...change } };
}
