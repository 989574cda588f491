/**
 * VacQuery as a library: messages, codec, the exchange of a poll, the responder, and what carries them (01.03); gossip
 * and authentication (02).
 */

export {
  AUTH_BYTES,
  Authenticator,
  type AuthMode,
  type AuthOptions,
  type AuthRefusal,
  type AuthVerdict,
  type Signer,
} from './auth.js';
export { type Hmac, type KeyProblem, type KeysResult, parseSpaceKeys, type SpaceKey } from './auth-keys.js';
export { nodeHmac } from './auth-node.js';
export type { Clock } from './clock.js';
export {
  type DecodeResult,
  decode,
  type EncodeResult,
  encode,
  isQuery,
  isStatus,
  MAX_RECEIVED_BYTES,
  MAX_SENT_BYTES,
  type RejectReason,
} from './codec.js';
export type { Received } from './collection.js';
export { saltedCookies } from './cookies.js';
export { addCounts, type DatagramCounts } from './counts.js';
export { ANY_ADDRESS, adoptDgramTransport, bindProblem, type DgramOptions, openDgramTransport } from './dgram.js';
export {
  type Outgoing,
  type PeerAnswer,
  PollExchange,
  type PollOptions,
  type PollPeer,
  type QuerySigner,
  type ReceiveOutcome,
  type ReplyRefusal,
} from './exchange.js';
export { claimedFactory, Gossip, nextIncarnation } from './gossip.js';
export { GOSSIP_LIMITS, MAX_AHEAD_SECONDS } from './gossip-limits.js';
export { type GossipSend, GossipState, type GossipStateOptions } from './gossip-state.js';
export type * from './gossip-types.js';
export { MAX_COOKIE_CHARACTERS } from './kinds.js';
export { type RefusalLimits, RefusalLog, type RefusalReport } from './limits.js';
export { MemoryNetwork, type NetworkFaults, PERFECT_NETWORK } from './memory-network.js';
export * from './messages.js';
export { PEER_MEMORY_OPTIONS, PeerMemory, type PeerMemoryOptions } from './peer-memory.js';
export { Poller } from './poller.js';
export { seededRandom } from './random.js';
export { Replies, type SnapshotProblem } from './replies.js';
export {
  type QueryRefusal,
  RESPONDER_LIMITS,
  Responder,
  type ResponderLimits,
  type ResponderOptions,
} from './responder.js';
export { type Instant, type NewsEntry, type NewsWay, type PeerSummary, SpaceView, toNews } from './space-view.js';
export { steadyClock } from './steady-clock.js';
export type { DatagramListener, Endpoint, Transport } from './transport.js';
export { VirtualClock } from './virtual-clock.js';
export { looksLikeGossip } from './wire02-encode.js';
