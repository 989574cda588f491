/** VacQuery 01.03 as a library: messages, codec, the exchange of a poll, the responder, and what carries them. */

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
export { type DgramOptions, openDgramTransport } from './dgram.js';
export {
  type Outgoing,
  type PeerAnswer,
  PollExchange,
  type PollOptions,
  type PollPeer,
  type ReceiveOutcome,
  type ReplyRefusal,
} from './exchange.js';
export { MAX_COOKIE_CHARACTERS } from './kinds.js';
export type { RefusalLimits, RefusalReport } from './limits.js';
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
