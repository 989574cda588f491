import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/factory/invariants.js';
import { freeMemoryMiB } from '../../src/factory/memory-limit.js';
import type { Machine } from '../../src/factory/types.js';
import {
  actionsOf,
  config,
  host,
  MODELS,
  machine,
  machinetype,
  overnight,
  plan,
  slotDecision,
  state,
  typeDecision,
} from './builders.js';
import { overnightConfig } from './desk.js';

/** Machines of 2048 MiB a processor. */
const PROD = machinetype('prod');

function planOn(memoryMiB: number, memoryPercent: number | null, machines: readonly Machine[] = [], types = [PROD]) {
  const by = {
    ...config(types),
    overnight: memoryPercent === null ? null : overnightConfig({ memoryPercent }),
  };
  const facts = state({ host: host({ memoryMiB }), machines, overnight: memoryPercent === null ? null : overnight() });
  const made = plan(facts, by);
  expect(checkInvariants(facts, made, by, MODELS)).toEqual([]);
  return made;
}

describe('memory_percent', () => {
  it('bounds how many machines are started, and the reason is told of slot and type', () => {
    const made = planOn(16_384, 50);
    expect(actionsOf(made, 'createMachine')).toHaveLength(4);
    const reason = 'needs 2048 MiB of memory, 0 MiB are left of what machines may have (memory_percent)';
    expect(slotDecision(made, 4)).toMatchObject({ code: 'nothing-eligible', reason: `prod ${reason}` });
    expect(typeDecision(made, 'prod')).toMatchObject({ code: 'memory-full', reason });
  });

  it('is of overnight mode only', () => {
    expect(actionsOf(planOn(4096, null), 'createMachine')).toHaveLength(8);
  });

  it('counts machines that stand still, and those that are not cleared yet', () => {
    const held = [machine({ phase: 'starting' }, { slot: 0 }), machine({ domain: 'paused' }, { slot: 1 })];
    const over = [machine({ phase: 'ended' }, { slot: 2 }), machine({ phase: 'cleared' }, { slot: 3 })];
    const facts = state({ host: host({ memoryMiB: 16_384 }), machines: [...held, ...over] });
    expect(freeMemoryMiB(facts, { memoryPercent: 50 })).toBe(2048);
  });

  it('makes a wide machine narrower', () => {
    const wide = machinetype('wide', { minProcessors: 1, maxProcessors: 8 });
    const [start] = actionsOf(planOn(16_384, 50, [], [wide]), 'createMachine');
    expect(start?.processors).toBe(4);
  });

  it('passes over a type that does not fit for one that does', () => {
    const big = machinetype('big', { targetShare: 100, mibPerProcessor: 8192 });
    const made = planOn(8192, 50, [], [big, PROD]);
    expect(actionsOf(made, 'createMachine').map((start) => start.machinetype)).toEqual(['prod', 'prod']);
  });

  it('that was lowered ends nothing', () => {
    const machines = [0, 1, 2].map((slot) => machine({ throttled: false }, { slot }));
    expect(planOn(8192, 25, machines).actions).toEqual([]);
  });
});
