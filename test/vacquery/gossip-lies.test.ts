/** What is false, and would stay so if nobody saw to it: parts never told, wrong calendars, names that are no more. */

import { describe, expect, it } from 'vitest';
import { OwnEntryKeeper } from '../../src/vacquery/entry-own.js';
import { forged, gossipDatagram, spaceWithLiar } from './gossip-liar.js';
import { addressOf, entryOf, GossipSpace, nameOf, running } from './gossip-space.js';
import { NOW_SECONDS } from './snapshot.js';

const machinesOf = (space: GossipSpace, observer: number, factory: number) =>
  space
    .gossip(observer)
    .newsOf(nameOf(factory), space.now(observer))
    .map(({ runningMachines }) => runningMachines);

describe('a part that its owner never told', () => {
  it('and that nobody else has is forgotten, although its version is far above and it is too old to be passed on', () => {
    const space = spaceWithLiar();
    const { incarnation, version } = space.gossip(2).stampOf(nameOf(2))!;
    const change = forged(space, 2, 999, { incarnation, from: version + 1_000, to: version + 1_001 });
    space.deliver(3, gossipDatagram(space, { changes: [{ ...change, ageDs: 600 }] }), addressOf(0));
    space.run(5);
    expect(machinesOf(space, 3, 2)).toEqual([999]);
    space.announce(2, running('lhcb', 4));
    space.run(60);
    expect(machinesOf(space, 1, 2)).toEqual([4]);
    space.run(300);
    expect(machinesOf(space, 3, 2)).toEqual([4]);
    expect(space.machinesSeen(3, 'lhcb')).toBe(4 + 1 + 1);
  });
});

describe('a part that has not changed for long', () => {
  it('is told again after an hour or two, for what others have of it may be false', () => {
    const at = (seconds: number) => ({ steadyMs: seconds * 1_000, unixSeconds: NOW_SECONDS + seconds });
    const keeper = new OwnEntryKeeper(7, 0, at(0), nameOf(1));
    const own = entryOf(running('lhcb', 1), running('atlas', 2));
    keeper.update(own, at(0));
    const { version, slices } = keeper.entry;
    expect(keeper.update(own, at(3_599))).toBe(false);
    expect(keeper.update(own, at(7_201))).toBe(true);
    expect(keeper.entry.version).toBe(2 * version);
    const content = ({ machinetype, runningMachines }: (typeof slices)[number]) => [machinetype, runningMachines];
    expect(keeper.entry.slices.map(content)).toEqual(slices.map(content));
    expect(keeper.update(own, at(7_300))).toBe(false);
  });
});

describe('a calendar that was years ahead', () => {
  const YEARS_SECONDS = 300_000_000;

  it('at the start of a factory, and is put right, costs its news a minute', () => {
    let ahead = YEARS_SECONDS;
    const space = new GossipSpace({ factories: 4, seed: 1, skewSeconds: (index) => (index === 2 ? ahead : 0) });
    for (let index = 0; index < 4; index += 1) space.announce(index, running('lhcb', 1));
    space.run(30);
    expect(machinesOf(space, 1, 2)).toEqual([]);
    ahead = 0;
    space.run(60);
    expect(machinesOf(space, 1, 2)).toEqual([1]);
    expect(space.incarnationOf(2)).toBeLessThan(NOW_SECONDS + 200);
    space.announce(2, running('lhcb', 5));
    space.runUntil(() => machinesOf(space, 1, 2)[0] === 5, 20);
    expect(space.gossip(2).ownProblems(space.now(2))).toEqual([]);
  });

  it('on all hosts, and is put right, keeps nobody from being believed after', () => {
    let ahead = YEARS_SECONDS;
    const space = new GossipSpace({ factories: 5, seed: 1, skewSeconds: () => ahead, absent: [4] });
    for (let index = 0; index < 4; index += 1) space.announce(index, running('lhcb', 1));
    space.runUntil(() => space.hasConverged(), 20);
    ahead = 0;
    space.run(10);
    space.start(4);
    space.announce(4, running('lhcb', 1));
    space.run(90);
    for (let index = 0; index < 5; index += 1) expect(space.machinesSeen(index, 'lhcb')).toBe(4);
    space.stop(1);
    space.start(1, NOW_SECONDS + 150);
    space.announce(1, running('lhcb', 3));
    space.runUntil(() => space.hasConverged() && space.machinesSeen(0, 'lhcb') === 6, 30);
  });
});

describe('machinetypes that come and go', () => {
  it('do not fill the entry until nothing new is believed', () => {
    const space = new GossipSpace({ factories: 3, seed: 2 });
    for (let type = 0; type < 400; type += 1) {
      space.announce(1, running(`pipe-${type}`, 1));
      space.run(0.2);
    }
    space.runUntil(() => space.machinesSeen(0, 'pipe-399') === 1, 30);
    expect(space.gossip(0).newsOf(nameOf(1), space.now()).length).toBeLessThan(100);
    expect(space.incarnationOf(1)).toBe(space.gossip(1).stampOf(nameOf(1))!.incarnation);
  });
});
