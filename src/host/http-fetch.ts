/**
 * Getting things from http(s) servers that may be down, slow or hostile: images, user_data, vacuum pipes (SPEC 2, 6).
 *
 * Nothing that a server does can hold the caller for longer, or bring it more, than it allowed. Three rules end an
 * answer: a total time, a time in which nothing at all comes, and a least rate, against servers that drip a byte now and
 * then. Only the time in which we wait for the server counts for the last two: a slow disk of ours is not its fault.
 */

import { VERSION } from '../version.js';
import { redacted, refusal } from './http-errors.js';
import { Exchange, type HttpHead, type HttpOptions, type HttpStream } from './http-exchange.js';
import { trustedBy } from './http-trust.js';

export type { HttpOptions, HttpStream } from './http-exchange.js';

export interface HttpAnswer extends HttpHead {
  readonly body: Buffer;
}

const REDIRECTS = [301, 302, 303, 307, 308];
/** Beyond this Node's timers fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Whether `text` is the URL of something that this file can get. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/**
 * A small document, whole.
 *
 * @throws VacError `fetch-failed`, one sentence that begins with the URL
 */
export async function fetchBounded(url: string, options: HttpOptions): Promise<HttpAnswer> {
  const { body, close: _, ...head } = await openHttp(url, options);
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  return { ...head, body: Buffer.concat(parts) };
}

/**
 * An answer whose content is read piece by piece. Redirects are followed, though never from https to http: a site that
 * wrote https relies on what comes being the server's own.
 *
 * @throws VacError `fetch-failed`
 */
export async function openHttp(url: string, options: HttpOptions): Promise<HttpStream> {
  const { maxRedirects = 5, timeoutSeconds, caDirectory, signal } = options;
  const exchange = new Exchange(url, options);
  const abort = () => exchange.end(signal?.reason);
  const total = setTimeout(
    () => exchange.end(refusal(`no complete answer within ${timeoutSeconds} s`)),
    Math.min(timeoutSeconds * 1000, MAX_TIMER_MS),
  );
  exchange.onOver = () => {
    clearTimeout(total);
    signal?.removeEventListener('abort', abort);
  };
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    let target = parse(url);
    let headers: Readonly<Record<string, string>> = options.headers ?? {};
    for (let redirects = 0; ; redirects += 1) {
      const secureContext = target.protocol === 'https:' ? await trustedBy(caDirectory) : undefined;
      const response = await exchange.ask(target, {
        headers: { ...headers, 'user-agent': `Vac ${VERSION}`, 'accept-encoding': 'identity' },
        ...(secureContext && { secureContext }),
      });
      const location = response.headers.location;
      if (!REDIRECTS.includes(response.statusCode ?? 0) || location === undefined) {
        return exchange.answer(response, target);
      }
      if (redirects >= maxRedirects) throw refusal(`the server redirects more than ${maxRedirects} times`);
      response.destroy();
      const next = redirected(target, location);
      if (next.host !== target.host) headers = withoutSecrets(headers);
      target = next;
    }
  } catch (cause) {
    exchange.end(cause);
    throw exchange.failure(cause);
  }
}

function parse(url: string): URL {
  const parsed = isHttpUrl(url) ? urlOf(url) : null;
  if (parsed === null) throw refusal('this is no http(s) URL');
  return parsed;
}

function redirected(from: URL, location: string): URL {
  const to = urlOf(location, from);
  if (to === null || !isHttpUrl(to.href)) {
    throw refusal(`the server redirects to ${redacted(to?.href ?? location)}, which is no http(s) URL`);
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw refusal(`the server redirects from https to plain http (${redacted(to.href)})`);
  }
  return to;
}

function urlOf(text: string, base?: URL): URL | null {
  return URL.canParse(text, base?.href) ? new URL(text, base) : null;
}

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { authorization: _authorization, cookie: _cookie, ...others } = headers;
  return others;
}
