/**
 * One look at an image's server: it has nothing newer, or what it has is brought here, into a file beside. What broke off
 * is resumed when the server still has the same (Range, If-Range); what came is checked against its length, the server's
 * checksums and the configuration's.
 */

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, truncate } from 'node:fs/promises';
import { STATUS_CODES } from 'node:http';
import { VacError } from '../../errors.js';
import { redacted } from '../http-errors.js';
import { type HttpStream, openHttp } from '../http-fetch.js';
import { type ServerDigest, serverDigest } from './digest.js';
import type { Copy, ImageStore, Part } from './store.js';

export interface DownloadRequest {
  readonly store: ImageStore;
  readonly url: string;
  /** What the copy that is here is known by; null: there is none. */
  readonly known: Pick<Copy, 'etag' | 'lastModified' | 'bytes'> | null;
  /** That it must have (hexadecimal); null: any. */
  readonly sha256: string | null;
  readonly maxBytes: number;
  readonly caDirectory?: string;
  readonly signal: AbortSignal;
  /** Called with what is still to come, once it is known that something comes. @throws VacError to refuse it */
  readonly makeRoom: (bytes: number) => Promise<void>;
  readonly onProgress: (bytes: number, totalBytes: number | null) => void;
}

export type Download =
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'fetched';
      /** In `part` of the URL's directory. */
      readonly bytes: number;
      readonly sha256: string;
      readonly etag: string | null;
      readonly lastModified: string | null;
      readonly checkedBy: string;
    };

/** The server must begin to answer within this, or the copy that is here has to do. */
const ANSWER_SECONDS = 10;
const MIN_BYTES_PER_SECOND = 10_000;
/** However large it is and however slow the line. */
const TIMEOUT_SECONDS = 24 * 3600;

/**
 * @throws VacError `fetch-failed` when the server is away or refuses, `image-unusable` when what it sends is not what it, or
 *   the configuration, says; other errors of files, such as ENOSPC
 */
export async function download(request: DownloadRequest): Promise<Download> {
  const { store, url } = request;
  const begun = await store.readPart(url);
  const part = begun !== null && resumeAt(begun) > 0 ? begun : null;
  try {
    const answer = await ask(request, part);
    if (request.known !== null && isUnchanged(answer, request.known)) {
      answer.close();
      await store.removePart(url);
      return { kind: 'unchanged' };
    }
    if (part !== null && !continues(answer, part)) {
      // Something else by now, or nothing is missing: begun anew, once.
      if (answer.status !== 200) {
        answer.close();
        await store.removePart(url);
        return await receive(request, await ask(request, null), 0);
      }
      return await receive(request, answer, 0);
    }
    return await receive(request, answer, part === null ? 0 : resumeAt(part));
  } catch (error) {
    // What failed on the way is resumed next time; what is wrong in itself, or does not fit here, must not stay.
    const resumable = error instanceof VacError ? error.code === 'fetch-failed' : request.signal.aborted;
    if (!resumable || (await store.readPart(url)) === null) await store.removePart(url);
    throw error;
  }
}

async function ask({ url, known, ...request }: DownloadRequest, part: PartOnDisk | null): Promise<HttpStream> {
  const headers: Record<string, string> = {};
  if (known?.etag) headers['if-none-match'] = known.etag;
  if (known?.lastModified) headers['if-modified-since'] = known.lastModified;
  if (part !== null) {
    headers.range = `bytes=${resumeAt(part)}-`;
    headers['if-range'] = part.etag ?? part.lastModified ?? '';
  }
  return await openHttp(url, {
    timeoutSeconds: TIMEOUT_SECONDS,
    answerSeconds: ANSWER_SECONDS,
    minBytesPerSecond: MIN_BYTES_PER_SECOND,
    maxBytes: request.maxBytes,
    headers,
    signal: request.signal,
    ...(request.caDirectory === undefined ? {} : { caDirectory: request.caDirectory }),
  });
}

/** There are servers that send it all again, whatever is asked. */
function isUnchanged({ status, headers }: HttpStream, known: NonNullable<DownloadRequest['known']>): boolean {
  if (status !== 200) return status === 304;
  if (known.etag !== null) return headers.get('etag') === known.etag;
  const isSameTime = known.lastModified !== null && headers.get('last-modified') === known.lastModified;
  return isSameTime && headers.get('content-length') === String(known.bytes);
}

type PartOnDisk = Part & { readonly bytes: number };

/** One byte at least is asked for: a request for none is an error. */
function resumeAt({ bytes, totalBytes }: PartOnDisk): number {
  return Math.max(0, Math.min(bytes, (totalBytes ?? Number.POSITIVE_INFINITY) - 1));
}

/** Whether the answer is the rest of the part. */
function continues(answer: HttpStream, part: PartOnDisk): boolean {
  if (answer.status !== 206) return false;
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '') ?? [];
  if (Number(from) !== resumeAt(part)) return false;
  if (part.totalBytes !== null && total !== '*' && Number(total) !== part.totalBytes) return false;
  const etag = answer.headers.get('etag') ?? null;
  return part.etag === null || etag === null || etag === part.etag;
}

