/**
 * The vacuum pipes of a running vacd: which documents are in force, and with them which machinetypes. Documents come and
 * change beside the loop, which is only told of the result; a machinetype that is gone from its pipe starts no more
 * machines, and those that run go on to their end.
 */

import { isDeepStrictEqual } from 'node:util';
import { formatProblem } from '../config/index.js';
import type { PipeDocument } from '../config/pipe-document.js';
import { expandPipe, type PipeExpansion, withPipes } from '../config/pipe-expand.js';
import type { Config, VacuumPipeConfig } from '../config/types.js';
import { fetchBounded } from '../host/http-fetch.js';
import type { Logger } from './log.js';
import { readPipeCopy } from './pipe-copies.js';
import type { PipeFacts } from './pipe-facts.js';
import { PipeRefresh, type PipeRefreshParts } from './pipe-refresh.js';

export interface PipesParts
  extends Partial<Pick<PipeRefreshParts, 'fetch' | 'timeoutSeconds' | 'millisecondsPerSecond'>> {
  /** `pipescache/`. */
  readonly directory: string;
  readonly log: Logger;
  /** The configuration with its pipes' machinetypes became another. */
  readonly onChange: (config: Config) => void;
  /** Called with each change of the facts, too. */
  readonly onFacts: (facts: ReadonlyMap<string, PipeFacts>) => void;
}

const TIMEOUT_SECONDS = 60;
/** A pipe must not fill the log. */
const MAX_WARNINGS = 20;

export class Pipes {
  readonly #refreshes = new Map<string, PipeRefresh>();
  /** What the log was told last of each pipe. */
  readonly #told = new Map<string, string>();
  #inForce: Config;
  #began = false;
  #closed = false;

  /** @param configured as the files say, without machinetypes of pipes */
  constructor(
    private readonly parts: PipesParts,
    private configured: Config,
  ) {
    this.#inForce = configured;
  }

  /** Takes up the copies that an earlier vacd left. Never rejects. */
  async load(): Promise<Config> {
    await Promise.all(this.configured.vacuumPipes.map((pipe) => this.#open(pipe)));
    this.#inForce = this.#expand();
    return this.#inForce;
  }

  /** From here on documents are fetched. */
  begin(): void {
    this.#began = true;
    for (const refresh of this.#refreshes.values()) refresh.begin();
  }

  /** The changed configuration with what is known of its pipes; what is new to it comes later, by `onChange`. */
  reconfigure(configured: Config): Config {
    this.configured = configured;
    for (const [prefix, refresh] of this.#refreshes) {
      if (configured.vacuumPipes.some((pipe) => pipe.prefix === prefix && pipe.url === refresh.pipe.url)) continue;
      this.#refreshes.delete(prefix);
      this.#told.delete(prefix);
      void refresh.close();
    }
    for (const pipe of configured.vacuumPipes) {
      if (!this.#refreshes.has(pipe.prefix)) void this.#openLater(pipe);
    }
    this.#inForce = this.#expand();
    return this.#inForce;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#refreshes.values()].map((refresh) => refresh.close()));
  }

  async #openLater(pipe: VacuumPipeConfig): Promise<void> {
    const refresh = await this.#open(pipe);
    if (refresh === null) return;
    if (refresh.copy !== null) this.#renew();
    if (this.#began) refresh.begin();
  }

  /** Null: it is wanted no longer, or there already. */
  async #open(pipe: VacuumPipeConfig): Promise<PipeRefresh | null> {
    const { directory, log, fetch = fetchBounded } = this.parts;
    const { timeoutSeconds = TIMEOUT_SECONDS, millisecondsPerSecond = 1000 } = this.parts;
    const { copy, problem } = await readPipeCopy(directory, pipe);
    if (problem !== null) log.warn(`vacuum pipe ${pipe.prefix}: ${problem}; it is fetched anew`);
    const isWanted = this.configured.vacuumPipes.some(({ prefix, url }) => prefix === pipe.prefix && url === pipe.url);
    if (this.#closed || !isWanted || this.#refreshes.has(pipe.prefix)) return null;
    const parts: PipeRefreshParts = {
      directory,
      log,
      fetch,
      timeoutSeconds,
      millisecondsPerSecond,
      random: Math.random,
      uselessness: (_, document) => this.#uselessness(pipe.prefix, document),
      onDocument: () => this.#renew(),
      onNews: () => this.#tellFacts(withPipes(this.configured, this.#documents()).expansions),
    };
    const refresh = new PipeRefresh(pipe, parts, copy);
    this.#refreshes.set(pipe.prefix, refresh);
    return refresh;
  }

  /** A document all of whose machinetypes are refused is broken as a whole; one that has none says so on purpose. */
  #uselessness(prefix: string, document: PipeDocument): string | null {
    const pipe = this.configured.vacuumPipes.find((each) => each.prefix === prefix);
    if (pipe === undefined) return 'is wanted no longer';
    const { machinetypes, refused } = expandPipe(pipe, document, this.configured);
    const [first] = refused;
    if (machinetypes.length > 0 || first === undefined) return null;
    return `has no machinetype that can be used: ${first.entry} ${first.reason}`;
  }

  #renew(): void {
    const before = this.#inForce;
    this.#inForce = this.#expand();
    if (!isDeepStrictEqual(this.#inForce.machinetypes, before.machinetypes)) this.parts.onChange(this.#inForce);
  }

  #expand(): Config {
    const { config, expansions } = withPipes(this.configured, this.#documents());
    this.#tellFacts(expansions);
    for (const [prefix, expansion] of expansions) this.#log(prefix, expansion);
    return config;
  }

  #documents(): Map<string, PipeDocument> {
    const documents = new Map<string, PipeDocument>();
    for (const [prefix, { copy }] of this.#refreshes) if (copy !== null) documents.set(prefix, copy.document);
    return documents;
  }

  #tellFacts(expansions: ReadonlyMap<string, PipeExpansion>): void {
    const facts = this.configured.vacuumPipes.map(({ prefix }): [string, PipeFacts] => {
      const { copy = null, problem = null } = this.#refreshes.get(prefix) ?? {};
      const { machinetypes = [], refused = [] } = expansions.get(prefix) ?? {};
      const cacheSeconds = copy?.document.cacheSeconds ?? 0;
      const checkedTimeSeconds = copy?.checkedTimeSeconds ?? null;
      return [prefix, { machinetypes: machinetypes.length, refused, cacheSeconds, checkedTimeSeconds, problem }];
    });
    this.parts.onFacts(new Map(facts));
  }

  #log(prefix: string, { machinetypes, warnings }: PipeExpansion): void {
    const { log } = this.parts;
    const names = machinetypes.map(({ name }) => name).join(', ') || 'none';
    const lines = warnings.map(formatProblem);
    const told = [names, ...lines].join('\n');
    if (this.#told.get(prefix) === told) return;
    this.#told.set(prefix, told);
    log.info(`vacuum pipe ${prefix}: machinetypes ${names}`);
    for (const line of lines.slice(0, MAX_WARNINGS)) log.warn(line);
    if (lines.length > MAX_WARNINGS) {
      log.warn(`vacuum pipe ${prefix}: ${lines.length - MAX_WARNINGS} more warnings; vac check-config prints all`);
    }
  }
}
