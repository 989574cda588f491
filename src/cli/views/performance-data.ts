/**
 * Performance data as plugins for Nagios give it: `label=value[unit];[warning];[critical];[min];[max]`, so that what was
 * measured can be drawn. Labels are words of ours, values are numbers: nothing that others say gets in here.
 */

import type { FactoryStatus } from '../../vacquery/index.js';
import { type CheckThresholds, heartbeatAge, kibToBytes } from './factory-problems.js';

/** Of one factory. */
export function factoryData(status: FactoryStatus, thresholds: CheckThresholds): string[] {
  const { heartbeatSeconds, diskWarningBytes, diskCriticalBytes } = thresholds;
  const disk = (name: string, kib: number | null) =>
    kib === null
      ? []
      : // In Nagios' ranges `N:` alerts below N.
        [
          datum(name, kibToBytes(kib)!, {
            unit: 'B',
            warning: `${plain(diskWarningBytes)}:`,
            critical: `${plain(diskCriticalBytes)}:`,
          }),
        ];
  const age = (time: number | null) => (time === null ? null : status.time_sent - time);
  return [
    ...runningData([status]),
    ...(status.load_average === null ? [] : [datum('load15', status.load_average)]),
    ...disk('state_disk_free', status.vac_disk_avail_kb),
    ...disk('root_disk_free', status.root_disk_avail_kb),
    ...heartbeatDatum('factory', age(status.factory_heartbeat_time), heartbeatSeconds),
    ...heartbeatDatum('responder', age(status.responder_heartbeat_time), heartbeatSeconds),
  ];
}

/** Of several factories: sums, and the oldest heartbeat. */
export function spaceData(statuses: readonly FactoryStatus[], asked: number, thresholds: CheckThresholds): string[] {
  const ages = statuses.flatMap((status) => heartbeatAge(status) ?? []);
  const oldest = ages.length === 0 ? null : Math.max(...ages);
  return [
    datum('factories', statuses.length, { max: asked }),
    ...runningData(statuses),
    ...heartbeatDatum('oldest', oldest, thresholds.heartbeatSeconds),
  ];
}

function runningData(statuses: readonly FactoryStatus[]): string[] {
  const sum = (of: (status: FactoryStatus) => number) => statuses.reduce((total, each) => total + of(each), 0);
  return [
    datum(
      'slots',
      sum((s) => s.running_machines),
      { max: sum((s) => s.max_machines) },
    ),
    datum(
      'processors',
      sum((s) => s.running_processors),
      { max: sum((s) => s.max_processors) },
    ),
    datum(
      'hs06',
      sum((s) => s.running_hs06),
      { max: sum((s) => s.max_hs06) },
    ),
  ];
}

export function heartbeatDatum(name: string, ageSeconds: number | null, limitSeconds: number): string[] {
  if (ageSeconds === null) return [];
  return [datum(`${name}_heartbeat`, Math.max(0, ageSeconds), { unit: 's', critical: String(limitSeconds) })];
}

/** One value; empty fields at its end are left out. */
export function datum(
  label: string,
  value: number,
  more: { unit?: string; warning?: string; critical?: string; max?: number } = {},
): string {
  const fields = [
    `${label}=${plain(value)}${more.unit ?? ''}`,
    more.warning ?? '',
    more.critical ?? '',
    '0',
    more.max === undefined ? '' : plain(more.max),
  ];
  return fields.join(';').replace(/;+$/, '');
}

/** Never with an exponent, which such data cannot have. */
export function plain(value: number): string {
  return value.toFixed(2).replace(/\.?0+$/, '');
}
