/**
 * Images by URL, on this host: fetched once for all machines that want them, compared with the server's before starts,
 * replaced only by what is whole and checked.
 *
 * Nothing here waits for anybody: `stateOf` tells at any moment what a machinetype's image is (the decision reads it),
 * `refresh` works on one image, once for all who ask meanwhile, and never fails but in what `stateOf` then says. While a
 * server is away the copy that is here serves.
 */

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../../errors.js';
import type { ImageState } from '../../factory/types.js';
import { type CernvmSignature, readCernvmSignature, whyNotSignedBy } from '../cernvm-signature.js';
import { syncDirectory } from '../files.js';
import { redacted } from '../http-errors.js';
import { inspectImage, isIso } from '../image-format.js';
import { inspectIso } from '../iso-image.js';
import { type Download, download } from './download.js';
import { makeRoom, removeUnused } from './room.js';
import { type Copy, type ImageFacts, ImageStore } from './store.js';
import { progressText, sizeText } from './text.js';

/** An image as a machinetype wants it. */
export interface ImageWish {
  readonly url: string;
  /** Hexadecimal; null: any. */
  readonly sha256: string | null;
  /** image_signing_dn; null: it need not be signed. */
  readonly signingDn: string | null;
}

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

/** A copy that was compared with the server's so short a time ago is as good as new: many starts make one check. */
const FRESH_MS = 60_000;
/** Of a server that has neither ETag nor Last-Modified all must be fetched to compare it. */
const FRESH_WITHOUT_VALIDATORS_MS = 3_600_000;
const FIRST_RETRY_SECONDS = 10;
/** With a copy that serves there is less haste. */
const FIRST_RETRY_WITH_COPY_SECONDS = 60;
const MAX_RETRY_SECONDS = 600;
/** What a server has in full and is not good is rarely better soon, and is fetched anew each time. */
const MAX_RETRY_OF_BAD_SECONDS = 3600;
const PROGRESS_LOG_MS = 30_000;
/** A signature is looked at again after this: its certificate may have ended. */
const SIGNATURE_MS = 3_600_000;
const MAX_PART_AGE_MS = 7 * 86_400_000;
/** To a minute is enough to tell which image was least recently used. */
const USE_NOTED_SECONDS = 60;
const MAX_IMAGE_BYTES = 16 * 2 ** 40;

