import { describe, expect, it } from 'vitest';
import { isAbort } from '../../src/factory/outcome.js';
import { type Change, type Entry, mergeChange } from '../../src/vacquery/entry.js';
import { Knowledge } from '../../src/vacquery/gossip-knowledge.js';
import { GOSSIP_LIMITS } from '../../src/vacquery/gossip-limits.js';
import { Roster } from '../../src/vacquery/gossip-roster.js';
import { Sync } from '../../src/vacquery/gossip-sync.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { running } from './gossip-space.js';

const ROOM = 1_200;
const START_DS = 100_000;

/** Names of which nearly all fall into the first of four buckets. */
function crowded(count: number): string[] {
  const names: string[] = [];
  for (let number = 0; names.length < count; number += 1) {
    const name = `host${number}.example.com`;
    if (new Roster([name]).bucketOf(2, 0) === 0) names.push(name);
  }
  return names;
}

class Side {
  readonly knowledge: Knowledge;
  readonly sync: Sync;

  constructor(names: readonly string[], own: string) {
    this.knowledge = new Knowledge(new Roster(names), own, {
      limits: GOSSIP_LIMITS,
      halfLifeSeconds: 0,
      isAbort,
      intern: (_factory, entry) => entry,
    });
    this.sync = new Sync(this.knowledge, seededRandom(1));
  }

  /** Learns that `machines` run on a factory, by its version 1 or a later one, made some time ago. */
  learn(name: string, machines: number, version: number, nowDs: number, ageDs = 10_000): void {
    const index = this.knowledge.roster.indexOf(name);
    const slice = { ...running('lhcb', machines), end: null, decayedUse: null, version, changedDs: 0 };
    const id = this.knowledge.roster.ids[index]!;
    const change: Change = { id, incarnation: 7, from: 0, to: version, changedDs: 0, head: null, slices: [slice] };
    this.knowledge.take(index, change, ageDs, nowDs);
  }

  /** Asks another side, and takes what it answers; what it wants back is given to it. */
  ask(other: Side, nowDs: number): { lost: number; given: number } {
    const asked = this.sync.request(0, nowDs, ROOM);
    const { answer, missed } = other.sync.answer(asked, nowDs);
    const given = [...other.sync.changes(missed)];
    for (const [, change] of given) this.take(change, nowDs);
    const back = [...this.sync.changes(this.sync.accept(answer, 0)!)];
    for (const [, change] of back) other.take(change, nowDs);
    return { lost: given.length, given: back.length };
  }

  take(change: Change, nowDs: number): void {
    const index = this.knowledge.roster.indexOfId(change.id);
    if (index >= 0) this.knowledge.take(index, change, 10_000, nowDs);
  }

  entryOf(name: string): Entry | null {
    return this.knowledge.entry(this.knowledge.roster.indexOf(name));
  }
}

