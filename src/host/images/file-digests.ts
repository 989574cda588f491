/**
 * SHA-256 of images that are files of this host, for the trail: computed once for each state of a file, one after the
 * other in the background. Nobody waits for it; until it is there, it is not known.
 */

import { stat } from 'node:fs/promises';
import { hashFileAt } from '../file-hash.js';
import { readTextIfThere, writeFileAtomic } from '../files.js';

/** Files that are remembered. */
const MAX_FILES = 200;

export class FileDigests {
  #known: Map<string, string> | null = null;
  readonly #wanted = new Map<string, string>();
  #working: Promise<void> | null = null;
  #closed = false;

  /** @param path of the file in which digests are kept over restarts */
  constructor(
    private readonly path: string,
    private readonly warn: (line: string) => void = () => {},
  ) {}

  /**
   * Device, inode, time of change and size: what would be another if the file were.
   *
   * @throws when there is no such file
   */
  static async key(path: string): Promise<{ readonly key: string; readonly bytes: number }> {
    const info = await stat(path, { bigint: true });
    return { key: [info.dev, info.ino, info.mtimeNs, info.size].join(':'), bytes: Number(info.size) };
  }

  /** The digest of a file by `key`; null: it is not known yet. */
  async lookUp(key: string): Promise<string | null> {
    return (await this.#load()).get(key) ?? null;
  }

  /** Takes down a digest that somebody else has found. */
  async note(key: string, sha256: string): Promise<void> {
    const known = await this.#load();
    if (known.get(key) === sha256) return;
    known.set(key, sha256);
    const [oldest = key] = known.keys();
    if (known.size > MAX_FILES) known.delete(oldest);
    await writeFileAtomic(this.path, `${JSON.stringify([...known])}\n`, { durable: false });
  }

  /** Begins to compute it, if it is not known; returns at once. */
  want(path: string, key: string): void {
    this.#wanted.set(key, path);
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#working;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wanted.clear();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (const [key, path] of this.#wanted) {
      this.#wanted.delete(key);
      if ((await this.lookUp(key)) !== null) continue;
      try {
        const found = await hashFileAt(path, () => !this.#closed);
        // vacd ends.
        if (found === null) return;
        // Changed meanwhile: what was read is neither the one nor the other.
        if ((await FileDigests.key(path)).key === key) await this.note(key, found.sha256);
      } catch (error) {
        this.warn(`the SHA-256 of ${path} is not known to the trail: ${(error as Error).message}`);
      }
    }
  }

  async #load(): Promise<Map<string, string>> {
    if (this.#known !== null) return this.#known;
    const text = await readTextIfThere(this.path).catch(() => null);
    let pairs: unknown = [];
    try {
      pairs = JSON.parse(text ?? '[]');
    } catch {
      // It is only a cache.
    }
    const isPair = (pair: unknown): pair is [string, string] =>
      Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
    this.#known ??= new Map(Array.isArray(pairs) ? pairs.filter(isPair) : []);
    return this.#known;
  }
}
