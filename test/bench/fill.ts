/** Filling 64 slots on libvirt's in-memory driver, then what 64 machines cost a daemon that has nothing to do. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Figure, figure } from './figure.js';

const WORKER = fileURLToPath(new URL('./fill-worker.mjs', import.meta.url));
const SLOTS = 64;
/** The predecessor starts one machine a minute (DESIGN.md, figures to beat). */
const PREDECESSOR_SECONDS = SLOTS * 60;

export async function fillFigures(): Promise<Figure[]> {
  const stateDir = await mkdtemp(join(tmpdir(), 'vac-bench-'));
  try {
    // A network namespace of its own, so that the metadata addresses can be had without a bridge.
    // Node as etc/install-host.sh has it run vacd.
    const script = `ip link set lo up && ip addr add 169.254.169.254/32 dev lo && ip addr add 169.254.169.253/32 dev lo && exec node --max-semi-space-size=4 ${WORKER} ${stateDir} ${SLOTS}`;
    const { stdout } = await promisify(execFile)('unshare', ['--net', 'bash', '-c', script], { timeout: 300_000 });
    const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, number>;
    const aim = (value: number, what: string) => ({ value, what });
    return [
      figure('fill 64 slots on test:///default', result.fillSeconds!, 's', aim(PREDECESSOR_SECONDS, 'predecessor')),
      figure('fill: CPU of vacd itself per machine', result.fillCpuMsPerMachine!, 'ms'),
      figure('fill: event loop delay, worst', result.worstDelayMs!, 'ms'),
      figure('idle CPU of vacd with 64 machines', result.idleCpuPercent!, '% of a core', aim(1, 'aim, below')),
      figure('RSS of vacd with 64 machines', result.rssMiB!, 'MiB', aim(100, 'aim, below')),
    ];
  } finally {
    await rm(stateDir, { recursive: true, force: true });
  }
}
