/** Images by URL: 64 machines that want one at the same moment, from a server on this host; and what a check costs. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageCache } from '../../src/host/images/cache.js';
import { ImageServer, rawImage } from '../host/images/image-server.js';
import { type Figure, figure, mean } from './figure.js';

const MACHINES = 64;
const IMAGE_BYTES = 100e6;
const CHECKS = 20;

export async function imagesFigures(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'vac-bench-images-'));
  const server = await ImageServer.start();
  const content = Buffer.concat([rawImage(1), Buffer.alloc(IMAGE_BYTES - rawImage(1).length, 'x')]);
  const wish = { url: server.serve('/a.img', { content, etag: '"1"' }), sha256: null, signingDn: null };
  let nowMs = 0;
  const cache = new ImageCache({
    directory: join(directory, 'imagecache'),
    log: { info() {}, warn: (line) => process.stderr.write(`${line}\n`) },
    limitBytes: () => null,
    reserveBytes: 0,
    nowMs: () => nowMs,
  });
  try {
    await mkdir(join(directory, 'imagecache'));
    await cache.start(new Set());
    const machines = Array.from({ length: MACHINES }, (_, index) => `machine${index}`);
    const beganMs = performance.now();
    const cpu = process.cpuUsage();
    await Promise.all(machines.map(() => cache.refresh(wish)));
    const fetchedMs = performance.now() - beganMs;
    const { user, system } = process.cpuUsage(cpu);
    const downloads = server.asked.length;
    const takeBeganMs = performance.now();
    await Promise.all(machines.map((machine) => cache.take(wish, machine)));
    const takenMs = performance.now() - takeBeganMs;
    const checks: number[] = [];
    for (let number = 0; number < CHECKS; number += 1) {
      nowMs += 3_600_000;
      const checkBeganMs = performance.now();
      await Promise.all(machines.map(() => cache.refresh(wish)));
      checks.push(performance.now() - checkBeganMs);
    }
    return [
      figure('images downloads for 64 starts at once', downloads, 'downloads', { value: 1, what: 'aim' }),
      figure('images fetch of 100 MB, checked', fetchedMs, 'ms'),
      figure('images fetch of 100 MB cpu, server included', (user + system) / 1000, 'ms'),
      figure('images hold for one of 64 machines', takenMs / MACHINES, 'ms'),
      figure('images check for 64 starts, nothing new', mean(checks), 'ms'),
      figure('images checks sent for 64 starts', (server.asked.length - downloads) / CHECKS, 'requests', {
        value: 1,
        what: 'aim',
      }),
    ];
  } finally {
    await cache.close();
    await server.close();
    await rm(directory, { recursive: true });
  }
}
