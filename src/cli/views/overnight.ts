/** `vac overnight`: whether this desktop is a factory now, why, and what comes next. */

import type { OvernightReport } from '../../daemon/overnight-report.js';
import type { OwnerSource, Sensed } from '../../factory/overnight-types.js';
import { saySpan, sayTime } from '../time.js';
import { table } from './table.js';
import { counted, decimal, line, type Style, type ViewOptions, wrapped } from './text.js';

const STATE: Readonly<Record<OvernightReport['verdict']['state'], readonly [words: string, style: Style]>> = {
  closed: ['closed', 'dim'],
  waiting: ['waiting', 'yellow'],
  open: ['open: machines may start', 'green'],
  running: ['machines go on, none starts', 'green'],
  throttled: ['machines are held down', 'yellow'],
  suspended: ['machines are suspended', 'yellow'],
  stopping: ['machines are being stopped', 'yellow'],
};

export function overnightView(report: OvernightReport, view: ViewOptions): string[] {
  const { factory, verdict, owner, pause, machines } = report;
  const [words, style] = STATE[verdict.state];
  return [
    line(`${factory}: ${words}, since ${sayTime(verdict.sinceSeconds)}`, view, style),
    ...wrapped(`why: ${verdict.reason}`, view),
    ...verdict.blockers.slice(1).flatMap(({ reason }) => wrapped(`also: ${reason}`, view)),
    ...(verdict.next === null
      ? []
      : wrapped(`next: ${verdict.next.what}, ${sayTime(verdict.next.timeSeconds)}, if nobody does anything`, view)),
    ...(pause === null || pause.untilSeconds <= view.nowSeconds
      ? []
      : wrapped(`paused by ${pause.who} until ${sayTime(pause.untilSeconds)}; vac overnight resume ends it`, view)),
    ...(verdict.goneBySeconds === null
      ? []
      : wrapped(`all machines are gone by ${sayTime(verdict.goneBySeconds)}`, view)),
    '',
    ...machineLines(report, view),
    ...(machines.length > 0 ? [''] : []),
    ...ownerLines(owner.sources, view),
    ...wrapped(
      [
        said(
          owner.otherCpuPercent,
          (percent) => `other programs use ${decimal(percent)} % of the CPU`,
          'CPU of others',
        ),
        said(owner.onMains, (is) => (is ? 'on mains' : 'on battery'), 'mains'),
        said(owner.lidClosed, (is) => (is ? 'lid closed' : 'lid open or none'), 'lid'),
        said(owner.metered, (is) => (is ? 'metered network' : 'network not metered'), 'metered network'),
      ].join('; '),
      view,
    ),
  ];
}

function machineLines({ machines }: OvernightReport, view: ViewOptions): string[] {
  if (machines.length === 0) return ['no machine runs'];
  return table(
    machines,
    [
      { title: 'MACHINE', text: ({ hostname }) => hostname, min: 12 },
      { title: 'MACHINETYPE', text: ({ machinetype }) => machinetype, min: 11 },
      {
        title: 'STATE',
        text: ({ suspension }) =>
          suspension === null ? 'runs' : `suspended ${saySpan(view.nowSeconds - suspension.sinceSeconds)}`,
      },
      { title: 'GONE BY', text: ({ shutdownTimeSeconds }) => sayTime(shutdownTimeSeconds), drop: 1 },
    ],
    view,
  );
}

function ownerLines(sources: Sensed<readonly OwnerSource[]>, view: ViewOptions): string[] {
  if ('unknown' in sources) return wrapped(`who uses this host is not known: ${sources.unknown}`, view);
  if (sources.value.length === 0) return [`${counted(0, 'seat')} and terminals`];
  return table(
    sources.value,
    [
      { title: 'SEAT OR TERMINAL', text: ({ name }) => name, min: 16 },
      { title: 'USER', text: ({ user }) => user ?? '-' },
      { title: 'IDLE', text: ({ idleForSeconds }) => said(idleForSeconds, saySpan, 'idle time') },
      { title: 'SCREEN', text: ({ locked }) => said(locked, (is) => (is ? 'locked' : 'open'), 'lock'), drop: 1 },
    ],
    view,
  );
}

function said<T>(sensed: Sensed<T>, words: (value: T) => string, what: string): string {
  return 'unknown' in sensed ? `${what} not known (${sensed.unknown})` : words(sensed.value);
}
