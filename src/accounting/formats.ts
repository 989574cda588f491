/**
 * What an accounting record looks like, by format. A new one is a file and a line in `FORMATS`.
 *
 * What receivers take and refuse was tried (SPEC 10) or is said by APEL's public code: its parsers know the fields of
 * each format and no others; job records are one for each Site, LocalJobId and EndTime, counted in the month of EndTime;
 * cloud records tell of all use since StartTime, one for each VMUUID and month, from which the receiver subtracts the
 * month before. InfrastructureType is free text of 20 characters for both.
 */

import type { AccountingFormat } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { cloudRecord } from './cloud-record.js';
import { jobRecord03, jobRecord04 } from './job-record.js';
import type { Piece } from './pieces.js';

/** Whose usage it is. */
export interface AccountingSite {
  /** The site's registered name; null where it has none, and then records are for the archive only. */
  readonly gocdbSitename: string | null;
  readonly space: string;
  readonly factory: string;
  /** InfrastructureType of job records. */
  readonly infrastructure: 'grid' | 'cloud';
}

/** What a record is made from: the last of a machine's pieces, and those before it. */
export interface RecordSource {
  readonly record: MachineRecord;
  readonly site: AccountingSite;
  readonly piece: Piece;
  readonly before: readonly Piece[];
}

/** A benchmark as receivers call it, and its value for one processor. */
export interface Benchmark {
  readonly name: 'HEPscore23' | 'HEPSPEC';
  readonly perProcessor: number;
}

const FORMATS: Readonly<Record<AccountingFormat, (source: RecordSource, benchmarks: readonly Benchmark[]) => string>> =
  {
    'apel-v0.3': jobRecord03,
    'apel-v0.4': jobRecord04,
    'cloud-v0.4': cloudRecord,
  };

/** The text of one record, in the format that the machine was created with. */
export function recordText(source: RecordSource): string {
  return FORMATS[source.record.accountingFormat ?? 'apel-v0.3'](source, benchmarksOf(source.record));
}

/**
 * The benchmarks that were given, the one that today's receivers count by first: it is what a record with room for one
 * benchmark tells. None where nothing was measured; a receiver would count that as 1, so it is not sent.
 */
export function benchmarksOf(record: MachineRecord): Benchmark[] {
  const { hepscore23PerProcessor, hs06PerProcessor } = record;
  return [
    ...(hepscore23PerProcessor === undefined
      ? []
      : [{ name: 'HEPscore23', perProcessor: hepscore23PerProcessor } as const]),
    ...(hs06PerProcessor === null ? [] : [{ name: 'HEPSPEC', perProcessor: hs06PerProcessor } as const]),
  ];
}
