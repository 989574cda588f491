/** The thread that one run has to itself: takes its job, tells of its progress, and gives its result. */

import { parentPort, workerData } from 'node:worker_threads';
import { type Job, type RunProgress, type RunResult, runJob } from './engine.js';

export type WorkerMessage =
  | { readonly kind: 'progress'; readonly progress: RunProgress }
  | { readonly kind: 'result'; readonly result: RunResult };

const tell = (message: WorkerMessage): void => parentPort?.postMessage(message);

tell({
  kind: 'result',
  result: runJob(workerData as Job, (progress) => tell({ kind: 'progress', progress })),
});
