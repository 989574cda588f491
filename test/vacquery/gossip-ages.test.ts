import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AGE_OF_CODE_DS, CODE_UNKNOWN, Heard } from '../../src/vacquery/gossip-ages.js';
import { Roster } from '../../src/vacquery/gossip-roster.js';

const NAMES = Array.from({ length: 300 }, (_, index) => `wn${index}.example.com`);
const START_DS = 100_000;
const ROOM = 1_200;

/** Windows sent one after the other, enough of them to come round to all factories. */
function windowsOf(heard: Heard, nowDs: number, room = ROOM) {
  return Array.from({ length: 16 }, () => heard.window(nowDs, room)!);
}

describe('evidence of life', () => {
  it('gets no younger on its way, and not much older', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3_500 }), fc.nat(299), (ageDs, index) => {
        const [one, other] = [new Heard(new Roster(NAMES)), new Heard(new Roster(NAMES))];
        one.note(index, START_DS - ageDs);
        for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, () => {});
        const told = START_DS - other.times[index]!;
        expect(told).toBeGreaterThanOrEqual(ageDs);
        expect(told).toBeLessThanOrEqual(Math.max(ageDs + 10, ageDs * 1.08));
        expect(other.times.filter((time) => time > 0)).toHaveLength(1);
      }),
    );
  });

  it('that is too old is not told', () => {
    const [one, other] = [new Heard(new Roster(NAMES)), new Heard(new Roster(NAMES))];
    one.note(7, START_DS - AGE_OF_CODE_DS[CODE_UNKNOWN - 1]! - 1);
    for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, () => {});
    expect(other.times.every((time) => time === 0)).toBe(true);
  });

  it('that is younger wins, and is reported once', () => {
    const [one, other] = [new Heard(new Roster(NAMES)), new Heard(new Roster(NAMES))];
    one.note(3, START_DS - 50);
    one.note(4, START_DS - 50);
    other.note(3, START_DS - 20);
    expect(other.note(3, START_DS - 30)).toBe(false);
    const younger: number[] = [];
    for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, (index) => younger.push(index));
    for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, (index) => younger.push(index));
    expect(younger).toEqual([4]);
    expect(other.times[3]).toBe(START_DS - 20);
  });

  it('of a dead factory dies out although all tell each other of it for ever', () => {
    const roster = new Roster(NAMES);
    const all = Array.from({ length: 6 }, () => new Heard(roster));
    all[0]!.note(9, START_DS);
    for (let nowDs = START_DS; nowDs < START_DS + 6_000; nowDs += 1) {
      const [from, to] = [nowDs % 6, (nowDs * 5 + 1) % 6];
      all[to]!.merge(all[from]!.window(nowDs, ROOM)!, nowDs, () => {});
    }
    for (const heard of all) expect(heard.times[9]!).toBeLessThanOrEqual(START_DS);
  });
});

describe('windows', () => {
  it('come round to all factories, however little room there is', () => {
    const heard = new Heard(new Roster(NAMES));
    NAMES.forEach((_, index) => {
      heard.note(index, START_DS);
    });
    for (const room of [200, 1_200]) {
      const other = new Heard(new Roster(NAMES));
      for (const window of windowsOf(heard, START_DS, room)) other.merge(window, START_DS, () => {});
      expect(other.times.every((time) => time === START_DS)).toBe(true);
    }
    expect(heard.window(START_DS, 20)).toBeNull();
  });

  it('of other lists count where both have the same names, though there be as many', () => {
    const others = [...NAMES.slice(1), 'new.example.com'];
    const [one, other] = [new Heard(new Roster(NAMES)), new Heard(new Roster(others))];
    const [mine, theirs] = [new Roster(NAMES), new Roster(others)];
    mine.names.forEach((_, index) => {
      one.note(index, START_DS);
    });
    for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, () => {});
    const heard = theirs.names.filter((_, index) => other.times[index]! > 0);
    expect(heard.length).toBeGreaterThan(100);
    expect(heard).not.toContain('new.example.com');
    // Nobody is taken for his neighbour in the list.
    expect(heard.every((name) => mine.indexOf(name) >= 0)).toBe(true);
  });

  it('with names exchanged are not believed', () => {
    const [one, other] = [new Heard(new Roster(['a', 'b', 'c'])), new Heard(new Roster(['a', 'b', 'd']))];
    for (let index = 0; index < 3; index += 1) one.note(index, START_DS);
    for (const window of windowsOf(one, START_DS)) other.merge(window, START_DS, () => {});
    expect([...other.times]).toEqual([0, 0, 0]);
  });
});

describe('the order of factories', () => {
  it('does not depend on the list, nor on letters’ case', () => {
    const roster = new Roster(NAMES);
    expect(new Roster([...NAMES].reverse()).names).toEqual(roster.names);
    expect(new Roster(NAMES.map((name) => name.toUpperCase())).ids).toEqual(roster.ids);
    expect(roster.indexOf('WN7.example.com')).toBe(roster.indexOf('wn7.example.com'));
    expect(roster.indexOf('nobody')).toBe(-1);
    expect(roster.indexOfId('nobody')).toBe(-1);
    for (const bits of [0, 1, 5]) {
      const ends = Array.from({ length: 2 ** bits + 1 }, (_, bucket) => roster.bucketStart(bits, bucket));
      expect(ends[0]).toBe(0);
      expect(ends.at(-1)).toBe(300);
      roster.names.forEach((_, index) => {
        const bucket = roster.bucketOf(bits, index);
        expect(index).toBeGreaterThanOrEqual(ends[bucket]!);
        expect(index).toBeLessThan(ends[bucket + 1]!);
      });
    }
  });

  it('has ids that others compute as documented', () => {
    // h("a") by FNV-1a and MurmurHash3's finalizer, with both bases.
    expect(new Roster(['a']).ids[0]).toHaveLength(8);
    expect(new Set(new Roster(NAMES).ids).size).toBe(300);
    expect(new Roster(['wn1.example.com']).ids[0]).toBe('GH4Plhqm');
  });
});
