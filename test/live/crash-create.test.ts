/** kill -9 of vacd at every step of the creation of a machine. */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CREATE_STEPS } from '../../src/machines/create.js';
import { CREATION_MS, CrashWalks, WALKS } from './crash-walk.js';

vi.setConfig({ maxConcurrency: WALKS, testTimeout: 300_000 });

let walks: CrashWalks;

beforeAll(async () => {
  walks = await CrashWalks.create();
}, CREATION_MS);
afterAll(() => walks?.destroy());

/** Makes no file of the machine's: one that is torn would be of a later step. */
const WITHOUT_FILE = 'containment';

const POINTS = [
  ...CREATE_STEPS.flatMap(({ name }) => [`${name} begin`, ...(name === WITHOUT_FILE ? [] : [`${name} torn`])]),
  `${CREATE_STEPS.at(-1)!.name} end`,
];
/** From here on libvirt has the machine: what runs is never given up. */
const RUNS_FROM = POINTS.indexOf('libvirt torn');

describe.concurrent('vacd dies in the creation of a machine', () => {
  it.each(POINTS.slice(0, RUNS_FROM))('at "%s": the next one cleans up, and accounts for nothing', (point) =>
    walks.use(async (walk) => {
      const subject = await walk.crashCreating(point);
      expect(subject?.hasDomain ?? false).toBe(false);
      const { found } = await walk.recover(subject);
      expect(found?.phase).toBe(subject === null ? undefined : 'cleared');
      await walk.expectClean();
    }));

  it.each(POINTS.slice(RUNS_FROM))('at "%s": the next one knows the running machine', (point) =>
    walks.use(async (walk) => {
      const subject = await walk.crashCreating(point);
      expect(subject?.hasDomain).toBe(true);
      const { worker, found } = await walk.recover(subject);
      expect(found).toMatchObject({ phase: 'running', uuid: subject!.record.uuid });
      await walk.expectKnown(worker, found!);
      await walk.expectClean();
    }));

  it('before it notes the start, and the machine ends unwatched: it is accounted for once', () =>
    walks.use(async (walk) => {
      const subject = (await walk.crashCreating('started begin'))!;
      await walk.endUnwatched(subject);
      const { found } = await walk.recover(subject);
      expect(found?.phase).toBe('cleared');
      await walk.expectClean();
    }));

  it('while libvirt makes it: it is known or cleaned up, and never runs unknown', () =>
    walks.use(async (walk) => {
      const { worker, found } = await walk.recover(await walk.crashCreating('libvirt underway'));
      if (found?.phase === 'running') await walk.expectKnown(worker, found);
      // Libvirt may finish what nobody waits for any more only now.
      await walk.host.until('no unknown domain is left', async () => (await walk.domains()).size === 1);
      await walk.expectClean();
    }));
});
