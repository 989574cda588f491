/** From what was asked for on a command line, and a configuration if there is one, to a week of desktops. */

import { loadConfig } from '../config/load.js';
import type { Config } from '../config/types.js';
import { VacError } from '../errors.js';
import type { DesktopsOptions } from './desktops.js';
import type { SimulateOptionName, SimulateValues } from './options.js';

export interface DesktopsRequest {
  readonly options: Omit<DesktopsOptions, 'holidays' | 'nowSeconds'>;
  /** What of the configuration is not simulated as it stands, a sentence each. */
  readonly notes: readonly string[];
}

const WEEK_DAYS = 7;
const MAX_DESKTOPS = 10_000;
const MAX_SLOTS = 256;
const DEFAULT_SLOTS = 4;
/** What of the options of `vac simulate` has a meaning here. */
const KNOWN: ReadonlySet<SimulateOptionName> = new Set(['desktops', 'slots', 'hours', 'seed']);

const MADE_UP = `[settings]
vac_space = desktops.example.com
[machinetype prod]
target_share = 1
root_image = /made-up.img
machine_model = vm-raw
max_wallclock_seconds = 43200
min_wallclock_seconds = 7200
[overnight]
windows = mon-fri 19:00-07:30, sat,sun all
`;

/** @throws VacError `usage` that names the option, what was given and what is expected */
export function desktopsRequest(values: SimulateValues, config: Config | null): DesktopsRequest {
  const foreign = (Object.keys(values) as SimulateOptionName[]).filter((name) => !KNOWN.has(name));
  if (foreign.length > 0) {
    throw new VacError('usage', `--${foreign[0]} has no meaning with --desktops; leave one of them out`);
  }
  const madeUp = madeUpConfig();
  const types = config?.machinetypes.filter(({ targetShare }) => targetShare > 0) ?? [];
  const notes: string[] = [];
  if (config?.overnight == null) {
    notes.push('the configuration has no section [overnight]: nights (19:00 to 07:30) and weekends are simulated');
  }
  if (types.length === 0) {
    notes.push('a made-up machinetype is simulated, of 12 h at most and 2 h at least');
  }
  const hours = whole('hours', values.hours ?? String(WEEK_DAYS * 24), 24, 366 * 24);
  return {
    options: {
      desktops: whole('desktops', values.desktops ?? '', 1, MAX_DESKTOPS),
      days: Math.ceil(hours / 24),
      seed: whole('seed', values.seed ?? '1', 0, 2 ** 31),
      slots: whole('slots', values.slots ?? String(config?.settings.totalProcessors ?? DEFAULT_SLOTS), 1, MAX_SLOTS),
      config: {
        ...(config ?? madeUp),
        machinetypes: types.length > 0 ? types : madeUp.machinetypes,
        overnight: config?.overnight ?? madeUp.overnight,
      },
    },
    notes,
  };
}

function madeUpConfig(): Config {
  const loaded = loadConfig([{ path: 'made-up', text: MADE_UP }], { hostFqdn: 'desk01.example.com' });
  if (!loaded.ok) throw new Error('the made-up configuration is bad');
  return loaded.config;
}

function whole(name: SimulateOptionName, text: string, min: number, max: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new VacError('usage', `--${name} ${text}: expected a whole number from ${min} to ${max}`);
}
