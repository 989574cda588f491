/**
 * The census (SPEC 9): once an hour all other factories of the space are asked for their factory_status, and the answers
 * kept for a day as `space-census/<UTC time>.json`:
 *
 *     {"wn01.example.com": {"message_type": "factory_status", …}, …}
 *
 * with the keys of the wire. Factories that did not answer have the entry that `space-catalogue.json` has for them, if
 * it has one; it is known by its lack of a `message_type`. A factory that is alone in its space takes none.
 */

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirs, writeFileAtomic } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import type { CensusAnswer } from '../space/messages.js';
import { encodeFields, joinFields } from '../vacquery/codec.js';
import type { Clock, FactoryStatus } from '../vacquery/index.js';
import { type CatalogueEntry, readCatalogue } from './catalogue.js';
import type { Logger } from './log.js';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 86_400;
/** The first one after a start comes at a time of its own in this range, so that a space never asks itself all at once. */
const FIRST_SECONDS = { min: 120, max: 720 };
/** One that could not be written is taken anew after this. */
const RETRY_SECONDS = 600;

export interface CensusParts {
  readonly layout: StateLayout;
  readonly log: Logger;
  readonly clock: Clock;
  readonly nowSeconds: () => number;
  /** Uniform in [0, 1). */
  readonly rng: () => number;
  /** Asks all other factories of the space; null: there are none. */
  readonly ask: () => Promise<readonly CensusAnswer[] | null>;
}

export class Census {
  /** Of this process; null: there was none yet. */
  last: { readonly timeSeconds: number; readonly factories: number } | null = null;
  private cancelNext = () => {};
  private underWay: Promise<void> = Promise.resolve();
  private closed = false;
  private toldCatalogueProblem: string | null = null;
  private toldProblem = false;

  constructor(private readonly parts: CensusParts) {}

  /** From now on once an hour; not again within the hour of the last one, whichever vacd took it. */
  async start(): Promise<void> {
    const { rng, nowSeconds } = this.parts;
    const lastSeconds = (await this.times()).findLast((time) => time <= nowSeconds()) ?? 0;
    const firstSeconds = FIRST_SECONDS.min + rng() * (FIRST_SECONDS.max - FIRST_SECONDS.min);
    this.takeAfter(Math.max(firstSeconds, lastSeconds + HOUR_SECONDS - nowSeconds()));
  }

  /** Resolves when no census is under way. */
  settled(): Promise<void> {
    return this.underWay;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelNext();
    await this.underWay;
  }

  private takeAfter(seconds: number): void {
    const { clock } = this.parts;
    if (this.closed) return;
    const beginMs = clock.nowMs() + seconds * 1000;
    this.cancelNext = clock.at(beginMs, () => {
      this.underWay = this.takeAndTell().then((nextSeconds) =>
        this.takeAfter(Math.max(0, nextSeconds - (clock.nowMs() - beginMs) / 1000)),
      );
    });
  }

  /** @returns after how many seconds the next is due */
  private async takeAndTell(): Promise<number> {
    const { log } = this.parts;
    try {
      await this.take();
      if (this.toldProblem) log.info('the census of the space is kept again');
      this.toldProblem = false;
      return HOUR_SECONDS;
    } catch (error) {
      const { message } = error as Error;
      if (!this.toldProblem) log.warn(`the census of the space is not kept: ${message}; tried again every 10 minutes`);
      this.toldProblem = true;
      return RETRY_SECONDS;
    }
  }

  private async take(): Promise<void> {
    const { layout, nowSeconds, ask } = this.parts;
    const timeSeconds = nowSeconds();
    const answers = await ask();
    if (this.closed) return;
    await this.removeOld();
    if (answers === null) return;
    const entries = new Map<string, string>();
    for (const [factory, entry] of await this.catalogue()) entries.set(factory, JSON.stringify(entry));
    let heard = 0;
    for (const { factory, status } of answers) {
      entries.set(factory, asOnTheWire(status));
      heard += 1;
    }
    const lines = [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([factory, entry]) => `${JSON.stringify(factory)}: ${entry}`);
    await makeDirs([layout.spaceCensus()]);
    const path = join(layout.spaceCensus(), censusName(timeSeconds));
    await writeFileAtomic(path, `{${lines.join(',\n')}}\n`, { durable: false });
    this.last = { timeSeconds, factories: heard };
  }

  private async catalogue(): Promise<ReadonlyMap<string, CatalogueEntry>> {
    const result = await readCatalogue(this.parts.layout.spaceCatalogue());
    const problem = result.ok ? null : result.problem;
    if (problem !== null && problem !== this.toldCatalogueProblem) {
      this.parts.log.warn(`${problem}; the catalogue is left out of the census until this is corrected`);
    }
    this.toldCatalogueProblem = problem;
    return result.ok ? result.entries : new Map();
  }

  /** Times of the censuses that are kept, earliest first. */
  private async times(): Promise<number[]> {
    const names = await readdir(this.parts.layout.spaceCensus()).catch(() => []);
    return names.flatMap((name) => censusTime(name) ?? []).sort((a, b) => a - b);
  }

  /** Those from a clock that was wrong, too; other files are not ours. */
  private async removeOld(): Promise<void> {
    const { layout, nowSeconds } = this.parts;
    const old = (await this.times()).filter((time) => Math.abs(nowSeconds() - time) > DAY_SECONDS);
    for (const time of old) await rm(join(layout.spaceCensus(), censusName(time)), { force: true });
  }
}

/** `20260102T030405Z.json`: in the order of time, and without characters that a shell minds. */
export function censusName(timeSeconds: number): string {
  const [date, time] = new Date(timeSeconds * 1000).toISOString().slice(0, 19).split('T');
  return `${date!.replaceAll('-', '')}T${time!.replaceAll(':', '')}Z.json`;
}

/** Unix time; null for any other name. */
export function censusTime(name: string): number | null {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.json$/.exec(name);
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second] = parts.map(Number) as [number, ...number[]];
  const time = Date.UTC(year!, month! - 1, day, hour, minute, second) / 1000;
  return censusName(time) === name ? time : null;
}

/** The status as its factory sent it, less what this version does not know. */
function asOnTheWire(status: FactoryStatus): string {
  const fields = encodeFields(status);
  if (!Array.isArray(fields)) throw new Error(`factory_status of ${status.factory} cannot be written: ${fields.field}`);
  return joinFields(fields);
}
