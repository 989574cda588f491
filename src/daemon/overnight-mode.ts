/**
 * Overnight mode's place in a running vacd: the owner is watched, may order a pause by a socket of his own, and the
 * configuration's changes reach all of it. What is decided, and why, is factory/overnight.ts.
 */

import type { Config } from '../config/types.js';
import type { OvernightPause, OvernightStateName } from '../factory/overnight-types.js';
import { groupId } from '../host/groups.js';
import { notify } from '../host/sessions/notify.js';
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
  /** Instead of those of this host, for tests. */
  readonly sensors: OwnerWatchParts['sensors'];
}

export class OvernightMode {
  private readonly watch: OwnerWatch;
  private readonly pauses: PauseBook;
  private socket: ControlServer | null = null;
  /** The state that was told of. */
  private told: OvernightStateName | null = null;

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

  /** Tells of what the last pass has changed; to be called after each. */
  passed(): void {
    const { latest } = this.parts.memory.overnight;
    if (latest?.state === this.told || (latest === null && this.told === null)) return;
    const before = this.told;
    this.told = latest?.state ?? null;
    this.parts.log.info(`overnight: ${latest === null ? 'switched off' : `${latest.state}: ${latest.reason}`}`);
    const wasAtWork = before === 'open' || before === 'running';
    if (wasAtWork && latest !== null && INTERRUPTED.has(latest.state)) this.notifyOwner();
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

  private notifyOwner(): void {
    const { memory, log } = this.parts;
    const machines = this.report()?.machines.length ?? 0;
    if (memory.config.overnight?.notifyOwner !== true || machines === 0) return;
    const text = `${machines === 1 ? 'A machine' : `${machines} machines`} of this host made room for you. vac overnight pause 2h keeps them away.`;
    for (const { user, uid } of this.watch.users()) {
      notify(user, uid, 'Welcome back', text).catch((error: Error) => log.debug(`overnight: ${error.message}`));
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

const INTERRUPTED: ReadonlySet<OvernightStateName> = new Set(['throttled', 'suspended', 'stopping']);

const OWNERS_COMMANDS = new Set(['overnight', 'overnightPause'] as const);
