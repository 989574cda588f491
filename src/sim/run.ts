/**
 * Runs our policy and the reference on one scenario, beside each other, and puts their figures together: what
 * `vac simulate` shows.
 */

import { Worker } from 'node:worker_threads';
import { type Job, type RunProgress, type RunResult, runJob } from './engine.js';
import type { Measures } from './measures.js';
import type { PolicyName } from './policy.js';
import type { Scenario } from './scenario.js';
import type { WorkerMessage } from './worker.js';

export interface SimulateOptions {
  readonly scenario: Scenario;
  readonly policy: Exclude<PolicyName, 'reference'>;
  /** False: our policy alone. */
  readonly reference: boolean;
  /** Every datagram, however long it takes. */
  readonly exact: boolean;
  /** Not often: some times a second. */
  readonly onProgress: (progress: RunProgress) => void;
}

export interface SimulationReport {
  readonly ours: RunResult;
  readonly reference: RunResult | null;
  readonly wallSeconds: number;
  /** Of this process at the end, with all its threads. */
  readonly residentMiB: number;
}

/** The last line of `vac simulate --json`: our figures, and under `reference` the same of the predecessor. */
export interface SimulationFigures extends Measures {
  readonly reference: Measures | null;
  readonly residentMiB: number;
  /** Null: each datagram was simulated. */
  readonly measuredSeconds: number | null;
  readonly problems: readonly string[];
  readonly digest: string;
}

/** Runs in threads where it can: the source as it is run by tests, without a build, cannot be loaded into one. */
const CAN_THREAD = import.meta.url.endsWith('.js');

/** @throws what a run threw: a mistake in the simulator, or in the code that it runs */
export async function simulate({
  scenario,
  policy,
  reference,
  exact,
  onProgress,
}: SimulateOptions): Promise<SimulationReport> {
  const beganMs = performance.now();
  const jobs: Job[] = [{ scenario, policy, exact }];
  if (reference) jobs.push({ scenario, policy: 'reference', exact: true });
  const [ours, other = null] = CAN_THREAD
    ? await Promise.all(jobs.map((job) => inThread(job, onProgress)))
    : jobs.map((job) => runJob(job, onProgress));
  return {
    ours: ours!,
    reference: other,
    wallSeconds: (performance.now() - beganMs) / 1000,
    residentMiB: process.memoryUsage.rss() / 2 ** 20,
  };
}

export function figuresOf({ ours, reference, wallSeconds, residentMiB }: SimulationReport): SimulationFigures {
  return {
    ...ours.measures,
    wallSeconds,
    reference: reference?.measures ?? null,
    residentMiB,
    measuredSeconds: ours.gossip?.measured?.seconds ?? null,
    problems: [...ours.problems, ...(reference?.problems ?? [])],
    digest: ours.digest,
  };
}

function inThread(job: Job, onProgress: (progress: RunProgress) => void): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: job });
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') onProgress(message.progress);
      else resolve(message.result);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`a simulation's thread ended with ${code}`)));
  });
}