describe('comparing', () => {
  it('finds what is missing in a bucket however many factories are in it', () => {
    const names = crowded(50);
    const [one, other] = [new Side(names, names[0]!), new Side(names, names[1]!)];
    for (const name of names) {
      one.learn(name, 3, 1, START_DS);
      if (name !== names[17]) other.learn(name, 3, 1, START_DS);
    }
    for (let round = 0; round < 4; round += 1) other.ask(one, START_DS + 1_000 + round);
    expect(other.entryOf(names[17]!)).toMatchObject({ version: 1 });
    expect(other.sync.isBusy).toBe(false);
    expect(other.sync.isInDoubt).toBe(false);
    expect(other.sync.isJoined).toBe(true);
  });

  it('gives both what they miss, however long ago it was', () => {
    const names = Array.from({ length: 40 }, (_, index) => `wn${index}.example.com`);
    const [one, other] = [new Side(names, names[0]!), new Side(names, names[1]!)];
    for (const [index, name] of names.entries()) {
      one.learn(name, index, index % 5 === 0 ? 2 : 1, START_DS);
      other.learn(name, index, index % 7 === 0 ? 3 : 1, START_DS);
    }
    for (let round = 0; round < 8; round += 1) other.ask(one, START_DS + 1_000 + round);
    for (const [index, name] of names.entries()) {
      const version = index % 7 === 0 ? 3 : index % 5 === 0 ? 2 : 1;
      expect(one.entryOf(name)?.version, name).toBe(version);
      expect(other.entryOf(name)?.version, name).toBe(version);
    }
    expect(other.ask(one, START_DS + 2_000)).toEqual({ lost: 0, given: 0 });
  });

  it('of what is still spreading is one by one, and no digest differs for it', () => {
    const names = Array.from({ length: 40 }, (_, index) => `wn${index}.example.com`);
    const [one, other] = [new Side(names, names[0]!), new Side(names, names[1]!)];
    for (const name of names) for (const side of [one, other]) side.learn(name, 1, 1, START_DS);
    one.learn('wn5.example.com', 2, 2, START_DS + 100, 20);
    other.learn('wn6.example.com', 2, 2, START_DS + 100, 20);
    const request = other.sync.request(0, START_DS + 100, ROOM);
    const { answer, missed } = one.sync.answer(request, START_DS + 100);
    expect(answer.differing).toEqual([]);
    expect(missed.map(({ index }) => one.knowledge.roster.names[index])).toEqual(['wn5.example.com']);
    const back = other.sync.accept(answer, 0)!;
    expect(back.map(({ index }) => one.knowledge.roster.names[index])).toEqual(['wn6.example.com']);
    // Twenty seconds later it has settled, and differs.
    const later = other.sync.request(0, START_DS + 400, ROOM);
    expect(one.sync.answer(later, START_DS + 400).answer.differing).toHaveLength(2);
  });

  it('takes an answer once, from whom it asked', () => {
    const names = ['wn1.example.com', 'wn2.example.com'];
    const [one, other] = [new Side(names, names[0]!), new Side(names, names[1]!)];
    const request = other.sync.request(0, START_DS, ROOM);
    const { answer } = one.sync.answer(request, START_DS);
    expect(other.sync.accept(answer, 1)).toBeNull();
    expect(other.sync.accept({ ...answer, nonce: answer.nonce ^ 1 }, 0)).toBeNull();
    expect(other.sync.accept(answer, 0)).toEqual([]);
    expect(other.sync.accept(answer, 0)).toBeNull();
  });

  it('with one who has another list finds what both have', () => {
    const names = Array.from({ length: 30 }, (_, index) => `wn${index}.example.com`);
    const more = [...names, ...Array.from({ length: 90 }, (_, index) => `new${index}.example.com`)];
    const [one, other] = [new Side(more, names[0]!), new Side(names, names[1]!)];
    for (const name of more) one.learn(name, 1, 1, START_DS);
    for (let round = 0; round < 30; round += 1) other.ask(one, START_DS + 1_000 + round);
    expect(names.every((name) => other.entryOf(name)?.version === 1)).toBe(true);
  });
});

describe('what is settled', () => {
  it('is the same for who saw each change and who saw the last alone', () => {
    const names = ['wn1.example.com', 'wn2.example.com'];
    const [one, other] = [new Side(names, names[0]!), new Side(names, names[0]!)];
    for (let version = 1; version <= 5; version += 1)
      one.learn(names[1]!, version, version, START_DS + version * 300, 0);
    other.learn(names[1]!, 5, 5, START_DS + 1_500, 0);
    const digestsAt = (side: Side, nowDs: number) => {
      side.knowledge.settled.advance((index) => side.knowledge.entry(index)!, nowDs);
      return side.knowledge.settled.digests(0, 0, 1);
    };
    expect(digestsAt(one, START_DS + 1_600)).not.toEqual([0]);
    expect(digestsAt(one, START_DS + 1_800)).toEqual(digestsAt(other, START_DS + 1_800));
    // Divided in another way the digests are the same in sum.
    expect(one.knowledge.settled.digests(1, 0, 2).reduce((xor, digest) => xor ^ digest, 0)).toBe(
      digestsAt(one, START_DS + 1_800)[0],
    );
    expect(mergeChange(one.entryOf(names[1]!), { ...changeOf(other, names[1]!) })!.isNews).toBe(false);
  });
});

function changeOf(side: Side, name: string): Change {
  const { roster } = side.knowledge;
  const entry = side.entryOf(name)!;
  const id = roster.ids[roster.indexOf(name)]!;
  return { id, incarnation: 7, from: 0, to: entry.version, changedDs: 0, head: null, slices: entry.slices };
}
