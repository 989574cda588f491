/** `vac simulate --desktops`: a week of desktops in overnight mode, beside windows alone. */

import type { DesktopFigures } from '../../sim/desktop-figures.js';
import type { DesktopsReport } from '../../sim/desktops.js';
import { table } from './table.js';
import { type ViewOptions, wrapped } from './text.js';

const ROWS: readonly (readonly [name: string, value: (figures: DesktopFigures) => string])[] = [
  ['machine-hours', ({ machineHours }) => hours(machineHours)],
  ['of it, jobs that were done', ({ jobHours }) => hours(jobHours)],
  ['of it, jobs that were killed', ({ lostHours }) => hours(lostHours)],
  ['machine-hours suspended', ({ suspendedHours }) => hours(suspendedHours)],
  ['machines started', ({ starts }) => whole(starts)],
  ['machines suspended', ({ suspensions }) => whole(suspensions)],
  ['machines killed', ({ kills }) => whole(kills)],
  ['owner and machines at work at once', ({ sharedSeconds }) => seconds(sharedSeconds)],
  ['the same, after his first second', ({ sharedBeyondFirstSeconds }) => seconds(sharedBeyondFirstSeconds)],
  ["owner's programs and machines at once", ({ sharedWithProgramsSeconds }) => seconds(sharedWithProgramsSeconds)],
  ['machines beside an owner who reads', ({ besideReaderHours }) => `${besideReaderHours.toFixed(1)} h`],
];

export function desktopsView(report: DesktopsReport, notes: readonly string[], options: ViewOptions): string[] {
  const { desktops, days, firstDay, ours, naive, processorHours, problems } = report;
  const columns = [
    { title: 'OVERNIGHT', figures: ours },
    { title: 'WINDOWS ALONE', figures: naive },
  ];
  return [
    ...wrapped(
      `${desktops} desktops for ${days} days from ${firstDay}, ${hours(processorHours)} of processors`,
      options,
    ),
    ...table(
      ROWS,
      [
        { title: '', text: ([name]) => name, min: 20 },
        ...columns.map(({ title, figures }) => ({
          title,
          text: ([, value]: (typeof ROWS)[number]) => value(figures),
          align: 'right' as const,
        })),
      ],
      options,
    ),
    ...problems.flatMap((problem) => wrapped(`broken rule: ${problem}`, options)),
    ...notes.flatMap((note) => wrapped(note, options)),
  ];
}

function hours(value: number): string {
  return `${whole(value)} h`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function seconds(value: number): string {
  return value >= 7200 ? `${(value / 3600).toFixed(1)} h` : `${Math.round(value)} s`;
}
