/** What is told of this factory's membership in its space: to `vac` by the control socket, and to monitors. */

import type { Peer } from '../space/messages.js';
import { type GossipCounts, type Liveness, VACQUERY_PORT } from '../vacquery/index.js';
import type { Memory } from './memory.js';
import type { Look } from './space-questions.js';

/** What this factory knows of its space; what the control socket's request `space` is answered by. */
export interface SpaceReport {
  readonly space: string;
  readonly factory: string;
  /** FQDNs of all factories of the space, this one included, in the order of the configuration. */
  readonly factories: readonly string[];
  /** Null: VacQuery is not spoken now. */
  readonly queryPort: number | null;
  readonly udpTimeoutSeconds: number;
  /** There are others, and none of them answers. */
  readonly alone: boolean;
  readonly peers: readonly Peer[];
  /** What is wrong with this factory as a member of the space; a sentence each. */
  readonly problems: readonly string[];
  /** What should be done next about the keys; null: nothing. */
  readonly hint: string | null;
  /** Null: nothing is signed. */
  readonly keys: { readonly file: string; readonly mode: 'mixed' | 'required' } | null;
}

/** What gossip has done since the start, and what it knows of the others. */
export interface GossipFacts {
  readonly counts: Readonly<GossipCounts>;
  /** Of datagrams that were believed. */
  readonly receivedBytes: number;
  readonly peers: ReadonlyMap<Liveness, number>;
}

/**
 * @param others all factories of the space but this one
 * @param look null: the member does not tell
 * @param isAnswering on the protocol's port
 * @param problems what is wrong with this factory as a member of the space
 */
export function spaceReport(
  memory: Memory,
  others: readonly string[],
  look: Look | null,
  isAnswering: boolean,
  problems: readonly string[],
): SpaceReport {
  const { vacSpace, factories, udpTimeoutSeconds, spaceKeyFile, spaceKeyMode } = memory.config.settings;
  const own = memory.factory;
  const known = new Map(look?.peers.map((peer) => [peer.factory, peer]));
  return {
    space: vacSpace,
    factory: own,
    factories: factories.includes(own.toLowerCase()) ? factories : [own, ...factories],
    queryPort: isAnswering ? VACQUERY_PORT : null,
    udpTimeoutSeconds,
    alone: memory.alone,
    peers: others.map((factory) => known.get(factory) ?? unknownPeer(factory)),
    problems,
    hint: look?.hint ?? null,
    keys: spaceKeyFile === null ? null : { file: spaceKeyFile, mode: spaceKeyMode },
  };
}

/** Of which nothing can be told now. */
function unknownPeer(factory: string): Peer {
  return {
    factory,
    way: null,
    outcome: 'unasked',
    heardSecondsAgo: null,
    clockAheadSeconds: null,
    vacVersion: null,
    site: null,
    machinetypes: 0,
    machinetypesExpected: null,
    runningMachines: 0,
    runningProcessors: 0,
    runningHs06: 0,
    problems: [],
    signs: null,
  };
}
