/** What is wrong with a factory, as its answer to a factory query tells: for `vac factories`, `vac watch`, `vac check`. */

import type { FactoryStatus, PeerAnswer, Received, ReplyRefusal } from '../../vacquery/index.js';
import { counted, duration, harmless, size } from './text.js';

export interface FactoryProblem {
  readonly severity: 'warning' | 'critical';
  /** A few words, harmless. */
  readonly text: string;
}

export interface CheckThresholds {
  /** A heartbeat older than this is critical: the predecessor's 600 s (SPEC 11). */
  readonly heartbeatSeconds: number;
  readonly diskWarningBytes: number;
  /** With less than 1 GB in its state directory a factory starts nothing (SPEC 4). */
  readonly diskCriticalBytes: number;
  /** Clocks that differ by less are called right: a datagram takes time, and times are whole seconds. */
  readonly clockSeconds: number;
}

export const CHECK_THRESHOLDS: CheckThresholds = {
  heartbeatSeconds: 600,
  diskWarningBytes: 5e9,
  diskCriticalBytes: 1e9,
  clockSeconds: 5,
};

/** One moment on both clocks. */
export interface PollMoment {
  readonly nowSeconds: number;
  /** The clock of the poll at `nowSeconds`. */
  readonly nowMs: number;
  /** Why factories could not be asked, by their names, in words that follow them; absent: nothing is known of that. */
  readonly unaskable?: ReadonlyMap<string, string>;
}

/** The worst come first. */
export function factoryProblems(
  answer: PeerAnswer<FactoryStatus>,
  moment: PollMoment,
  thresholds: CheckThresholds = CHECK_THRESHOLDS,
): FactoryProblem[] {
  const received = answer.statuses[0];
  const problems = [
    ...exchangeProblems(answer, moment.unaskable?.get(answer.factory)),
    ...(received === undefined ? [] : statusProblems(received, moment, thresholds)),
  ];
  return [
    ...problems.filter(({ severity }) => severity === 'critical'),
    ...problems.filter(({ severity }) => severity === 'warning'),
  ];
}

export function statusOf(answer: PeerAnswer<FactoryStatus>): FactoryStatus | null {
  return answer.statuses[0]?.status ?? null;
}

export function kibToBytes(kib: number | null): number | null {
  return kib === null ? null : kib * 1024;
}

function exchangeProblems(
  { outcome, asked, wasDead, refused, claimedFactory, strayAddress }: PeerAnswer<FactoryStatus>,
  unaskable: string | undefined,
): FactoryProblem[] {
  const problems: FactoryProblem[] = [];
  if (outcome === 'none') {
    // One that is known to be dead is asked only now and then.
    const text = asked > 0 || wasDead ? 'no answer' : `not asked: ${unaskable ?? 'its name has no address'}`;
    problems.push({ severity: 'critical', text });
  }
  if (outcome === 'partial') problems.push({ severity: 'warning', text: 'its answer did not arrive in full' });
  const details: Partial<Record<ReplyRefusal, string | null>> = {
    'wrong-factory': claimedFactory === null ? null : `it calls itself ${harmless(claimedFactory)}`,
    'wrong-address': strayAddress === null ? null : `from ${strayAddress}`,
  };
  for (const [reason, count] of refused) {
    const detail = details[reason] ?? null;
    const text = `${counted(count, 'answer')} refused: ${reason}${detail === null ? '' : ` (${detail})`}`;
    problems.push({ severity: 'warning', text });
  }
  return problems;
}

function statusProblems(
  { status, receivedMs }: Received<FactoryStatus>,
  { nowSeconds, nowMs }: PollMoment,
  thresholds: CheckThresholds,
): FactoryProblem[] {
  const problems: FactoryProblem[] = [];
  const aheadSeconds = Math.round(status.time_sent - (nowSeconds - (nowMs - receivedMs) / 1000));
  if (Math.abs(aheadSeconds) > thresholds.clockSeconds) {
    const text = `its clock is ${duration(Math.abs(aheadSeconds))} ${aheadSeconds > 0 ? 'ahead' : 'behind'}`;
    problems.push({ severity: 'warning', text });
  }
  for (const [name, time] of heartbeats(status)) {
    if (time === null) continue;
    // Both on the factory's own clock, which may be wrong without any harm to it.
    const age = status.time_sent - time;
    const critical = name === 'factory' || name === 'responder';
    if (age > thresholds.heartbeatSeconds) {
      problems.push({
        severity: critical ? 'critical' : 'warning',
        text: `${name} heartbeat is ${duration(age)} old`,
      });
    }
  }
  const disks = [
    ['state directory', status.vac_disk_avail_kb],
    ['root disk', status.root_disk_avail_kb],
  ] as const;
  for (const [name, kib] of disks) {
    const free = kibToBytes(kib);
    if (free === null || free >= thresholds.diskWarningBytes) continue;
    const severity = free < thresholds.diskCriticalBytes ? 'critical' : 'warning';
    problems.push({ severity, text: `${size(free)} free on ${name}` });
  }
  return problems;
}

/** Of the factory's parts; null where it does not tell. */
function heartbeats(status: FactoryStatus): (readonly [name: string, time: number | null])[] {
  return [
    ['factory', status.factory_heartbeat_time],
    ['responder', status.responder_heartbeat_time],
    ['MJF', status.mjf_heartbeat_time],
    ['metadata', status.metadata_heartbeat_time],
  ];
}

/** Age of the older of the two heartbeats that a factory cannot do without; null: it tells neither. */
export function heartbeatAge(status: FactoryStatus): number | null {
  const times = [status.factory_heartbeat_time, status.responder_heartbeat_time].flatMap((time) =>
    time === null ? [] : [time],
  );
  return times.length === 0 ? null : Math.max(0, status.time_sent - Math.min(...times));
}
