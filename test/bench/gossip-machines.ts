/** Machines of a factory in a space at work, for the gossip benchmark: they start, pass the fizzle time, end, and others follow. */

import type { OwnEntry, OwnMachinetype } from '../../src/vacquery/index.js';

export const SLOTS = 32;
export const MACHINETYPES = 10;
const LIFE_SECONDS = 10_800;
const FIZZLE_SECONDS = 600;
const HS06 = 10.5;
/** A freed slot is filled again. */
const REFILL_SECONDS = 1;

interface Machine {
  readonly type: number;
  readonly startedSeconds: number;
  readonly endsSeconds: number;
}

export class BusyFactory {
  readonly #machines: Machine[];
  readonly #ends = new Map<number, OwnMachinetype['lastEnd']>();

  constructor(
    readonly name: string,
    readonly rng: () => number,
    nowSeconds: number,
  ) {
    // In the midst of their lives.
    this.#machines = Array.from({ length: SLOTS }, () => {
      const lifeSeconds = this.#life();
      const startedSeconds = nowSeconds - rng() * lifeSeconds;
      return { type: this.#type(), startedSeconds, endsSeconds: startedSeconds + lifeSeconds };
    });
  }

  /** When something of the entry changes next. */
  nextSeconds(nowSeconds: number): number {
    return Math.min(
      ...this.#machines.flatMap(({ startedSeconds, endsSeconds }) =>
        [startedSeconds, startedSeconds + FIZZLE_SECONDS, endsSeconds].filter((seconds) => seconds > nowSeconds),
      ),
    );
  }

  entry(nowSeconds: number): OwnEntry {
    this.#machines.forEach((machine, slot) => {
      if (machine.endsSeconds > nowSeconds) return;
      const message = this.rng() < 0.8 ? '200 Success' : '300 No work';
      const hostname = this.name.replace('.', `-${String(slot).padStart(2, '0')}.`);
      this.#ends.set(machine.type, { timeSeconds: Math.floor(nowSeconds), message, hostname });
      const startedSeconds = nowSeconds + REFILL_SECONDS;
      this.#machines[slot] = { type: this.#type(), startedSeconds, endsSeconds: startedSeconds + this.#life() };
    });
    return {
      maxProcessors: SLOTS,
      takesMachines: true,
      machinetypes: Array.from({ length: MACHINETYPES }, (_, type) => this.#machinetype(type, nowSeconds)),
    };
  }

  #machinetype(type: number, nowSeconds: number): OwnMachinetype {
    const running = this.#machines.filter((machine) => machine.type === type && machine.startedSeconds <= nowSeconds);
    const young = running.filter(({ startedSeconds }) => nowSeconds < startedSeconds + FIZZLE_SECONDS);
    return {
      machinetype: `experiment-${type}`,
      runningHs06: running.length * HS06,
      runningMachines: running.length,
      runningProcessors: running.length,
      beforeFizzle: young.length,
      lastEnd: this.#ends.get(type) ?? null,
    };
  }

  #type(): number {
    return Math.floor(this.rng() * MACHINETYPES);
  }

  #life(): number {
    return LIFE_SECONDS * (0.5 + this.rng());
  }
}
