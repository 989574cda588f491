/**
 * Gathers what keeps machines contained, traced and accounted for. What costs something to know (a process of nft, a
 * directory of many files) is looked up now and then, so that neither a scrape nor a query waits for it; the rest is asked
 * of its owner when somebody wants to know.
 */

import { waitingMessages } from '../accounting/outgoing.js';
import type { ChildFacts } from '../guard/guard.js';
import type { Firewall } from '../host/firewall.js';
import type { SyslogRelay } from '../host/syslog.js';
import type { GuestDirectories } from '../machines/guest-directories.js';
import type { StateLayout } from '../machines/layout.js';
import type { Trail } from '../trail/trail.js';
import type { OutputsArchive } from './outputs-archive.js';
import type { StuckForwarding, TrustFacts } from './trust-facts.js';
import { trustProblems } from './trust-problems.js';

export interface TrustWatchParts {
  readonly layout: StateLayout;
  readonly firewall: Pick<Firewall, 'counters'> | null;
  readonly syslog: Pick<SyslogRelay, 'forwarding'> | null;
  readonly directories: Pick<GuestDirectories, 'areWatched'>;
  readonly trail: Pick<Trail, 'facts'>;
  readonly outputsArchive: Pick<OutputsArchive, 'facts'>;
  /** Between two looks; default 30. */
  readonly everySeconds?: number;
  /** Steady, in milliseconds. */
  readonly nowMs?: () => number;
}

const EVERY_SECONDS = 30;

export class TrustWatch {
  private readonly children = new Map<string, () => ChildFacts>();
  private timer: NodeJS.Timeout | null = null;
  private running = false;
  private drops: TrustFacts['drops'] = null;
  private outgoing: TrustFacts['outgoing'] = null;
  /** When lines were last seen to go on to the collector, and how many were there then. */
  private forwarded: { lines: number; atMs: number } | null = null;

  constructor(private readonly parts: TrustWatchParts) {}

  /** Has a process without root watched, by this name. */
  watchChild(name: string, facts: () => ChildFacts): void {
    this.children.set(name, facts);
  }

  /** The next look begins some time after the last has ended. */
  start(): void {
    this.running = true;
    void this.look().finally(() => this.later());
  }

  stop(): void {
    this.running = false;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Never rejects: what cannot be looked up is not known. */
  async look(): Promise<void> {
    const { firewall, layout } = this.parts;
    [this.drops, this.outgoing] = await Promise.all([
      firewall?.counters().catch(() => null) ?? null,
      waitingMessages(layout).catch(() => null),
    ]);
    this.stuck();
  }

  facts(): TrustFacts {
    const { directories, trail, outputsArchive } = this.parts;
    return {
      drops: this.drops,
      children: new Map([...this.children].map(([name, facts]) => [name, facts()])),
      joboutputsWatched: directories.areWatched,
      trail: trail.facts(),
      outgoing: this.outgoing,
      archive: outputsArchive.facts(),
      forwardingStuck: this.stuck(),
    };
  }

  /** For people; one line each. */
  problems(): string[] {
    const { layout } = this.parts;
    const where = { trail: layout.trail(), outgoing: layout.apelOutgoing() };
    return trustProblems(this.facts(), Math.floor(Date.now() / 1000), where);
  }

  private later(): void {
    if (!this.running) return;
    const { everySeconds = EVERY_SECONDS } = this.parts;
    this.timer = setTimeout(() => void this.look().finally(() => this.later()), everySeconds * 1000);
    this.timer.unref();
  }

  /** Nothing that waits is no trouble, unless the collector is known to be away. */
  private stuck(): StuckForwarding | null {
    const facts = this.parts.syslog?.forwarding() ?? null;
    const { nowMs = () => performance.now() } = this.parts;
    const atMs = nowMs();
    const moved = facts?.deliveredLines !== this.forwarded?.lines;
    if (facts === null || moved || (facts.problem === null && facts.waitingBytes === 0)) {
      this.forwarded = facts === null ? null : { lines: facts.deliveredLines, atMs };
      return null;
    }
    const forSeconds = (atMs - (this.forwarded?.atMs ?? atMs)) / 1000;
    return { forSeconds, problem: facts.problem };
  }
}
