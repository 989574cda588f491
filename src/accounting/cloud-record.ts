/**
 * Cloud usage records, format v0.4. Other than job records they tell of everything since the machine's start: of one
 * that runs on at a month's end as `started`, with RecordCreateTime saying when; the receiver subtracts what the month
 * before told.
 */

import { globalUserName, line, message, unregisteredSite, wholeNumber } from './fields.js';
import type { Benchmark, RecordSource } from './formats.js';
import { sumOf } from './pieces.js';

export function cloudRecord({ record, site, piece, before }: RecordSource, [benchmark]: readonly Benchmark[]): string {
  const { wallSeconds, cpuSeconds, suspendedSeconds } = sumOf([...before, piece]);
  const startTimeSeconds = (before[0] ?? piece).startTimeSeconds;
  return message('APEL-cloud-message: v0.4', [
    line('RecordCreateTime', wholeNumber(piece.endTimeSeconds)),
    line('VMUUID', record.uuid),
    line('SiteName', site.gocdbSitename ?? unregisteredSite(site.space)),
    line('CloudComputeService', `${site.space}/vac-${site.factory}`),
    line('MachineName', record.hostname),
    line('LocalUserId', site.factory),
    line('LocalGroupId', record.machinetype),
    line('GlobalUserName', globalUserName(site.space)),
    ...(record.accountingFqan === null ? [] : [line('FQAN', record.accountingFqan)]),
    line('Status', piece.isLast ? 'completed' : 'started'),
    line('StartTime', wholeNumber(startTimeSeconds)),
    ...(piece.isLast ? [line('EndTime', wholeNumber(piece.endTimeSeconds))] : []),
    line('SuspendDuration', wholeNumber(suspendedSeconds)),
    line('WallDuration', wholeNumber(wallSeconds)),
    line('CpuDuration', wholeNumber(cpuSeconds)),
    line('CpuCount', wholeNumber(record.processors)),
    line('NetworkType', 'NAT'),
    line('PublicIPCount', '0'),
    // In MB, as the format has it.
    line('Memory', wholeNumber(record.memoryMiB)),
    ...(benchmark === undefined
      ? []
      : [line('BenchmarkType', benchmark.name), line('Benchmark', String(benchmark.perProcessor))]),
    line('ImageId', record.machinetype),
    line('CloudType', 'Vac'),
  ]);
}
