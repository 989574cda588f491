/**
 * Keeps the copy of one vacuum pipe's document up to date, beside everything else: what its server does, or does not do,
 * holds up nothing. The copy in force changes only for a document that can be used.
 */

import { PIPE_LIMITS, type PipeDocument, parsePipeDocument } from '../config/pipe-document.js';
import type { VacuumPipeConfig } from '../config/types.js';
import type { fetchBounded, HttpAnswer } from '../host/http-fetch.js';
import type { Logger } from './log.js';
import { type PipeCopy, writePipeCopy } from './pipe-copies.js';

export interface PipeRefreshParts {
  readonly directory: string;
  readonly log: Logger;
  readonly fetch: typeof fetchBounded;
  /** Why a document that is one is of no use here, as "document …"; null: it can be used. */
  readonly uselessness: (pipe: VacuumPipeConfig, document: PipeDocument) => string | null;
  /** Another document is in force. */
  readonly onDocument: () => void;
  /** Something else than the document changed. */
  readonly onNews: () => void;
  readonly timeoutSeconds: number;
  /** Of a second of waiting between two attempts; tests have less time. */
  readonly millisecondsPerSecond: number;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Many factories that were started together are not to ask together for ever. */
const JITTER = 0.1;
const RETRY_SECONDS = 60;
const MAX_RETRY_SECONDS = 1800;
const MAX_REDIRECTS = 3;
/** What of a server's answer is given back to it with the next question. */
const VALIDATOR = /^[ -~]{1,256}$/;

export class PipeRefresh {
  problem: { readonly sinceSeconds: number; readonly message: string } | null = null;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #ending = new AbortController();
  #attempt: Promise<void> = Promise.resolve();

  constructor(
    readonly pipe: VacuumPipeConfig,
    private readonly parts: PipeRefreshParts,
    public copy: PipeCopy | null,
  ) {}

  /** Asks at once when there is no copy, or its time is over (or its time cannot be: the clock was set back). */
  begin(): void {
    const { copy } = this;
    const age = copy === null ? -1 : nowSeconds() - copy.checkedTimeSeconds;
    this.#schedule(copy === null || age < 0 ? 0 : Math.max(0, copy.document.cacheSeconds - age));
  }

  /** Ends what is under way; waits for a file that is being written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#ending.abort(new Error('vacd ends'));
    await this.#attempt;
  }

  #schedule(seconds: number): void {
    const delayed = seconds * (1 + JITTER * this.parts.random());
    this.#timer = setTimeout(() => {
      this.#attempt = this.#refresh();
    }, delayed * this.parts.millisecondsPerSecond).unref();
  }

  async #refresh(): Promise<void> {
    const { log, onNews, onDocument } = this.parts;
    const before = this.copy;
    try {
      const copy = await this.#fetch();
      if (this.#ending.signal.aborted) return;
      await writePipeCopy(this.parts.directory, this.pipe.prefix, copy).catch((error: Error) => {
        log.warn(`vacuum pipe ${this.pipe.prefix}: its copy cannot be kept for a restart of vacd: ${error.message}`);
      });
      if (this.#ending.signal.aborted) return;
      this.copy = copy;
      if (this.problem !== null) log.info(`vacuum pipe ${this.pipe.prefix}: its document can be had again`);
      this.problem = null;
      this.#failures = 0;
      if (copy.text === before?.text) onNews();
      else onDocument();
      this.#schedule(copy.document.cacheSeconds);
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      this.#failed((error as Error).message);
    }
  }

  #failed(message: string): void {
    // Once for each reason: how long it lasts is told by status and monitoring.
    if (this.problem?.message !== message) {
      const kept = this.copy === null ? 'it gives no machinetypes' : 'the last good copy stays in force';
      this.parts.log.warn(`vacuum pipe ${this.pipe.prefix}: ${message}; ${kept}`);
    }
    this.problem = { sinceSeconds: this.problem?.sinceSeconds ?? nowSeconds(), message };
    this.#schedule(Math.min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2 ** Math.min(this.#failures, 10)));
    this.#failures += 1;
    this.parts.onNews();
  }

  /** @throws an error whose message says what is wrong, and begins with the URL */
  async #fetch(): Promise<PipeCopy> {
    const { copy, pipe, parts } = this;
    const answer = await parts.fetch(pipe.url, {
      timeoutSeconds: parts.timeoutSeconds,
      maxBytes: PIPE_LIMITS.documentBytes,
      maxRedirects: MAX_REDIRECTS,
      headers: {
        accept: 'application/json',
        ...(copy?.etag == null ? {} : { 'if-none-match': copy.etag }),
        ...(copy?.lastModified == null ? {} : { 'if-modified-since': copy.lastModified }),
      },
      signal: this.#ending.signal,
    });
    const checkedTimeSeconds = nowSeconds();
    if (answer.status === 304 && copy !== null) return { ...copy, checkedTimeSeconds };
    if (answer.status !== 200) throw new Error(`${answer.url} answers ${answer.status}, not with a document`);
    const parsed = parsePipeDocument(answer.body);
    if (!parsed.ok) throw new Error(`the document of ${answer.url} ${parsed.problem}`);
    const useless = parts.uselessness(pipe, parsed.document);
    if (useless !== null) throw new Error(`the document of ${answer.url} ${useless}`);
    return {
      url: pipe.url,
      checkedTimeSeconds,
      etag: validator(answer, 'etag'),
      lastModified: validator(answer, 'last-modified'),
      text: answer.body.toString('utf8'),
      document: parsed.document,
    };
  }
}

function validator({ headers }: HttpAnswer, name: string): string | null {
  const value = headers.get(name) ?? '';
  return VALIDATOR.test(value) ? value : null;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
