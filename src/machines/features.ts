/**
 * Machine/Job Features (HSF-TN-2016-02; SPEC 5): one small file per key, which jobs in the machine read as
 * /etc/machinefeatures and /etc/jobfeatures or over HTTP. To the job features, the whole machine is one job.
 */

import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostPort } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { writeFileAtomic } from '../host/files.js';

/** What the features of a machine tell beyond its record. */
export interface StartOptions {
  readonly shutdownTimeSeconds: number;
  readonly nowSeconds: number;
  readonly space: string;
  readonly factory: string;
  readonly scratchBytes: number;
  readonly swapBytes: number;
  /** Where the machine should send its syslog; null: nowhere. */
  readonly syslog: HostPort | null;
  /** The site's own files, by name; where one has the name of a feature below, the feature stands. */
  readonly machinefeaturesOptions: Readonly<Record<string, string>>;
}

/** Content of each file by its name, for the two directories. */
export interface Features {
  readonly machinefeatures: Readonly<Record<string, string>>;
  readonly jobfeatures: Readonly<Record<string, string>>;
}

interface Facts extends StartOptions, MachineRecord {
  readonly wallSeconds: number;
  readonly memoryBytes: number;
  /** Benchmark power of the machine; null where the site has configured none. */
  readonly configuredHs06: number | null;
}

interface Feature {
  readonly dir: keyof Features;
  readonly key: string;
  /** Null: the file is not written. */
  readonly value: (facts: Facts) => number | string | null;
}

const MACHINE = 'machinefeatures';
const JOB = 'jobfeatures';

const FEATURES: readonly Feature[] = [
  // HSF-TN-2016-02, machine features.
  { dir: MACHINE, key: 'total_cpu', value: ({ processors }) => processors },
  { dir: MACHINE, key: 'hs06', value: ({ configuredHs06 }) => configuredHs06 },
  { dir: MACHINE, key: 'shutdowntime', value: ({ shutdownTimeSeconds }) => shutdownTimeSeconds },
  { dir: MACHINE, key: 'grace_secs', value: ({ graceSeconds }) => graceSeconds },

  // HSF-TN-2016-02, job features.
  { dir: JOB, key: 'allocated_cpu', value: ({ processors }) => processors },
  { dir: JOB, key: 'hs06_job', value: ({ configuredHs06 }) => configuredHs06 },
  { dir: JOB, key: 'shutdowntime_job', value: ({ shutdownTimeSeconds }) => shutdownTimeSeconds },
  { dir: JOB, key: 'grace_secs_job', value: ({ graceSeconds }) => graceSeconds },
  { dir: JOB, key: 'jobstart_secs', value: ({ nowSeconds }) => nowSeconds },
  { dir: JOB, key: 'job_id', value: ({ uuid }) => uuid },
  { dir: JOB, key: 'wall_limit_secs', value: ({ wallSeconds }) => wallSeconds },
  { dir: JOB, key: 'cpu_limit_secs', value: ({ wallSeconds, processors }) => wallSeconds * processors },
  { dir: JOB, key: 'max_rss_bytes', value: ({ memoryBytes }) => memoryBytes },
  { dir: JOB, key: 'max_swap_bytes', value: ({ swapBytes }) => swapBytes },
  { dir: JOB, key: 'scratch_limit_bytes', value: ({ scratchBytes }) => scratchBytes },

  // Convention of sites that keep machines' syslog (SPEC 8); not in the note.
  { dir: MACHINE, key: 'syslog', value: ({ syslog }) => (syslog === null ? null : `${syslog.host}:${syslog.port}`) },

  // The note's keys of before 2016, which old images still read.
  { dir: MACHINE, key: 'phys_cores', value: ({ processors }) => processors },
  { dir: MACHINE, key: 'log_cores', value: ({ processors }) => processors },
  { dir: MACHINE, key: 'jobslots', value: () => 1 },
  { dir: JOB, key: 'cpufactor_lrms', value: () => '1.0' },
  { dir: JOB, key: 'cpu_limit_secs_lrms', value: ({ wallSeconds, processors }) => wallSeconds * processors },
  { dir: JOB, key: 'wall_limit_secs_lrms', value: ({ wallSeconds }) => wallSeconds },
  { dir: JOB, key: 'mem_limit_MB', value: ({ memoryBytes }) => Math.floor(memoryBytes / 1_000_000) },
  { dir: JOB, key: 'allocated_CPU', value: ({ processors }) => processors },

  // The predecessor's own keys.
  { dir: MACHINE, key: 'vac_factory', value: ({ factory }) => factory },
  { dir: MACHINE, key: 'vac_vmtype', value: ({ machinetype }) => machinetype },
  { dir: MACHINE, key: 'vac_space', value: ({ space }) => space },
  { dir: MACHINE, key: 'vac_uuid', value: ({ uuid }) => uuid },
];

/** All features of a machine that is about to start; pure. */
export function machineFeatures(record: MachineRecord, options: StartOptions): Features {
  const { hs06PerProcessor, memoryMiB, processors } = record;
  const facts: Facts = {
    ...record,
    ...options,
    wallSeconds: Math.max(0, options.shutdownTimeSeconds - options.nowSeconds),
    memoryBytes: memoryMiB * 2 ** 20,
    configuredHs06: hs06PerProcessor === null ? null : hs06PerProcessor * processors,
  };
  const features = {
    machinefeatures: { ...options.machinefeaturesOptions },
    jobfeatures: {} as Record<string, string>,
  };
  for (const { dir, key, value } of FEATURES) {
    const content = value(facts);
    if (content !== null) features[dir][key] = typeof content === 'number' ? plainNumber(content) : content;
  }
  return features;
}

/** The files that change when a machine's shutdowntime is moved; by SPEC 5 only ever to an earlier time. */
export function shutdownTimeFiles(shutdownTimeSeconds: number): Features {
  const time = plainNumber(shutdownTimeSeconds);
  return { machinefeatures: { shutdowntime: time }, jobfeatures: { shutdowntime_job: time } };
}

/**
 * Writes features below a machine's directory, each file atomically, so that a job that reads at this moment sees the
 * old value or the new. Other files there stay. Not fsynced: no machine outlives a crash of its host.
 */
export async function writeFeatures(machineDirectory: string, features: Features): Promise<void> {
  for (const [name, files] of Object.entries(features)) {
    const directory = join(machineDirectory, name);
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    for (const [key, content] of Object.entries<string>(files)) {
      await writeFileAtomic(join(directory, key), content, { durable: false });
    }
  }
}

/** Moves the shutdowntime of a machine that has its features. */
export async function writeShutdownTime(machineDirectory: string, shutdownTimeSeconds: number): Promise<void> {
  await writeFeatures(machineDirectory, shutdownTimeFiles(shutdownTimeSeconds));
}

/** Digits without exponent and without the noise of binary fractions: a reader may know no more than `^[0-9.]+$`. */
function plainNumber(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(6).replace(/\.?0+$/, '');
}
