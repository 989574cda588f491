/** From what was asked for on a command line, and a configuration if there is one, to a scenario. */

import type { Config, Settings } from '../config/types.js';
import { VacError } from '../errors.js';
import { factoryName } from './addresses.js';
import { SIMULATE_OPTIONS, type SimulateValues } from './options.js';
import { configOf, DEFAULT_RECIPE, type Recipe, scenarioOf, typeName } from './recipe.js';
import type { Cut, Scenario, ShareChange } from './scenario.js';
import { ALWAYS, cyclic, type WorkPlan } from './work.js';

export interface Request {
  readonly scenario: Scenario;
  /** What of the configuration is not simulated as it stands, a sentence each. */
  readonly notes: readonly string[];
}

const HOUR_SECONDS = 3600;
/** Of one space: each of them is a few objects. */
const MAX_FACTORIES = 100_000;
const MAX_SLOTS = 4_096;
/** Every query and answer is a datagram of its own: the square of this, every few seconds. */
const MAX_POLLING_FACTORIES = 200;

/** @throws VacError `usage` that names the option, what was given and what is expected */
export function requestOf(values: SimulateValues, config: Config | null): Request {
  if (config !== null && values.types !== undefined) {
    throw new VacError('usage', '--types: the configuration has its own machinetypes; leave the option out');
  }
  const notes: string[] = [];
  const factories =
    count('factories', values.factories, MAX_FACTORIES) ??
    (config?.settings.factories.length || (config === null ? 100 : 1));
  const slots = count('slots', values.slots, MAX_SLOTS) ?? config?.settings.totalProcessors ?? 32;
  const recipe: Recipe = {
    ...DEFAULT_RECIPE,
    factories,
    slots,
    types: count('types', values.types, 1_000) ?? DEFAULT_RECIPE.types,
    seed: number('seed', values.seed ?? SIMULATE_OPTIONS.seed.default, { integer: true }),
    hours: number('hours', values.hours ?? SIMULATE_OPTIONS.hours.default, { above: 0, max: 24 * 366 }),
    loss: percent('loss', values.loss ?? SIMULATE_OPTIONS.loss.default, 99),
    delayMs: [
      0.2,
      Math.max(0.2, number('delay', values.delay ?? SIMULATE_OPTIONS.delay.default, { min: 0, max: 60_000 })),
    ],
    restartsPerHour: percent('restarts', values.restarts ?? SIMULATE_OPTIONS.restarts.default, 10_000),
    maxSkewSeconds: number('skew', values.skew ?? SIMULATE_OPTIONS.skew.default, { min: 0, max: 86_400 }),
    cuts: (values.partition ?? []).map(partition),
    beginsFull: values.empty !== true,
  };
  if (config !== null && values.slots === undefined && config.settings.totalProcessors === null) {
    notes.push(`total_processors is not set: ${slots} processors are taken for each factory (--slots N for others)`);
  }
  if (values.polling === true && factories > MAX_POLLING_FACTORIES) {
    throw new VacError(
      'usage',
      `--polling: ${factories} factories send each other too many datagrams to simulate; up to ${MAX_POLLING_FACTORIES}, or leave the option out`,
    );
  }
  const blackHoles = number('black-holes', values['black-holes'] ?? '0', { integer: true, min: 0, max: factories });
  const overrides = {
    ...(values.backoff === undefined ? {} : { backoffSeconds: number('backoff', values.backoff, { min: 0 }) }),
    ...(values.fizzle === undefined ? {} : { fizzleSeconds: number('fizzle', values.fizzle, { min: 0 }) }),
  };
  const base = config === null ? configOf(recipe) : simulated(config, recipe, notes);
  const by: Config = {
    ...base,
    settings: withHalfLife(base.settings, values['half-life']),
    machinetypes: base.machinetypes.map((type) => ({ ...type, ...overrides })),
  };
  const scenario = scenarioOf({ ...recipe, unsteady: config === null ? recipe.unsteady : 0 }, by);
  const names = by.machinetypes.map(({ name }) => name);
  return {
    scenario: {
      ...scenario,
      blackHoles: Array.from({ length: blackHoles }, (_, index) => index),
      shareChanges: shareChanges(values['share-change'], names, config === null ? recipe : null),
      types: typesOf(scenario, values, config !== null),
    },
    notes,
  };
}

