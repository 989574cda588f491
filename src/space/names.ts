/**
 * Addresses of the space's factories. Names are looked up in the background, two at a time: a name that takes long holds
 * up nobody who needs an address that is known, and those that only the host's own ways can find (host/resolve.ts) take no
 * more than half of the four threads that file work of this process needs as well.
 */

import { resolveHost } from '../host/resolve.js';
import type { Clock } from '../vacquery/index.js';
import type { MemberLog } from './messages.js';

const MAX_LOOKUPS = 2;
/** Names are looked up again after this. */
const FRESH_MS = 300_000;
/** Those that could not be, after 1, 2, 4 … 30 s. */
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export type Resolve = (name: string) => Promise<readonly string[]>;

export interface NamesParts {
  readonly clock: Clock;
  readonly log: MemberLog;
  /** IP addresses of a host, the one to ask first in front; rejects when it has none. */
  readonly resolve?: Resolve | undefined;
  /** Called when a lookup has ended in something new: addresses, or none. */
  readonly onChange: () => void;
}

interface Name {
  addresses: readonly string[];
  problem: string | null;
  failures: number;
  dueMs: number;
  isLookedUp: boolean;
}

export class Names {
  private names = new Map<string, Name>();
  /** By address; two names may have one. */
  private owners = new Map<string, string[]>();
  private lookups = 0;
  private cancelNext = () => {};
  private closed = false;

  constructor(private readonly parts: NamesParts) {}

  /** Whose addresses are wanted; all others are forgotten, new ones looked up. */
  set(factories: readonly string[]): void {
    const dueMs = this.parts.clock.nowMs();
    this.names = new Map(
      factories.map((factory) => [
        factory,
        this.names.get(factory) ?? { addresses: [], problem: null, failures: 0, dueMs, isLookedUp: false },
      ]),
    );
    this.indexOwners();
    this.lookUpDue();
  }

  /** Empty: not known, or not known yet. */
  addressesOf(factory: string): readonly string[] {
    return this.names.get(factory)?.addresses ?? [];
  }

  /** What went wrong with the last lookup; null: nothing, or it has not ended yet. */
  problemOf(factory: string): string | null {
    return this.names.get(factory)?.problem ?? null;
  }

  /** The factories that have this address. */
  ownersOf(address: string): readonly string[] {
    return this.owners.get(address) ?? [];
  }

  close(): void {
    this.closed = true;
    this.cancelNext();
  }

  private lookUpDue(): void {
    this.cancelNext();
    const { clock } = this.parts;
    const waiting = [...this.names]
      .filter(([, { isLookedUp }]) => !isLookedUp)
      .sort(([, a], [, b]) => a.dueMs - b.dueMs);
    for (const [factory, name] of waiting) {
      if (this.lookups >= MAX_LOOKUPS) return;
      if (name.dueMs > clock.nowMs()) {
        this.cancelNext = clock.at(name.dueMs, () => this.lookUpDue());
        return;
      }
      void this.lookUp(factory, name);
    }
  }

  private async lookUp(factory: string, name: Name): Promise<void> {
    const { resolve = resolveHost } = this.parts;
    name.isLookedUp = true;
    this.lookups += 1;
    let found: readonly string[] | Error;
    try {
      found = await resolve(factory);
    } catch (error) {
      found = error as Error;
    }
    name.isLookedUp = false;
    this.lookups -= 1;
    if (this.closed) return;
    if (this.names.get(factory) === name) this.take(factory, name, found);
    this.lookUpDue();
  }

  private take(factory: string, name: Name, found: readonly string[] | Error): void {
    const { clock, log, onChange } = this.parts;
    if (found instanceof Error) {
      name.dueMs = clock.nowMs() + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(name.failures, 10));
      name.failures += 1;
      if (name.problem === found.message) return;
      name.problem = found.message;
      const instead = name.addresses.length === 0 ? 'is not asked' : `is asked at ${name.addresses[0]}, as last known`;
      log.warn(`factory ${factory} ${instead}: its name does not resolve (${found.message})`);
    } else {
      name.dueMs = clock.nowMs() + FRESH_MS;
      name.failures = 0;
      if (name.problem === null && sameItems(name.addresses, found)) return;
      if (name.problem !== null) log.info(`factory ${factory}: its name resolves again (${found.join(' ')})`);
      name.problem = null;
      name.addresses = found;
      this.indexOwners();
    }
    onChange();
  }

  private indexOwners(): void {
    this.owners = new Map();
    for (const [factory, { addresses }] of this.names) {
      for (const address of addresses) this.owners.set(address, [...this.ownersOf(address), factory]);
    }
  }
}

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
