/**
 * The image cache on disk: `imagecache/` of the state directory (SPEC 5).
 *
 *     imagecache/<SHA-256 of the URL>/image.json      what is known of the URL: its copy, and why it has no newer one
 *                                    /<random>.img    the copy, whole and checked
 *                                    /part, part.json a download under way, or one that broke off and can be resumed
 *     imagecache/in-use/<machine id>                  hard link to the copy that the machine was made from
 *
 * The links are all that keeps an older copy for the machines that run on it: a copy that is replaced is removed at once,
 * its blocks go with the last machine's link, and no crash can lose count. That a copy is in use shows in its link count.
 */

import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere, removeTemporaries, removeTree, writeFileAtomic } from '../files.js';
import { redacted } from '../http-errors.js';

/** A whole, checked image. */
export interface Copy {
  /** Its name in the URL's directory. */
  readonly file: string;
  readonly bytes: number;
  /** Hexadecimal, of the file as it came. */
  readonly sha256: string;
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly fetchedTimeSeconds: number;
  /** By what it was found whole, for people: `length`, `Repr-Digest sha256`, … */
  readonly checkedBy: string;
}

export interface Trouble {
  readonly message: string;
  readonly timeSeconds: number;
}

/** What `image.json` holds. Times are Unix seconds. */
export interface ImageFacts {
  readonly url: string;
  readonly copy: Copy | null;
  /** When the server last said that the copy is its newest. */
  readonly checkedTimeSeconds: number | null;
  /** When a machine was last made from it. */
  readonly usedTimeSeconds: number | null;
  /** Why the last check or download failed; null: it did not. */
  readonly trouble: Trouble | null;
}

/** A download that is not whole. */
export interface Part {
  readonly url: string;
  /** What must still be so for it to be resumed: at least one is known. */
  readonly etag: string | null;
  readonly lastModified: string | null;
  readonly totalBytes: number | null;
}

const FORM_VERSION = 1;
const KEY = /^[0-9a-f]{64}$/;
const COPY = /^[0-9a-f]{16}\.img$/;
const IN_USE = 'in-use';

export class ImageStore {
  constructor(readonly directory: string) {}

  /** Of a URL. No two share one, and nothing of the URL is part of a path. */
  readonly entry = (url: string): string => join(this.directory, createHash('sha256').update(url).digest('hex'));
  readonly copyPath = (url: string, copy: Copy): string => join(this.entry(url), copy.file);
  readonly partPath = (url: string): string => join(this.entry(url), 'part');
  readonly inUse = (machineId: string): string => join(this.directory, IN_USE, machineId);
  readonly newCopyName = (): string => `${randomBytes(8).toString('hex')}.img`;

  /** Null: nothing is known of it, or what is there is spoilt and of no use. */
  async read(url: string): Promise<ImageFacts | null> {
    const facts = await this.readEntry(this.entry(url));
    return facts?.url === url ? facts : null;
  }

  /** All that the cache has, in no order. */
  async readAll(): Promise<ImageFacts[]> {
    const names = await readdir(this.directory).catch(() => []);
    const all = await Promise.all(
      names.filter((name) => KEY.test(name)).map((name) => this.readEntry(join(this.directory, name))),
    );
    return all.filter((facts) => facts !== null);
  }

  async write(facts: ImageFacts, durable = true): Promise<void> {
    await mkdir(this.entry(facts.url), { recursive: true, mode: 0o755 });
    const text = `${JSON.stringify({ version: FORM_VERSION, ...facts }, null, 1)}\n`;
    await writeFileAtomic(join(this.entry(facts.url), 'image.json'), text, { durable, mode: modeFor(facts.url) });
  }

  async remove(url: string): Promise<void> {
    await removeTree(this.entry(url));
  }

  async readPart(url: string): Promise<(Part & { readonly bytes: number }) | null> {
    const part = parse<Part>(await readTextIfThere(`${this.partPath(url)}.json`));
    const info = await stat(this.partPath(url)).catch(() => null);
    if (info === null || part === null || part.url !== url) return null;
    return { ...part, bytes: info.size };
  }

