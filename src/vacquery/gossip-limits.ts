/** All bounds and paces of gossip, and why they are what they are. */

import type { GossipLimits } from './gossip-types.js';

export const GOSSIP_LIMITS: GossipLimits = {
  newsIntervalMs: 600,
  announceDelayMs: 50,
  busyAnnounceDelayMs: 5_000,
  firstHopPeers: 3,
  transmitFactor: 1.3,
  syncIntervalMs: 4_000,
  busySyncIntervalMs: 250,
  settleMs: 20_000,
  agesIntervalMs: 500,
  bytesPerSecond: 48_000,
  burstBytes: 512_000,
  maxReplyDatagrams: 6,
  maxReplyFactor: 3,
  suspectSeconds: 90,
  expirySeconds: 300,
  legacyGraceMs: 2_000,
  legacySilentSeconds: 60,
};

/** Incarnations further in the future than this are no Unix time of a right clock, and not believed. */
export const MAX_AHEAD_SECONDS = 86_400;
/** Machinetypes of one factory that are kept: what a broken one says of more is not believed. */
export const MAX_SLICES = 256;
