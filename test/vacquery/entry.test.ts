import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Change,
  changeSince,
  compareStamps,
  decayUse,
  type Entry,
  freeProcessors,
  mergeChange,
} from '../../src/vacquery/entry.js';
import { MAX_MESSAGE_CHARACTERS, OwnEntryKeeper } from '../../src/vacquery/entry-own.js';
import type { OwnMachinetype } from '../../src/vacquery/gossip-types.js';
import { entryOf, running } from './gossip-space.js';
import { NOW_SECONDS } from './snapshot.js';

const at = (seconds: number, setBySeconds = 0) => ({
  steadyMs: 5_000 + seconds * 1_000,
  unixSeconds: NOW_SECONDS + seconds + setBySeconds,
});

const types = fc.array(
  fc.record({ type: fc.constantFrom('lhcb', 'atlas', 'gridpp', 'alice'), machines: fc.nat(3), takes: fc.boolean() }),
  { maxLength: 12 },
);

/** All states that a factory was in, and all changes from each to each later one. */
function historyOf(steps: readonly { type: string; machines: number; takes: boolean }[], incarnation = 7): Entry[] {
  const keeper = new OwnEntryKeeper(incarnation, 0, at(0));
  const states: Entry[] = [];
  const now = new Map<string, OwnMachinetype>();
  steps.forEach(({ type, machines, takes }, index) => {
    if (machines === 0) now.delete(type);
    else now.set(type, running(type, machines));
    const own = { ...entryOf(...now.values()), takesMachines: takes };
    if (keeper.update(own, at(index))) states.push(keeper.entry);
  });
  return states;
}

function sorted(entry: Entry | null): Entry | null {
  if (entry === null) return null;
  const slices = [...entry.slices].sort((a, b) => (a.machinetype < b.machinetype ? -1 : 1));
  return { ...entry, slices };
}