interface Entry {
  facts: ImageFacts;
  busy: 'checking' | 'fetching' | null;
  bytes: number;
  totalBytes: number | null;
  checkedAtMs: number;
  failures: number;
  retryAtMs: number;
  flight: Promise<void> | null;
  /** Of the copy with this file name. */
  signature: { readonly file: string; readonly atMs: number; readonly found: CernvmSignature } | null;
}

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
    for (const entry of this.#entries.values()) {
      entry.retryAtMs = 0;
      entry.failures = 0;
    }
  }

  stateOf(wish: ImageWish): ImageState {
    const entry = this.#entry(wish.url);
    const { facts, busy } = entry;
    const nowMs = this.#nowMs();
    const retryInSeconds = Math.max(0, (entry.retryAtMs - nowMs) / 1000);
    const isBusy = busy !== null;
    if (busy === 'fetching') {
      const doing = `is being fetched: ${progressText(entry.bytes, entry.totalBytes)}`;
      return { phase: 'fetching', busy: isBusy, doing, retryInSeconds };
    }
    const isUsable = facts.copy !== null && this.#whyUnfit(entry, wish) === null;
    if (isUsable && (this.#isFresh(entry) || (retryInSeconds > 0 && !isBusy))) {
      return { phase: 'ready', busy: isBusy, doing: '', retryInSeconds: 0 };
    }
    if (!isBusy && retryInSeconds > 0) {
      const doing = `cannot be used: ${facts.trouble?.message}; next try in ${Math.ceil(retryInSeconds)} s`;
      return { phase: 'unavailable', busy: false, doing, retryInSeconds };
    }
    const [phase, doing] =
      facts.copy === null
        ? (['fetching', 'is yet to be fetched'] as const)
        : (['checking', "is being compared with the server's"] as const);
    return { phase, busy: isBusy, doing, retryInSeconds: 0 };
  }

  /** Brings the image up to date; what came of it is in `stateOf`. Never rejects. */
  async refresh(wish: ImageWish): Promise<void> {
    const entry = this.#entry(wish.url);
    if (entry.flight === null) {
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
      const unfit = copy === null ? 'it is not fetched yet' : this.#whyUnfit(entry, wish);
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

  #entry(url: string): Entry {
    const entry = this.#entries.get(url) ?? newEntry(unknown(url));
    this.#entries.set(url, entry);
    return entry;
  }

  #isFresh({ facts: { copy }, checkedAtMs }: Entry): boolean {
    const hasValidators = copy?.etag !== null || copy.lastModified !== null;
    return this.#nowMs() - checkedAtMs < (hasValidators ? FRESH_MS : FRESH_WITHOUT_VALIDATORS_MS);
  }

  /** Why the copy is not what the machinetype wants; null: it is. */
  #whyUnfit({ facts: { copy }, signature }: Entry, { sha256, signingDn }: ImageWish): string | null {
    if (sha256 !== null && copy?.sha256 !== sha256) {
      return `it has the SHA-256 ${copy?.sha256}, and not that of root_image_sha256`;
    }
    if (signingDn === null) return null;
    if (signature?.file !== copy?.file || signature === null) return 'its signature is not checked yet';
    return whyNotSignedBy(signature.found, signingDn);
  }

  async #look(entry: Entry, wish: ImageWish): Promise<void> {
    try {
      if (!this.#isFresh(entry)) await this.#askServer(entry, wish);
      await this.#readSignature(entry, wish);
      const unfit = this.#whyUnfit(entry, wish);
      if (unfit !== null)
        throw new VacError('image-unusable', `the image ${redacted(wish.url)} cannot be used: ${unfit}`);
      if (entry.facts.trouble !== null) this.parts.log.info(`the image ${redacted(wish.url)} is up to date again`);
      entry.failures = 0;
      entry.retryAtMs = 0;
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
    const { kind: _, ...known } = fetched;
    const copy: Copy = { ...known, file: this.store.newCopyName(), fetchedTimeSeconds: nowSeconds() };
    try {
      await ((await isIso(part)) ? inspectIso(part) : inspectImage(part)).catch((cause: Error) => {
        throw new VacError('image-unusable', cause.message.replace(part, redacted(url)), { cause });
      });
      const found = wish.signingDn === null ? null : await this.#signatureOf(part, url);
      const unsigned = found === null ? null : whyNotSignedBy(found, wish.signingDn!);
      if (unsigned !== null)
        throw new VacError('image-unusable', `the image ${redacted(url)} cannot be used: ${unsigned}`);
      const old = entry.facts.copy;
      await rename(part, join(this.store.entry(url), copy.file));
      await this.store.removePart(url);
      await syncDirectory(this.store.entry(url));
      const facts = { ...entry.facts, copy, checkedTimeSeconds: copy.fetchedTimeSeconds, trouble: null };
      await this.store.write(facts);
      entry.facts = facts;
      entry.signature = found === null ? null : { file: copy.file, atMs: this.#nowMs(), found };
      if (old !== null) await rm(this.store.copyPath(url, old), { force: true });
    } catch (error) {
      await this.store.removePart(url);
      await rm(join(this.store.entry(url), copy.file), { force: true });
      throw error;
    }
  }

  async #readSignature(entry: Entry, { url, signingDn }: ImageWish): Promise<void> {
    const { copy } = entry.facts;
    if (signingDn === null || copy === null) return;
    const { signature } = entry;
    if (signature?.file === copy.file && this.#nowMs() - signature.atMs < SIGNATURE_MS) return;
    entry.signature = null;
    const found = await this.#signatureOf(this.store.copyPath(url, copy), url);
    entry.signature = { file: copy.file, atMs: this.#nowMs(), found };
  }

  async #signatureOf(path: string, url: string): Promise<CernvmSignature> {
    return await readCernvmSignature(path, this.parts.caDirectory).catch((cause: Error) => {
      throw new VacError('image-unusable', cause.message.replace(path, redacted(url)), { cause });
    });
  }

  async #failed(entry: Entry, wish: ImageWish, error: Error): Promise<void> {
    const serves = entry.facts.copy !== null && this.#whyUnfit(entry, wish) === null;
    const first = serves ? FIRST_RETRY_WITH_COPY_SECONDS : FIRST_RETRY_SECONDS;
    const isBad = error instanceof VacError && error.code === 'image-unusable';
    const most = isBad ? MAX_RETRY_OF_BAD_SECONDS : MAX_RETRY_SECONDS;
    const seconds = Math.min(most, first * 2 ** Math.min(entry.failures, 10));
    entry.failures += 1;
    entry.retryAtMs = this.#nowMs() + seconds * 1000;
    const message = whyFailed(error);
    if (message !== entry.facts.trouble?.message) {
      const meanwhile = serves ? 'the copy that is here serves meanwhile' : 'no machines start from it';
      this.parts.log.warn(`${message}; ${meanwhile}, next try in ${seconds} s`);
    }
    await this.#write(entry, { trouble: { message, timeSeconds: nowSeconds() } });
  }

  /** What is only for people and for tidying is not waited for on the disk, nor worth a failure. */
  async #write(entry: Entry, change: Partial<ImageFacts>): Promise<void> {
    entry.facts = { ...entry.facts, ...change };
    await this.store.write(entry.facts, false).catch((error: Error) => {
      this.parts.log.warn(`what is known of the image ${redacted(entry.facts.url)} cannot be kept: ${error.message}`);
    });
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

function newEntry(facts: ImageFacts): Entry {
  return {
    facts,
    busy: null,
    bytes: 0,
    totalBytes: null,
    checkedAtMs: Number.NEGATIVE_INFINITY,
    failures: 0,
    retryAtMs: 0,
    flight: null,
    signature: null,
  };
}

function unknown(url: string): ImageFacts {
  return { url, copy: null, checkedTimeSeconds: null, usedTimeSeconds: null, trouble: null };
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
