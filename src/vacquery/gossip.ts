/**
 * Gossip over datagrams, without sockets or a clock of its own: joins `GossipState` to bytes, addresses and keys.
 *
 *     const gossip = new Gossip(options, now);
 *     gossip.announce(ownEntry, now);          // whenever anything of ours may have changed; see there
 *     gossip.receive(datagram, address, now);  // whatever arrived; answers to it come out of `due`
 *     for (const { datagram, address, port } of gossip.due(now)) transport.send(datagram, address, port);
 *
 * After each of these `due` is to be called again at `nextWakeMs`, which may be now.
 *
 * A simulator of thousands of factories may leave out the making and reading of JSON: `state.due(now)` gives messages
 * that another factory's `state.receive` takes as they are, with their exact size as datagrams. A message and all that is
 * in it is immutable; entries are shared between all that know them.
 */

import type { MachinetypeNews } from '../factory/types.js';
import { AUTH_BYTES } from './auth.js';
import type { Outgoing } from './exchange.js';
import type { Roster } from './gossip-roster.js';
import { GossipState } from './gossip-state.js';
import type {
  DecayedUse,
  FactoryView,
  GossipCounts,
  GossipOptions,
  GossipOutcome,
  OwnEntry,
  Stamp,
} from './gossip-types.js';
import { TokenBucket } from './limits.js';
import { VACQUERY_PORT } from './messages.js';
import type { Instant } from './space-view.js';
import { decodeGossip } from './wire02-decode.js';
import { encodeGossip, looksLikeGossip } from './wire02-encode.js';

export class Gossip {
  readonly state: GossipState;
  /** What each factory may send us now. */
  readonly #inflow = new Map<string, TokenBucket>();

  constructor(
    readonly options: GossipOptions,
    now: Instant,
  ) {
    const signatureBytes = options.authenticator == null ? 0 : AUTH_BYTES;
    this.state = new GossipState({ ...options, signatureBytes }, now);
  }

  get roster(): Roster {
    return this.state.roster;
  }

  /** After the configuration was read again. Who is no longer named is forgotten and believed no more. */
  setFactories(factories: readonly string[], now: Instant): void {
    this.#inflow.clear();
    this.state.setFactories(factories, now);
  }

  /**
   * Tells the space of this factory: the whole entry, of which what differs from the last time is sent, to some peers
   * within `announceDelayMs` and on from there. Call it as soon as a start is intended (counted as running at once), a
   * machine has ended, or anything else in it changed; calling it too often costs a comparison. True: it had changed.
   */
  announce(own: OwnEntry, now: Instant): boolean {
    return this.state.announce(own, now);
  }

  /**
   * This factory's machines are gone for good, and the others need not wait for the expiry of its news. Not for a mere
   * restart of the daemon: its machines run on and count on. Send what `due` gives a few times after.
   */
  leave(now: Instant): void {
    this.state.leave(now);
  }

  /** Datagrams to send now. */
  due(now: Instant): Outgoing[] {
    const { addressOf, authenticator, port = VACQUERY_PORT } = this.options;
    return this.state.due(now).flatMap(({ to, message }): Outgoing[] => {
      const address = addressOf(to);
      if (address === null) return [];
      const datagram = encodeGossip(message, this.roster);
      return [{ datagram: authenticator?.sign(datagram, to, now.unixSeconds) ?? datagram, address, port }];
    });
  }

  /** When `due` has something to do next, on the steady clock. */
  get nextWakeMs(): number {
    return this.state.nextWakeMs;
  }

  /** Takes any datagram that arrived. What it is not `accepted` for is counted in `counts.refused`. */
  receive(datagram: Uint8Array, address: string, now: Instant): GossipOutcome {
    const outcome = this.#receive(datagram, address, now);
    if (outcome !== 'accepted') {
      const { refused } = this.state.counts;
      refused[outcome] = (refused[outcome] ?? 0) + 1;
    }
    return outcome;
  }

