import { describe, expect, it } from 'vitest';
import type { ImageState } from '../../src/factory/types.js';
import { actionsOf, config, machine, machinetype, plan, slotDecision, state, typeDecision } from './builders.js';

function image(phase: ImageState['phase'], changes: Partial<ImageState> = {}): ImageState {
  return { phase, busy: false, doing: phase === 'ready' ? '' : `is ${phase}`, retryInSeconds: 0, ...changes };
}

/** One free slot, for which `a` is the first in line and `b` the second. */
function decided(a: ImageState | null, changes: Parameters<typeof state>[0] = {}) {
  const running = machine({}, { slot: 0, machinetype: 'b' });
  const images = new Map(a === null ? [] : [['a', a]]);
  const types = [machinetype('a', { targetShare: 2 }), machinetype('b', { targetShare: 1 })];
  return plan(state({ slots: 2, totalProcessors: 2, machines: [running], images, ...changes }), config(types));
}

const started = (made: ReturnType<typeof decided>) => actionsOf(made, 'createMachine').map((each) => each.machinetype);
const fetched = (made: ReturnType<typeof decided>) => actionsOf(made, 'fetchImage').map((each) => each.machinetype);

describe('a machinetype whose image', () => {
  it.each([[null], [image('ready')]])('is no URL, or ready, is started: %j', (a) => {
    expect(started(decided(a))).toEqual(['a']);
    expect(fetched(decided(a))).toEqual([]);
  });

  it('is to be checked has it checked, and keeps its slot meanwhile', () => {
    for (const busy of [false, true]) {
      const made = decided(image('checking', { busy }));
      expect(started(made)).toEqual([]);
      expect(fetched(made)).toEqual(busy ? [] : ['a']);
      expect(slotDecision(made, 1)?.reason).toBe('a is next, and waits: its image is checking');
      expect(typeDecision(made, 'a')).toMatchObject({ code: 'image-checking', reason: 'waits: its image is checking' });
    }
  });

  it('is to be fetched has it fetched, and lets others go first', () => {
    for (const busy of [false, true]) {
      const made = decided(image('fetching', { busy }));
      expect(started(made)).toEqual(['b']);
      expect(fetched(made)).toEqual(busy ? [] : ['a']);
      expect(typeDecision(made, 'a')).toMatchObject({ code: 'image-fetching' });
    }
  });

  it('cannot be had is tried again when its time has come, and not before', () => {
    const waiting = decided(image('unavailable', { retryInSeconds: 5 }));
    expect(started(waiting)).toEqual(['b']);
    expect(fetched(waiting)).toEqual([]);
    expect(typeDecision(waiting, 'a')).toMatchObject({ code: 'image-unavailable' });
    expect(fetched(decided(image('unavailable')))).toEqual(['a']);
  });
});

describe('where nothing is free', () => {
  const full = { totalProcessors: 1, slots: 1 };

  it('an image that is here is not checked', () => {
    expect(fetched(decided(image('checking'), full))).toEqual([]);
  });

  it('an image that is not is fetched for the time when something is', () => {
    expect(fetched(decided(image('fetching'), full))).toEqual(['a']);
  });
});

it('nothing is fetched for a type that may not start', () => {
  const types = [machinetype('a', { targetShare: 0 }), machinetype('b', { machineModel: 'docker', targetShare: 1 })];
  const images = new Map(['a', 'b'].map((name) => [name, image('fetching')]));
  expect(fetched(plan(state({ images }), config(types)))).toEqual([]);
});

it('each image is looked at once, however many slots are free', () => {
  const images = new Map([['a', image('checking')]]);
  expect(fetched(plan(state({ images }), config([machinetype('a', { targetShare: 1 })])))).toEqual(['a']);
});
