/** Between the member's process and the daemon's side of it. */

import type { ToMember } from './messages.js';

/** What a member's process calls; all messages are for the member that began last. */
export interface MemberListener {
  /** One runs, and knows nothing yet; what it is sent until it ends goes there. */
  began(send: (message: ToMember) => void): void;
  ended(): void;
  /** @throws BadMessage what no member that is itself says: then it is to be replaced */
  receive(type: string, body: unknown): void;
}

/** Where the member runs. */
export interface MemberProcess {
  connect(listener: MemberListener): void;
  /**
   * Has a member begin, if none does yet: one without the port can ask others all the same.
   *
   * @throws VacError `helper-failed`
   */
  begin(): Promise<void>;
  /**
   * Binds the protocol's port, and gives it to the member of now and of later.
   *
   * @throws VacError `address-in-use`, `address-missing`, `helper-failed`
   */
  openPort(): Promise<void>;
  close(): Promise<void>;
}
