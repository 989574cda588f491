/**
 * What a simulation is of: factories, machinetypes and their work, hosts, the network, and what goes wrong when. Plain
 * data; all times are seconds since the beginning of the run. The same scenario gives the same run, event by event.
 */

import type { Config } from '../config/types.js';
import type { NetworkFaults } from '../vacquery/memory-network.js';
import type { Spread } from './random.js';
import type { WorkPlan } from './work.js';

/** Unix time at which every run begins. */
export const START_TIME_SECONDS = 1_700_000_000;

export interface Scenario {
  readonly seed: number;
  /** Of every factory alike; `settings.factories` names them, and `settings.totalProcessors` is their size. */
  readonly config: Config;
  readonly durationSeconds: number;
  readonly types: Readonly<Record<string, TypeModel>>;
  readonly host: HostModel;
  readonly network: NetworkFaults;
  readonly cuts: readonly Cut[];
  readonly crashes: readonly Crash[];
  /** Part of all factories whose vacd dies in an hour, each at a time of its own, and is started again. */
  readonly restartsPerHour: number;
  /** How long a vacd that dies so stays away. */
  readonly downSeconds: readonly [min: number, max: number];
  /** Each factory's clock is wrong by up to so much, either way, all the time. */
  readonly maxSkewSeconds: number;
  readonly shareChanges: readonly ShareChange[];
  /** Numbers of factories on which every machine dies at once. */
  readonly blackHoles: readonly number[];
  /** The factories' daemons first start over this time, one after the other. */
  readonly startSpreadSeconds: number;
  /** True: all hosts are full of machines when the run begins, as wanted and some way into their lives. */
  readonly beginsFull: boolean;
  /**
   * True: a pass of the loop at every tick, as vacd does. False: only at those at which something may have become due,
   * which gives the same run (a test holds that) in a fraction of the time.
   */
  readonly everyTick: boolean;
}

/** What becomes of a machinetype's machines. */
export interface TypeModel {
  readonly work: WorkPlan;
  /** From boot to the end of its jobs, in seconds; its max_wallclock_seconds may end it before. */
  readonly life: Spread;
}

export interface HostModel {
  /** Making disks and all else before libvirt is asked, seconds. */
  readonly creationSeconds: Spread;
  /** Part of creations that libvirt refuses. */
  readonly creationFailureRate: number;
  /** From libvirt's start of the domain until its pilot looks for work. */
  readonly bootSeconds: Spread;
  /** How long a machine that finds no work goes on looking before it says 300. */
  readonly lookSeconds: Spread;
}

/** A time in which some factories' datagrams do not reach others. */
export interface Cut {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  /** The first so many factories (a part of all) against the rest. */
  readonly part: number;
  /** `both`: a partition. `one-way`: only what the first ones send is lost. */
  readonly ways: 'both' | 'one-way';
}

/** A vacd that dies, and what dies with it. */
export interface Crash {
  readonly factory: number;
  /** At this time; or else after so many effects of its daemon, counted from the beginning. */
  readonly at: { readonly seconds: number } | { readonly effect: number };
  readonly downSeconds: number;
  /** `host`: all its machines end as well. */
  readonly what: 'vacd' | 'host';
}

export interface ShareChange {
  readonly atSeconds: number;
  /** New target shares; types that are not named keep theirs. */
  readonly shares: Readonly<Record<string, number>>;
}

/** The configuration after a change of shares. */
export function withShares(config: Config, shares: Readonly<Record<string, number>>): Config {
  const machinetypes = config.machinetypes.map((type) => ({
    ...type,
    targetShare: shares[type.name] ?? type.targetShare,
  }));
  return { ...config, machinetypes };
}
