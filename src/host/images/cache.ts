/**
 * Images by URL, on this host: fetched once for all machines that want them, compared with the server's before starts,
 * replaced only by what is whole and checked.
 *
 * Nothing here waits for anybody: `stateOf` tells at any moment what a machinetype's image is (the decision reads it),
 * `refresh` works on one image, once for all who ask meanwhile, and never fails but in what `stateOf` then says. While a
 * server is away the copy that is here serves.
 */

import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../../errors.js';
import type { ImageState } from '../../factory/types.js';
import { type CernvmSignature, readCernvmSignature, whyNotSignedBy } from '../cernvm-signature.js';
import { syncDirectory } from '../files.js';
import { redacted } from '../http-errors.js';
import { inspectImage, isIso } from '../image-format.js';
import { inspectIso } from '../iso-image.js';
import { type Download, download } from './download.js';
import {
  type Entry,
  type ImageWish,
  isFresh,
  isSignatureDue,
  isUsable,
  newEntry,
  noteFailure,
  stateOf,
  whyUnfit,
  wishKey,
} from './entry.js';
import { makeRoom, removeUnused } from './room.js';
import { type Copy, type ImageFacts, ImageStore } from './store.js';
import { progressText, sizeText } from './text.js';

export interface ImageCacheParts {
  /** `imagecache/`. */
  readonly directory: string;
  readonly log: { info(line: string): void; warn(line: string): void };
  /** image_cache_gb in bytes, as of now; null: no limit. */
  readonly limitBytes: () => number | null;
  /** What must stay free on the disk whatever is fetched. */
  readonly reserveBytes: number;
  /** Default: /etc/grid-security/certificates. */
  readonly caDirectory?: string;
  /** Monotonic. */
  readonly nowMs?: () => number;
}

const PROGRESS_LOG_MS = 30_000;
const MAX_PART_AGE_MS = 7 * 86_400_000;
/** To a minute is enough to tell which image was least recently used. */
const USE_NOTED_SECONDS = 60;
const MAX_IMAGE_BYTES = 16 * 2 ** 40;

export class ImageCache {
  readonly store: ImageStore;
  readonly #entries = new Map<string, Entry>();
  readonly #abort = new AbortController();
  readonly #nowMs: () => number;

  constructor(readonly parts: ImageCacheParts) {
    this.store = new ImageStore(parts.directory);
    this.#nowMs = parts.nowMs ?? (() => performance.now());
  }

  /** Takes what an earlier vacd left, without what is of no use. */
  async start(livingMachines: ReadonlySet<string>): Promise<void> {
    await this.store.sweep(livingMachines, MAX_PART_AGE_MS);
    await removeUnused(this.store, nowSeconds());
    for (const facts of await this.store.readAll()) this.#entries.set(facts.url, newEntry(facts));
  }

  /** Ends what is under way; a download can be resumed by the next vacd. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('vacd ends'));
    await Promise.all([...this.#entries.values()].map(({ flight }) => flight));
  }

  /** What keeps from trying is over: a changed configuration may have put it right. */
  retryNow(): void {
    for (const { tries } of this.#entries.values()) tries.clear();
  }

  stateOf(wish: ImageWish): ImageState {
    return stateOf(this.#entry(wish.url), wish, this.#nowMs());
  }

  /** Brings the image up to date; what came of it is in `stateOf`. Never rejects. */
  async refresh(wish: ImageWish): Promise<void> {
    const entry = this.#entry(wish.url);
    const key = wishKey(wish);
    // What is refused for one wish, by its checksum or signer, may be what another one wants.
    while (entry.flight !== null && entry.flightKey !== key) await entry.flight;
    if (entry.flight === null) {
      entry.flightKey = key;
      entry.busy = 'checking';
      entry.bytes = 0;
      entry.totalBytes = null;
      entry.flight = this.#look(entry, wish).finally(() => {
        entry.flight = null;
        entry.busy = null;
      });
    }
    await entry.flight;
  }