function withHalfLife(settings: Settings, text: string | undefined): Settings {
  if (text === undefined) return settings;
  return { ...settings, shareHalfLifeHours: number('half-life', text, { min: 0, max: 10_000 }) };
}

/** The configuration as far as it matters: what a host needs to make machines is taken to be there. */
function simulated(config: Config, { factories, slots }: Recipe, notes: string[]): Config {
  const { settings } = config;
  const named = settings.factories.length === factories ? settings.factories : null;
  if (config.vacuumPipes.length > 0) {
    notes.push(
      `machinetypes of vacuum pipes are not simulated: ${config.vacuumPipes.map(({ prefix }) => prefix).join(', ')}`,
    );
  }
  if (!config.machinetypes.some(({ targetShare }) => targetShare > 0)) {
    throw new VacError(
      'usage',
      'the configuration has no machinetype with a target_share above 0: nothing would ever start',
    );
  }
  if (settings.shutdownTimeSeconds !== null || settings.draining) {
    notes.push('shutdown_time and draining are left out');
  }
  const wide = config.machinetypes.filter(({ minProcessors }) => minProcessors > slots).map(({ name }) => name);
  if (wide.length > 0) notes.push(`with ${slots} slots a factory is too small for ${wide.join(', ')}`);
  return {
    ...config,
    settings: {
      ...settings,
      factories: named ?? Array.from({ length: factories }, (_, index) => factoryName(index)),
      totalProcessors: slots,
      shutdownTimeSeconds: null,
      draining: false,
    },
    machinetypes: config.machinetypes.map((type) => ({
      ...type,
      machineModel: 'vm-raw',
      rootImage: '/sim.img',
      imageSigningDn: null,
      userDataProxy: false,
      heartbeatFile: null,
    })),
  };
}

function typesOf(scenario: Scenario, values: SimulateValues, isConfigured: boolean): Scenario['types'] {
  const plans = new Map((values.work ?? []).map((text) => workPlan(text, scenario)));
  const life = values.life === undefined ? null : number('life', values.life, { above: 0 }) * HOUR_SECONDS;
  return Object.fromEntries(
    scenario.config.machinetypes.map(({ name, maxWallclockSeconds }) => {
      const model = scenario.types[name]!;
      const median = Math.min(life ?? (isConfigured ? maxWallclockSeconds / 2 : model.life.median), model.life.max);
      return [name, { work: plans.get(name) ?? model.work, life: { ...model.life, median } }];
    }),
  );
}

function workPlan(text: string, scenario: Scenario): [string, WorkPlan] {
  const at = text.indexOf('=');
  const name = text.slice(0, at);
  const when = text.slice(at + 1);
  if (at < 1 || scenario.types[name] === undefined)
    throw unknownType(
      'work',
      text,
      scenario.config.machinetypes.map((type) => type.name),
    );
  if (when === 'always') return [name, ALWAYS];
  if (when === 'never') return [name, []];
  const half = /^half\/(\d+(?:\.\d+)?)$/.exec(when);
  if (half !== null && Number(half[1]) > 0) {
    return [name, cyclic(Number(half[1]) * HOUR_SECONDS, 0.5, 0, scenario.durationSeconds)];
  }
  const steps = when.split(',').flatMap((range) => {
    const hours = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(range);
    const [from, to] = [Number(hours?.[1]), Number(hours?.[2])];
    if (hours === null || from >= to) {
      throw new VacError(
        'usage',
        `--work "${text}": expected always, never, hours as 0-6,12-18, or half/12 after ${name}=`,
      );
    }
    return [
      { fromSeconds: from * HOUR_SECONDS, processors: Number.POSITIVE_INFINITY },
      { fromSeconds: to * HOUR_SECONDS, processors: 0 },
    ];
  });
  return [name, steps.sort((a, b) => a.fromSeconds - b.fromSeconds)];
}

