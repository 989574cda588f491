/**
 * The trail of this factory's machines, as those who make and end them see it. What it says of a machine follows from the
 * machine's directory alone, so a step that a dying vacd began is done again by the next one, and written once.
 */

import type { MachineEnd, MachineRecord } from '../factory/types.js';
import { readTextIfThere } from '../host/files.js';
import type { FileDigests } from '../host/images/file-digests.js';
import { JOURNAL, type StateLayout } from '../machines/layout.js';
import { leftBy } from './left.js';
import { noteProvenance, type Origin, readProvenance } from './provenance.js';
import type { Provenance } from './record.js';
import type { TrailStore } from './store.js';

/** Between two looks at whether old days may go. */
const TIDY_MS = 3_600_000;

export interface TrailParts {
  readonly layout: StateLayout;
  readonly store: TrailStore;
  readonly digests: FileDigests;
  /** trail_days. */
  readonly days: () => number;
  readonly pipeUrl: (prefix: string) => string | null;
  readonly warn: (line: string) => void;
}

/** How it goes with the trail, for monitors and people. */
export interface TrailFacts {
  /** The number of the last record. */
  readonly records: number;
  /** Why it could not be written when last tried; null: it could. */
  readonly problem: string | null;
  /** That it was not as it had been left when vacd was started; null: it was. */
  readonly damage: string | null;
}

export interface EndedMachine {
  readonly record: MachineRecord;
  readonly startedTimeSeconds: number | null;
  readonly end: MachineEnd;
}

/** What `StopRequest` says of its time. */
const STOP_TIME = /"requestedTimeSeconds": *(\d{1,12})\b/;

export class Trail {
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: TrailParts) {}

  /** @param machines those that are not over, whose trail an earlier vacd may have left unfinished */
  async start(machines: readonly MachineRecord[]): Promise<void> {
    const { store, warn } = this.parts;
    const now = nowSeconds();
    await store.open(Math.min(now, ...machines.map(({ createdTimeSeconds }) => createdTimeSeconds)));
    const tidy = () =>
      store.removeOlderThan(this.parts.days()).catch((error: Error) => {
        warn(`old days of the trail cannot be removed: ${error.message}`);
      });
    await tidy();
    this.#timer = setInterval(tidy, TIDY_MS);
    this.#timer.unref();
  }

  facts(): TrailFacts {
    const { last, problem, damage } = this.parts.store;
    return { records: last.seq, problem, damage };
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.parts.digests.close();
    await this.parts.store.settled();
  }

  /** Before libvirt is asked for a machine. @throws when it cannot be written: what is not in the trail must not run */
  async created(origin: Omit<Origin, 'pipeUrl' | 'layout' | 'nowSeconds'>): Promise<void> {
    const { layout, pipeUrl, store } = this.parts;
    const { record } = origin;
    const whole = { ...origin, layout, pipeUrl, nowSeconds: nowSeconds() };
    const provenance = await noteProvenance({
      ...whole,
      image: origin.image && (await this.#withDigest(origin.image)),
    });
    const { id, uuid, createdTimeSeconds } = record;
    await store.append({ kind: 'created', timeSeconds: createdTimeSeconds, id, uuid, machine: record, provenance });
  }

  /** When nobody writes into its directory any more. */
  async ended({ record, startedTimeSeconds, end }: EndedMachine): Promise<void> {
    const { layout, store } = this.parts;
    const { id, uuid } = record;
    const stop = STOP_TIME.exec((await readTextIfThere(layout.inMachine(id, JOURNAL.stopping))) ?? '');
    await store.append({
      kind: 'ended',
      timeSeconds: end.timeSeconds,
      id,
      uuid,
      machine: record,
      provenance: await this.#provenance(id),
      startedTimeSeconds,
      stopTimeSeconds: stop === null ? null : Number(stop[1]),
      end,
      left: await leftBy(layout, record, end),
    });
  }

  /** What somebody, or vacd, did about a machine. */
  async note(
    { id, uuid }: Pick<MachineRecord, 'id' | 'uuid'>,
    what: string,
    who: string,
    text: string,
    timeSeconds = nowSeconds(),
  ): Promise<void> {
    await this.parts.store.append({ kind: 'note', timeSeconds, id, uuid, what, who, text });
  }

  /** With a digest that was not known yet when the machine was made. */
  async #provenance(id: string): Promise<Provenance | null> {
    const provenance = await readProvenance(this.parts.layout, id);
    const { image } = provenance ?? {};
    if (image?.sha256 !== null || image?.fileKey === null || image === undefined) return provenance;
    return { ...provenance!, image: { ...image, sha256: await this.parts.digests.lookUp(image.fileKey!) } };
  }

  async #withDigest(image: NonNullable<Origin['image']>): Promise<NonNullable<Origin['image']>> {
    const { digests } = this.parts;
    if (image.fileKey === null) return image;
    if (image.sha256 !== null) {
      await digests.note(image.fileKey, image.sha256);
      return image;
    }
    const sha256 = await digests.lookUp(image.fileKey);
    if (sha256 === null) digests.want(image.source, image.fileKey);
    return { ...image, sha256 };
  }
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
