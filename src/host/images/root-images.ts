/**
 * Root images as machines' makers see them, whether they come by URL or are files of this host: checked as their
 * machinetype asks, and theirs for as long as the machine lives.
 */

import { stat } from 'node:fs/promises';
import { VacError } from '../../errors.js';
import type { ImageState } from '../../factory/types.js';
import { readCernvmSignature, whyNotSignedBy } from '../cernvm-signature.js';
import { hashFileAt } from '../file-hash.js';
import { ImageCache, type ImageCacheParts } from './cache.js';
import { FileDigests } from './file-digests.js';
import { imageFile, imageWish, type RootImage } from './source.js';

/** What an image is known by, for the trail. */
export interface ImageTraits {
  /** URL as it was asked for, or path. */
  readonly source: string;
  /** Null: not known (yet); of a large file it is computed in the background. */
  readonly sha256: string | null;
  readonly bytes: number | null;
  /** Globus form; null: its signature was not asked for. */
  readonly signer: string | null;
  /** When it was fetched, and when the server last said that it is its newest; null for files of this host. */
  readonly fetchedTimeSeconds: number | null;
  readonly checkedTimeSeconds: number | null;
  /** Of a file of this host: device:inode:mtime:size, by which its digest is looked up; null for URLs. */
  readonly fileKey: string | null;
}

interface Fitness {
  /** Why it must not be used; null: it may. */
  readonly problem: string | null;
  readonly signer: string | null;
}

export class RootImages {
  readonly cache: ImageCache;
  /** Files that were looked at, by all that would change what was found; a large one takes a while to read. */
  readonly #checked = new Map<string, Promise<Fitness>>();

  constructor(readonly parts: ImageCacheParts) {
    this.cache = new ImageCache(parts);
  }

  /** By machinetype, of those whose image is a URL. */
  states(types: readonly (RootImage & { readonly name: string })[]): ReadonlyMap<string, ImageState> {
    const states = new Map<string, ImageState>();
    for (const type of types) {
      const wish = imageWish(type);
      if (wish !== null) states.set(type.name, this.cache.stateOf(wish));
    }
    return states;
  }

  retryNow(): void {
    this.cache.retryNow();
  }

  /** Compares with the server's, and fetches what is newer. Never rejects. */
  async refresh(type: RootImage): Promise<void> {
    const wish = imageWish(type);
    if (wish !== null) await this.cache.refresh(wish);
  }

  /** Where the image of a machine is, once `take` was called for it. */
  pathFor(type: RootImage, filesDirectory: string, machineId: string): string {
    return imageWish(type) === null ? imageFile(type, filesDirectory) : this.cache.store.inUse(machineId);
  }

  /**
   * Makes an image a machine's: one by URL stays as it is for it, whatever the server has next.
   *
   * @throws VacError `image-missing`, `image-unusable` when it has not the SHA-256 or the signature that it should have
   */
  async take(type: RootImage, filesDirectory: string, machineId: string): Promise<void> {
    const wish = imageWish(type);
    if (wish !== null) await this.cache.take(wish, machineId);
    else await this.#checkFile(imageFile(type, filesDirectory), type);
  }

  /** What is known of the image that a machine has taken. Never waits for a digest; null: it is gone. */
  async traits(type: RootImage, filesDirectory: string, machineId: string): Promise<ImageTraits | null> {
    const wish = imageWish(type);
    if (wish !== null) return this.cache.traits(wish, machineId);
    const path = imageFile(type, filesDirectory);
    const file = await FileDigests.key(path).catch(() => null);
    if (file === null) return null;
    const signer = type.imageSigningDn === null ? null : (await this.#fitness(path, type)).signer;
    return {
      source: path,
      // It was compared when it was taken.
      sha256: type.rootImageSha256,
      bytes: file.bytes,
      signer,
      fetchedTimeSeconds: null,
      checkedTimeSeconds: null,
      fileKey: file.key,
    };
  }

  /** What a machine held is the cache's alone again. */
  async release(machineId: string): Promise<void> {
    await this.cache.store.release(machineId);
  }

  async #checkFile(path: string, type: RootImage): Promise<void> {
    if (type.rootImageSha256 === null && type.imageSigningDn === null) return;
    const { problem } = await this.#fitness(path, type);
    if (problem !== null) throw new VacError('image-unusable', `image ${path} cannot be used: ${problem}`);
  }

  async #fitness(path: string, { rootImageSha256, imageSigningDn }: RootImage): Promise<Fitness> {
    const info = await stat(path, { bigint: true }).catch((cause: Error) => {
      throw new VacError('image-missing', `image ${path} cannot be read: ${cause.message}`, { cause });
    });
    // By the hour: a certificate may end.
    const hour = Math.floor(Date.now() / 3_600_000);
    const key = [path, info.dev, info.ino, info.size, info.mtimeNs, hour, rootImageSha256, imageSigningDn].join('\0');
    let fitness = this.#checked.get(key);
    if (fitness === undefined) {
      this.#checked.clear();
      fitness = look(path, rootImageSha256, imageSigningDn, this.parts.caDirectory);
      this.#checked.set(key, fitness);
      fitness.catch(() => this.#checked.delete(key));
    }
    return fitness;
  }
}

async function look(
  path: string,
  sha256: string | null,
  signingDn: string | null,
  caDirectory: string | undefined,
): Promise<Fitness> {
  if (sha256 !== null) {
    const { sha256: found } = (await hashFileAt(path))!;
    if (found !== sha256) {
      return { problem: `it has the SHA-256 ${found}, and not that of root_image_sha256`, signer: null };
    }
  }
  if (signingDn === null) return { problem: null, signer: null };
  const signature = await readCernvmSignature(path, caDirectory);
  return { problem: whyNotSignedBy(signature, signingDn), signer: signature.dn };
}
