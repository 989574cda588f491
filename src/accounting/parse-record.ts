/** Accounting records read back, of every format that this program writes. Pure. */

import type { AccountingFormat } from '../config/types.js';
import { fieldsOf, unregisteredSite } from './fields.js';

export interface ParsedRecord {
  readonly format: AccountingFormat;
  readonly uuid: string;
  readonly site: string;
  /** What `site` is where there is no registered name. */
  readonly unregisteredSite: string;
  readonly submitHost: string;
  readonly machinetype: string;
  /** The FQAN, else the machinetype: as machinegroups are by default. */
  readonly group: string;
  readonly startTimeSeconds: number;
  /** Of a cloud record of a machine that ran on: until when it tells. */
  readonly endTimeSeconds: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly processors: number;
  /** For one processor, by name. */
  readonly benchmarks: Readonly<Record<string, number>>;
  /** It tells of all use since the machine's start, not of a piece. */
  readonly isCumulative: boolean;
}

const HEADERS: Readonly<Record<string, AccountingFormat>> = {
  'APEL-individual-job-message: v0.3': 'apel-v0.3',
  'APEL-individual-job-message: v0.4': 'apel-v0.4',
  'APEL-cloud-message: v0.4': 'cloud-v0.4',
};

/** Null: it is no whole record of a known format. */
export function parseRecord(text: string): ParsedRecord | null {
  const header = text.slice(0, text.indexOf('\n'));
  const format = HEADERS[header];
  if (format === undefined || !text.endsWith('\n%%\n')) return null;
  const fields = fieldsOf(text);
  const word = (job: string, cloud: string) => fields.get(format === 'cloud-v0.4' ? cloud : job) ?? '';
  const number = (job: string, cloud: string) => Number(word(job, cloud) || Number.NaN);
  const uuid = word('LocalJobId', 'VMUUID');
  const submitHost = word('SubmitHost', 'CloudComputeService');
  const machinetype = word('Queue', 'LocalGroupId');
  const record: ParsedRecord = {
    format,
    uuid,
    site: word('Site', 'SiteName'),
    unregisteredSite: unregisteredSite(submitHost.split('/')[0] ?? ''),
    submitHost,
    machinetype,
    group: fields.get('FQAN') ?? machinetype,
    startTimeSeconds: number('StartTime', 'StartTime'),
    endTimeSeconds: number('EndTime', 'RecordCreateTime'),
    wallSeconds: number('WallDuration', 'WallDuration'),
    cpuSeconds: number('CpuDuration', 'CpuDuration'),
    processors: number('Processors', 'CpuCount'),
    benchmarks: benchmarksIn(format, fields),
    isCumulative: format === 'cloud-v0.4',
  };
  const words = [record.uuid, record.site, record.submitHost, record.machinetype];
  const numbers = [
    record.startTimeSeconds,
    record.endTimeSeconds,
    record.wallSeconds,
    record.cpuSeconds,
    record.processors,
  ];
  return words.every((each) => each !== '') && numbers.every(Number.isFinite) ? record : null;
}

export function benchmarkNames({ benchmarks }: ParsedRecord): string[] {
  return Object.keys(benchmarks);
}

function benchmarksIn(format: AccountingFormat, fields: ReadonlyMap<string, string>): Record<string, number> {
  const one = (name: string | undefined, value: string | undefined) =>
    name === undefined || value === undefined ? {} : { [name]: Number(value) };
  switch (format) {
    case 'apel-v0.3':
      return one(fields.get('ServiceLevelType'), fields.get('ServiceLevel'));
    case 'cloud-v0.4':
      return one(fields.get('BenchmarkType'), fields.get('Benchmark'));
    case 'apel-v0.4': {
      const pairs = (fields.get('ServiceLevel') ?? '').matchAll(/([\w-]+): ([\d.]+)/g);
      return Object.fromEntries([...pairs].map(([, name, value]) => [name, Number(value)]));
    }
  }
}
