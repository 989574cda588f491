/** What is in the image cache, read from its directory alone: with or without a vacd that runs. */

import { readdir, stat } from 'node:fs/promises';
import { VacError } from '../../errors.js';
import { redacted } from '../http-errors.js';
import { ImageStore } from './store.js';

export interface ListedImage {
  /** Without user and password. */
  readonly url: string;
  /**
   * `fresh`: the last look at the server found nothing newer. `stale`: that look failed, and the copy serves meanwhile.
   * `fetching`: bytes come in. `broken`: a download broke off; it is resumed. `missing`: it could not be fetched.
   */
  readonly state: 'fresh' | 'stale' | 'fetching' | 'broken' | 'missing';
  /** Of the copy; null: there is none yet. */
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly checkedBy: string | null;
  readonly fetchedTimeSeconds: number | null;
  readonly checkedTimeSeconds: number | null;
  readonly usedTimeSeconds: number | null;
  /** That run on this copy. */
  readonly machines: number;
  /** What has come of the next copy; null: nothing is on its way. */
  readonly part: { readonly bytes: number; readonly totalBytes: number | null } | null;
  /** Why the last look failed, and when. */
  readonly trouble: { readonly message: string; readonly timeSeconds: number } | null;
}

export interface ImageList {
  /** By URL. */
  readonly images: readonly ListedImage[];
  /** Copies that were replaced or removed, and are kept by the machines that run on them. */
  readonly older: { readonly copies: number; readonly machines: number; readonly bytes: number };
}

/** A download is taken to be under way while its file grew so short a time ago. */
const FETCHING_MS = 30_000;

/** @throws VacError `file-unusable` when there is no cache in that directory, or it may not be read */
export async function listImages(directory: string, nowMs: number): Promise<ImageList> {
  await readdir(directory).catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'no vacd has run with this state directory' : cause.message;
    throw new VacError('file-unusable', `there is no image cache ${directory}: ${why}`, { cause });
  });
  const store = new ImageStore(directory);
  const known = await store.readAll();
  const current = new Set<number>();
  const images = await Promise.all(
    known.map(async ({ url, copy, trouble, checkedTimeSeconds, usedTimeSeconds }): Promise<ListedImage> => {
      const info = copy === null ? null : await stat(store.copyPath(url, copy)).catch(() => null);
      if (info !== null) current.add(info.ino);
      const part = await stat(store.partPath(url)).catch(() => null);
      const totalBytes = (await store.readPart(url))?.totalBytes ?? null;
      const isFetching = part !== null && nowMs - part.mtimeMs < FETCHING_MS && !isOlder(part.mtimeMs, trouble);
      const state = stateOf(isFetching, part !== null, copy !== null, trouble !== null);
      return {
        url: redacted(url),
        state,
        bytes: copy?.bytes ?? null,
        sha256: copy?.sha256 ?? null,
        checkedBy: copy?.checkedBy ?? null,
        fetchedTimeSeconds: copy?.fetchedTimeSeconds ?? null,
        checkedTimeSeconds,
        usedTimeSeconds,
        machines: info === null ? 0 : info.nlink - 1,
        part: part === null ? null : { bytes: part.size, totalBytes },
        trouble,
      };
    }),
  );
  const older = (await store.holders()).filter(({ inode }) => !current.has(inode));
  const sizes = new Map(older.map(({ inode, bytes }) => [inode, bytes]));
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return {
    images: images.sort((a, b) => (a.url < b.url ? -1 : 1)),
    older: { copies: sizes.size, machines: older.length, bytes },
  };
}

/** It ended with this trouble, and did not go on since. */
function isOlder(mtimeMs: number, trouble: ListedImage['trouble']): boolean {
  return trouble !== null && Math.floor(mtimeMs / 1000) <= trouble.timeSeconds;
}

function stateOf(isFetching: boolean, hasPart: boolean, hasCopy: boolean, hasTrouble: boolean): ListedImage['state'] {
  if (isFetching) return 'fetching';
  if (hasCopy) return hasTrouble ? 'stale' : 'fresh';
  return hasPart ? 'broken' : 'missing';
}
