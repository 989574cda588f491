/** What creating and ending a real machine costs, step by step, beside a bare `virsh create` and `destroy` of it. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { TestHost } from '../live/test-host.js';
import { type Figure, figure, mean } from './figure.js';

const WORKER = fileURLToPath(new URL('./machine-worker.mjs', import.meta.url));

interface WorkerResult {
  /** Milliseconds of each step, by its name, in order. */
  readonly create: Record<string, number[]>;
  readonly clear: Record<string, number[]>;
  readonly virshCreateMs: number[];
  readonly virshDestroyMs: number[];
  /** From libvirt's word that a machine stopped to the request to create the next. */
  readonly refillMs: number[];
}

export async function machineFigures(): Promise<Figure[]> {
  const host = await TestHost.create();
  try {
    const [command, args] = host.inside('node', [WORKER, `${host.directory}/state`]);
    const { stdout } = await promisify(execFile)(command, args, { timeout: 400_000 });
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as WorkerResult;
    const own = (steps: Record<string, number[]>) =>
      Object.entries(steps)
        .filter(([name]) => name !== 'libvirt')
        .reduce((sum, [, times]) => sum + mean(times), 0);
    const virshCreate = { value: Math.round(mean(result.virshCreateMs)), what: 'bare virsh create' };
    const virshDestroy = { value: Math.round(mean(result.virshDestroyMs)), what: 'bare virsh destroy' };
    return [
      ...Object.entries(result.create).map(([name, times]) =>
        figure(`machine create: ${name}`, mean(times), 'ms', name === 'libvirt' ? virshCreate : null),
      ),
      figure('machine create: all but libvirt', own(result.create), 'ms', virshCreate),
      ...Object.entries(result.clear).map(([name, times]) => figure(`machine end: ${name}`, mean(times), 'ms')),
      figure('machine end: all', own(result.clear), 'ms', virshDestroy),
      figure('machine refill: stopped to next create', mean(result.refillMs), 'ms', {
        value: 31_000,
        what: 'predecessor, mean',
      }),
    ];
  } finally {
    await host.destroy();
  }
}
