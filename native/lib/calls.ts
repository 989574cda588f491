import { EventEmitter } from 'node:events';
import { errorCodes } from './error-codes.js';
import { LibvirtError, type LibvirtFailure, LibvirtTimeoutError } from './errors.js';
import {
  type CloseReason,
  closeReasonName,
  type IoErrorAction,
  ioErrorActionName,
  type LifecycleEventName,
  lifecycleDetailName,
  lifecycleEventName,
} from './names.js';
import { binding, type Operations } from './native.js';

export interface CallOptions {
  /** Instead of the connection's `callTimeoutSeconds`; `Infinity` for a call that may take as long as it likes. */
  readonly timeoutSeconds?: number | undefined;
}

export interface LifecycleEvent {
  readonly uuid: string;
  readonly name: string;
  readonly event: LifecycleEventName;
  /** The finer shade, such as `booted`, `destroyed`, `crashed`, `ioerror` (virDomainEvent…DetailType in lower case). */
  readonly detail: string;
}

export interface IoErrorEvent {
  readonly uuid: string;
  readonly name: string;
  /** The image file, empty when unknown. */
  readonly path: string;
  /** The device's alias, such as `virtio-disk0`. */
  readonly device: string;
  readonly action: IoErrorAction;
  /** `enospc`, `eperm`, `eio` or the like; empty when unknown. */
  readonly reason: string;
}

export interface ClosedEvent {
  readonly reason: CloseReason;
}

export interface ConnectionEvents {
  lifecycle: [LifecycleEvent];
  ioError: [IoErrorEvent];
  /** Once for each connection. Calls made afterwards fail with VIR_ERR_INVALID_CONN. */
  closed: [ClosedEvent];
}

export interface OpenOptions {
  /** Queries only. Default false. */
  readonly readOnly?: boolean | undefined;
  /**
   * A remote daemon that leaves `count` keep-alives, one each `intervalSeconds`, unanswered is taken for dead: the
   * connection closes and its hung calls fail. Default 5 s and 5; null turns it off. Local drivers ignore it.
   */
  readonly keepAlive?: { readonly intervalSeconds: number; readonly count: number } | null | undefined;
  /** How long each call may take. Default 30. */
  readonly callTimeoutSeconds?: number | undefined;
}

interface PendingCall {
  readonly operation: string;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;
const DEFAULT_TIMEOUT_SECONDS = 30;
const DEFAULT_KEEP_ALIVE = { intervalSeconds: 5, count: 5 };

const pendingCalls = new Map<number, PendingCall>();
const openConnections = new Map<number, Caller>();
let lastId = 0;

binding.start((kind, id, failure, value) => {
  if (kind === 'settled') settle(id, failure, value);
  else openConnections.get(id)?.receive(kind, value);
});

function settle(callId: number, failure: LibvirtFailure | null, value: unknown): void {
  const call = pendingCalls.get(callId);
  // An answer after the timeout: nobody waits for it any more.
  if (call === undefined) return;
  pendingCalls.delete(callId);
  clearTimeout(call.timer);
  if (failure === null) call.resolve(value);
  else call.reject(new LibvirtError(call.operation, failure));
}

function checkedTimeout(seconds: number): number {
  if (seconds > 0) return seconds;
  throw new RangeError(`libvirt: a timeout of ${seconds} s; it must be above 0`);
}

/** The addon refuses a call at once when it can have no thread for it. */
function noThread(operation: string, cause: unknown): LibvirtError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new LibvirtError(operation, { code: errorCodes.VIR_ERR_RESOURCE_BUSY, domain: 0, level: 2, message });
}

/**
 * The part of a connection that carries calls to libvirt's threads and their answers and events back.
 *
 * The timer of a waiting call is what keeps the process alive, so a program does not end while it awaits an answer, and
 * does once the call has timed out, though its thread may still hang.
 */
export abstract class Caller extends EventEmitter<ConnectionEvents> {
  readonly #id = ++lastId;
  readonly #timeoutSeconds: number;
  #suspect = false;
  #closed: CloseReason | null = null;
  #closing: Promise<void> | null = null;

  protected constructor(callTimeoutSeconds = DEFAULT_TIMEOUT_SECONDS) {
    super();
    this.#timeoutSeconds = checkedTimeout(callTimeoutSeconds);
  }

  /** True once a call has timed out: the daemon may hang. Close the connection and open another. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Why the connection is closed; null while it is open. */
  get closedReason(): CloseReason | null {
    return this.#closed;
  }

