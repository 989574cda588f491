/** libvirt for Node: see README.md. */
export type {
  CallOptions,
  ClosedEvent,
  ConnectionEvents,
  IoErrorEvent,
  LifecycleEvent,
  OpenOptions,
} from './calls.js';
export { Connection, open } from './connection.js';
export type {
  CreateOptions,
  DomainIdentity,
  DomainInfo,
  DomainInterface,
  DomainInterfaceOptions,
  ShutdownMode,
  UndefineOptions,
  ValidateOptions,
} from './domains.js';
export { type ErrorCodeName, errorCodes } from './error-codes.js';
export { LibvirtError, type LibvirtFailure, LibvirtTimeoutError, LockedError } from './errors.js';
export type { AffectOptions } from './flags.js';
export type { CoreDumpOptions, SaveOptions, SnapshotOptions } from './forensics.js';
export type { DomainCapabilitiesOptions, NodeInfo } from './host.js';
export { FileLock, lockFile, sdNotify } from './host-tools.js';
export type { CloseReason, DomainState, IoErrorAction, LifecycleEventName } from './names.js';
export type { DhcpLease, Network, NetworkUpdate } from './networks.js';
export type { Nwfilter } from './nwfilters.js';
export { BoundSocket, bindUdp, listenTcp } from './sockets.js';
export type { DomainFilter, DomainStats, DomainStatsOptions, DomainSummary, StatsGroup } from './stats.js';