  /**
   * Holds the image for a machine for as long as it lives, whatever becomes of the copy: as the file `store.inUse(id)`,
   * which whoever ends the machine removes.
   *
   * @throws VacError `image-missing` when there is none that fits
   */
  async take(wish: ImageWish, machineId: string): Promise<void> {
    const entry = this.#entry(wish.url);
    for (let copy = entry.facts.copy; ; copy = entry.facts.copy) {
      const unfit = whyUnfit(entry, wish);
      if (copy === null || unfit !== null) {
        throw new VacError('image-missing', `the image ${redacted(wish.url)} cannot be used: ${unfit}`);
      }
      try {
        await this.store.hold(wish.url, copy, machineId);
        break;
      } catch (error) {
        // Replaced by a newer one this very moment; if it was not, somebody has removed it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        if (entry.facts.copy === copy) entry.facts = { ...entry.facts, copy: null };
      }
    }
    const used = nowSeconds();
    if (Math.abs(used - (entry.facts.usedTimeSeconds ?? 0)) >= USE_NOTED_SECONDS) {
      await this.#write(entry, { usedTimeSeconds: used });
    }
  }

  /** What is known of the copy that a machine holds; null: it holds none. See `ImageTraits`. */
  async traits({ url, sha256 }: ImageWish, machineId: string) {
    const held = await stat(this.store.inUse(machineId)).catch(() => null);
    if (held === null) return null;
    const { facts, signature } = this.#entry(url);
    const { copy } = facts;
    const current = copy === null ? null : await stat(this.store.copyPath(url, copy)).catch(() => null);
    // Replaced by a newer one since: of the older only what its machinetype demands is known.
    const isCurrent = current?.ino === held.ino;
    return {
      source: url,
      sha256: isCurrent ? copy!.sha256 : sha256,
      bytes: held.size,
      signer: isCurrent && signature?.file === copy!.file ? signature.found.dn : null,
      fetchedTimeSeconds: isCurrent ? copy!.fetchedTimeSeconds : null,
      checkedTimeSeconds: isCurrent ? facts.checkedTimeSeconds : null,
      fileKey: null,
    };
  }

