/**
 * A receiver of accounting messages, by what was tried with APEL's parser (SPEC 10) and what its public code says: which
 * fields each message may have and must have, what it refuses, and what it keeps of a record that comes again.
 */

const JOB = {
  must: ['Site', 'LocalJobId', 'WallDuration', 'CpuDuration', 'StartTime', 'EndTime'],
  may: [
    ...['SubmitHost', 'MachineName', 'Queue', 'LocalUserId', 'GlobalUserName', 'FQAN', 'VO', 'VOGroup', 'VORole'],
    ...['Processors', 'NodeCount', 'InfrastructureDescription', 'InfrastructureType', 'MemoryReal', 'MemoryVirtual'],
    'ServiceLevel',
  ],
};
const MESSAGES: Readonly<Record<string, { must: readonly string[]; may: readonly string[] }>> = {
  'APEL-individual-job-message: v0.3': { ...JOB, may: [...JOB.may, 'ServiceLevelType'] },
  'APEL-individual-job-message: v0.4': JOB,
  'APEL-cloud-message: v0.4': {
    must: ['VMUUID', 'SiteName', 'StartTime'],
    may: [
      ...['RecordCreateTime', 'CloudComputeService', 'MachineName', 'LocalUserId', 'LocalGroupId', 'GlobalUserName'],
      ...['FQAN', 'Status', 'EndTime', 'SuspendDuration', 'WallDuration', 'CpuDuration', 'CpuCount', 'NetworkType'],
      ...['NetworkInbound', 'NetworkOutbound', 'PublicIPCount', 'Memory', 'Disk', 'BenchmarkType', 'Benchmark'],
      ...['StorageRecordId', 'ImageId', 'CloudType'],
    ],
  },
  'APEL-sync-message: v0.1': { must: ['Site', 'NumberOfJobs', 'Month', 'Year'], may: ['SubmitHost'] },
};
const WHOLE = /Duration$|^(Processors|NodeCount|Memory\w*|CpuCount|\w*Time|NumberOfJobs|Month|Year|PublicIPCount)$/;
const BENCHMARKS = ['hepspec', 'hepscore23', 'si2k'];
const MAX_AHEAD_SECONDS = 2 * 86_400;

export type Fields = Readonly<Record<string, string>>;

/** The records of one message. @throws Error as the receiver refuses it */
export function receive(text: string, nowSeconds: number): { header: string; records: Fields[] } {
  if (!/^[ -~\n]*$/.test(text)) throw new Error('it is not ASCII');
  const [header = '', ...lines] = text.trim().split('\n');
  const known = MESSAGES[header];
  if (known === undefined) throw new Error(`message type ${header} not recognised`);
  const parts = lines.join('\n').split('%%');
  const records = parts
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const fields: Record<string, string> = {};
      for (const each of part.trim().split('\n')) {
        const [, key, value] = /^(\w+): (.+)$/.exec(each) ?? [];
        if (key === undefined || value === undefined) throw new Error(`"${each}" is no field`);
        if (![...known.must, ...known.may].includes(key)) throw new Error(`unknown field ${key}`);
        if (WHOLE.test(key) && !/^\d+$/.test(value)) throw new Error(`${key} ${value} is no integer`);
        fields[key] = value;
      }
      check(header, fields, known.must, nowSeconds);
      return fields;
    });
  if (records.length === 0) throw new Error('there is no record in it');
  return { header, records };
}

