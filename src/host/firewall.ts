/**
 * Keeps the rules that contain machines (machines/network-rules.ts) in this host's kernel: made in one transaction, looked at
 * again and again, and made anew when others took them away (`nft flush ruleset`, a firewall that was restarted).
 */

import { createHash } from 'node:crypto';
import { VacError } from '../errors.js';
import {
  type ContainmentWish,
  DROP_REASONS,
  type DropReason,
  slotOfCounter,
  TABLE,
} from '../machines/containment-wish.js';
import { changingRules, FILLED_BY_PACKETS, standingRules } from '../machines/network-rules.js';
import { withoutTable } from '../machines/nft-text.js';
import { COUNTS_TABLE, SYSLOG_COUNTS } from '../machines/syslog-counts.js';
import { run } from './exec.js';
import { Serial } from './helper-daemon.js';

/** Of packets that were dropped. */
export interface DropCount {
  readonly packets: number;
  readonly bytes: number;
}

/** Since the rules were last made whole. */
export interface DropCounts {
  readonly byReason: Readonly<Record<DropReason, DropCount>>;
  /** By slot, for slots of which anything was dropped. */
  readonly bySlot: ReadonlyMap<number, DropCount>;
}

interface Applied {
  readonly standing: string;
  readonly changing: string;
  /** Slots with egress rules. */
  readonly egressSlots: readonly number[];
  /** What nft told right after. */
  readonly fingerprint: string;
}

/** nft answers in milliseconds. */
const NFT_TIMEOUT_SECONDS = 20;
const TABLES = [`bridge ${TABLE}`, `inet ${TABLE}`] as const;
const COUNTS = `inet ${COUNTS_TABLE}`;

export class Firewall {
  private applied: Applied | null = null;
  private readonly serial = new Serial();

  /** @param command nft, or what runs it in another network namespace */
  constructor(private readonly command: readonly string[] = ['nft']) {}

  /**
   * Makes the rules what they must be; without a difference from what it made last it does nothing, so that it may be
   * asked at every start. What others did to them is {@link check}'s to find.
   *
   * @throws VacError `firewall-wrong` where they cannot be made
   */
  ensure(wish: ContainmentWish): Promise<void> {
    return this.serial.run(async () => {
      const standing = standingRules(wish);
      const changing = changingRules(wish);
      const before = this.applied;
      if (before?.standing === standing && before.changing === changing) return;
      const isWhole = before?.standing !== standing;
      // Should it fail, nothing is known of what is there, and the next call makes all anew.
      this.applied = null;
      await this.nft(isWhole ? standing + changing : changingRules(wish, before.egressSlots));
      const fingerprint = fingerprintOf(await this.list('table', tablesOf(wish), ['-s']));
      this.applied = { standing, changing, egressSlots: [...wish.egress.keys()], fingerprint };
    });
  }

  /**
   * That they are there as they were made, and made for what is wanted now. After a failure the next {@link ensure} makes
   * them anew.
   *
   * @throws VacError `firewall-wrong`
   */
  check(wish: ContainmentWish): Promise<void> {
    return this.serial.run(async () => {
      const { applied } = this;
      if (applied?.standing !== standingRules(wish) || applied.changing !== changingRules(wish)) {
        throw new VacError('firewall-wrong', 'the rules that contain machines are not yet made for what is configured');
      }
      const listing = await this.list('table', tablesOf(wish), ['-s']).catch((error: Error) => {
        this.applied = null;
        throw error;
      });
      if (fingerprintOf(listing) === applied.fingerprint) return;
      this.applied = null;
      throw new VacError(
        'firewall-wrong',
        `the rules that contain machines (nft tables ${tablesOf(wish).join(', ')}) were altered by another program`,
      );
    });
  }

  /** Takes all of it away: for a host that is left, without machines. */
  remove(): Promise<void> {
    return this.serial.run(async () => {
      this.applied = null;
      await this.nft(`${[...TABLES, COUNTS].flatMap(withoutTable).join('\n')}\n`);
    });
  }

  /** What was dropped. @throws VacError `firewall-wrong` where the rules are not there */
  async counters(): Promise<DropCounts> {
    return parseCounters(await this.list('counters table', TABLES));
  }

  /** Datagrams of syslog that each address sent since the host has counted, taken or not; null while nobody counts them. */
  async syslogDatagrams(): Promise<ReadonlyMap<string, number> | null> {
    const listing = await this.nft(`list set ${COUNTS} ${SYSLOG_COUNTS}\n`).catch(() => null);
    if (listing === null) return null;
    const counts = listing.matchAll(/([\d.]+) counter packets (\d+)/g);
    return new Map([...counts].map(([, address = '', packets]) => [address, Number(packets)]));
  }

  /**
   * One table to a process: nft 1.0 finds only the last one of a script that lists several.
   *
   * @param options `-s`: without the state of counters
   */
  private async list(what: string, tables: readonly string[], options: readonly string[] = []): Promise<string> {
    return (await Promise.all(tables.map((table) => this.nft(`list ${what} ${table}\n`, options)))).join('');
  }

  private async nft(script: string, options: readonly string[] = []): Promise<string> {
    const [command = '', ...args] = this.command;
    try {
      const { stdout } = await run(command, [...args, ...options, '-f', '-'], {
        input: script,
        timeoutSeconds: NFT_TIMEOUT_SECONDS,
      });
      return stdout;
    } catch (cause) {
      throw new VacError('firewall-wrong', `${(cause as Error).message}${adviceOn(cause)}`, { cause });
    }
  }
}

/** @param text what `nft list counters` prints */
export function parseCounters(text: string): DropCounts {
  const none: DropCount = { packets: 0, bytes: 0 };
  const byReason = new Map(Object.keys(DROP_REASONS).map((reason) => [reason, none]));
  const bySlot = new Map<number, DropCount>();
  for (const [, name = '', packets, bytes] of text.matchAll(/counter (\w+) \{\s*packets (\d+) bytes (\d+)/g)) {
    const more = { packets: Number(packets), bytes: Number(bytes) };
    const slot = slotOfCounter(name);
    if (slot === null) byReason.set(name, sum(byReason.get(name) ?? none, more));
    else if (more.packets > 0) bySlot.set(slot, sum(bySlot.get(slot) ?? none, more));
  }
  return { byReason: Object.fromEntries(byReason) as Record<DropReason, DropCount>, bySlot };
}

function sum(a: DropCount, b: DropCount): DropCount {
  return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes };
}

/** Those that must be there. */
function tablesOf({ syslog }: ContainmentWish): string[] {
  return [...TABLES, ...(syslog === null ? [] : [COUNTS])];
}

/** Of a listing, without what packets put into sets. */
function fingerprintOf(listing: string): string {
  const filled = new RegExp(`\\tset (?:${FILLED_BY_PACKETS.join('|')}) \\{.*?\\n\\t\\}\\n`, 'gs');
  return createHash('sha256').update(listing.replace(filled, '')).digest('hex');
}

function adviceOn(cause: unknown): string {
  if (!(cause instanceof VacError)) return '';
  if (cause.code === 'command-missing') return '; it is in the package nftables';
  if (/not supported|not permitted/i.test(cause.message)) {
    return '; the kernel must have nf_tables for the families bridge and inet, with sets, limits and connection limits, and vacd must be root';
  }
  return '';
}
