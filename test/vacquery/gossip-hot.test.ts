import { beforeEach, describe, expect, it } from 'vitest';
import { type Change, changeSince, type Entry, type Slice } from '../../src/vacquery/entry.js';
import { HotChanges } from '../../src/vacquery/gossip-hot.js';
import { running } from './gossip-space.js';

const MAX_SENDS = 4;

function slice(version: number, machinetype = `type-${version}`): Slice {
  return { ...running(machinetype, version), end: null, decayedUse: null, version, changedDs: version };
}

/** An entry with a slice for each of its versions. */
function entryOf(version: number): Entry {
  const slices = Array.from({ length: version }, (_, at) => slice(at + 1));
  return { incarnation: 7, version, head: null, slices };
}

let entries: Map<number, Entry>;
let hot: HotChanges;
let old: Set<number>;

beforeEach(() => {
  entries = new Map();
  old = new Set();
  hot = new HotChanges(MAX_SENDS, {
    entryOf: (index) => entries.get(index)!,
    idOf: (index) => `id-${index}`,
    isOld: (index) => old.has(index),
    split: (change) =>
      change.slices.length <= 2 ? [change] : change.slices.map((one) => ({ ...change, slices: [one] })),
  });
});

function add(index: number, from: number, entry: Entry): Change {
  entries.set(index, entry);
  const change = changeSince(`id-${index}`, entry, from)!;
  hot.add(index, change);
  return change;
}

/** Factories and versions in a datagram that has room for some changes. */
function taken(room = Number.POSITIVE_INFINITY): string[] {
  const changes: string[] = [];
  hot.take((index, { from, to, slices }) => {
    if (changes.length >= room) return false;
    changes.push(`${index}: ${from}-${to} ${slices.length}`);
    return true;
  });
  return changes;
}

describe('a change that is being spread', () => {
  it('is passed on so many times', () => {
    add(1, 0, entryOf(1));
    for (let times = 0; times < MAX_SENDS; times += 1) expect(taken()).toEqual(['1: 0-1 1']);
    expect(taken()).toEqual([]);
    expect(hot.isEmpty).toBe(true);
  });

  it('is passed on before those that were already, the newest first, and these not at all where there is no room', () => {
    for (let index = 1; index <= 3; index += 1) add(index, 0, entryOf(1));
    expect(taken(2)).toEqual(['3: 0-1 1', '2: 0-1 1']);
    add(4, 0, entryOf(1));
    expect(taken(2)).toEqual(['4: 0-1 1', '1: 0-1 1']);
    expect(hot.count).toBe(4);
  });

  it('joins one of the same factory that was not passed on yet, and no other', () => {
    add(1, 0, entryOf(1));
    add(1, 1, entryOf(2));
    expect(taken()).toEqual(['1: 0-2 2']);
    add(1, 2, entryOf(3));
    expect(taken()).toEqual(['1: 2-3 1', '1: 0-2 2']);
  });

  it('joins none where something between them is missing: who has the first would think he had all', () => {
    add(1, 0, entryOf(1));
    const gap: Entry = { incarnation: 7, version: 1, head: null, slices: [slice(1), slice(3)] };
    entries.set(1, gap);
    const change = { id: 'id-1', incarnation: 7, from: 2, to: 3, changedDs: 3, head: null, slices: [slice(3)] };
    hot.add(1, change);
    expect(taken()).toEqual(['1: 2-3 1', '1: 0-1 1']);
    for (let version = 4; version < 20; version += 1) {
      const slices = [...entries.get(1)!.slices, slice(version + 1)];
      entries.set(1, { ...gap, slices });
      hot.add(1, { ...change, from: version, to: version + 1, slices: [slice(version + 1)] });
    }
    expect(taken()).not.toContainEqual(expect.stringMatching(/^1: [01]-\d\d/));
  });

  it('is passed on less when others pass it on', () => {
    const change = add(1, 0, entryOf(1));
    for (let times = 0; times < MAX_SENDS - 1; times += 1) hot.heardAgain(1, change);
    expect(taken()).toHaveLength(1);
    expect(taken()).toEqual([]);
    add(1, 1, entryOf(2));
    // Who passes on less than all of it does not count.
    for (let times = 0; times < MAX_SENDS; times += 1) hot.heardAgain(1, change);
    expect(taken()).toHaveLength(1);
  });

  it('of a part that has changed again is no more; of a later state it is', () => {
    add(1, 0, entryOf(1));
    const changed: Entry = { incarnation: 7, version: 2, head: null, slices: [slice(2, 'type-1')] };
    add(1, 1, changed);
    expect(taken()).toEqual(['1: 0-2 1']);
    expect(hot.count).toBe(1);
  });

  it('of an earlier incarnation is no more', () => {
    add(1, 0, entryOf(3));
    add(1, 0, { ...entryOf(1), incarnation: 8 });
    expect(taken()).toEqual(['1: 0-1 1']);
  });

  it('that is old is left to those who compare', () => {
    add(1, 0, entryOf(1));
    add(2, 0, entryOf(1));
    old.add(1);
    expect(taken()).toEqual(['2: 0-1 1']);
    expect(hot.count).toBe(1);
  });

  it('that is old is forgotten although there was never room for it', () => {
    add(1, 0, entryOf(1));
    add(2, 0, entryOf(1));
    old.add(1);
    hot.prune();
    expect(hot.count).toBe(1);
    expect(taken()).toEqual(['2: 0-1 1']);
  });

  it('too large for a datagram is sent in parts, each so many times', () => {
    add(1, 0, entryOf(3));
    const sent: string[] = [];
    for (let times = 0; times < 40; times += 1) sent.push(...taken());
    expect(sent).toHaveLength(3 * MAX_SENDS);
    expect(hot.isEmpty).toBe(true);
  });
});

it('what is spread is bounded by the entries, though nothing is ever sent', () => {
  for (let version = 1; version <= 5_000; version += 1) {
    add(1, version - 1, { incarnation: 7, version, head: null, slices: [slice(version, `type-${version % 3}`)] });
  }
  expect(hot.count).toBeLessThanOrEqual(8);
});