/** Writes what comes from `offset` on, and checks the whole. */
async function receive(request: DownloadRequest, answer: HttpStream, offset: number): Promise<Download> {
  const { store, url, signal } = request;
  let file: FileHandle | null = null;
  try {
    refuseWhatIsNoImage(answer, url, offset);
    const length = answer.headers.get('content-length');
    const totalBytes = length === undefined ? null : offset + Number(length);
    const digest = serverDigest(answer.headers, offset === 0);
    if (totalBytes === null && !isFramed(answer) && digest === null && request.sha256 === null) {
      throw unusable(url, 'the server does not say how long it is; give its root_image_sha256');
    }
    await request.makeRoom(totalBytes === null ? 0 : totalBytes - offset);
    const etag = answer.headers.get('etag') ?? null;
    const lastModified = answer.headers.get('last-modified') ?? null;
    // A weak ETag may be that of other bytes too (RFC 9110 8.8.1).
    const strong = etag?.startsWith('W/') ? null : etag;
    if (offset === 0) {
      file = await store.openPart(url);
      if (strong !== null || lastModified !== null) {
        await store.writePart({ url, etag: strong, lastModified: strong === null ? lastModified : null, totalBytes });
      }
    } else {
      await truncate(store.partPath(url), offset);
      file = await open(store.partPath(url), 'r+');
    }
    const hashes = new Hashes(digest);
    if (offset > 0) await hashes.addFile(file, offset, signal);
    let bytes = offset;
    for await (const piece of answer.body) {
      await writeAll(file, piece, bytes);
      hashes.add(piece);
      bytes += piece.length;
      request.onProgress(bytes, totalBytes);
    }
    if (totalBytes !== null && bytes !== totalBytes)
      throw unusable(url, `${bytes} bytes came instead of ${totalBytes}`);
    await file.datasync();
    const { sha256, checkedBy } = hashes.check(request);
    return { kind: 'fetched', bytes, sha256, etag, lastModified, checkedBy: checkedBy ?? 'length' };
  } finally {
    answer.close();
    await file?.close();
  }
}

function refuseWhatIsNoImage({ status, headers }: HttpStream, url: string, offset: number): void {
  if (status !== (offset > 0 ? 206 : 200)) {
    const words = STATUS_CODES[status];
    throw new VacError(
      'fetch-failed',
      `${redacted(url)} cannot be fetched: the server answers ${status}${words === undefined ? '' : ` ${words}`}`,
    );
  }
  if (/^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(headers.get('content-type') ?? '')) {
    throw unusable(url, 'the server sends a web page instead of an image; is the URL right?');
  }
}

/** Its end shows: a connection that breaks off is then no end. */
function isFramed({ headers }: HttpStream): boolean {
  return headers.has('content-length') || /\bchunked\b/i.test(headers.get('transfer-encoding') ?? '');
}

async function writeAll(file: FileHandle, piece: Buffer, position: number): Promise<void> {
  for (let done = 0; done < piece.length; ) {
    done += (await file.write(piece, done, piece.length - done, position + done)).bytesWritten;
  }
}

/** Of the whole image: SHA-256, and what the server gave besides. */
class Hashes {
  readonly #sha256 = createHash('sha256');
  readonly #other: Hash | null;

  constructor(readonly digest: ServerDigest | null) {
    this.#other = digest === null || digest.algorithm === 'sha256' ? null : createHash(digest.algorithm);
  }

  add(piece: Buffer): void {
    this.#sha256.update(piece);
    this.#other?.update(piece);
  }

  async addFile(file: FileHandle, bytes: number, signal: AbortSignal): Promise<void> {
    const stream = file.createReadStream({ start: 0, end: bytes - 1, autoClose: false, signal });
    for await (const piece of stream) this.add(piece as Buffer);
  }

  /** @throws VacError `image-unusable` */
  check({ url, sha256: wanted }: DownloadRequest): { sha256: string; checkedBy: string | null } {
    const own = this.#sha256.digest();
    const sha256 = own.toString('hex');
    if (this.digest !== null) {
      const { algorithm, value, header } = this.digest;
      const found = this.#other?.digest() ?? own;
      if (!found.equals(value)) {
        throw unusable(
          url,
          `what came has another ${algorithm} (${found.toString('hex')}) than the server's ${header} says`,
        );
      }
    }
    if (wanted !== null && sha256 !== wanted) {
      throw unusable(url, `it has the SHA-256 ${sha256}, and not that of root_image_sha256`);
    }
    if (wanted !== null) return { sha256, checkedBy: 'root_image_sha256' };
    return { sha256, checkedBy: this.digest === null ? null : `${this.digest.header} ${this.digest.algorithm}` };
  }
}

function unusable(url: string, what: string): VacError {
  return new VacError('image-unusable', `the image ${redacted(url)} cannot be used: ${what}`);
}
