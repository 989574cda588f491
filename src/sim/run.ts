/**
 * Runs our policy and the reference on one scenario, beside each other, each in a thread of its own, and puts their
 * figures together: what `vac simulate` shows.
 */

import { Worker } from 'node:worker_threads';
import type { Job, RunProgress, RunResult } from './engine.js';
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
  /** Ends the runs before their time; then there is no report. */
  readonly signal?: AbortSignal;
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

/** Objects of a space of ten thousand factories are more than a thread has room for by itself. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 12_000 };

/**
 * @returns null: `signal` ended it
 * @throws what a run threw: a mistake in the simulator, or in the code that it runs
 */
export async function simulate(options: SimulateOptions): Promise<SimulationReport | null> {
  const { scenario, policy, reference, exact } = options;
  const beganMs = performance.now();
  const jobs: Job[] = [{ scenario, policy, exact }];
  if (reference) jobs.push({ scenario, policy: 'reference', exact: true });
  const threads = jobs.map(thread);
  const end = (): void => {
    for (const each of threads) void each.terminate();
  };
  options.signal?.addEventListener('abort', end);
  if (options.signal?.aborted) end();
  try {
    const [ours, other = null] = await Promise.all(threads.map((each) => resultOf(each, options)));
    if (ours == null || (reference && other === null)) return null;
    const wallSeconds = (performance.now() - beganMs) / 1000;
    return { ours, reference: other, wallSeconds, residentMiB: process.memoryUsage.rss() / 2 ** 20 };
  } finally {
    options.signal?.removeEventListener('abort', end);
    end();
  }
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

/** The source as it is run without a build (by tests) needs in a thread what translates it here. */
const FROM_SOURCE = `import('tsx/esm/api').then(({ register }) => {
  register();
  return import(${JSON.stringify(new URL('./worker.ts', import.meta.url).href)});
});`;

function thread(job: Job): Worker {
  const options = { workerData: job, resourceLimits: THREAD_LIMITS };
  return import.meta.url.endsWith('.ts')
    ? new Worker(FROM_SOURCE, { ...options, eval: true })
    : new Worker(new URL('./worker.js', import.meta.url), options);
}

/** Null: it was ended. */
function resultOf(worker: Worker, { onProgress, signal }: SimulateOptions): Promise<RunResult | null> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'progress') onProgress(message.progress);
      else resolve(message.result);
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (signal?.aborted) resolve(null);
      else reject(new Error(`a simulation's thread ended with ${code}`));
    });
  });
}