  /** A file for a download that begins. */
  async openPart(url: string): Promise<FileHandle> {
    await mkdir(this.entry(url), { recursive: true, mode: 0o755 });
    await this.removePart(url);
    return await open(this.partPath(url), 'wx', 0o644);
  }

  async writePart(part: Part): Promise<void> {
    const mode = modeFor(part.url);
    await writeFileAtomic(`${this.partPath(part.url)}.json`, JSON.stringify(part), { durable: false, mode });
  }

  async removePart(url: string): Promise<void> {
    for (const path of [`${this.partPath(url)}.json`, this.partPath(url)]) await rm(path, { force: true });
  }

  /** Holds a copy for a machine, whatever becomes of the cache. @throws Error ENOENT when the copy is gone */
  async hold(url: string, copy: Copy, machineId: string): Promise<string> {
    const path = this.inUse(machineId);
    await mkdir(join(this.directory, IN_USE), { recursive: true, mode: 0o755 });
    await rm(path, { force: true });
    await link(this.copyPath(url, copy), path);
    return path;
  }

  async release(machineId: string): Promise<void> {
    await rm(this.inUse(machineId), { force: true });
  }

  /** Links of copies to machines; 0 of a copy that is gone. */
  async machinesOn(url: string, copy: Copy): Promise<number> {
    return await stat(this.copyPath(url, copy)).then(
      ({ nlink }) => nlink - 1,
      () => 0,
    );
  }

  /** Machines that hold a copy, with its inode and size. */
  async holders(): Promise<{ machineId: string; inode: number; bytes: number }[]> {
    const names = await readdir(join(this.directory, IN_USE)).catch(() => []);
    const found = await Promise.all(
      names.map(async (machineId) => {
        const info = await stat(this.inUse(machineId)).catch(() => null);
        return info === null ? [] : [{ machineId, inode: info.ino, bytes: info.size }];
      }),
    );
    return found.flat();
  }

  /**
   * Removes what a vacd that died left: links of machines that are over, copies that no image.json names, temporary
   * files. Downloads that broke off stay while they are young: they are resumed.
   */
  async sweep(livingMachines: ReadonlySet<string>, maxPartAgeMs: number): Promise<void> {
    await mkdir(join(this.directory, IN_USE), { recursive: true, mode: 0o755 });
    for (const { machineId } of await this.holders()) {
      if (!livingMachines.has(machineId)) await rm(this.inUse(machineId), { force: true });
    }
    for (const name of await readdir(this.directory)) {
      if (!KEY.test(name)) continue;
      const entry = join(this.directory, name);
      const facts = await this.readEntry(entry);
      await removeTemporaries(entry);
      for (const file of await readdir(entry)) {
        if (COPY.test(file) && file !== facts?.copy?.file) await rm(join(entry, file), { force: true });
      }
      const part = await stat(join(entry, 'part')).catch(() => null);
      if (part !== null && Date.now() - part.mtimeMs > maxPartAgeMs) {
        for (const file of ['part', 'part.json']) await rm(join(entry, file), { force: true });
      }
    }
  }

  /** A copy that the file does not name, or that has another size than it should, is none. */
  private async readEntry(entry: string): Promise<ImageFacts | null> {
    const value = parse<ImageFacts & { version: number }>(
      await readTextIfThere(join(entry, 'image.json')).catch(() => null),
    );
    if (value === null || value.version !== FORM_VERSION || typeof value.url !== 'string') return null;
    const { version: _, ...facts } = value;
    if (facts.copy === null || !COPY.test(facts.copy.file)) return { ...facts, copy: null };
    const info = await stat(join(entry, facts.copy.file)).catch(() => null);
    return info?.size === facts.copy.bytes ? facts : { ...facts, copy: null };
  }
}

/** A URL may hold a password. */
function modeFor(url: string): number {
  return redacted(url) === url ? 0o644 : 0o600;
}

function parse<T>(text: string | null): T | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
