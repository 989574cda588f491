/**
 * A `[vacuum_pipe PREFIX]` section as `VacuumPipeConfig`: its URL and share, and the machinetype options that it and
 * local `[machinetype PREFIX-suffix]` sections set. Machinetypes are made of it when the pipe's document is there
 * (`pipe-expand.ts`); only then can one be checked as a whole.
 */
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { NotYet } from './options.js';
import { VACUUM_PIPE_OPTIONS } from './pipe-options.js';
import type { Problem } from './problem.js';
import { readValues } from './section-values.js';
import type { RawSection } from './sections.js';
import type { VacuumPipeConfig } from './types.js';
import type { ValueType } from './values.js';

export interface VacuumPipeReading {
  /** To be used only when there are no errors. */
  readonly pipe: VacuumPipeConfig;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

/** True when the machinetype's name is one that the pipe with this prefix could make. */
export function isOfPipe(machinetypeName: string, prefix: string): boolean {
  return machinetypeName.startsWith(`${prefix}-`);
}

/** An option that the pipe's document gives where nothing is said here. */
function orThatOfThePipe<T>({ type, notYet }: { readonly type: ValueType<T>; readonly notYet?: NotYet }) {
  return { type, whenUnset: 'that of the pipe', help: '', ...(notYet === undefined ? {} : { notYet }) };
}

/** Nothing is required here: the pipe's document gives each machinetype its image and the model for it. */
const LOCAL_OPTIONS = {
  ...MACHINETYPE_OPTIONS,
  root_image: orThatOfThePipe(MACHINETYPE_OPTIONS.root_image),
  machine_model: orThatOfThePipe(MACHINETYPE_OPTIONS.machine_model),
} as const;

/** Reads one pipe; `machinetypes` are all local machinetype sections. */
export function readVacuumPipe(section: RawSection, machinetypes: readonly RawSection[]): VacuumPipeReading {
  const { values, errors, warnings, advise } = readValues(section, { ...LOCAL_OPTIONS, ...VACUUM_PIPE_OPTIONS });
  advise(
    !/^http:/.test(values.vacuum_pipe_url),
    ['vacuum_pipe_url'],
    'without TLS, whoever is on the way can change what machines run here; give an https:// URL if there is one',
  );
  const local = machinetypes.filter((machinetype) => isOfPipe(machinetype.name, section.name));
  const pipe: VacuumPipeConfig = {
    prefix: section.name,
    url: values.vacuum_pipe_url,
    targetShare: values.target_share,
    options: textsOf(section, Object.keys(VACUUM_PIPE_OPTIONS)),
    localOptions: Object.fromEntries(local.map((machinetype) => [machinetype.name, textsOf(machinetype, [])])),
  };
  return { pipe, errors, warnings };
}

/**
 * A local section that is one of a pipe's machinetypes and leaves the image to the pipe: what it says is checked option
 * by option, and the rest once the pipe's document is there.
 */
export function checkLocalOptions(section: RawSection): { errors: Problem[]; warnings: Problem[] } {
  const { errors, warnings } = readValues(section, LOCAL_OPTIONS);
  return { errors, warnings };
}

function textsOf(section: RawSection, except: readonly string[]): Record<string, string> {
  const kept = [...section.options].filter(([name]) => !except.includes(name));
  return Object.fromEntries(kept.map(([name, raw]) => [name, raw.value]));
}
