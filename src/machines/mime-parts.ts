/**
 * Adds a part to user_data of any kind that cloud-init knows (cloudinit/user_data.py): a script, a cloud-config, a list of
 * URLs, a MIME multipart, or any of these packed by gzip. What was there stays as it is, byte for byte, as a part of its own.
 */

import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { VacError } from '../errors.js';

export interface MimePart {
  /** As cloud-init knows it. */
  readonly contentType: string;
  /** Plain: letters, digits, `.`, `-`, `_`. */
  readonly filename: string;
  readonly content: Buffer;
}

/** First words of user_data that is no multipart, the longer before what they begin with. */
const KINDS: readonly (readonly [start: string, contentType: string])[] = [
  ['#!', 'text/x-shellscript'],
  ['#cloud-config-archive', 'text/cloud-config-archive'],
  ['#cloud-config-jsonp', 'text/cloud-config-jsonp'],
  ['#cloud-config', 'text/cloud-config'],
  ['#cloud-boothook', 'text/cloud-boothook'],
  ['#include-once', 'text/x-include-once-url'],
  ['#include', 'text/x-include-url'],
  ['#part-handler', 'text/part-handler'],
  ['## template: jinja', 'text/jinja2'],
];
/** Of everything else: cloud-init looks into such a part and passes over what it does not know. */
const OTHER_KIND = 'text/plain';

/** What gzip may grow to: a few hundred bytes can hold gigabytes. */
export const MAX_UNPACKED_BYTES = 16 * 2 ** 20;

/** Within so many bytes cloud-init expects MIME-Version, or it takes a multipart for something else. */
const HEADER_BYTES = 4096;

/**
 * The new part comes first.
 *
 * @param userData null or empty: the part is all there is
 * @throws VacError `user-data-unusable` when it is a multipart without boundary, or gzip that cannot be unpacked
 */
export function addMimePart(userData: Buffer | null, part: MimePart): Buffer {
  if (userData === null || userData.length === 0) return multipart([part]);
  if (isGzip(userData)) return packed(addMimePart(unpacked(userData), part));
  if (isMultipart(userData)) return insertFirst(userData, part);
  return multipart([part, { contentType: kindOf(userData), filename: 'user_data', content: userData }]);
}

/** Whether it is packed, and so has no patterns to fill in. */
export function isGzip(userData: Buffer): boolean {
  return userData[0] === 0x1f && userData[1] === 0x8b;
}

function kindOf(userData: Buffer): string {
  const start = userData.subarray(0, 64).toString('latin1').trimStart().toLowerCase();
  return KINDS.find(([words]) => start.startsWith(words))?.[1] ?? OTHER_KIND;
}

function multipart(parts: readonly MimePart[]): Buffer {
  const bodies = parts.map(partText);
  // The same parts give the same boundary, and no part can hold it: base64 has no `=` before its end.
  const digest = createHash('sha256').update(bodies.join()).digest('hex').slice(0, 32);
  const boundary = `=vac=${digest}`;
  return Buffer.from(
    [
      `Content-Type: multipart/mixed; boundary="${boundary}"`,
      'MIME-Version: 1.0',
      '',
      ...bodies.flatMap((body) => [`--${boundary}`, body]),
      `--${boundary}--`,
      '',
    ].join('\n'),
  );
}

/** In base64, which carries any bytes through readers that know of lines only. */
function partText({ contentType, filename, content }: MimePart): string {
  const charset = contentType.startsWith('text/') ? '; charset="utf-8"' : '';
  return [
    `Content-Type: ${contentType}${charset}`,
    'MIME-Version: 1.0',
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment; filename="${filename}"`,
    '',
    content.toString('base64').replace(/.{76}/g, '$&\n').trimEnd(),
  ].join('\n');
}

/** Header lines to the first empty one, of which one says multipart. */
const MULTIPART_HEADER = /^(?:[A-Za-z][A-Za-z0-9-]*:.*\r?\n(?:[ \t].*\r?\n)*)+\r?\n/;

function headerOf(userData: Buffer): string | null {
  return MULTIPART_HEADER.exec(userData.subarray(0, HEADER_BYTES).toString('latin1'))?.[0] ?? null;
}

function isMultipart(userData: Buffer): boolean {
  return /^content-type:\s*multipart\//im.test(headerOf(userData) ?? '');
}

function insertFirst(userData: Buffer, part: MimePart): Buffer {
  const header = headerOf(userData) ?? '';
  const type = /^content-type:.*(?:\r?\n[ \t].*)*/im.exec(header)?.[0] ?? '';
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(type) ?? [];
  const boundary = quoted ?? plain;
  const text = userData.toString('latin1');
  const line = `--${boundary}`;
  const at = `\n${text}`.indexOf(`\n${line}`, header.length);
  if (boundary === undefined || at === -1) {
    throw unusable('it is a MIME multipart whose boundary is missing; correct it, or turn off what adds a part to it');
  }
  const newline = header.includes('\r\n') ? '\r\n' : '\n';
  const inserted = [line, ...partText(part).split('\n'), ''].join(newline);
  return Buffer.from(text.slice(0, at) + inserted + text.slice(at), 'latin1');
}

function unpacked(userData: Buffer): Buffer {
  try {
    return gunzipSync(userData, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        ? `more than ${MAX_UNPACKED_BYTES} bytes`
        : (cause as Error).message;
    throw unusable(`it is gzip that cannot be unpacked (${why}), and so no part can be added to it`, cause);
  }
}

function packed(userData: Buffer): Buffer {
  return gzipSync(userData, { level: 9 });
}

function unusable(why: string, cause?: unknown): VacError {
  return new VacError('user-data-unusable', `user_data cannot be used: ${why}`, { cause });
}
