/**
 * Overnight mode's place in a running vacd: the owner is watched, may order a pause by a socket of his own, and the
 * configuration's changes reach all of it. What is decided, and why, is factory/overnight.ts.
 */

import type { Config } from '../config/types.js';
import type { OvernightPause } from '../factory/overnight-types.js';
import { groupId } from '../host/groups.js';
import type { StateLayout } from '../machines/layout.js';
import { type ControlHandlers, ControlServer } from './control.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { PauseBook } from './overnight-pause.js';
import { type OvernightReport, overnightReport } from './overnight-report.js';
import { OwnerWatch, type OwnerWatchParts } from './owner-watch.js';

export interface OvernightModeParts {
  readonly memory: Memory;
  readonly layout: StateLayout;
  readonly log: Logger;
  readonly wake: () => void;
  /** Of the socket of all commands; owners reach two of them. */
  readonly handlers: ControlHandlers;
  /** Processes of ours besides this one and the machines. */
  readonly pids: () => readonly number[];
  /** Instead of those of this host, for tests. */
  readonly sensors?: OwnerWatchParts['sensors'];
}

export class OvernightMode {
  private readonly watch: OwnerWatch;
  private readonly pauses: PauseBook;
  private socket: ControlServer | null = null;

  constructor(private readonly parts: OvernightModeParts) {
    this.watch = new OwnerWatch(parts);
    this.pauses = new PauseBook({ ...parts, path: `${parts.layout.root}/overnight-pause.json` });
  }

  /** Before the first decision: a pause that was ordered holds from the beginning. */
  async start(config: Config): Promise<void> {
    await this.pauses.restore(Math.floor(Date.now() / 1000));
    await this.configure(config);
  }

  async configure(config: Config): Promise<void> {
    this.watch.configure(config);
    await this.admitOwners(config);
  }

  async close(): Promise<void> {
    this.watch.close();
    await this.socket?.close();
  }

  report(): OvernightReport | null {
    return overnightReport(this.parts.memory);
  }

  /** @throws VacError `orders-not-kept`; it holds all the same until vacd ends */
  async pause(pause: OvernightPause | null): Promise<void> {
    try {
      await this.pauses.set(pause);
    } finally {
      // The answer tells what follows from it, before the next pass does it.
      this.parts.memory.state(Math.floor(Date.now() / 1000), performance.now());
    }
  }

  /** The socket by which owners ask and pause, and do nothing else: owner_group opens it to them. */
  private async admitOwners({ overnight }: Config): Promise<void> {
    const { log, layout } = this.parts;
    const group = overnight?.ownerGroup ?? null;
    if (group === null) {
      await this.socket?.close();
      this.socket = null;
      return;
    }
    try {
      const gid = await groupId(group);
      if (gid === null) throw new Error('this host knows no group of that name; create it, or correct the name');
      if (this.socket === null) {
        const socket = new ControlServer(`${layout.root}/overnight.sock`, this.parts.handlers, OWNERS_COMMANDS);
        await socket.listen();
        this.socket = socket;
      }
      await this.socket.admit(gid);
    } catch (error) {
      log.error(`[overnight] owner_group = ${group}: ${(error as Error).message}; owners cannot use vac overnight`);
    }
  }
}

const OWNERS_COMMANDS = new Set(['overnight', 'overnightPause'] as const);
