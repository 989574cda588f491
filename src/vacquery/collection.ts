/** The status messages of one peer in one poll, until they are as many as the peer says that there are. */

import type { Status } from './messages.js';

export interface Received<S extends Status> {
  readonly status: S;
  /** On the clock of the poll. */
  readonly receivedMs: number;
}

export type AddOutcome =
  | 'new'
  /** The same once more, or an older one that was late. */
  | 'duplicate'
  /** More names than the peer says that it has. */
  | 'too-many'
  /** The peer changed its mind on the number too often to be believed. */
  | 'unsteady';

/** A reload of its configuration changes a peer's number once; a peer that changes it more often in one poll is broken. */
export const MAX_COUNT_CHANGES = 8;

export class Collection<S extends Status> {
  readonly #received = new Map<string, Received<S>>();
  #expected: number | null = null;
  /** `time_sent` of the message that `#expected` is from. */
  #expectedTime = 0;
  #changes = 0;

  /** How many the peer says that there are; null before the first. */
  get expected(): number | null {
    return this.#expected;
  }

  get isComplete(): boolean {
    return this.#expected !== null && this.#received.size >= this.#expected;
  }

  get received(): readonly Received<S>[] {
    return [...this.#received.values()];
  }

  /** Takes a status of the peer, once its cookie and names have been checked. */
  add(status: S, receivedMs: number): AddOutcome {
    const [count, name] = countAndName(status);
    if (this.#expected !== null && count !== this.#expected) {
      if (status.time_sent < this.#expectedTime) return 'duplicate';
      if (this.#changes >= MAX_COUNT_CHANGES) return 'unsteady';
      // What was said under the other number may be of things that are no more.
      this.#changes += 1;
      this.#received.clear();
    }
    this.#expected = count;
    this.#expectedTime = Math.max(this.#expectedTime, status.time_sent);
    const known = this.#received.get(name);
    if (known === undefined) {
      if (this.#received.size >= count) return 'too-many';
      this.#received.set(name, { status, receivedMs });
      return 'new';
    }
    if (status.time_sent > known.status.time_sent) this.#received.set(name, { status, receivedMs });
    return 'duplicate';
  }
}

function countAndName(status: Status): readonly [count: number, name: string] {
  switch (status.message_type) {
    case 'machine_status':
      return [status.num_machines, status.machine];
    case 'machinetype_status':
      return [status.num_machinetypes, status.machinetype];
    case 'factory_status':
      return [1, status.factory];
  }
}