function check(header: string, fields: Fields, must: readonly string[], nowSeconds: number): void {
  for (const key of must) {
    if (fields[key] === undefined || /^(none|null)$/i.test(fields[key])) throw new Error(`${key} is missing`);
  }
  const { StartTime, EndTime } = fields;
  if (EndTime !== undefined && Number(EndTime) < Number(StartTime)) throw new Error('EndTime is before StartTime');
  if (Number(EndTime ?? 0) > nowSeconds + MAX_AHEAD_SECONDS) throw new Error(`EndTime ${EndTime} is in the future`);
  if ((fields.InfrastructureType ?? '').length > 20) throw new Error('InfrastructureType is too long');
  if (header.endsWith('job-message: v0.3')) {
    const { ServiceLevel: level, ServiceLevelType: type } = fields;
    if ((level === undefined) !== (type === undefined)) throw new Error('one of ServiceLevel and its type is missing');
    if (type !== undefined && !BENCHMARKS.includes(type.toLowerCase())) throw new Error(`benchmark ${type}`);
    if (level !== undefined && !Number.isFinite(Number(level))) throw new Error(`ServiceLevel ${level}`);
  }
  if (header.endsWith('job-message: v0.4') && fields.ServiceLevel !== undefined) {
    const pairs = fields.ServiceLevel.replace(/^\{|\}$/g, '').split(',');
    for (const pair of pairs) {
      const [name = '', value] = pair.split(':');
      if (!BENCHMARKS.includes(name.trim().toLowerCase()) || !Number.isFinite(Number(value)))
        throw new Error(`ServiceLevel ${fields.ServiceLevel}`);
    }
  }
}

const MONTH = (timeSeconds: number) => new Date(timeSeconds * 1000).toISOString().slice(0, 7).replace('-', '');

/** What a receiver's tables hold. */
export class Receiver {
  /** By Site, LocalJobId and EndTime; one that comes again replaces the first. */
  readonly jobs = new Map<string, Fields>();
  /** By VMUUID and month; the one of the latest moment stays. */
  readonly vms = new Map<string, Fields>();
  /** By site, submit host and month: the number that was told last. */
  readonly syncs = new Map<string, number>();
  /** Every record that came, and how many of them told numbers of records. */
  received = 0;
  syncsReceived = 0;

  take(text: string, nowSeconds: number): void {
    const { header, records } = receive(text, nowSeconds);
    for (const fields of records) {
      this.received += 1;
      if (header.startsWith('APEL-individual')) {
        this.jobs.set(`${fields.Site} ${fields.LocalJobId} ${fields.EndTime}`, fields);
      } else if (header.startsWith('APEL-cloud')) {
        const time = Number(fields.Status === 'completed' ? fields.EndTime : fields.RecordCreateTime);
        const key = `${fields.VMUUID} ${MONTH(time)}`;
        const known = this.vms.get(key);
        if (known === undefined || Number(known.RecordCreateTime) < time) this.vms.set(key, fields);
      } else {
        this.syncsReceived += 1;
        const month = `${fields.Year}${fields.Month!.padStart(2, '0')}`;
        this.syncs.set(`${fields.Site} ${fields.SubmitHost} ${month}`, Number(fields.NumberOfJobs));
      }
    }
  }

  /** Use by machine and month: wall × processors and CPU, seconds. */
  uses(): Map<string, { wall: number; cpu: number }> {
    const uses = new Map<string, { wall: number; cpu: number }>();
    const add = (key: string, wall: number, cpu: number) => {
      const known = uses.get(key) ?? { wall: 0, cpu: 0 };
      uses.set(key, { wall: known.wall + wall, cpu: known.cpu + cpu });
    };
    for (const { LocalJobId, EndTime, WallDuration, CpuDuration, Processors } of this.jobs.values()) {
      const key = `${LocalJobId} ${MONTH(Number(EndTime))}`;
      add(key, Number(WallDuration) * Number(Processors), Number(CpuDuration));
    }
    const before = new Map<string, { wall: number; cpu: number }>();
    for (const [key, { VMUUID, WallDuration, CpuDuration, CpuCount }] of [...this.vms].sort(byMonth)) {
      const all = { wall: Number(WallDuration) * Number(CpuCount), cpu: Number(CpuDuration) };
      const past = before.get(VMUUID!) ?? { wall: 0, cpu: 0 };
      add(key, all.wall - past.wall, all.cpu - past.cpu);
      before.set(VMUUID!, all);
    }
    return uses;
  }
}

function byMonth([one]: [string, unknown], [other]: [string, unknown]): number {
  return one.split(' ')[1]! < other.split(' ')[1]! ? -1 : 1;
}
