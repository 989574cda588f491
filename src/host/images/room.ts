/**
 * Room in the image cache: what was least recently used goes first, and never what a machine runs on. Its blocks would
 * stay anyway until that machine ends.
 */

import { stat, statfs } from 'node:fs/promises';
import { VacError } from '../../errors.js';
import { redacted } from '../http-errors.js';
import type { ImageFacts, ImageStore } from './store.js';
import { sizeText } from './text.js';

export interface RoomLimits {
  /** Of all the cache; null: none. */
  readonly limitBytes: number | null;
  /** Stays free on the disk. */
  readonly reserveBytes: number;
}

/** An image that no machine was made from for so long is removed even where there is room. */
const MAX_UNUSED_SECONDS = 30 * 86_400;

/**
 * Removes what must go for an image of this size to come.
 *
 * @param forUrl whose own older copy stays: it serves until the new one is here
 * @param isBusy whether something is being done about the image of a URL
 * @throws VacError `image-cache-full` when there is not room enough even so
 */
export async function makeRoom(
  store: ImageStore,
  forUrl: string,
  bytes: number,
  { limitBytes, reserveBytes }: RoomLimits,
  isBusy: (url: string) => boolean,
  log: { info(line: string): void },
): Promise<void> {
  const removable = (await unused(store)).filter(({ url }) => url !== forUrl && !isBusy(url));
  for (;;) {
    const tooMuch = limitBytes === null ? 0 : (await cacheBytes(store, forUrl)) + bytes - limitBytes;
    const { bavail, bsize } = await statfs(store.directory);
    const missing = bytes + reserveBytes - bavail * bsize;
    if (tooMuch <= 0 && missing <= 0) return;
    const [oldest] = removable.splice(0, 1);
    if (oldest === undefined) {
      throw new VacError(
        'image-cache-full',
        tooMuch > 0
          ? `${redacted(forUrl)} needs ${sizeText(bytes)} in the image cache, ${sizeText(tooMuch)} more than image_cache_gb leaves beside what machines use; raise it`
          : `${redacted(forUrl)} needs ${sizeText(bytes)}, and the disk of the state directory lacks ${sizeText(missing)} for it (${sizeText(reserveBytes)} stay free)`,
      );
    }
    await store.remove(oldest.url);
    log.info(`the image ${redacted(oldest.url)} is removed from the cache to make room`);
  }
}

/** Removes images that no machine was made from for a month. */
export async function removeUnused(store: ImageStore, nowSeconds: number): Promise<void> {
  for (const facts of await unused(store)) {
    if (nowSeconds - lastUse(facts) > MAX_UNUSED_SECONDS) await store.remove(facts.url);
  }
}

/** With a copy that no machine runs on, least recently used first. */
async function unused(store: ImageStore): Promise<ImageFacts[]> {
  const found: ImageFacts[] = [];
  for (const facts of await store.readAll()) {
    if (facts.copy !== null && (await store.machinesOn(facts.url, facts.copy)) === 0) found.push(facts);
  }
  return found.sort((a, b) => lastUse(a) - lastUse(b));
}

function lastUse({ usedTimeSeconds, copy }: ImageFacts): number {
  return Math.max(usedTimeSeconds ?? 0, copy?.fetchedTimeSeconds ?? 0);
}

/**
 * What the cache takes: copies, older ones that machines run on, and downloads that broke off. Not the part of the image
 * that is being fetched, which is counted by what is still to come.
 */
async function cacheBytes(store: ImageStore, forUrl: string): Promise<number> {
  const sizes = new Map<number, number>();
  const add = async (path: string) => {
    const info = await stat(path).catch(() => null);
    if (info !== null) sizes.set(info.ino, info.size);
  };
  for (const { url, copy } of await store.readAll()) {
    if (copy !== null) await add(store.copyPath(url, copy));
    if (url !== forUrl) await add(store.partPath(url));
  }
  for (const { inode, bytes } of await store.holders()) sizes.set(inode, bytes);
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
