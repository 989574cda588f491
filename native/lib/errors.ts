import { type ErrorCodeName, errorCodeName, errorCodes } from './error-codes.js';

/** One error of libvirt as it was on the thread where the call failed. */
export interface LibvirtFailure {
  /** virErrorNumber */
  readonly code: number;
  /** virErrorDomain: the part of libvirt that failed */
  readonly domain: number;
  /** virErrorLevel: 1 warning, 2 error */
  readonly level: number;
  readonly message: string;
}

/** A call to libvirt failed. `message` begins with the operation and ends with libvirt's own words. */
export class LibvirtError extends Error {
  override readonly name: string = 'LibvirtError';
  readonly code: number;
  /** The name of `code` in virterror.h, such as `VIR_ERR_NO_DOMAIN`. */
  readonly codeName: ErrorCodeName;
  readonly domain: number;
  readonly level: number;
  /** The method of this package that failed, such as `createDomain`. */
  readonly operation: string;

  constructor(operation: string, failure: LibvirtFailure) {
    super(`${operation}: ${failure.message}`);
    this.operation = operation;
    this.code = failure.code;
    this.codeName = errorCodeName(failure.code);
    this.domain = failure.domain;
    this.level = failure.level;
  }
}

/**
 * A call got no answer in time. libvirt cannot cancel a call: if it had begun, its thread goes on waiting, and what it
 * asked for may still happen. So look again (by name or UUID, on a new connection) before doing it again.
 */
export class LibvirtTimeoutError extends LibvirtError {
  override readonly name = 'LibvirtTimeoutError';
  readonly timeoutSeconds: number;
  /** False when the call was still waiting for a thread: then it was dropped and has no effect. */
  readonly begun: boolean;

  constructor(operation: string, timeoutSeconds: number, begun: boolean) {
    const outcome = begun ? 'it may still take effect' : 'it had not begun and was dropped';
    const message = `no answer from libvirt within ${timeoutSeconds} s; ${outcome}`;
    super(operation, { code: errorCodes.VIR_ERR_OPERATION_TIMEOUT, domain: 0, level: 2, message });
    this.timeoutSeconds = timeoutSeconds;
    this.begun = begun;
  }
}

/** Another open file description, in this process or another, holds the lock. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
  readonly code = 'EWOULDBLOCK';
  readonly path: string;

  constructor(path: string) {
    super(`${path} is locked by another process`);
    this.path = path;
  }
}
