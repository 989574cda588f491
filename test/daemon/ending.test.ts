import { afterEach, expect, test, vi } from 'vitest';
import { endAll } from '../../src/daemon/ending.js';
import { TestLog } from './test-factory.js';

afterEach(() => {
  vi.useRealTimers();
});

test('all end beside each other, and nobody is waited for once they have', async () => {
  const log = new TestLog();
  const order: string[] = [];
  let release = () => {};
  const slow = async () => {
    order.push('slow begins');
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    order.push('slow ends');
  };
  const quick = async () => {
    order.push('quick');
    release();
  };
  await endAll({ slow, quick }, 60, log.logger);
  expect(order).toEqual(['slow begins', 'quick', 'slow ends']);
  expect(log.lines).toEqual([]);
});

test('what hangs is left, what fails is told, and neither keeps the others', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const log = new TestLog();
  let isOver = false;
  const work = {
    libvirt: () => new Promise<void>(() => {}),
    broken: () => Promise.reject(new Error('no such file')),
    thrown: () => {
      throw new Error('at once');
    },
    quick: async () => {},
  };
  const done = endAll(work, 3, log.logger).then(() => {
    isOver = true;
  });
  await vi.advanceTimersByTimeAsync(2900);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  await done;
  expect(log.lines.sort()).toEqual([
    'warning: broken did not end well: no such file',
    'warning: libvirt did not end within 3 s and is left',
    'warning: thrown did not end well: at once',
  ]);
});