  #entry(url: string): Entry {
    const entry = this.#entries.get(url) ?? newEntry(unknown(url));
    this.#entries.set(url, entry);
    return entry;
  }

  async #look(entry: Entry, wish: ImageWish): Promise<void> {
    try {
      if (!isFresh(entry, this.#nowMs())) await this.#askServer(entry, wish);
      await this.#readSignature(entry, wish);
      const unfit = whyUnfit(entry, wish);
      if (unfit !== null) throw unusable(wish.url, unfit);
      if (entry.tries.delete(wishKey(wish))) {
        this.parts.log.info(`the image ${redacted(wish.url)} is up to date again`);
      }
      await this.#write(entry, { trouble: null, checkedTimeSeconds: nowSeconds() });
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      await this.#failed(entry, wish, error as Error);
    }
  }

  async #askServer(entry: Entry, wish: ImageWish): Promise<void> {
    const { log } = this.parts;
    const name = `the image ${redacted(wish.url)}`;
    const beganMs = this.#nowMs();
    let toldMs = beganMs;
    const result = await download({
      store: this.store,
      url: wish.url,
      known: entry.facts.copy,
      sha256: wish.sha256,
      maxBytes: this.parts.limitBytes() ?? MAX_IMAGE_BYTES,
      signal: this.#abort.signal,
      ...(this.parts.caDirectory === undefined ? {} : { caDirectory: this.parts.caDirectory }),
      makeRoom: async (bytes) => {
        entry.busy = 'fetching';
        await makeRoom(this.store, wish.url, bytes, this.#limits(), (url) => this.#isBusy(url), log);
        for (const { url } of this.#gone(await this.store.readAll())) this.#entries.delete(url);
        log.info(`fetching ${name}${bytes > 0 ? ` (${sizeText(bytes)} to come)` : ''}`);
      },
      onProgress: (bytes, totalBytes) => {
        entry.bytes = bytes;
        entry.totalBytes = totalBytes;
        if (this.#nowMs() - toldMs < PROGRESS_LOG_MS) return;
        toldMs = this.#nowMs();
        log.info(`fetching ${name}: ${progressText(bytes, totalBytes)}`);
      },
    });
    if (result.kind === 'fetched') {
      await this.#replace(entry, wish, result);
      const seconds = Math.max(0.1, (this.#nowMs() - beganMs) / 1000).toFixed(1);
      log.info(`${name} is here: ${sizeText(result.bytes)} in ${seconds} s, checked by ${result.checkedBy}`);
    }
    entry.checkedAtMs = this.#nowMs();
  }

  /** What came takes the place of what is here, if it is an image, and signed where it must be. */
  async #replace(entry: Entry, wish: ImageWish, fetched: Extract<Download, { kind: 'fetched' }>): Promise<void> {
    const { url } = wish;
    const part = this.store.partPath(url);
    const before = entry.facts;
    const { kind: _, ...known } = fetched;
    const copy: Copy = { ...known, file: this.store.newCopyName(), fetchedTimeSeconds: nowSeconds() };
    try {
      await ((await isIso(part)) ? inspectIso(part) : inspectImage(part)).catch((cause: Error) => {
        throw new VacError('image-unusable', cause.message.replace(part, redacted(url)), { cause });
      });
      const found = wish.signingDn === null ? null : await this.#signatureOf(part, url);
      const unsigned = found === null ? null : whyNotSignedBy(found, wish.signingDn!);
      if (unsigned !== null) throw unusable(url, unsigned);
      await rename(part, join(this.store.entry(url), copy.file));
      await this.store.removePart(url);
      await syncDirectory(this.store.entry(url));
      // From here on machines are made from it; should it not get its name, the old one is what stays.
      entry.facts = { ...before, copy, checkedTimeSeconds: copy.fetchedTimeSeconds, trouble: null };
      entry.signature = found === null ? null : { file: copy.file, atMs: this.#nowMs(), found };
      await this.#save(entry, true);
    } catch (error) {
      entry.facts = before;
      await this.store.removePart(url);
      await rm(join(this.store.entry(url), copy.file), { force: true });
      throw error;
    }
    if (before.copy !== null) await rm(this.store.copyPath(url, before.copy), { force: true });
  }

  async #readSignature(entry: Entry, wish: ImageWish): Promise<void> {
    const { copy } = entry.facts;
    if (copy === null || !isSignatureDue(entry, wish, this.#nowMs())) return;
    entry.signature = null;
    const found = await this.#signatureOf(this.store.copyPath(wish.url, copy), wish.url);
    entry.signature = { file: copy.file, atMs: this.#nowMs(), found };
  }

  async #signatureOf(path: string, url: string): Promise<CernvmSignature> {
    return await readCernvmSignature(path, this.parts.caDirectory).catch((cause: Error) => {
      throw new VacError('image-unusable', cause.message.replace(path, redacted(url)), { cause });
    });
  }

  async #failed(entry: Entry, wish: ImageWish, error: Error): Promise<void> {
    const serves = isUsable(entry, wish);
    const isBad = error instanceof VacError && error.code === 'image-unusable';
    const message = whyFailed(error);
    const told = entry.tries.get(wishKey(wish))?.message;
    const seconds = noteFailure(entry, wish, message, { serves, isBad }, this.#nowMs());
    if (message !== told) {
      const meanwhile = serves ? 'the copy that is here serves meanwhile' : 'no machines start from it';
      this.parts.log.warn(`${message}; ${meanwhile}, next try in ${seconds} s`);
    }
    await this.#write(entry, { trouble: { message, timeSeconds: nowSeconds() } });
  }

  /** What is only for people and for tidying is not waited for on the disk, nor worth a failure. */
  async #write(entry: Entry, change: Partial<ImageFacts>): Promise<void> {
    entry.facts = { ...entry.facts, ...change };
    await this.#save(entry, false).catch((error: Error) => {
      this.parts.log.warn(`what is known of the image ${redacted(entry.facts.url)} cannot be kept: ${error.message}`);
    });
  }

  /** One after the other, each with what holds by then: the file never goes back to what was. */
  #save(entry: Entry, durable: boolean): Promise<void> {
    const saved = entry.saving.then(() => this.store.write(entry.facts, durable));
    entry.saving = saved.catch(() => {});
    return saved;
  }

  #limits() {
    return { limitBytes: this.parts.limitBytes(), reserveBytes: this.parts.reserveBytes };
  }

  #isBusy(url: string): boolean {
    return (this.#entries.get(url)?.busy ?? null) !== null;
  }

  /** Entries whose copies were removed to make room. */
  #gone(left: readonly ImageFacts[]): ImageFacts[] {
    const kept = new Set(left.map(({ url }) => url));
    return [...this.#entries.values()]
      .filter(({ facts, busy }) => facts.copy !== null && busy === null && !kept.has(facts.url))
      .map(({ facts }) => facts);
  }
}

function whyFailed(error: Error): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return 'the disk of the state directory is full';
  return error.message;
}

function unusable(url: string, why: string): VacError {
  return new VacError('image-unusable', `the image ${redacted(url)} cannot be used: ${why}`);
}

function unknown(url: string): ImageFacts {
  return { url, copy: null, checkedTimeSeconds: null, usedTimeSeconds: null, trouble: null };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
