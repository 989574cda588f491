/**
 * What is known of one image by URL at one moment, and what follows from it: may machines start from it, is it to be
 * looked at, when is the next try. No files and no clock of its own.
 */

import type { ImageState } from '../../factory/types.js';
import { type CernvmSignature, whyNotSignedBy } from '../cernvm-signature.js';
import type { ImageFacts } from './store.js';
import { progressText } from './text.js';

/** An image as a machinetype wants it. */
export interface ImageWish {
  readonly url: string;
  /** Hexadecimal; null: any. */
  readonly sha256: string | null;
  /** image_signing_dn; null: it need not be signed. */
  readonly signingDn: string | null;
}

/** What came of the last looks for one wish: of those who want it otherwise, none is the others' fault. */
interface Tries {
  readonly failures: number;
  readonly retryAtMs: number;
  readonly message: string;
}

/** Times in ms are of a monotonic clock. */
export interface Entry {
  facts: ImageFacts;
  busy: 'checking' | 'fetching' | null;
  /** Of a download under way. */
  bytes: number;
  totalBytes: number | null;
  /** When the server last told that the copy is its newest. */
  checkedAtMs: number;
  /** Of the wishes whose last look failed, by `wishKey`. */
  readonly tries: Map<string, Tries>;
  flight: Promise<void> | null;
  /** Whose it is, by `wishKey`. */
  flightKey: string;
  /** The last writing of the facts; each waits for the one before. */
  saving: Promise<void>;
  /** Of the copy with this file name. */
  signature: { readonly file: string; readonly atMs: number; readonly found: CernvmSignature } | null;
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
/** A signature is looked at again after this: its certificate may have ended. */
const SIGNATURE_MS = 3_600_000;

/** Of one URL: vacuum pipes can think up any number, one after the other. */
const MAX_WISHES = 64;

export function newEntry(facts: ImageFacts): Entry {
  return {
    facts,
    busy: null,
    bytes: 0,
    totalBytes: null,
    checkedAtMs: Number.NEGATIVE_INFINITY,
    tries: new Map(),
    flight: null,
    flightKey: '',
    saving: Promise.resolve(),
    signature: null,
  };
}

/** Of one URL: which bytes are wanted, and of whom. */
export function wishKey({ sha256, signingDn }: ImageWish): string {
  return JSON.stringify([sha256, signingDn]);
}

export function stateOf(entry: Entry, wish: ImageWish, nowMs: number): ImageState {
  const { facts, busy } = entry;
  const tries = entry.tries.get(wishKey(wish));
  const retryInSeconds = Math.max(0, ((tries?.retryAtMs ?? 0) - nowMs) / 1000);
  const isBusy = busy !== null;
  if (busy === 'fetching') {
    const doing = `is being fetched: ${progressText(entry.bytes, entry.totalBytes)}`;
    return { phase: 'fetching', busy: true, doing, retryInSeconds };
  }
  if (isUsable(entry, wish) && (isFresh(entry, nowMs) || (retryInSeconds > 0 && !isBusy))) {
    return { phase: 'ready', busy: isBusy, doing: '', retryInSeconds: 0 };
  }
  if (!isBusy && retryInSeconds > 0) {
    const doing = `cannot be used: ${tries?.message}; next try in ${Math.ceil(retryInSeconds)} s`;
    return { phase: 'unavailable', busy: false, doing, retryInSeconds };
  }
  if (facts.copy === null) return { phase: 'fetching', busy: isBusy, doing: 'is yet to be fetched', retryInSeconds: 0 };
  return { phase: 'checking', busy: isBusy, doing: "is being compared with the server's", retryInSeconds: 0 };
}

export function isFresh({ facts: { copy }, checkedAtMs }: Entry, nowMs: number): boolean {
  const hasValidators = copy?.etag !== null || copy.lastModified !== null;
  return nowMs - checkedAtMs < (hasValidators ? FRESH_MS : FRESH_WITHOUT_VALIDATORS_MS);
}

export function isUsable(entry: Entry, wish: ImageWish): boolean {
  return entry.facts.copy !== null && whyUnfit(entry, wish) === null;
}

/** Why the copy is not what the machinetype wants; null: it is. */
export function whyUnfit({ facts: { copy }, signature }: Entry, { sha256, signingDn }: ImageWish): string | null {
  if (copy === null) return 'it is not fetched yet';
  if (sha256 !== null && copy.sha256 !== sha256) {
    return `it has the SHA-256 ${copy.sha256}, and not that of root_image_sha256`;
  }
  if (signingDn === null) return null;
  if (signature?.file !== copy.file) return 'its signature is not checked yet';
  return whyNotSignedBy(signature.found, signingDn);
}

/** Whether the copy's signature must be read (again): a bad one may be good by now, if an authority is trusted anew. */
export function isSignatureDue(
  { facts: { copy }, signature }: Entry,
  { signingDn }: ImageWish,
  nowMs: number,
): boolean {
  if (copy === null || signingDn === null) return false;
  if (signature?.file !== copy.file || nowMs - signature.atMs >= SIGNATURE_MS) return true;
  return whyNotSignedBy(signature.found, signingDn) !== null;
}

/**
 * Takes a failure down.
 *
 * @param message why
 * @param serves there is a copy that machines start from meanwhile
 * @param isBad the server has something, and it is not good
 * @returns seconds until the next try
 */
export function noteFailure(
  { tries }: Entry,
  wish: ImageWish,
  message: string,
  { serves, isBad }: { readonly serves: boolean; readonly isBad: boolean },
  nowMs: number,
): number {
  const key = wishKey(wish);
  const failures = tries.get(key)?.failures ?? 0;
  const first = serves ? FIRST_RETRY_WITH_COPY_SECONDS : FIRST_RETRY_SECONDS;
  const most = isBad ? MAX_RETRY_OF_BAD_SECONDS : MAX_RETRY_SECONDS;
  const seconds = Math.min(most, first * 2 ** Math.min(failures, 10));
  tries.delete(key);
  tries.set(key, { failures: failures + 1, retryAtMs: nowMs + seconds * 1000, message });
  const [oldest = key] = tries.keys();
  if (tries.size > MAX_WISHES) tries.delete(oldest);
  return seconds;
}