describe("a factory's own entry", () => {
  it('gives each part that changes a version of its own, and no other', () => {
    const keeper = new OwnEntryKeeper(7, 0, at(0));
    expect(keeper.update(entryOf(running('lhcb', 1), running('atlas', 0)), at(0))).toBe(true);
    expect(keeper.entry).toMatchObject({ incarnation: 7, version: 2, head: { version: 1 } });
    expect(keeper.entry.slices).toHaveLength(1);
    keeper.update(entryOf(running('lhcb', 1), running('atlas', 2)), at(1));
    expect(keeper.entry.slices.map(({ machinetype, version }) => [machinetype, version])).toEqual([
      ['lhcb', 2],
      ['atlas', 3],
    ]);
    expect(keeper.update(entryOf(running('atlas', 2), running('lhcb', 1)), at(2))).toBe(false);
    keeper.update({ ...entryOf(running('lhcb', 1), running('atlas', 2)), takesMachines: false }, at(3));
    expect(keeper.entry.head!.version).toBe(4);
  });

  it('tells of a machinetype that is gone that nothing of it runs', () => {
    const keeper = new OwnEntryKeeper(7, 0, at(0));
    keeper.update(entryOf(running('lhcb', 3)), at(0));
    expect(keeper.update(entryOf(), at(1))).toBe(true);
    expect(keeper.entry.slices).toMatchObject([{ machinetype: 'lhcb', runningMachines: 0, end: null, version: 3 }]);
    expect(keeper.update(entryOf(), at(2))).toBe(false);
  });

  it('keeps the time of an end although the calendar is set, and makes its message short and harmless', () => {
    const keeper = new OwnEntryKeeper(7, 0, at(0));
    const message = `300 \u001b[2J${'x'.repeat(100)}`;
    const lastEnd = { timeSeconds: NOW_SECONDS - 20, message, hostname: 'wn-01' };
    keeper.update(entryOf(running('lhcb', 1, lastEnd)), at(0));
    const [slice] = keeper.entry.slices;
    expect(slice!.end!.atDs).toBe(-200);
    expect(slice!.end!.message).toHaveLength(MAX_MESSAGE_CHARACTERS);
    expect(slice!.end!.message).toMatch(/^300 \?\[2Jx+$/);
    expect(keeper.update(entryOf(running('lhcb', 1, lastEnd)), at(60, 3_600))).toBe(false);
    keeper.update(entryOf(running('lhcb', 2, lastEnd)), at(70, 3_600));
    expect(keeper.entry.slices[0]!.end!.atDs).toBe(-200);
  });

  it('sends use with what else changes, and by itself where it is not what was to be expected', () => {
    const keeper = new OwnEntryKeeper(7, 3_600, at(0));
    const told = (decayedUse: number, machines = 2) => entryOf({ ...running('lhcb', machines), decayedUse });
    expect(keeper.update(told(1_000), at(0))).toBe(true);
    const expected = decayUse(1_000, 20, 600, 3_600);
    expect(keeper.update(told(expected), at(600))).toBe(false);
    expect(keeper.update(told(expected * 1.01), at(600))).toBe(false);
    expect(keeper.update(told(expected * 1.2), at(600))).toBe(true);
    expect(keeper.update(told(expected * 1.2, 3), at(600))).toBe(true);
    expect(keeper.entry.slices[0]!.decayedUse).toBe(expected * 1.2);
  });

  it('says good-bye by its head, and takes it back when it is told to go on', () => {
    const keeper = new OwnEntryKeeper(7, 0, at(0));
    keeper.update(entryOf(running('lhcb', 3)), at(0));
    keeper.leave(at(1));
    expect(keeper.entry.head).toMatchObject({ left: true, version: 3 });
    expect(keeper.update(entryOf(running('lhcb', 3)), at(2))).toBe(true);
    expect(keeper.entry.head).toMatchObject({ left: false, version: 4 });
  });

  it('begins again from one under a higher incarnation', () => {
    const keeper = new OwnEntryKeeper(7, 0, at(0));
    for (let machines = 1; machines < 9; machines += 1) keeper.update(entryOf(running('lhcb', machines)), at(machines));
    keeper.beginAnew(12);
    expect(keeper.entry).toMatchObject({ incarnation: 12, version: 2, head: { version: 1 }, slices: [{ version: 2 }] });
    expect(changeSince('id', keeper.entry, 0)!.from).toBe(0);
  });
});

describe('merging', () => {
  it('comes to the latest state whatever order, doubling or loss the changes to it arrive in', () => {
    fc.assert(
      fc.property(types, types, fc.infiniteStream(fc.nat()), fc.nat(40), (steps, later, random, count) => {
        const states = [...historyOf(steps), ...historyOf(later, 8)];
        const last = states.at(-1);
        fc.pre(last !== undefined);
        const draw = () => random.next().value!;
        let known: Entry | null = null;
        for (let times = 0; times < count; times += 1) {
          const state = states[draw() % states.length]!;
          const change = changeSince('id', state, draw() % (state.version + 1));
          const merged: { entry: Entry } | null = change === null ? null : mergeChange(known, change);
          if (merged === null) continue;
          if (known !== null) expect(compareStamps(merged.entry, known)).toBeGreaterThanOrEqual(0);
          known = merged.entry;
          // Whole up to its version: as its owner was then, or with newer parts.
          const { incarnation, version } = known;
          const then = states.filter((one) => one.incarnation === incarnation && one.version <= version).at(-1);
          for (const slice of then?.slices ?? []) {
            const ours: { version: number } | undefined = known.slices.find(
              (one) => one.machinetype === slice.machinetype,
            );
            expect(ours?.version ?? 0).toBeGreaterThanOrEqual(Math.min(slice.version, version));
          }
        }
        const from = known === null || known.incarnation < last!.incarnation ? 0 : known.version;
        const rest = changeSince('id', last!, from);
        if (rest !== null) known = mergeChange(known, rest)!.entry;
        expect(sorted(known)).toEqual(sorted(last!));
      }),
      { numRuns: 300 },
    );
  });

  it('gives the same entry back where there is nothing new', () => {
    const [first, second] = historyOf([
      { type: 'lhcb', machines: 1, takes: true },
      { type: 'lhcb', machines: 2, takes: true },
    ]);
    const all = changeSince('id', second!, 0)!;
    const known = mergeChange(null, all)!.entry;
    expect(mergeChange(known, all)).toEqual({ entry: known, isNews: false });
    expect(mergeChange(known, all)!.entry).toBe(known);
    expect(mergeChange(known, changeSince('id', first!, 0)!)!.entry).toBe(known);
    const older: Change = { ...all, incarnation: 3 };
    expect(mergeChange(known, older)).toEqual({ entry: known, isNews: false });
  });

  it('takes newer parts over a gap, but does not call the entry whole', () => {
    const states = historyOf(
      [1, 2, 3].map((machines) => ({ type: ['lhcb', 'atlas', 'gridpp'][machines - 1]!, machines, takes: true })),
    );
    const [first, , third] = states;
    const known = mergeChange(null, changeSince('id', first!, 0)!)!.entry;
    const gap = mergeChange(known, changeSince('id', third!, states[1]!.version)!)!;
    expect(gap.isNews).toBe(true);
    expect(gap.entry.version).toBe(first!.version);
    expect(gap.entry.slices.map(({ machinetype }) => machinetype)).toEqual(['lhcb', 'gridpp']);
    const whole = mergeChange(gap.entry, changeSince('id', third!, first!.version)!)!.entry;
    expect(sorted(whole)).toEqual(sorted(third!));
  });

  it('passes on what came over a gap without hiding the gap', () => {
    const names = ['lhcb', 'atlas', 'gridpp'];
    const states = historyOf(names.map((type, at) => ({ type, machines: at + 1, takes: true })));
    const [first, second, third] = states;
    const known = mergeChange(null, changeSince('id', first!, 0)!)!.entry;
    const gap = mergeChange(known, changeSince('id', third!, second!.version)!)!.entry;
    const passedOn = changeSince('id', gap, second!.version, third!.version)!;
    expect(passedOn.from).toBe(second!.version);
    expect(mergeChange(known, passedOn)!.entry.version).toBe(first!.version);
    // Who knows all serves those as well who miss only what is there no more.
    const [one, , three] = historyOf([1, 2, 3].map((machines) => ({ type: 'lhcb', machines, takes: true })));
    const last = changeSince('id', three!, three!.version - 1)!;
    expect(last.from).toBeLessThanOrEqual(one!.version);
    expect(sorted(mergeChange(mergeChange(null, changeSince('id', one!, 0)!)!.entry, last)!.entry)).toEqual(
      sorted(three!),
    );
  });

  it('has no use for the middle of an incarnation whose beginning is not known', () => {
    const states = historyOf([1, 2].map((machines) => ({ type: 'lhcb', machines, takes: machines === 1 })));
    const middle = changeSince('id', states[1]!, states[0]!.version)!;
    // Nothing of what is older is left but the machinetype's former state: who has nothing is served as well.
    expect(middle.from).toBe(0);
    expect(mergeChange(null, { ...middle, from: 1 })).toBeNull();
    const old = mergeChange(null, changeSince('id', historyOf([{ type: 'a', machines: 1, takes: true }], 3)[0]!, 0)!)!;
    expect(mergeChange(old.entry, { ...middle, from: 1 })).toBeNull();
    expect(mergeChange(old.entry, changeSince('id', states[1]!, 0)!)!.entry.incarnation).toBe(7);
  });
});

describe('what follows from an entry', () => {
  it('are the processors that are free, none while it starts nothing', () => {
    const [busy] = historyOf([{ type: 'lhcb', machines: 3, takes: true }]);
    const [closed] = historyOf([{ type: 'lhcb', machines: 3, takes: false }]);
    expect(freeProcessors(busy!)).toBe(29);
    expect(freeProcessors(closed!)).toBe(0);
    expect(freeProcessors({ ...busy!, head: null })).toBeNull();
  });

  it('is its use at any later time', () => {
    expect(decayUse(1_000, 0, 3_600, 3_600)).toBeCloseTo(500);
    expect(decayUse(0, 10, 1, 1e9)).toBeCloseTo(10);
    const twice = decayUse(decayUse(1_000, 10, 400, 3_600), 10, 600, 3_600);
    expect(twice).toBeCloseTo(decayUse(1_000, 10, 1_000, 3_600));
  });
});
