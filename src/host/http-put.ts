/** Putting a file to an http(s) server that may be down, slow or hostile: WebDAV, or storage that takes PUT. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { VacError } from '../errors.js';
import { VERSION } from '../version.js';
import { redacted, refusal, whyFailed } from './http-errors.js';
import { serverLookup } from './http-exchange.js';
import { trustedBy } from './http-trust.js';

export interface PutOptions {
  readonly bytes: number;
  /** A stream of exactly so many bytes; it is read once, and destroyed when the server does not want it. */
  readonly body: Readable;
  /** Value of the Authorization header; null: none. It goes to this server alone, for redirects are not followed. */
  readonly authorization: string | null;
  /** Nothing goes in either direction for so long: it is given up. */
  readonly idleSeconds: number;
  readonly signal?: AbortSignal;
  readonly caDirectory?: string;
}

/** Of what a server says about a failure. */
const MAX_ANSWER_BYTES = 2_000;

/** @throws VacError `upload-failed`, one sentence that begins with the URL */
export async function putFile(url: string, options: PutOptions): Promise<void> {
  const { body, bytes } = options;
  let sent = 0;
  body.on('data', (part: Buffer) => {
    sent += part.length;
  });
  body.pause();
  try {
    const target = new URL(url);
    const secureContext = target.protocol === 'https:' ? await trustedBy(options.caDirectory) : undefined;
    const response = await send(target, options, secureContext);
    const status = response.statusCode ?? 0;
    const said = await firstWords(response);
    if (status < 200 || status > 299) throw refusal(`the server answered ${status}${said === '' ? '' : ` (${said})`}`);
    if (sent < bytes) throw refusal(`the server answered ${status} when it had ${sent} of ${bytes} bytes at most`);
  } catch (cause) {
    throw new VacError('upload-failed', `${redacted(url)} cannot be put: ${whyFailed(cause)}`, { cause });
  } finally {
    body.destroy();
  }
}

function send(
  target: URL,
  { bytes, body, authorization, idleSeconds, signal }: PutOptions,
  secureContext: Awaited<ReturnType<typeof trustedBy>> | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
      method: 'PUT',
      agent: false,
      lookup: serverLookup,
      timeout: idleSeconds * 1000,
      headers: {
        'content-length': bytes,
        'content-type': 'application/octet-stream',
        'user-agent': `Vac ${VERSION}`,
        ...(authorization === null ? {} : { authorization }),
      },
      ...(secureContext && { secureContext }),
      ...(signal && { signal }),
    });
    // An answer may come before all was sent: then the rest is not wanted.
    request.on('response', resolve);
    request.on('timeout', () => request.destroy(refusal(`nothing went on for ${idleSeconds} s`)));
    request.on('error', reject);
    body.on('error', (error) => request.destroy(error));
    body.pipe(request);
  });
}

async function firstWords(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const part of response) {
      text += String(part);
      if (text.length > MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status is what counts.
  }
  response.destroy();
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\s\p{C}]+/gu, ' ')
    .trim()
    .slice(0, 100);
}
