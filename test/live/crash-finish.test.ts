/** kill -9 of vacd at every step of what is owed to a machine that has ended; and vacd's ordinary end and return. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SPOOL_STEPS } from '../../src/accounting/spool.js';
import { CLEAR_STEPS } from '../../src/machines/finish.js';
import { CREATION_MS, CrashWalks, FACTORY, WALKS } from './crash-walk.js';

const VACD = fileURLToPath(new URL('../../dist/vacd.js', import.meta.url));

vi.setConfig({ maxConcurrency: WALKS, testTimeout: 300_000 });

let walks: CrashWalks;

beforeAll(async () => {
  walks = await CrashWalks.create();
}, CREATION_MS);
afterAll(() => walks?.destroy());

/** In the order in which a vacd comes by them; the spool's steps are within the accounting. */
const STEPS = [
  'finished',
  ...CLEAR_STEPS.flatMap(({ name }) => (name === 'accounting' ? [name, ...SPOOL_STEPS] : name)),
];
const POINTS = [...STEPS.flatMap((name) => [`${name} begin`, `${name} torn`]), `${STEPS.at(-1)} end`];

describe.concurrent('vacd dies when a machine has ended', () => {
  it.each(POINTS)('at "%s": the next one cleans up, and it is accounted for once', (point) =>
    walks.use(async (walk) => {
      const subject = await walk.crashFinishing(point);
      const { found } = await walk.recover(subject);
      expect(found?.phase).toBe('cleared');
      await walk.expectClean();
    }));

  it.each([
    'record-released begin',
    'accounting end',
  ])('at "%s", and the sender takes the records before the next one comes: none is sent twice', (point) =>
    walks.use(async (walk) => {
      const subject = await walk.crashFinishing(point);
      await walk.send();
      const { found } = await walk.recover(subject);
      expect(found?.phase).toBe('cleared');
      await walk.expectClean();
    }));
});

describe.concurrent('vacd ends by SIGTERM', () => {
  it('and its machines go on: the next one knows them', () =>
    walks.use(async (walk) => {
      await walk.endWorkers();
      const first = walk.start('subject', { startsLimit: 1 });
      const { id, uuid } = await walk.runningSubject(first);
      await first.stop();
      expect(await walk.domains()).toEqual(new Set([walk.bystander.uuid, uuid]));
      const next = walk.start('subject', { startsLimit: 0 });
      const found = await walk.runningSubject(next);
      expect(found).toMatchObject({ id, uuid });
      await walk.expectKnown(next, found);
      await walk.expectClean();
      await next.stop();
    }));
});

describe.concurrent('a second vacd on one state directory', () => {
  it('is refused while the first runs; kill -9 frees the directory', () =>
    walks.use(async (walk) => {
      const { layout, host } = walk;
      const options = ['--config', walk.configPath('subject'), '--state-dir', layout.root, '--factory', FACTORY];
      await walk.endWorkers();
      const first = walk.start('subject', { startsLimit: 0 });
      await first.until('it answers', () => true);
      const second = promisify(execFile)(...host.inside(process.execPath, [VACD, ...options]));
      await expect(second).rejects.toMatchObject({
        code: 1,
        stderr: `vacd: another vacd uses the state directory ${layout.root}; there can be one at a time (stop it, or give this one --state-dir)\n`,
      });
      await first.until('it still answers', () => true);

      await first.kill();
      const next = walk.start('subject', { startsLimit: 0 });
      await next.until('it answers', () => true);
      await next.stop();
    }));
});
