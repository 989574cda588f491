/** Names for libvirt's enumerations (libvirt-domain.h), in the order of their numbers. */

const domainStates = [
  'nostate',
  'running',
  'blocked',
  'paused',
  'shutdown',
  'shutoff',
  'crashed',
  'pmsuspended',
] as const;

/** `shutdown` means "is being shut down", `shutoff` "is off". */
export type DomainState = (typeof domainStates)[number] | 'unknown';

const stateReasons: Record<DomainState, readonly string[]> = {
  nostate: ['unknown'],
  running: [
    'unknown',
    'booted',
    'migrated',
    'restored',
    'from-snapshot',
    'unpaused',
    'migration-canceled',
    'save-canceled',
    'wakeup',
    'crashed',
    'postcopy',
    'postcopy-failed',
  ],
  blocked: ['unknown'],
  paused: [
    'unknown',
    'user',
    'migration',
    'save',
    'dump',
    'ioerror',
    'watchdog',
    'from-snapshot',
    'shutting-down',
    'snapshot',
    'crashed',
    'starting-up',
    'postcopy',
    'postcopy-failed',
    'api-error',
  ],
  shutdown: ['unknown', 'user'],
  shutoff: ['unknown', 'shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from-snapshot', 'daemon'],
  crashed: ['unknown', 'panicked'],
  pmsuspended: ['unknown'],
  unknown: ['unknown'],
};

const lifecycleEvents = [
  'defined',
  'undefined',
  'started',
  'suspended',
  'resumed',
  'stopped',
  'shutdown',
  'pmsuspended',
  'crashed',
] as const;

export type LifecycleEventName = (typeof lifecycleEvents)[number] | 'unknown';

const lifecycleDetails: Record<LifecycleEventName, readonly string[]> = {
  defined: ['added', 'updated', 'renamed', 'from-snapshot'],
  undefined: ['removed', 'renamed'],
  started: ['booted', 'migrated', 'restored', 'from-snapshot', 'wakeup'],
  suspended: [
    'paused',
    'migrated',
    'ioerror',
    'watchdog',
    'restored',
    'from-snapshot',
    'api-error',
    'postcopy',
    'postcopy-failed',
  ],
  resumed: ['unpaused', 'migrated', 'from-snapshot', 'postcopy', 'postcopy-failed'],
  stopped: ['shutdown', 'destroyed', 'crashed', 'migrated', 'saved', 'failed', 'from-snapshot'],
  shutdown: ['finished', 'guest', 'host'],
  pmsuspended: ['memory', 'disk'],
  crashed: ['panicked', 'crashloaded'],
  unknown: [],
};

const ioErrorActions = ['none', 'pause', 'report'] as const;

/** What the hypervisor did about an I/O error: nothing, paused the domain, or passed the error to the guest. */
export type IoErrorAction = (typeof ioErrorActions)[number] | 'unknown';

const closeReasons = ['error', 'eof', 'keepalive', 'client'] as const;

/** Why a connection ended: I/O error, the daemon closed it, it did not answer keep-alives, or we closed it. */
export type CloseReason = (typeof closeReasons)[number];

export const domainStateName = (state: number): DomainState => domainStates[state] ?? 'unknown';

export const stateReasonName = (state: number, reason: number): string =>
  stateReasons[domainStateName(state)][reason] ?? 'unknown';

export const lifecycleEventName = (event: number): LifecycleEventName => lifecycleEvents[event] ?? 'unknown';

export const lifecycleDetailName = (event: number, detail: number): string =>
  lifecycleDetails[lifecycleEventName(event)][detail] ?? 'unknown';

export const ioErrorActionName = (action: number): IoErrorAction => ioErrorActions[action] ?? 'unknown';

export const closeReasonName = (reason: number): CloseReason => closeReasons[reason] ?? 'error';
