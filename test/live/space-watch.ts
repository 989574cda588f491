/** What a whole space runs, looked at again and again while a test waits for something. */

import type { FactoryStatus, MachineStatus } from '../../src/daemon/status.js';
import type { TestFactory } from './test-space.js';

/** Each look asks every vacd; more of them would take the guests' time. */
const LOOK_MS = 200;
/** Guests of a busy host take a minute for what they do in ten seconds on one that has nothing else to do. */
const WAIT_SECONDS = 800;
/** How much of what happened a failure tells. */
const TOLD_LOOKS = 60;
const TOLD_LOG_CHARACTERS = 6000;

export interface SpaceLook {
  /** By factory; null: its vacd does not answer. */
  readonly machinesOf: ReadonlyMap<string, readonly MachineStatus[] | null>;
  readonly machines: readonly MachineStatus[];
  /** All slots of a factory that does not answer count as free. */
  readonly freeSlots: number;
}

/** A factory said that it sends no scout of a machinetype: to its knowledge one is out since this abort. */
export interface HeldBack {
  readonly factory: string;
  readonly machinetype: string;
  /** When it said so, and when it says the abort was; Unix seconds. */
  readonly timeSeconds: number;
  readonly abortTimeSeconds: number;
  /** When its vacd was seen to be gone, and with it what it knew. */
  forgottenSeconds: number;
}

/** What is said of a machinetype whose next scout waits for another one (factory/eligibility.ts). */
const SCOUT_IS_OUT = /^a scout is out .*, (\d+) s ago;/;

export type Condition = (look: SpaceLook) => boolean | Promise<boolean>;

export class SpaceWatch {
  /** Each time that it was seen. */
  readonly heldBack: HeldBack[] = [];
  private readonly told: string[] = [];
  private readonly startMs = performance.now();

  constructor(
    private readonly factories: readonly TestFactory[],
    private readonly slotsPerFactory: number,
  ) {}

  async look(): Promise<SpaceLook> {
    const answers = await Promise.all(
      this.factories.map(async (each) => {
        const status = await each.status();
        if (status === null) this.noteGone(each.name);
        else this.noteHeldBack(status);
        return [each.name, status?.machines.filter(hasSlot) ?? null] as const;
      }),
    );
    const machines = answers.flatMap(([, each]) => each ?? []);
    const line = answers.map(([, each]) => each?.map(letter).sort().join('') ?? '?').join(' | ');
    if (!this.told.at(-1)?.endsWith(`: ${line}`)) {
      this.told.push(`${((performance.now() - this.startMs) / 1000).toFixed(1)} s: ${line}`);
    }
    return {
      machinesOf: new Map(answers),
      machines,
      freeSlots: this.factories.length * this.slotsPerFactory - machines.length,
    };
  }

  private noteHeldBack({ factory, machinetypeDecisions }: FactoryStatus): void {
    for (const { machinetype, reason, timeSeconds } of machinetypeDecisions) {
      const agoSeconds = SCOUT_IS_OUT.exec(reason)?.[1];
      if (machinetype === null || agoSeconds === undefined) continue;
      const abortTimeSeconds = timeSeconds - Number(agoSeconds);
      const forgottenSeconds = Number.POSITIVE_INFINITY;
      this.heldBack.push({ factory, machinetype, timeSeconds, abortTimeSeconds, forgottenSeconds });
    }
  }

  private noteGone(name: string): void {
    const nowSeconds = Math.floor(Date.now() / 1000);
    for (const each of this.heldBack) {
      if (each.factory === name) each.forgottenSeconds = Math.min(each.forgottenSeconds, nowSeconds);
    }
  }

  /** @throws after `seconds`, with what the space ran and the factories said */
  async until(what: string, condition: Condition, seconds = WAIT_SECONDS): Promise<SpaceLook> {
    return this.untilKept(what, condition, 0, seconds);
  }

  /** Waits until a condition holds, and has held all through the last `starts` starts of machines. */
  async untilKept(what: string, condition: Condition, starts: number, seconds = WAIT_SECONDS): Promise<SpaceLook> {
    const endMs = performance.now() + seconds * 1000;
    let known: Set<string> | null = null;
    let seen = 0;
    for (;;) {
      const look = await this.look();
      const ids = look.machines.map(({ id }) => id);
      if (!(await condition(look))) known = null;
      else if (known === null) {
        // While slots are being filled nearly everything is still possible, and tells nothing.
        if (look.freeSlots > 0 && starts > 0) known = null;
        else known = new Set(ids);
        seen = 0;
      } else {
        for (const id of ids) {
          if (known.has(id)) continue;
          known.add(id);
          seen += 1;
        }
      }
      if (known !== null && seen >= starts && (starts === 0 || look.freeSlots === 0)) return look;
      if (performance.now() > endMs) throw new Error(`waited ${seconds} s in vain until ${what}\n${this.tell()}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** What the space ran lately (a letter for each machine's type, a star where it is being created), and the logs' ends. */
  tell(): string {
    const logs = this.factories.map(({ name, vacd }) => `${name}:\n${vacd.output.slice(-TOLD_LOG_CHARACTERS)}`);
    return [...this.told.slice(-TOLD_LOOKS), ...logs].join('\n');
  }
}

function hasSlot({ phase }: MachineStatus): boolean {
  return phase === 'starting' || phase === 'running';
}

function letter({ machinetype, phase }: MachineStatus): string {
  return `${machinetype[0]}${phase === 'starting' ? '*' : ''}`;
}

export function countOf(look: SpaceLook, machinetype: string): number {
  return look.machines.filter((machine) => machine.machinetype === machinetype).length;
}

/**
 * Whether each of these types has what is due to it of all slots, within one machine. A slot that is just between two
 * machines may be meant for any of them.
 */
export function isShared(look: SpaceLook, shares: Readonly<Record<string, number>>): boolean {
  const slots = look.machines.length + look.freeSlots;
  const all = Object.values(shares).reduce((sum, share) => sum + share, 0);
  return Object.entries(shares).every(([machinetype, share]) => {
    const due = (slots * share) / all;
    const count = countOf(look, machinetype);
    return count <= due + 1 && count + look.freeSlots >= due - 1;
  });
}
