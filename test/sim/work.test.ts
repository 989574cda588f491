import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALWAYS, changeTimes, cyclic, WorkQueue } from '../../src/sim/work.js';

describe('work that comes and goes', () => {
  it('is there for its part of each period, from an offset on', () => {
    const queue = new WorkQueue(cyclic(100, 0.5, 30, 400));
    // Before the offset it is the tail of an earlier period.
    const hasWork = [0, 29, 30, 79, 80, 129, 130, 179, 180].map((at) => queue.capacity(at) > 0);
    expect(hasWork).toEqual([false, false, true, true, false, false, true, true, false]);
  });

  it('of an offset in the middle of its work is there at once', () => {
    const queue = new WorkQueue(cyclic(100, 0.5, 80, 400));
    expect([0, 29, 30, 79, 80].map((at) => queue.capacity(at) > 0)).toEqual([true, true, false, false, true]);
  });

  it('is in steps that ascend, one for each time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 1000 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        fc.nat({ max: 2000 }),
        (period, part, offset) => {
          const times = cyclic(period, part, offset % period, 3000).map(({ fromSeconds }) => fromSeconds);
          expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
        },
      ),
    );
  });
});

describe('a queue', () => {
  it('gives work up to what it has, and says so to who ends', () => {
    const queue = new WorkQueue([
      { fromSeconds: 0, processors: 3 },
      { fromSeconds: 100, processors: 1 },
    ]);
    expect(queue.hasRoom(3, 0)).toBe(true);
    queue.take(2);
    expect(queue.hasRoom(1, 0)).toBe(true);
    expect(queue.hasRoom(2, 0)).toBe(false);
    queue.take(1);
    expect(queue.release(1, 50)).toBe('200 Success');
    expect(queue.release(1, 100)).toBe('300 No more work');
    expect(queue.release(1, 100)).toBe('200 Success');
    expect(queue.taken).toBe(0);
  });

  it('without a plan has nothing, and the endless one everything', () => {
    expect(new WorkQueue([]).hasRoom(1, 1e6)).toBe(false);
    expect(new WorkQueue(ALWAYS).hasRoom(1e6, 0)).toBe(true);
  });
});

it('the times of changes are those of all plans, without the beginning', () => {
  expect(changeTimes([ALWAYS, cyclic(100, 0.5, 0, 200), cyclic(100, 0.5, 0, 150)])).toEqual([50, 100, 150]);
});
