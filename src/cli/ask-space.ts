/** Asks the factories of a space by VacQuery, over the network, as one asker for one poll or for many (`vac watch`). */

import { readFile } from 'node:fs/promises';
import { resolveNames } from '../host/resolve.js';
import { isBound } from '../host/syslog.js';
import {
  openDgramTransport,
  PEER_MEMORY_OPTIONS,
  type PeerAnswer,
  PeerMemory,
  Poller,
  type PollPeer,
  type QuerySigner,
  type QueryType,
  type Status,
  type StatusOf,
  saltedCookies,
  steadyClock,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import type { SpaceFacts } from './space-facts.js';

export interface Answers<S extends Status = Status> {
  /** In the order of the factories. One that could not be asked is among them, with no answer. */
  readonly answers: readonly PeerAnswer<S>[];
  /** Why a factory could not be asked, in words that follow its name. */
  readonly problems: ReadonlyMap<string, string>;
  /** The clock of the poll now, which the answers' `receivedMs` are on. */
  readonly nowMs: number;
}

export interface AskerOptions extends Pick<SpaceFacts, 'space' | 'ownFactory' | 'ownPort' | 'timeoutSeconds'> {
  /** FQDNs. */
  readonly factories: readonly string[];
  /** Those of them that are waited for only a short while. */
  readonly silent?: ReadonlySet<string>;
  /** Signs the questions and checks the answers; null: neither is signed. */
  readonly signer?: QuerySigner | null;
  /** Called with each factory that has answered in full. */
  readonly onAnswer?: (factory: string) => void;
  /** Where factories listen, but for this host's own; for tests. */
  readonly port?: number;
  readonly resolve?: typeof resolveNames;
}

/** Names get this part of the time at most: one that hangs must leave some to ask the others in. */
const NAMES_PART = 0.3;

export class SpaceAsker {
  readonly #options: AskerOptions;
  readonly #poller: Poller;
  /** The dead are asked once in each poll: one that comes back is seen in the next picture. */
  readonly #memory = new PeerMemory({ ...PEER_MEMORY_OPTIONS, probeIntervalMs: 0 });
  /** Kept from one poll to the next. */
  readonly #addresses = new Map<string, readonly string[]>();

  private constructor(options: AskerOptions, poller: Poller) {
    this.#options = options;
    this.#poller = poller;
    // Lame, not dead: such a factory may have come back a moment ago, and is waited for a tenth of the time.
    for (const factory of options.silent ?? []) {
      for (let poll = 0; poll < this.#memory.options.partialPollsUntilLame; poll += 1) {
        this.#memory.answered(factory, false);
      }
    }
  }

  /** @throws VacError `address-missing` on a host without any network */
  static async open(options: AskerOptions): Promise<SpaceAsker> {
    return new SpaceAsker(options, new Poller(await openDgramTransport({ port: 0 }), steadyClock));
  }

  /** Resolves when all that live have answered, and after `timeoutSeconds` at the latest. */
  async ask<Q extends QueryType>(query: Q): Promise<Answers<StatusOf<Q>>> {
    const { space, timeoutSeconds, signer, onAnswer } = this.#options;
    const deadlineMs = steadyClock.nowMs() + timeoutSeconds * 1000;
    const { peers, problems } = await this.#peers(timeoutSeconds * 1000 * NAMES_PART);
    const answers = await this.#poller.poll({
      query,
      space,
      vacVersion: `Vac ${VERSION} vac`,
      peers,
      cookieOf: saltedCookies(),
      timeoutMs: Math.max(1, deadlineMs - steadyClock.nowMs()),
      rng: Math.random,
      memory: this.#memory,
      ...(signer == null ? {} : { signer }),
      onComplete: ({ factory }) => onAnswer?.(factory),
    });
    return { answers, problems, nowMs: steadyClock.nowMs() };
  }

  async close(): Promise<void> {
    await this.#poller.close();
  }

  /** Every factory as a peer, without an address where there is none to ask. */
  async #peers(timeoutMs: number): Promise<{ peers: PollPeer[]; problems: Map<string, string> }> {
    const { factories, ownFactory, ownPort, port = VACQUERY_PORT, resolve = resolveNames } = this.#options;
    const unknown = factories.filter((factory) => factory !== ownFactory && !this.#addresses.has(factory));
    const resolved = await resolve(unknown, timeoutMs);
    for (const [factory, addresses] of resolved.addresses) this.#addresses.set(factory, addresses);
    const problems = new Map(resolved.problems);
    const peers = await Promise.all(
      factories.map(async (factory): Promise<PollPeer> => {
        if (factory !== ownFactory) return { factory, addresses: this.#addresses.get(factory) ?? [], port };
        const problem = await ownProblem(ownPort);
        if (problem !== null) problems.set(factory, problem);
        return { factory, addresses: problem === null ? [LOOPBACK] : [], port: ownPort ?? port };
      }),
    );
    return { peers, problems };
  }
}

/** The factory on this host answers here, whatever its name resolves to. */
const LOOPBACK = '127.0.0.1';

/** Why the factory on this host cannot answer: known at once, without waiting for it. */
async function ownProblem(ownPort: number | null): Promise<string | null> {
  if (ownPort === null) return 'the vacd here does not answer VacQuery now; its log says why';
  const sockets = await readFile('/proc/net/udp', 'utf8').catch(() => null);
  if (sockets === null || isBound(sockets, LOOPBACK, ownPort)) return null;
  return 'this host: no vacd runs here; systemctl status vacd';
}

/** Asks once. */
export async function askSpace<Q extends QueryType>(query: Q, options: AskerOptions): Promise<Answers<StatusOf<Q>>> {
  const asker = await SpaceAsker.open(options);
  try {
    return await asker.ask(query);
  } finally {
    await asker.close();
  }
}
