/**
 * A scenario in a few numbers: what a command line asks for, what a random test draws, and what it prints when it fails,
 * so that the run can be had again. Plain data that survives JSON.
 */

import { loadConfig } from '../config/load.js';
import type { Config } from '../config/types.js';
import { factoryName } from './addresses.js';
import type { Spread } from './random.js';
import type { Crash, Cut, Scenario, ShareChange, TypeModel } from './scenario.js';
import { ALWAYS, cyclic, type WorkPlan } from './work.js';

export interface Recipe {
  readonly seed: number;
  readonly factories: number;
  readonly slots: number;
  readonly types: number;
  /** Processors that machines of the types need, one type after the other, and again from the first. */
  readonly processors: readonly number[];
  readonly processorsPerSuperslot: number;
  readonly hours: number;
  /** Parts of all datagrams, 0 to 1. */
  readonly loss: number;
  readonly duplicates: number;
  readonly delayMs: readonly [min: number, max: number];
  readonly backoffSeconds: number;
  readonly fizzleSeconds: number;
  readonly maxWallclockSeconds: number;
  /** Median life of a machine that found work. */
  readonly lifeSeconds: number;
  /** Part of the types whose work comes and goes; the others always have some. */
  readonly unsteady: number;
  /** How long it takes unsteady work to come and go once; it is there for half of that. */
  readonly workPeriodHours: number;
  readonly cuts: readonly Cut[];
  readonly crashes: readonly Crash[];
  readonly restartsPerHour: number;
  readonly downSeconds: readonly [min: number, max: number];
  readonly maxSkewSeconds: number;
  readonly creationFailures: number;
  readonly blackHoles: readonly number[];
  readonly shareChanges: readonly ShareChange[];
  readonly startSpreadSeconds: number;
  readonly beginsFull: boolean;
}

export const DEFAULT_RECIPE: Recipe = {
  seed: 1,
  factories: 100,
  slots: 32,
  types: 10,
  processors: [1],
  processorsPerSuperslot: 1,
  hours: 24,
  loss: 0,
  duplicates: 0,
  delayMs: [0.2, 20],
  backoffSeconds: 600,
  fizzleSeconds: 600,
  maxWallclockSeconds: 43_200,
  lifeSeconds: 10_800,
  unsteady: 0.4,
  workPeriodHours: 12,
  cuts: [],
  crashes: [],
  restartsPerHour: 0,
  downSeconds: [10, 120],
  maxSkewSeconds: 1,
  creationFailures: 0.001,
  blackHoles: [],
  shareChanges: [],
  startSpreadSeconds: 5,
  beginsFull: true,
};

const HOUR_SECONDS = 3600;

/** Types have unequal shares: of ten, the first 10 parts of 55, the last one. */
export function typeName(index: number): string {
  return `type${String(index + 1).padStart(2, '0')}`;
}

/** @throws Error when the recipe's numbers make no configuration: a mistake of whoever wrote it */
export function scenarioOf(recipe: Recipe, config: Config = configOf(recipe)): Scenario {
  const durationSeconds = recipe.hours * HOUR_SECONDS;
  const unsteady = Math.floor(recipe.types * recipe.unsteady);
  const types = config.machinetypes.map(({ name, maxWallclockSeconds }, index): [string, TypeModel] => {
    const place = index - (config.machinetypes.length - unsteady);
    const work: WorkPlan =
      place < 0
        ? ALWAYS
        : cyclic(
            recipe.workPeriodHours * HOUR_SECONDS,
            0.5,
            (recipe.workPeriodHours * HOUR_SECONDS * (place + 0.5)) / unsteady,
            durationSeconds,
          );
    const life: Spread = {
      median: Math.min(recipe.lifeSeconds, maxWallclockSeconds * 0.8),
      sigma: 0.7,
      min: Math.min(120, maxWallclockSeconds * 0.1),
      max: maxWallclockSeconds * 0.95,
    };
    return [name, { work, life }];
  });
  return {
    seed: recipe.seed,
    config,
    durationSeconds,
    types: Object.fromEntries(types),
    host: {
      creationSeconds: { median: 1.5, sigma: 0.3, min: 0.5, max: 10 },
      creationFailureRate: recipe.creationFailures,
      bootSeconds: { median: 45, sigma: 0.3, min: 15, max: 300 },
      lookSeconds: { median: 90, sigma: 0.3, min: 30, max: 300 },
    },
    network: {
      lossRate: recipe.loss,
      duplicateRate: recipe.duplicates,
      minDelayMs: recipe.delayMs[0],
      maxDelayMs: recipe.delayMs[1],
    },
    cuts: recipe.cuts,
    crashes: recipe.crashes,
    restartsPerHour: recipe.restartsPerHour,
    downSeconds: recipe.downSeconds,
    maxSkewSeconds: recipe.maxSkewSeconds,
    shareChanges: recipe.shareChanges,
    blackHoles: recipe.blackHoles,
    startSpreadSeconds: recipe.startSpreadSeconds,
    beginsFull: recipe.beginsFull,
    everyTick: false,
  };
}

/** Read by the real configuration code from the text that a site would write. */
export function configOf(recipe: Recipe): Config {
  const names = Array.from({ length: recipe.factories }, (_, index) => factoryName(index));
  const machinetypes = Array.from({ length: recipe.types }, (_, index) =>
    [
      `[machinetype ${typeName(index)}]`,
      `target_share = ${recipe.types - index}`,
      'machine_model = vm-raw',
      'root_image = /sim.img',
      `min_processors = ${recipe.processors[index % recipe.processors.length]}`,
      `max_processors = ${recipe.processors[index % recipe.processors.length]}`,
      `max_wallclock_seconds = ${recipe.maxWallclockSeconds}`,
      `backoff_seconds = ${recipe.backoffSeconds}`,
      `fizzle_seconds = ${recipe.fizzleSeconds}`,
    ].join('\n'),
  );
  const settings = [
    '[settings]',
    'vac_space = sim.example.com',
    `factories = ${names.join(' ')}`,
    `total_processors = ${recipe.slots}`,
    `processors_per_superslot = ${recipe.processorsPerSuperslot}`,
  ].join('\n');
  const loaded = loadConfig([{ path: 'simulation', text: [settings, ...machinetypes].join('\n') }], {
    hostFqdn: factoryName(0),
  });
  if (!loaded.ok) throw new Error(loaded.errors.map(({ message }) => message).join('; '));
  return loaded.config;
}
