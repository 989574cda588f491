/**
 * When the picture of this factory that queries are answered from is too old. The daemon has it: it is asked for when
 * somebody asks, and used for all who ask within a moment. While nobody asks, nothing is done.
 */

import type { FromMember } from './messages.js';

/** What changes by itself (CPU time, fizzle, heartbeats) is told no older than this. */
const PICTURE_MS = 200;
/** Queries that wait for one; more are lost, as datagrams may be. */
const MAX_WAITING = 256;

export class Pictures {
  private hasMachines = false;
  private takenMs = Number.NEGATIVE_INFINITY;
  /** Asked for, and not there yet. */
  private isAsked = false;
  private waiting: { readonly machines: boolean; readonly answer: () => void }[] = [];

  constructor(
    private readonly nowMs: () => number,
    private readonly tell: (message: FromMember) => void,
  ) {}

  /** Calls back when there is one of this moment: at once, or when the daemon has sent it. */
  whenFresh(machines: boolean, answer: () => void): void {
    if (this.isFresh(machines)) answer();
    else if (this.waiting.length < MAX_WAITING) {
      this.waiting.push({ machines, answer });
      this.askFor(machines);
    }
  }

  /** One has come, and is in use. */
  take(hasMachines: boolean): void {
    this.hasMachines = hasMachines;
    this.takenMs = this.nowMs();
    this.isAsked = false;
    const { waiting } = this;
    this.waiting = waiting.filter(({ machines }) => machines && !hasMachines);
    if (this.waiting.length > 0) this.askFor(true);
    for (const { machines, answer } of waiting) if (hasMachines || !machines) answer();
  }

  /** Something has changed. */
  drop(): void {
    this.takenMs = Number.NEGATIVE_INFINITY;
  }

  private isFresh(machines: boolean): boolean {
    return this.nowMs() < this.takenMs + PICTURE_MS && (this.hasMachines || !machines);
  }

  private askFor(machines: boolean): void {
    if (this.isAsked) return;
    this.isAsked = true;
    this.tell({ type: 'picture-wanted', machines });
  }
}
