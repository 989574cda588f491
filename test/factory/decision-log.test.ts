import { describe, expect, it } from 'vitest';
import { DecisionLog } from '../../src/factory/decision-log.js';
import type { Decision } from '../../src/factory/plan.js';

function decision(changes: Partial<Decision>): Decision {
  return { timeSeconds: 100, slot: 0, machinetype: null, machine: null, code: 'all-taken', reason: 'full', ...changes };
}

describe('DecisionLog', () => {
  it('makes one entry of a verdict that stays, with its first and last time and its latest words', () => {
    const log = new DecisionLog();
    for (const timeSeconds of [100, 101, 105]) log.add([decision({ timeSeconds, reason: `full at ${timeSeconds}` })]);
    expect(log.ofSlot(0)).toEqual([
      { ...decision({ timeSeconds: 105, reason: 'full at 105' }), sinceSeconds: 100, times: 3 },
    ]);
  });

  it('begins a new entry when the verdict changes, and when it comes back', () => {
    const log = new DecisionLog();
    for (const code of ['all-taken', 'draining', 'all-taken'] as const) log.add([decision({ code })]);
    expect(log.ofSlot(0).map((entry) => entry.code)).toEqual(['all-taken', 'draining', 'all-taken']);
  });

  it('files a decision under its slot and under its machinetype', () => {
    const log = new DecisionLog();
    log.add([
      decision({ slot: 3, machinetype: 'prod', code: 'started' }),
      decision({ slot: null, machinetype: 'test' }),
    ]);
    expect(log.ofSlot(3)).toHaveLength(1);
    expect(log.ofMachinetype('prod')).toHaveLength(1);
    expect(log.ofMachinetype('test')).toHaveLength(1);
    expect(log.ofSlot(0)).toEqual([]);
    expect(log.ofMachinetype('unheard-of')).toEqual([]);
  });

  it('keeps every start of a pass apart: each is a deed, not a verdict', () => {
    const log = new DecisionLog();
    log.add([0, 1, 2].map((slot) => decision({ slot, machinetype: 'prod', code: 'started', reason: 'same words' })));
    expect(log.ofMachinetype('prod').map(({ slot, times }) => [slot, times])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
    expect(log.summary().done.map(({ slot }) => slot)).toEqual([0, 1, 2]);
  });

  it('makes one entry of a deed that is tried again and again, so that it pushes nothing out', () => {
    const log = new DecisionLog();
    const deed = { machinetype: 'prod', machine: 'm1', code: 'machine', reason: 'clear: it ended' } as const;
    log.add([decision({ slot: 1, machinetype: 'prod', code: 'started' })]);
    for (let time = 0; time < 50; time++) log.add([decision({ ...deed, timeSeconds: time })]);
    expect(log.ofSlot(0)).toMatchObject([{ timeSeconds: 49, sinceSeconds: 0, times: 50 }]);
    expect(log.summary().done).toMatchObject([{ code: 'started' }, { machine: 'm1', times: 50 }]);
  });

  it('keeps deeds with other reasons, and on other machines, apart', () => {
    const log = new DecisionLog();
    const deed = { machinetype: 'prod', code: 'machine' } as const;
    log.add([
      decision({ ...deed, machine: 'm1', reason: 'ask to stop' }),
      decision({ ...deed, machine: 'm1', reason: 'ended' }),
      decision({ ...deed, machine: 'm2', reason: 'ended' }),
    ]);
    expect(log.ofSlot(0)).toHaveLength(3);
  });

  it('keeps the latest 20 of each subject, and of what was done', () => {
    const log = new DecisionLog();
    for (let n = 0; n < 30; n++) {
      log.add([decision({ machinetype: 'prod', machine: `m${n}`, code: 'machine', timeSeconds: n })]);
    }
    for (const list of [log.ofSlot(0), log.ofMachinetype('prod'), log.summary().done]) {
      expect(list.map((entry) => entry.machine)).toEqual(Array.from({ length: 20 }, (_, n) => `m${n + 10}`));
    }
  });

  it('sums up the last verdict on each slot, in order, and on each machinetype; what was done without what was not', () => {
    const log = new DecisionLog();
    log.add([
      decision({ slot: 2 }),
      decision({ slot: 1, code: 'draining' }),
      decision({ slot: null, machinetype: 'prod' }),
    ]);
    log.add([decision({ slot: 1, machinetype: 'prod', code: 'started' })]);
    const { slots, machinetypes, done } = log.summary();
    expect(slots.map(({ slot, code }) => [slot, code])).toEqual([
      [1, 'started'],
      [2, 'all-taken'],
    ]);
    expect(machinetypes.map(({ code }) => code)).toEqual(['started']);
    expect(done.map(({ code }) => code)).toEqual(['started']);
  });
});
