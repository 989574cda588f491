/** `vac simulate`: the figures of a simulated space beside those of the predecessor, and the shares over time. */

import type { Measures, Sample } from '../../sim/measures.js';
import { table } from './table.js';
import { counted, decimal, duration, line, padEnd, padStart, UNKNOWN, type ViewOptions, wrapped } from './text.js';

type Figures = Omit<Measures, 'longTermShares'>;
type Parts = Pick<Sample, 'atSeconds' | 'held' | 'wanted'>;

/** One run as it is shown; null: not measured. */
export interface SimulatedRun {
  /** `ours`, `predecessor`. */
  readonly name: string;
  readonly figures: Figures;
  readonly types: readonly string[];
  /** Parts of the space, by machinetype. */
  readonly samples: readonly Parts[];
  /** What was violated while it ran. */
  readonly problems: readonly string[];
}

export interface SimulateViewOptions extends ViewOptions {
  /** Sentences about the run as a whole. */
  readonly notes: readonly string[];
}

const MIN_CELLS = 10;
const MAX_CELLS = 96;
const BLOCKS = '▁▂▃▄▅▆▇█';

const ROWS: readonly (readonly [name: string, value: (figures: Figures) => string])[] = [
  ['datagrams a minute, in all', ({ datagramsPerMinute }) => thousands(datagramsPerMinute)],
  ['bytes a second, in all', ({ bytesPerMinute }) => thousands(bytesPerMinute / 60)],
  ['age of news, 99 %', ({ newsAgeP99Seconds }) => seconds(newsAgeP99Seconds)],
  ['last heard of each other, 99 %', ({ heardAgeP99Seconds }) => seconds(heardAgeP99Seconds)],
  ['error of shares, root mean square', ({ shareErrorRms }) => fine(shareErrorRms)],
  ['error of shares, worst', ({ shareErrorWorst }) => fine(shareErrorWorst)],
  ['settled after', ({ settleSeconds }) => (settleSeconds === null ? 'not settled' : duration(settleSeconds))],
  ['starts', ({ starts }) => thousands(starts)],
  ['starts of a type without work', ({ futileStarts }) => thousands(futileStarts)],
  ['the same, for each backoff period', ({ futileStartsPerBackoff }) => twoFigures(futileStartsPerBackoff)],
  ['idle slot-hours', ({ idleSlotHours }) => thousands(idleSlotHours)],
  ['time that the simulation took', ({ wallSeconds }) => seconds(wallSeconds)],
];

/** Errors are parts of the space while it is settled; see sim/measures.ts for what each figure is. */
export function simulateView(runs: readonly SimulatedRun[], options: SimulateViewOptions): string[] {
  const figures = table(
    ROWS,
    [
      { title: '', text: ([name]) => name, min: 20 },
      ...runs.map(({ name, figures: of }) => ({
        title: name.toUpperCase(),
        text: ([, value]: (typeof ROWS)[number]) => value(of),
        align: 'right' as const,
      })),
    ],
    options,
  );
  return [
    ...figures,
    ...runs.flatMap((run) => ['', ...plot(run, options)]),
    ...runs.flatMap((run) => problems(run, options)),
    ...(options.notes.length > 0 ? [''] : []),
    ...options.notes.flatMap((note) => wrapped(note, options)),
  ];
}

/** What each type held over time, drawn to one scale, and what it held and should have held at the end. */
function plot({ name, types, samples }: SimulatedRun, options: SimulateViewOptions): string[] {
  const last = samples.at(-1);
  if (last === undefined) return [];
  const nameWidth = Math.max(...types.map((type) => type.length));
  const cells = Math.min(MAX_CELLS, Math.max(MIN_CELLS, options.columns - nameWidth - 18));
  const highest = Math.max(...samples.flatMap(({ held }) => held), Number.MIN_VALUE);
  const rows = types.map((type, index) => {
    const held = `${decimal(last.held[index]! * 100)} %`;
    const due = `${decimal(last.wanted[index]! * 100)} %`;
    const drawn = spark(samples, ({ held: parts }) => parts[index]!, cells, highest);
    return line(`${padEnd(type, nameWidth)} ${drawn} ${padStart(held, 7)} ${padStart(due, 7)}`, options);
  });
  const title = `shares over ${duration(last.atSeconds)}, ${name}`;
  const heading = `${padEnd(title, nameWidth + 1 + cells)} ${padStart('NOW', 7)} ${padStart('WANTED', 7)}`;
  return [line(heading, options, 'dim'), ...rows];
}

/** Means over equal parts of the time, as blocks of eight heights. */
function spark(samples: readonly Parts[], of: (sample: Parts) => number, cells: number, highest: number): string {
  const count = Math.min(cells, samples.length);
  return padEnd(
    Array.from({ length: count }, (_, cell) => {
      const from = Math.floor((cell * samples.length) / count);
      const to = Math.max(from + 1, Math.floor(((cell + 1) * samples.length) / count));
      const mean = samples.slice(from, to).reduce((sum, sample) => sum + of(sample), 0) / (to - from);
      return mean <= 0 ? ' ' : BLOCKS[Math.min(7, Math.floor((mean / highest) * 8))]!;
    }).join(''),
    cells,
  );
}

function problems({ name, problems: found }: SimulatedRun, options: SimulateViewOptions): string[] {
  if (found.length === 0) return [];
  return [
    '',
    line(`${counted(found.length, 'rule')} broken in the run of ${name}:`, options, 'red'),
    ...found.flatMap((problem) => wrapped(problem, options)),
  ];
}

/** `1 234 567`; small numbers with a decimal. */
function thousands(value: number): string {
  if (!Number.isFinite(value)) return UNKNOWN;
  if (Math.abs(value) < 100) return decimal(value);
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
}

function seconds(value: number | null): string {
  return value === null || !Number.isFinite(value) ? UNKNOWN : `${decimal(value)} s`;
}

/** Of a part: hundredths of a percent are what counts here. */
function fine(part: number | null): string {
  return part === null ? UNKNOWN : `${(part * 100).toFixed(2)} %`;
}

function twoFigures(value: number | null): string {
  return value === null ? UNKNOWN : value.toFixed(2);
}

/** How far a simulation is, in one line, while it runs. */
export interface SimulationStage {
  readonly name: string;
  /** What it does now, as `measuring`. */
  readonly stage: string;
  /** Of the stage, 0 to 1. */
  readonly part: number;
}

/** `ours: running 42 %; predecessor: running 71 %; 35s`. */
export function simulationProgress(stages: readonly SimulationStage[], passedSeconds: number): string {
  const parts = stages.map(({ name, stage, part }) => `${name}: ${stage} ${Math.floor(part * 100)} %`);
  return [...parts, duration(passedSeconds)].join('; ');
}
