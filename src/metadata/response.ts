/** Requests and answers of the metadata service as plain data, so that routing needs no socket. */

import type { Readable } from 'node:stream';

export interface MetadataRequest {
  readonly method: string;
  /** As it stands in the request line: path and query, percent-encoded. */
  readonly target: string;
  readonly clientIp: string;
  /** How much the body will be, as the client says; null: it does not say. */
  readonly announcedBytes: number | null;
  /** Only begun to be read when it is wanted. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface MetadataResponse {
  readonly status: number;
  readonly contentType: string;
  /** A stream must be read or destroyed. */
  readonly body: string | Buffer | Readable;
}

export function text(body: string | Buffer | Readable, status = 200): MetadataResponse {
  return { status, contentType: 'text/plain', body };
}

/** Names one a line, without a newline at the end, as EC2 does it: readers that split at newlines get no empty name. */
export function listing(names: readonly string[]): MetadataResponse {
  return text(names.join('\n'));
}

export function json(value: unknown): MetadataResponse {
  return { status: 200, contentType: 'application/json', body: JSON.stringify(value) };
}

/** A file's content; null is no such file. */
export function file(content: Buffer | Readable | null): MetadataResponse {
  return content === null ? NOT_FOUND : text(content);
}

export const NOT_FOUND = text('not found\n', 404);