function shareChanges(
  texts: readonly string[] | undefined,
  names: readonly string[],
  recipe: Recipe | null,
): ShareChange[] {
  if (texts?.includes('none')) return [];
  if (texts !== undefined) return texts.map((text) => shareChange(text, names));
  if (recipe === null) return [];
  const last = recipe.types - Math.floor(recipe.types * recipe.unsteady) - 1;
  if (last < 1) return [];
  return [{ atSeconds: (recipe.hours * HOUR_SECONDS) / 2, shares: { [typeName(last)]: 2 * (recipe.types - last) } }];
}

function shareChange(text: string, names: readonly string[]): ShareChange {
  const at = text.indexOf(':');
  const atSeconds = at < 0 ? null : span(text.slice(0, at));
  const pairs = text
    .slice(at + 1)
    .split(',')
    .map((pair) => /^([a-z0-9-]+)=(\d+(?:\.\d+)?)$/.exec(pair));
  if (atSeconds === null || pairs.includes(null)) {
    throw new VacError(
      'usage',
      `--share-change "${text}": expected a time, and types with their new shares, as 12h:prod=5,analysis=1`,
    );
  }
  const shares = pairs.map((pair) => [pair![1]!, Number(pair![2])] as const);
  for (const [name] of shares) if (!names.includes(name)) throw unknownType('share-change', text, names);
  return { atSeconds, shares: Object.fromEntries(shares) };
}

function partition(text: string): Cut {
  const [from, time] = text.split('+').map(span);
  if (from == null || time == null || text.split('+').length !== 2) {
    throw new VacError('usage', `--partition "${text}": expected when it begins and how long it lasts, as 6h+30m`);
  }
  return { fromSeconds: from, toSeconds: from + time, part: 0.5, ways: 'both' };
}

/** `90m`, `1.5h`, `1d`, `5400s` or `5400` in seconds; null when it is none of these. */
function span(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text);
  const units: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: HOUR_SECONDS, d: 24 * HOUR_SECONDS };
  return match === null ? null : Number(match[1]) * units[match[2]!]!;
}

function unknownType(option: string, text: string, names: readonly string[]): VacError {
  return new VacError(
    'usage',
    `--${option} "${text}": expected one of the machinetypes ${names.join(', ')} before the =`,
  );
}

interface Range {
  readonly above?: number;
  readonly min?: number;
  readonly max?: number;
  readonly integer?: true;
}

function number(option: string, text: string, { above, min, max, integer }: Range): number {
  const value = Number(text);
  const isFine =
    text.trim() !== '' &&
    Number.isFinite(value) &&
    (integer !== true || Number.isSafeInteger(value)) &&
    value > (above ?? Number.NEGATIVE_INFINITY) &&
    value >= (min ?? Number.NEGATIVE_INFINITY) &&
    value <= (max ?? Number.POSITIVE_INFINITY);
  if (isFine) return value;
  const bounds = [
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(min === undefined ? [] : [`from ${min}`]),
    ...(max === undefined ? [] : [`up to ${max}`]),
  ].join(' ');
  throw new VacError(
    'usage',
    `--${option} "${text}": expected ${integer ? 'a whole number' : 'a number'}${bounds === '' ? '' : ` ${bounds}`}`,
  );
}

function count(option: string, text: string | undefined, max: number): number | null {
  return text === undefined ? null : number(option, text, { integer: true, min: 1, max });
}

/** A part of all, 0 to 1: `30`, `30%` and `0.3` are the same, and less than a hundredth needs the sign: `0.5%`. */
function percent(option: string, text: string, max: number): number {
  const value = number(option, text.replace(/%$/, ''), { min: 0, max });
  return value < 1 && !text.endsWith('%') ? value : value / 100;
}