  /**
   * Closes the connection (virConnectClose). Calls in flight go on. Safe to call again, and on a connection that broke.
   * Fails with LibvirtTimeoutError when the daemon hangs: the rest then happens by itself when it answers or dies, and
   * there is no need to wait for it.
   */
  close(options: CallOptions = {}): Promise<void> {
    this.#closing ??= this.#run('close', options.timeoutSeconds, (callId) => {
      binding.close(this.#id, callId);
      this.#markClosed('client');
    }).then(() => undefined);
    return this.#closing;
  }

  /** @internal */
  receive(kind: 'lifecycle' | 'ioError' | 'closed', value: unknown): void {
    if (kind === 'lifecycle') {
      const raw = value as { uuid: string; name: string; event: number; detail: number };
      this.emit('lifecycle', {
        uuid: raw.uuid,
        name: raw.name,
        event: lifecycleEventName(raw.event),
        detail: lifecycleDetailName(raw.event, raw.detail),
      });
    } else if (kind === 'ioError') {
      const raw = value as Omit<IoErrorEvent, 'action' | 'reason'> & { action: number; reason: string | null };
      this.emit('ioError', { ...raw, action: ioErrorActionName(raw.action), reason: raw.reason ?? '' });
    } else {
      this.#release(closeReasonName(value as number));
    }
  }

  protected async openUri(uri: string, options: OpenOptions): Promise<void> {
    const keepAlive = options.keepAlive === undefined ? DEFAULT_KEEP_ALIVE : options.keepAlive;
    for (const number of [keepAlive?.intervalSeconds ?? 1, keepAlive?.count ?? 1]) {
      if (!Number.isInteger(number) || number < 1)
        throw new RangeError(`libvirt: keepAlive has ${number}, not 1, 2, …`);
    }
    openConnections.set(this.#id, this);
    try {
      await this.#run('open', undefined, (callId) =>
        binding.open(
          this.#id,
          callId,
          uri,
          options.readOnly ?? false,
          keepAlive?.intervalSeconds ?? 0,
          keepAlive?.count ?? 0,
        ),
      );
    } catch (error) {
      // If it opens after all, it closes at once.
      this.#release('error');
      throw error;
    }
  }

  /** Runs one libvirt call. Rejects with LibvirtError or LibvirtTimeoutError. */
  protected async call<Name extends keyof Operations>(
    operation: Name,
    args: Operations[Name][0],
    options: CallOptions = {},
  ): Promise<Operations[Name][1]> {
    if (this.#closed !== null) {
      const message = `the connection is closed (${this.#closed})`;
      throw new LibvirtError(operation, { code: errorCodes.VIR_ERR_INVALID_CONN, domain: 0, level: 2, message });
    }
    const value = await this.#run(operation, options.timeoutSeconds, (callId) =>
      binding.call(this.#id, callId, operation, args),
    );
    return value as Operations[Name][1];
  }

  async #run(operation: string, timeoutSeconds: number | undefined, begin: (callId: number) => void): Promise<unknown> {
    const seconds = timeoutSeconds === undefined ? this.#timeoutSeconds : checkedTimeout(timeoutSeconds);
    const callId = ++lastId;
    return new Promise((resolve, reject) => {
      // In a process that was held up timers come first: the immediate lets it take an answer that came in time.
      const late = () => setImmediate(() => this.#giveUp(callId, seconds));
      const timer = setTimeout(late, Math.min(seconds * 1000, LONGEST_TIMER_MS));
      pendingCalls.set(callId, { operation, timer, resolve, reject });
      try {
        begin(callId);
      } catch (error) {
        pendingCalls.delete(callId);
        clearTimeout(timer);
        reject(error instanceof TypeError ? error : noThread(operation, error));
      }
    });
  }

  #giveUp(callId: number, seconds: number): void {
    const call = pendingCalls.get(callId);
    if (call === undefined) return;
    pendingCalls.delete(callId);
    this.#suspect = true;
    const dropped = this.#closed === null && binding.abandon(this.#id, callId);
    call.reject(new LibvirtTimeoutError(call.operation, seconds, !dropped));
  }

  /** After libvirt broke the connection: frees what it holds without anyone waiting for that. */
  #release(reason: CloseReason): void {
    if (this.#closed !== null) return;
    this.#closing = Promise.resolve();
    try {
      binding.close(this.#id, ++lastId);
    } finally {
      this.#markClosed(reason);
    }
  }

  #markClosed(reason: CloseReason): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    openConnections.delete(this.#id);
    // Not here: what a listener throws is no failure of the call that closes.
    process.nextTick(() => this.emit('closed', { reason }));
  }
}
