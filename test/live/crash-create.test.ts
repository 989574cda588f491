/** kill -9 of vacd at every step of the creation of a machine. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CREATE_STEPS } from '../../src/machines/create.js';
import { CrashWalk } from './crash-walk.js';

let walk: CrashWalk;

beforeAll(async () => {
  walk = await CrashWalk.create();
});
afterEach(() => walk.endWorkers());
afterAll(() => walk?.destroy());

/** Where libvirt has the machine for certain: a machine that runs is never given up. */
const RUNS_FROM = CREATE_STEPS.findIndex(({ name }) => name === 'libvirt') + 1;

describe('vacd dies in the creation of a machine', () => {
  it.each(CREATE_STEPS.slice(0, RUNS_FROM).map(({ name }) => `${name} begin`))(
    'at "%s": the next one cleans up, and accounts for nothing',
    async (point) => {
      const subject = await walk.crashCreating(point);
      expect(subject?.ran ?? false).toBe(false);
      const { worker, found } = await walk.recover(subject);
      expect(found?.phase).toBe(subject === null ? undefined : 'cleared');
      await walk.expectClean();
      await worker.stop();
    },
  );

  it.each([...CREATE_STEPS.slice(RUNS_FROM).map(({ name }) => `${name} begin`), 'started end'])(
    'at "%s": the next one knows the running machine',
    async (point) => {
      const subject = await walk.crashCreating(point);
      expect(subject?.ran).toBe(true);
      const { worker, found } = await walk.recover(subject);
      expect(found).toMatchObject({ phase: 'running', uuid: subject!.record.uuid });
      await walk.expectKnown(worker, found!);
      await walk.expectClean();
      await worker.stop();
    },
  );

  it.each(['intent', 'slot', 'started'].map((name) => `${name} torn`))(
    'at "%s": no half-written file stays',
    async (point) => {
      const { worker, found } = await walk.recover(await walk.crashCreating(point));
      if (found?.phase === 'running') await walk.expectKnown(worker, found);
      await walk.expectClean();
      await worker.stop();
    },
  );

  it('while libvirt makes it: it is known or cleaned up, and never runs unknown', async () => {
    const { worker, found } = await walk.recover(await walk.crashCreating('libvirt underway'));
    if (found?.phase === 'running') await walk.expectKnown(worker, found);
    // Libvirt may finish what nobody waits for any more only now.
    await walk.host.until('no unknown domain is left', async () => (await walk.domains()).size === 1);
    await walk.expectClean();
    await worker.stop();
  });
});
