/**
 * `vac simulate`: what a space would do, before it is told to: the real decision and the real gossip on virtual time,
 * beside the predecessor on the same load. It asks and changes nothing but the file that `--svg` names.
 */

import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { loadConfig, readConfigFiles } from '../config/index.js';
import type { Config } from '../config/types.js';
import { hostFqdn } from '../daemon/entry.js';
import { VacError } from '../errors.js';
import { writeFileAtomic } from '../host/files.js';
import type { RunProgress, RunResult } from '../sim/index.js';
import { SIMULATE_OPTIONS, type SimulateOptionName, type SimulateValues } from '../sim/options.js';
import { configProblemLine, deniedFile } from './config-problem.js';
import { simulateDesktopsCommand } from './desktops-command.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { type SimulatedRun, type SimulationStage, simulateView, simulationProgress } from './views/simulate.js';

/** What a shell says of a command that Ctrl-C ended: 128 and the signal's number. */
const INTERRUPTED_EXIT = 130;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const NAMES = { gossip: 'ours', polling: 'ours', reference: 'predecessor' } as const;

/** @returns 0; 1 when a rule was broken in the run; 130 when it was interrupted, and then nothing is printed or written */
export async function simulateCommand(line: CommandLine, io: Io): Promise<number> {
  const values = valuesOf(line);
  const { config, notes } = await configuration(line.texts('config'), values);
  if (values.desktops !== undefined) return simulateDesktopsCommand(values, config, notes, line.has('json'), io);
  // The simulator is large, and no other command needs it.
  const { figuresOf, requestOf, sharesSvg, simulate } = await import('../sim/index.js');
  const request = requestOf(values, config);
  const svg = values.svg;
  if (svg !== undefined) await checkWritable(svg);
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const progress = new Progress(io, process.stderr.isTTY);
  try {
    const report = await simulate({
      scenario: request.scenario,
      policy: values.polling === true ? 'polling' : 'gossip',
      reference: values.alone !== true,
      exact: values.exact === true,
      onProgress: progress.tell,
      signal: interruption.signal,
    });
    progress.end();
    if (report === null) {
      io.complain('the simulation was interrupted');
      return INTERRUPTED_EXIT;
    }
    const runs = [report.ours, ...(report.reference === null ? [] : [report.reference])];
    if (svg !== undefined) {
      const panels = runs.map(({ policy, types, samples }) => ({ title: NAMES[policy], types, samples }));
      await writeFileAtomic(svg, sharesSvg(panels)).catch((cause) => refuse(svg, cause));
    }
    const said = [...notes, ...request.notes, ...measuredNote(report.ours)];
    if (line.has('json')) {
      for (const note of said) io.complain(note);
      io.print([jsonText(figuresOf(report))]);
    } else {
      io.print(simulateView(runs.map(shown), { ...io.view(), notes: said }));
    }
    return runs.some(({ problems }) => problems.length > 0) ? 1 : 0;
  } finally {
    progress.end();
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}

function valuesOf(line: CommandLine): SimulateValues {
  const names = Object.keys(SIMULATE_OPTIONS) as SimulateOptionName[];
  const given = names.filter((name) => line.has(name));
  return Object.fromEntries(
    given.map((name) => {
      const spec: { readonly type: string; readonly multiple?: true } = SIMULATE_OPTIONS[name];
      if (spec.type === 'boolean') return [name, true];
      return [name, spec.multiple === true ? line.texts(name) : line.text(name)];
    }),
  );
}

/**
 * That of the files which are named; else that of this host, if it has one and no other space is asked for by `--types`.
 *
 * @throws VacError `config-bad`
 */
async function configuration(
  paths: readonly string[] | undefined,
  { types }: SimulateValues,
): Promise<{ config: Config | null; notes: string[] }> {
  if (paths === undefined && types !== undefined) return { config: null, notes: [] };
  const { files, errors } = await (paths === undefined ? readConfigFiles() : readConfigFiles(paths, 'error'));
  if (paths === undefined && files.length === 0 && deniedFile(errors) === undefined) {
    return { config: null, notes: ['there is no configuration on this host: a made-up space is simulated'] };
  }
  const loaded = errors.length > 0 ? null : loadConfig(files, { hostFqdn: hostFqdn() });
  if (loaded?.ok) {
    const whose =
      paths === undefined ? ['the configuration of this host is simulated; with --types N a made-up one'] : [];
    return { config: loaded.config, notes: whose };
  }
  const instead = paths === undefined ? '; or simulate a made-up space, with --types N' : '';
  throw new VacError('config-bad', `${configProblemLine([...errors, ...(loaded?.errors ?? [])])}${instead}`);
}

/** Before a run that may take minutes. @throws VacError `file-unusable` */
async function checkWritable(path: string): Promise<void> {
  try {
    // What is written replaces what was there: a directory cannot be, and /dev/stdout must not.
    if ((await stat(path).catch(() => null))?.isFile() === false) throw new Error('it is no ordinary file');
    await access(dirname(path), constants.W_OK);
  } catch (cause) {
    refuse(path, cause);
  }
}

function refuse(path: string, cause: unknown): never {
  throw new VacError('file-unusable', `${path} cannot be written: ${(cause as Error).message}`, { cause });
}

function shown({ policy, measures, types, samples, problems }: RunResult): SimulatedRun {
  return { name: NAMES[policy], figures: measures, types, samples, problems };
}

function measuredNote({ gossip }: RunResult): string[] {
  if (gossip === null || gossip.measured === null) return [];
  const { seconds, factories } = gossip.measured;
  return [
    `Gossip was simulated datagram by datagram for ${Math.round(seconds)} s, among ${factories} factories; the rest of the run has news spread as fast as it did then (--exact: all of it).`,
  ];
}

/** How far it is: one line that is written again and again on a terminal, elsewhere one now and then. */
class Progress {
  private readonly beganMs = performance.now();
  private readonly stages = new Map<string, SimulationStage>();
  private toldMs = Number.NEGATIVE_INFINITY;
  private isOver = false;

  constructor(
    private readonly io: Io,
    private readonly isTerminal: boolean,
  ) {}

  readonly tell = ({ policy, stage, part }: RunProgress): void => {
    if (this.isOver) return;
    this.stages.set(policy, { name: NAMES[policy], stage, part });
    const nowMs = performance.now();
    if (nowMs - this.toldMs < (this.isTerminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.toldMs = nowMs;
    const text = simulationProgress([...this.stages.values()], (nowMs - this.beganMs) / 1000);
    if (this.isTerminal) this.io.passing(text);
    else this.io.complain(text);
  };

  end(): void {
    if (!this.isOver && this.isTerminal) this.io.passing(null);
    this.isOver = true;
  }
}

const TERMINAL_MS = 200;
const PLAIN_MS = 10_000;