  #receive(datagram: Uint8Array, address: string, now: Instant): GossipOutcome {
    const { authenticator, factoryAtAddress, space, factory: own } = this.options;
    const from = factoryAtAddress(address, datagram)?.toLowerCase() ?? null;
    if (from === null) return 'stranger';
    if (!looksLikeGossip(datagram)) return 'not-gossip';
    if (!this.#mayReceive(from, datagram.length, now)) {
      this.state.problems.noteFlood(from, now);
      return 'too-much';
    }
    const verdict = authenticator?.check(datagram, from, now.unixSeconds);
    if (verdict?.ok === false) {
      this.state.problems.noteRefusedSignature(from, verdict.reason, verdict.skewSeconds ?? 0, now);
      return verdict.reason === 'clock-skew' || verdict.reason === 'replayed' ? verdict.reason : 'unauthenticated';
    }
    const decoded = decodeGossip(datagram, this.roster);
    if (!decoded.ok) return decoded.reason;
    const { message, unknownIds } = decoded;
    if (message.space !== space) return 'other-space';
    if (message.factory === own.toLowerCase()) {
      this.state.problems.noteNamesake(address, now);
      if (from !== message.factory) this.state.problems.noteClaim(from, message.factory, now);
      return 'own-name';
    }
    if (message.factory !== from) {
      this.state.problems.noteClaim(from, message.factory, now);
      return 'wrong-factory';
    }
    this.state.counts.disbelieved += unknownIds;
    this.state.receive(message, from, datagram.length, now, verdict?.isSigned ?? false);
    return 'accepted';
  }

  /** One factory that is broken must not take the time in which the others are heard. */
  #mayReceive(from: string, bytes: number, { steadyMs }: Instant): boolean {
    let bucket = this.#inflow.get(from);
    if (bucket === undefined) {
      const { bytesPerSecond, burstBytes } = this.state.limits;
      bucket = new TokenBucket(bytesPerSecond * INFLOW_FACTOR, burstBytes * INFLOW_FACTOR, steadyMs);
      this.#inflow.set(from, bucket);
    }
    if (!bucket.has(steadyMs)) return false;
    bucket.spend(bytes);
    return true;
  }

  /** For `vac factories`: all configured factories but this one. */
  view(now: Instant): FactoryView[] {
    return this.state.view(now);
  }

  /** One factory's news; empty where it does not count. */
  newsOf(factory: string, now: Instant): MachinetypeNews[] {
    return this.state.newsOf(factory, now);
  }

  /** News of all factories that count, one for each factory and machinetype. Grows with the space: see `totals`. */
  news(now: Instant): MachinetypeNews[] {
    return this.state.news(now);
  }

  /**
   * The same folded, one for each machinetype, as `foldNews` of factory/news.ts does: sums, and as `lastEnd` the newest
   * abort (message code ≥ 300) among the factories' last ends.
   */
  totals(now: Instant): MachinetypeNews[] {
    return this.state.totals(now);
  }

  /** Others' use of each machinetype, decayed to now; empty without `halfLifeSeconds`. Of expired factories, too. */
  decayedUses(now: Instant): DecayedUse[] {
    return this.state.decayedUses(now);
  }

  /** Which state of a factory's entry is known here; of the own factory, what was announced last. */
  stampOf(factory: string): Stamp | null {
    return this.state.stampOf(factory);
  }

  /**
   * Who has to be polled by 01.03 now: factories of which gossip heard nothing, and that answered such a poll last time
   * or were not asked for a while. Tell `notePolled` of the outcome.
   */
  legacyPeers(now: Instant): string[] {
    return this.state.legacyPeers(now);
  }

  notePolled(factory: string, answered: boolean, now: Instant): void {
    this.state.notePolled(factory, answered, now);
  }

  /** What is wrong with this factory itself, as others show it: its clock, a second factory of its name. */
  ownProblems(now: Instant): string[] {
    return this.state.problems.ofOurs(now);
  }

  /** Whether this factory knows what the space knows; until then it decides by less. */
  get isJoined(): boolean {
    return this.state.isJoined;
  }

  get counts(): Readonly<GossipCounts> {
    return this.state.counts;
  }
}

/** Of one factory as much is looked at as it may send in all: news, and answers. */
const INFLOW_FACTOR = 2;

/** What to start with: later than every earlier start, even where the clock was set back meanwhile. */
export function nextIncarnation(persisted: number | null, unixSeconds: number): number {
  return Math.max((persisted ?? 0) + 1, Math.floor(unixSeconds));
}

const CLAIM_BYTES = 700;

/** Whom a datagram says it is from, without reading more of it than its head; null: it does not say. For hosts that share an address. */
export function claimedFactory(datagram: Uint8Array): string | null {
  const head = String.fromCharCode(...datagram.subarray(0, CLAIM_BYTES));
  return /, "factory": "([A-Za-z0-9.-]+)"/.exec(head)?.[1]?.toLowerCase() ?? null;
}
