/** Root images that cannot be used: their type waits longer after each try, leaves nothing behind, and disturbs no other. */

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, truncate, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { why } from '../../src/cli/why.js';
import { FaultSite, running } from './faults-site.js';
import type { Worker } from './worker.js';

const exec = promisify(execFile);

vi.setConfig({ testTimeout: 300_000 });

const BAD_IMAGES = {
  missing: { make: async () => {}, says: 'cannot be read' },
  'error-page': {
    make: (path: string) => writeFile(path, `<!DOCTYPE html><title>404</title>${' '.repeat(2000)}`),
    says: 'neither qcow2 nor a raw disk with a boot sector',
  },
  'backing-file': {
    make: async (path: string) => {
      await exec('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', path]);
    },
    says: 'refers to another file (/etc/passwd)',
  },
  'data-file': {
    make: async (path: string) => {
      await exec('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${path}.data`, path, '1M']);
    },
    says: 'refers to another file',
  },
  'no-more-than-header': {
    make: async (path: string) => {
      await exec('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
      await truncate(path, 600);
    },
    says: 'torn or damaged',
  },
  'cut-off-copy': {
    make: async (path: string) => {
      await writeFile(`${path}.raw`, randomBytes(2 ** 20));
      await exec('qemu-img', ['convert', '-q', '-O', 'qcow2', `${path}.raw`, path]);
      await truncate(path, 800_000);
    },
    says: 'torn or damaged',
  },
  fifo: {
    make: async (path: string) => {
      await exec('mkfifo', [path]);
    },
    says: 'is not a regular file',
  },
} as const;

/** Long enough to be seen between two tries. */
const BACKOFF_SECONDS = 6;
const waitAfter = (failures: number): number => BACKOFF_SECONDS * 2 ** (failures - 1);

/** What vacd told after so many failures of a machinetype, at whichever of its passes. */
interface ToldWait {
  /** From when it was told to the next try. */
  readonly leftSeconds: number;
  /** From the last start to the next try: the wait, and what the failure took. */
  readonly fromStartSeconds: number;
}

test('each type waits longer and longer and says why, nothing is left of it, and another type has the slots', () =>
  FaultSite.use(async (site) => {
    const types: Record<string, Record<string, string | number>> = {};
    for (const [name, image] of Object.entries(BAD_IMAGES)) {
      await image.make(site.file(name));
      types[name] = site.halting({ root_image: site.file(name), backoff_seconds: BACKOFF_SECONDS });
    }
    await site.configure(types);
    const alone = site.start(Object.keys(BAD_IMAGES).length);

    const names = Object.keys(BAD_IMAGES);
    const waits = new Map(names.map((name) => [name, new Map<number, ToldWait>()]));
    await site.host.until('each has failed three times', async () => {
      for (const name of names) await noteWait(alone, name, waits.get(name)!);
      return names.every((name) => waits.get(name)!.has(3));
    });
    const socket = `${site.stateDir}/vacd.sock`;
    for (const [name, image] of Object.entries(BAD_IMAGES)) {
      for (const [failures, { leftSeconds, fromStartSeconds }] of waits.get(name)!) {
        expect(leftSeconds, `${name} after ${failures} failures`).toBeLessThanOrEqual(waitAfter(failures));
        expect(fromStartSeconds, `${name} after ${failures} failures`).toBeGreaterThanOrEqual(waitAfter(failures));
      }
      await site.host.until(`vac why tells what is wrong with ${name}`, async () => {
        const told = await why(socket, name, false).catch(() => '');
        return told.includes(image.says) && told.includes(site.file(name));
      });
    }

    await alone.stop();
    // The most starved types are tried before it, and it gets the slots in spite of them.
    await site.configure({ ...types, good: site.halting({ target_share: 0.001 }) });
    const daemon = site.start(2);
    const after = await daemon.until(
      'the good type has both slots, and what failed is cleared',
      (s) =>
        running(s, 'good').length === 2 &&
        s.machines.every(({ machinetype, phase }) => machinetype === 'good' || phase === 'cleared'),
      200,
    );
    const good = running(after);
    const hostnames = good.map(({ hostname }) => hostname).sort();
    expect((await site.host.domains()).sort()).toEqual(hostnames);
    expect((await readdir(`${site.stateDir}/slots`)).sort()).toEqual(hostnames);
    expect((await readdir(`${site.stateDir}/nfs/exports`)).sort()).toEqual(good.map(({ id }) => `${id}.conf`).sort());
    expect(await readdir(`${site.stateDir}/tmp`)).toEqual([]);
    for (const { id, machinetype } of after.machines) {
      if (machinetype === 'good') continue;
      const left = await readdir(`${site.stateDir}/machines/${id}`);
      expect(left.filter((name) => /\.(qcow2|img)$/.test(name))).toEqual([]);
    }
  }));

/** Takes down what vacd now tells of the waits after each number of failures; each is told for as long as it lasts. */
async function noteWait(daemon: Worker, machinetype: string, waits: Map<number, ToldWait>): Promise<void> {
  let startedSeconds = Number.NaN;
  for (const { code, reason, timeSeconds } of await daemon.why({ machinetype })) {
    if (code === 'started') startedSeconds = timeSeconds;
    const told = /failed (?:once|(\d+) times).*next try in (\d+) s/.exec(reason);
    // The oldest decisions are forgotten: a wait whose start is was taken down before.
    if (code !== 'creation-failed' || told === null || Number.isNaN(startedSeconds)) continue;
    const leftSeconds = Number(told[2]);
    waits.set(Number(told[1] ?? 1), { leftSeconds, fromStartSeconds: timeSeconds + leftSeconds - startedSeconds });
  }
}
