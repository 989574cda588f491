/** What is wrong with other factories, or with what is said in our name: for people to read, and so that it is not believed. */

import type { AuthRefusal } from './auth.js';
import { authRefusalText } from './auth-words.js';
import { MAX_AHEAD_SECONDS } from './gossip-limits.js';
import type { Instant } from './space-view.js';

/** Clocks that differ by less are called right: a datagram takes time, and times are whole seconds. */
const TOLERATED_SKEW_SECONDS = 5;
/** Other factories whose calendars ours is compared with. */
const COMPARED_CLOCKS = 9;
const MIN_COMPARED_CLOCKS = 3;
/** Our incarnation is raised at most so often: two factories of one name must not drive each other on. */
const RAISE_INTERVAL_MS = 10_000;
/** A restart with a lost state directory and a clock set back raises it once; what goes on is a second factory. */
const CONFLICTS_OF_TWO = 3;

/** What was seen so long ago is no problem any more. */
const RECENT_MS = 600_000;

function isRecent({ atMs }: { readonly atMs: number }, { steadyMs }: Instant): boolean {
  return steadyMs < atMs + RECENT_MS;
}

export class Problems {
  /** Calendars that are wrong, by factory. */
  readonly #skews = new Map<string, number>();
  /** Calendars of the factories heard last, right or wrong. */
  readonly #lastSkews = new Map<string, number>();
  readonly #futureIncarnations = new Map<string, { incarnation: number; atMs: number }>();
  readonly #floods = new Map<string, { atMs: number }>();
  /** Other names that a factory's host went by, and when last. */
  readonly #claims = new Map<string, { name: string; atMs: number }>();
  /** Why signatures, or the want of them, were refused last. */
  readonly #refusals = new Map<string, { reason: AuthRefusal; skewSeconds: number; atMs: number }>();
  /** A host that gossips under this factory's name. */
  #namesake: { address: string; atMs: number } | null = null;
  #conflicts: { atMs: number; from: string }[] = [];
  #raisedMs = Number.NEGATIVE_INFINITY;

  /** A datagram's calendar, less ours. */
  noteClock(factory: string, skewSeconds: number): void {
    if (Math.abs(skewSeconds) > TOLERATED_SKEW_SECONDS) this.#skews.set(factory, Math.round(skewSeconds));
    else this.#skews.delete(factory);
    this.#lastSkews.delete(factory);
    this.#lastSkews.set(factory, skewSeconds);
    if (this.#lastSkews.size > COMPARED_CLOCKS) this.#lastSkews.delete(this.#lastSkews.keys().next().value!);
  }

  /** How far the space's calendar is ahead of ours, by the middle one of some factories; 0 where too few were heard. */
  get spaceAheadSeconds(): number {
    if (this.#lastSkews.size < MIN_COMPARED_CLOCKS) return 0;
    return [...this.#lastSkews.values()].sort((a, b) => a - b)[this.#lastSkews.size >> 1]!;
  }

  /** Whether an incarnation may be a start of a factory with a right calendar, ours or the space's. */
  isCredible(incarnation: number, { unixSeconds }: Instant): boolean {
    if (incarnation <= unixSeconds + MAX_AHEAD_SECONDS) return true;
    return incarnation <= unixSeconds + this.spaceAheadSeconds + MAX_AHEAD_SECONDS;
  }

  /** A factory is said to have an incarnation that is not credible. */
  noteFuture(factory: string, incarnation: number, { steadyMs: atMs }: Instant): void {
    this.#futureIncarnations.set(factory, { incarnation, atMs });
  }

  /** More came from a factory than any sends that works as it should. */
  noteFlood(factory: string, { steadyMs: atMs }: Instant): void {
    this.#floods.set(factory, { atMs });
  }

  /** A state of our entry that we were never in is about. True: raise our incarnation over it. */
  noteOwnName(from: string, { steadyMs }: Instant): boolean {
    if (steadyMs < this.#raisedMs + RAISE_INTERVAL_MS) return false;
    this.#raisedMs = steadyMs;
    this.#conflicts = [...this.#conflicts, { atMs: steadyMs, from }].slice(-CONFLICTS_OF_TWO);
    return true;
  }

  /** A factory's host calls itself by another name. */
  noteClaim(factory: string, name: string, { steadyMs: atMs }: Instant): void {
    this.#claims.set(factory, { name, atMs });
  }

  /** What came from a factory's address is refused. A single datagram may be anybody's. */
  noteRefusedSignature(factory: string, reason: AuthRefusal, skewSeconds: number, { steadyMs: atMs }: Instant): void {
    if (reason !== 'replayed') this.#refusals.set(factory, { reason, skewSeconds, atMs });
  }

  /** A datagram of a factory was believed. */
  noteBelieved(factory: string): void {
    this.#refusals.delete(factory);
  }

  /** A datagram in this factory's name came to it. */
  noteNamesake(address: string, { steadyMs: atMs }: Instant): void {
    this.#namesake = { address, atMs };
  }

  retain(factories: ReadonlySet<string>): void {
    const refused = [this.#futureIncarnations, this.#claims, this.#refusals, this.#floods];
    for (const map of [this.#skews, this.#lastSkews, ...refused]) {
      for (const factory of map.keys()) if (!factories.has(factory)) map.delete(factory);
    }
  }

  of(factory: string, now: Instant): string[] {
    const problems: string[] = [];
    const skew = this.#skews.get(factory);
    if (skew !== undefined) {
      problems.push(`its clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this host's`);
    }
    const future = this.#futureIncarnations.get(factory);
    if (future !== undefined && isRecent(future, now)) {
      const ahead = Math.round(future.incarnation - now.unixSeconds);
      if (ahead > 0)
        problems.push(`it was started ${ahead} s in the future by its own clock: its news are not believed`);
    }
    const flood = this.#floods.get(factory);
    if (flood !== undefined && isRecent(flood, now)) {
      problems.push('it sends far more than a factory should: most of it is not looked at');
    }
    const claimed = this.#claims.get(factory);
    if (claimed !== undefined && isRecent(claimed, now)) {
      problems.push(`its host calls itself ${claimed.name}: what it says is not believed`);
    }
    const refused = this.#refusals.get(factory);
    if (refused !== undefined && isRecent(refused, now))
      problems.push(authRefusalText(refused.reason, refused.skewSeconds));
    return problems;
  }

  /** What is wrong with this factory itself, as far as others show it. */
  ofOurs(now: Instant): string[] {
    const problems: string[] = [];
    const ahead = Math.round(this.spaceAheadSeconds);
    if (Math.abs(ahead) > TOLERATED_SKEW_SECONDS) {
      problems.push(
        `this host's clock is ${Math.abs(ahead)} s ${ahead > 0 ? 'behind' : 'ahead of'} the other factories'`,
      );
    }
    const [first] = this.#conflicts;
    if (this.#conflicts.length === CONFLICTS_OF_TWO && first !== undefined && isRecent(first, now)) {
      const from = [...new Set(this.#conflicts.map((conflict) => conflict.from))].join(', ');
      problems.push(`another factory gossips under this one's name (heard by way of ${from}): give each host its own`);
    }
    if (this.#namesake !== null && isRecent(this.#namesake, now)) {
      problems.push(`the host at ${this.#namesake.address} gossips under this factory's name: give each host its own`);
    }
    return problems;
  }
}
