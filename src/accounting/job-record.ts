/** APEL individual job records, formats v0.3 and v0.4 (SPEC 10). They differ in how benchmarks are given. */

import { globalUserName, line, message, unregisteredSite, wholeNumber } from './fields.js';
import type { Benchmark, RecordSource } from './formats.js';

/** With the first benchmark alone. */
export function jobRecord03(source: RecordSource, [benchmark]: readonly Benchmark[]): string {
  return message('APEL-individual-job-message: v0.3', [
    ...jobLines(source),
    ...(benchmark === undefined
      ? []
      : [line('ServiceLevelType', benchmark.name), line('ServiceLevel', String(benchmark.perProcessor))]),
  ]);
}

/** With all benchmarks. */
export function jobRecord04(source: RecordSource, benchmarks: readonly Benchmark[]): string {
  const levels = benchmarks.map(({ name, perProcessor }) => `${name}: ${withPoint(perProcessor)}`);
  return message('APEL-individual-job-message: v0.4', [
    ...jobLines(source),
    ...(levels.length === 0 ? [] : [line('ServiceLevel', `{${levels.join(', ')}}`)]),
  ]);
}

function jobLines({ record, site, piece }: RecordSource): string[] {
  const memoryKiB = wholeNumber(record.memoryMiB * 1024);
  return [
    line('Site', site.gocdbSitename ?? unregisteredSite(site.space)),
    line('SubmitHost', `${site.space}/vac-${site.factory}`),
    // The same in all records of one machine, which their EndTime tells apart.
    line('LocalJobId', record.uuid),
    line('LocalUserId', site.factory),
    line('Queue', record.machinetype),
    line('GlobalUserName', globalUserName(site.space)),
    ...(record.accountingFqan === null ? [] : [line('FQAN', record.accountingFqan)]),
    line('WallDuration', wholeNumber(piece.wallSeconds)),
    line('CpuDuration', wholeNumber(piece.cpuSeconds)),
    line('Processors', wholeNumber(record.processors)),
    line('NodeCount', '1'),
    line('InfrastructureDescription', 'APEL-VAC'),
    line('InfrastructureType', site.infrastructure),
    line('StartTime', wholeNumber(piece.startTimeSeconds)),
    line('EndTime', wholeNumber(piece.endTimeSeconds)),
    line('MemoryReal', memoryKiB),
    line('MemoryVirtual', memoryKiB),
  ];
}

/** As the format's own examples have them. */
function withPoint(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
