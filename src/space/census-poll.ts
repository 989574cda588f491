/**
 * Asks all other factories of the space for their factory_status, for the census: with a socket that is open only
 * meanwhile, and with no memory of who is dead, as it asks once an hour.
 */

import {
  addCounts,
  type Clock,
  type DatagramCounts,
  type FactoryStatus,
  type PeerAnswer,
  PeerMemory,
  Poller,
  type PollPeer,
  type QuerySigner,
  saltedCookies,
  type Transport,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import type { MemberConfig } from './messages.js';

export interface CensusPollParts {
  readonly config: () => Pick<MemberConfig, 'space' | 'udpTimeoutSeconds'>;
  /** The other factories with their addresses, as far as these are known. */
  readonly others: () => readonly PollPeer[];
  /** Null: nothing is signed. */
  readonly signer?: () => QuerySigner | null;
  readonly openTransport: () => Promise<Transport>;
  readonly clock: Clock;
}

export class CensusPoll {
  /** Of all polls so far. */
  counts: DatagramCounts = addCounts();
  private poller: Poller | null = null;
  private closed = false;

  constructor(private readonly parts: CensusPollParts) {}

  /**
   * @returns an answer for each factory that could be asked; null: there are no others, or this was closed
   * @throws where no socket is to be had
   */
  async ask(): Promise<PeerAnswer<FactoryStatus>[] | null> {
    const { config, others, signer, openTransport, clock } = this.parts;
    const peers = others();
    if (peers.length === 0 || this.closed) return null;
    const { space, udpTimeoutSeconds } = config();
    const poller = new Poller(await openTransport(), clock);
    this.poller = poller;
    try {
      if (this.closed) return null;
      return await poller.poll({
        query: 'factory_query',
        space,
        vacVersion: `Vac ${VERSION} vacd`,
        peers: peers.filter(({ addresses }) => addresses.length > 0),
        cookieOf: saltedCookies(),
        timeoutMs: udpTimeoutSeconds * 1000,
        rng: Math.random,
        memory: new PeerMemory(),
        signer: signer?.() ?? null,
      });
    } finally {
      this.counts = addCounts(this.counts, poller.counts);
      this.poller = null;
      await poller.close();
    }
  }

  /** Ends a poll that is under way at once, with what it has heard. */
  async close(): Promise<void> {
    this.closed = true;
    await this.poller?.close();
  }
}
