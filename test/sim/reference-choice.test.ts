import { describe, expect, it } from 'vitest';
import type { MachinetypeNews } from '../../src/factory/types.js';
import { stream } from '../../src/sim/random.js';
import { referenceStart } from '../../src/sim/reference-choice.js';
import { config, endNews, machine, machinetype, NOW, news, state } from '../factory/builders.js';

const TWO = config([machinetype('a', { backoffSeconds: 60 }), machinetype('b', { targetShare: 2 })]);

const start = (items: readonly MachinetypeNews[], of = state(), by = TWO) =>
  referenceStart(of, items, by, stream(1, 'choice'));

describe('the predecessor starts', () => {
  it('the type with the least power by share', () => {
    expect(start([news('a', { runningHs06: 10 }), news('b', { runningHs06: 19 })])?.machinetype).toBe('b');
    expect(start([news('a', { runningHs06: 10 }), news('b', { runningHs06: 21 })])?.machinetype).toBe('a');
  });

  it('one machine, in the first free slot, for max_wallclock_seconds', () => {
    const held = state({ machines: [machine({}, { slot: 0 })] });
    expect(start([], held)).toMatchObject({ slot: 1, processors: 1, shutdownTimeSeconds: NOW + 86_400 });
  });

  it('nothing of a type in its backoff, and one scout after it', () => {
    const other = news('b', { runningHs06: 1000 });
    expect(start([endNews('a', 60, '300 No more work'), other])?.machinetype).toBe('b');
    expect(start([endNews('a', 61, '300 No more work'), other])?.machinetype).toBe('a');
    expect(start([endNews('a', 61, '300 No more work', 1), other])?.machinetype).toBe('b');
    expect(start([endNews('a', 661, '300 No more work', 1), other])?.machinetype).toBe('a');
  });

  it('nothing when all processors are given', () => {
    const machines = Array.from({ length: 8 }, (_, slot) => machine({}, { slot }));
    expect(start([], state({ machines }))).toBeNull();
  });

  it('what completes a superslot first', () => {
    const by = config(
      [machinetype('wide', { minProcessors: 4, maxProcessors: 4 }), machinetype('one', { minWallclockSeconds: 60 })],
      { processorsPerSuperslot: 4 },
    );
    const lone = machine({ shutdownTimeSeconds: NOW + 1000 }, { processors: 1, machinetype: 'one' });
    const chosen = start([news('one', { runningHs06: 100 })], state({ machines: [lone] }), by);
    expect(chosen).toMatchObject({ machinetype: 'one', shutdownTimeSeconds: NOW + 1000 });
  });
});
