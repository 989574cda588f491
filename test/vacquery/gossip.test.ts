import { describe, expect, it } from 'vitest';
import { foldNews, isLater } from '../../src/factory/news.js';
import { isAbort } from '../../src/factory/outcome.js';
import { MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import { nextIncarnation } from '../../src/vacquery/gossip.js';
import { GossipSpace, LOSSY, nameOf, running } from './gossip-space.js';
import { NOW_SECONDS } from './snapshot.js';

const everybody = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('a change', () => {
  it('is with all of a small space within a third of a second', () => {
    const space = new GossipSpace({ factories: 4, seed: 1 });
    space.run(10);
    space.announce(0, running('lhcb', 3));
    const seconds = space.runUntil(() => space.hasConverged(), 10);
    expect(seconds).toBeLessThanOrEqual(0.3);
    expect(everybody(4).map((index) => space.machinesSeen(index, 'lhcb'))).toEqual([0, 3, 3, 3]);
  });

  it('is with a hundred within ten seconds although three in ten datagrams are lost', () => {
    const space = new GossipSpace({ factories: 100, seed: 2, faults: LOSSY });
    space.run(20);
    space.announce(7, running('lhcb', 3));
    expect(space.runUntil(() => space.machinesSeen(99, 'lhcb') === 3, 10)).toBeGreaterThan(0);
    space.runUntil(() => space.hasConverged(), 40);
  });

  it('brings only what changed', () => {
    const sent: string[] = [];
    const space = new GossipSpace({
      factories: 2,
      seed: 3,
      onSent: (datagram) => sent.push(new TextDecoder().decode(datagram)),
    });
    space.announce(0, running('lhcb', 3), running('atlas', 1));
    space.run(60);
    sent.length = 0;
    space.announce(0, running('lhcb', 4), running('atlas', 1));
    space.run(5);
    const withChanges = sent.filter((text) => text.includes('"changes"'));
    expect(withChanges.length).toBeGreaterThan(0);
    expect(withChanges.join()).not.toContain('atlas');
    expect(space.machinesSeen(1, 'atlas')).toBe(1);
    expect(space.machinesSeen(1, 'lhcb')).toBe(4);
  });

  it('of a factory with more machinetypes than a datagram holds arrives in parts', () => {
    const space = new GossipSpace({ factories: 5, seed: 4, faults: LOSSY });
    const types = everybody(120).map((type) => running(`experiment-${type}`, type + 1));
    space.announce(2, ...types);
    space.runUntil(() => space.hasConverged(), 180);
    expect(space.gossip(0).newsOf(nameOf(2), space.now())).toHaveLength(120);
    expect(space.machinesSeen(4, 'experiment-119')).toBe(120);
  });

  it('that is told again unchanged is none', () => {
    const space = new GossipSpace({ factories: 2, seed: 5 });
    const own = { maxProcessors: 8, takesMachines: true, machinetypes: [running('lhcb', 3)] };
    expect(space.gossip(0).announce(own, space.now())).toBe(true);
    space.run(5);
    expect(space.gossip(0).announce(own, space.now())).toBe(false);
  });
});

describe('a space at rest', () => {
  it('costs little, and all are known to live', () => {
    const space = new GossipSpace({ factories: 60, seed: 6, faults: LOSSY });
    for (const index of everybody(60)) space.announce(index, running('lhcb', 1));
    space.run(120);
    const { sent, sentBytes } = space.network.counts;
    space.run(60);
    const perFactoryMinute = (space.network.counts.sent - sent) / 60;
    expect(perFactoryMinute).toBeLessThan(40);
    expect((space.network.counts.sentBytes - sentBytes) / 60).toBeLessThan(20_000);
    for (const view of space.gossip(0).view(space.now())) {
      expect(view).toMatchObject({ liveness: 'alive', problems: [] });
      expect(view.heardSecondsAgo).toBeLessThan(60);
    }
  });

  it('of one factory sends nothing', () => {
    const space = new GossipSpace({ factories: 1, seed: 7 });
    space.announce(0, running('lhcb', 1));
    space.run(60);
    expect(space.network.counts.sent).toBe(0);
    expect(space.gossip(0).isJoined).toBe(true);
    expect(space.gossip(0).nextWakeMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('sends no datagram that is larger than the MTU allows, busy or not', () => {
    let largest = 0;
    const space = new GossipSpace({
      factories: 20,
      seed: 8,
      faults: LOSSY,
      onSent: (datagram) => {
        largest = Math.max(largest, datagram.length);
      },
    });
    for (let round = 0; round < 12; round += 1) {
      for (const index of everybody(20)) {
        const lastEnd = { timeSeconds: NOW_SECONDS + round, message: `300 No work ${round}`, hostname: 'odd-host' };
        space.announce(index, running(`type-${round % 7}`, round, lastEnd));
      }
      space.run(1);
    }
    expect(largest).toBeGreaterThan(1200);
    expect(largest).toBeLessThanOrEqual(MAX_SENT_BYTES);
  });
});

describe('sums for decisions', () => {
  it('are those of all news', () => {
    const space = new GossipSpace({ factories: 20, seed: 9, faults: LOSSY });
    const end = (index: number) => ({
      timeSeconds: NOW_SECONDS - 100 + index,
      message: index % 3 === 0 ? '300 No work' : '200 Success',
      hostname: `wn${String(index).padStart(3, '0')}-0${index % 10}.example.com`,
    });
    for (let round = 0; round < 3; round += 1) {
      for (const index of everybody(20)) {
        space.announce(index, running('lhcb', (index * 7 + round) % 5, end(index)), running('atlas', index));
        space.run(0.5);
      }
    }
    space.runUntil(() => space.hasConverged(), 60);
    const now = space.now();
    const all = () => true;
    const folded = foldNews(space.gossip(3).news(now), all, all);
    const byName = (a: { machinetype: string }, b: { machinetype: string }) => (a.machinetype < b.machinetype ? -1 : 1);
    expect(space.gossip(3).totals(now).sort(byName)).toEqual(folded.sort(byName));
    expect(folded).toHaveLength(2);
    expect(isAbort(folded.find(({ machinetype }) => machinetype === 'lhcb')!.lastEnd!.message)).toBe(true);
  });

  it('name the same abort everywhere, whichever of one second was heard first', () => {
    const space = new GossipSpace({ factories: 12, seed: 11, faults: LOSSY });
    const ends = ['wn000-07.example.com', 'wn001-03.example.com', 'wn002-00.example.com'].map((hostname) => ({
      timeSeconds: NOW_SECONDS - 60,
      message: '300 No work',
      hostname,
    }));
    for (const [index, end] of [...ends.entries()].reverse()) {
      space.announce(index, running('lhcb', 1, end));
      space.run(0.3);
    }
    space.runUntil(() => space.hasConverged(), 60);
    const now = space.now();
    const last = ends.reduce((newest, end) => (isLater(end, newest) ? end : newest));
    const named = everybody(12)
      .slice(3)
      .map((index) => space.gossip(index).totals(now)[0]!.lastEnd);
    expect(named).toEqual(named.map(() => last));
  });

  it('forget an abort when its factory has had a better end since', () => {
    const space = new GossipSpace({ factories: 3, seed: 23 });
    const end = (secondsAgo: number, message: string, hostname: string) => ({
      timeSeconds: Math.floor(space.now().unixSeconds) - secondsAgo,
      message,
      hostname,
    });
    const newestAbort = () => {
      space.run(10);
      return space.gossip(0).totals(space.now())[0]!.lastEnd?.hostname ?? null;
    };
    space.announce(1, running('lhcb', 1, end(500, '300 No work', 'old')));
    space.announce(2, running('lhcb', 1, end(100, '300 No work', 'new')));
    expect(newestAbort()).toBe('new');
    space.announce(2, running('lhcb', 1, end(0, '200 Success', 'good')));
    expect(newestAbort()).toBe('old');
    space.announce(1, running('lhcb', 1, end(0, '200 Success', 'good')));
    expect(newestAbort()).toBeNull();
  });

  it('have ends at the time they happened, on our clock, whatever the other clock shows', () => {
    const space = new GossipSpace({ factories: 3, seed: 10, skewSeconds: (index) => (index === 1 ? 86_000 : 0) });
    space.run(5);
    const theirNow = Math.floor(space.now(1).unixSeconds);
    const lastEnd = { timeSeconds: theirNow - 30, message: '300 No work', hostname: 'wn001-04.example.com' };
    space.announce(1, running('lhcb', 0, lastEnd));
    space.run(20);
    const told = space.gossip(2).newsOf(nameOf(1), space.now())[0]!.lastEnd!;
    expect(told.hostname).toBe('wn001-04.example.com');
    expect(Math.abs(told.timeSeconds - (NOW_SECONDS + 5 - 30))).toBeLessThanOrEqual(1);
  });

  it('have no part of the factory itself', () => {
    const space = new GossipSpace({ factories: 2, seed: 11 });
    space.announce(0, running('lhcb', 9));
    space.announce(1, running('lhcb', 2));
    space.run(10);
    expect(space.machinesSeen(0, 'lhcb')).toBe(2);
  });

  it('have use that decays and grows as its owner said', () => {
    const halfLifeSeconds = 3_600;
    const space = new GossipSpace({ factories: 3, seed: 12, halfLifeSeconds });
    space.announce(0, { ...running('lhcb', 0), decayedUse: 1_000_000 });
    space.announce(1, { ...running('lhcb', 5), decayedUse: 0 });
    space.run(3_600);
    const [use] = space.gossip(2).decayedUses(space.now());
    const grown = ((50 * halfLifeSeconds) / Math.LN2) * 0.5;
    expect(use!.machinetype).toBe('lhcb');
    expect(use!.decayedUse / (500_000 + grown)).toBeCloseTo(1, 2);
    expect(new GossipSpace({ factories: 1, seed: 1 }).gossip(0).decayedUses(space.now())).toEqual([]);
  });
});

describe('a factory', () => {
  it('that dies counts no more once its news has expired, and counts again when it is back', () => {
    const space = new GossipSpace({ factories: 10, seed: 13, faults: LOSSY });
    for (const index of everybody(10)) space.announce(index, running('lhcb', 1));
    space.runUntil(() => space.hasConverged(), 30);
    space.stop(4);
    space.run(60);
    const livenessSeen = () =>
      space
        .gossip(0)
        .view(space.now())
        .find(({ factory }) => factory === nameOf(4))!.liveness;
    expect(space.machinesSeen(0, 'lhcb')).toBe(9);
    expect(livenessSeen()).toBe('alive');
    space.run(120);
    expect(livenessSeen()).toBe('suspect');
    expect(space.machinesSeen(0, 'lhcb')).toBe(9);
    space.run(180);
    for (const index of everybody(10).filter((other) => other !== 4)) {
      expect(
        space
          .gossip(index)
          .view(space.now())
          .find(({ factory }) => factory === nameOf(4)),
      ).toMatchObject({
        liveness: 'expired',
        news: [],
      });
    }
    expect(space.machinesSeen(0, 'lhcb')).toBe(8);
    space.start(4);
    space.announce(4, running('lhcb', 5));
    space.runUntil(() => space.machinesSeen(0, 'lhcb') === 13, 20);
  });

  it('that leaves counts no more at once', () => {
    const space = new GossipSpace({ factories: 5, seed: 14 });
    for (const index of everybody(5)) space.announce(index, running('lhcb', 1));
    space.run(30);
    space.gossip(2).leave(space.now());
    space.run(10);
    expect(space.machinesSeen(0, 'lhcb')).toBe(3);
    expect(
      space
        .gossip(0)
        .view(space.now())
        .find(({ factory }) => factory === nameOf(2))?.liveness,
    ).toBe('left');
    space.stop(2);
    space.start(2);
    space.announce(2, running('lhcb', 1));
    space.runUntil(() => space.machinesSeen(0, 'lhcb') === 4, 20);
  });

  it('that joins late learns all, and knows when it does', () => {
    const space = new GossipSpace({ factories: 80, seed: 15, faults: LOSSY, absent: [79] });
    for (const index of everybody(79)) space.announce(index, running('lhcb', 1), running('atlas', index));
    space.run(120);
    space.start(79);
    expect(space.gossip(79).isJoined).toBe(false);
    const seconds = space.runUntil(() => space.gossip(79).isJoined, 60);
    expect(seconds).toBeLessThan(15);
    expect(space.machinesSeen(79, 'lhcb')).toBeGreaterThan(75);
    space.runUntil(() => space.machinesSeen(79, 'lhcb') === 79, 20);
  });

  it('starts with an incarnation above all it had, whatever its clock shows', () => {
    expect(nextIncarnation(null, 1_700_000_000.9)).toBe(1_700_000_000);
    expect(nextIncarnation(1_600_000_000, 1_700_000_000)).toBe(1_700_000_000);
    expect(nextIncarnation(1_800_000_000, 1_700_000_000)).toBe(1_800_000_001);
  });

  it('that lost its state, with its clock set back, takes its name back over its own past', () => {
    const space = new GossipSpace({ factories: 6, seed: 16, faults: LOSSY });
    space.announce(1, running('lhcb', 7));
    space.run(60);
    const before = space.incarnationOf(1)!;
    space.stop(1);
    space.start(1, before - 5_000);
    space.announce(1, running('lhcb', 2));
    space.runUntil(() => space.machinesSeen(0, 'lhcb') === 2 && space.hasConverged(), 60);
    expect(space.incarnationOf(1)).toBeGreaterThan(before);
    expect(space.gossip(1).ownProblems(space.now())).toEqual([]);
  });

  it('whose name the configuration drops is forgotten and not believed any more', () => {
    const space = new GossipSpace({ factories: 4, seed: 17 });
    for (const index of everybody(4)) space.announce(index, running('lhcb', 1));
    space.run(20);
    space.gossip(0).setFactories(space.names.slice(0, 3), space.now());
    expect(space.machinesSeen(0, 'lhcb')).toBe(2);
    space.announce(3, running('lhcb', 5));
    space.run(30);
    expect(space.machinesSeen(0, 'lhcb')).toBe(2);
    expect(space.gossip(0).stampOf(nameOf(3))).toBeNull();
    expect(space.gossip(0).counts.disbelieved).toBeGreaterThan(0);
    space.gossip(0).setFactories(space.names, space.now());
    space.runUntil(() => space.machinesSeen(0, 'lhcb') === 7, 40);
  });

  it('with another list agrees with the others on the factories that both have', () => {
    const space = new GossipSpace({ factories: 60, seed: 18, faults: LOSSY });
    for (const index of everybody(60)) space.announce(index, running('lhcb', 1));
    // In the midst of a rollout: half of the hosts have the new list.
    for (const index of everybody(30)) {
      space.gossip(index).setFactories([...space.names.slice(0, 58), 'new1.example.com'], space.now());
    }
    space.run(240);
    expect(space.machinesSeen(0, 'lhcb')).toBe(57);
    expect(space.machinesSeen(40, 'lhcb')).toBe(59);
    for (const index of [0, 40]) {
      const unwell = space
        .gossip(index)
        .view(space.now())
        .filter(({ liveness }) => liveness !== 'alive');
      expect(unwell.map(({ factory }) => factory)).toEqual(index === 0 ? ['new1.example.com'] : []);
    }
  });
});

describe('a partition', () => {
  it('heals: each side learns what happened on the other', () => {
    const space = new GossipSpace({ factories: 40, seed: 19, faults: LOSSY });
    for (const index of everybody(40)) space.announce(index, running('lhcb', 1));
    space.runUntil(() => space.hasConverged(), 40);
    space.network.partition((address) => Number(address.split('.')[3]) < 20);
    space.run(60);
    for (const index of everybody(40)) space.announce(index, running('lhcb', 2));
    space.run(900);
    expect(space.machinesSeen(0, 'lhcb')).toBe(38);
    expect(space.machinesSeen(39, 'lhcb')).toBe(38);
    space.network.heal();
    const seconds = space.runUntil(() => space.hasConverged(), 60);
    expect(seconds).toBeLessThan(60);
    space.run(30);
    expect(space.machinesSeen(0, 'lhcb')).toBe(78);
  });
});

describe('factories that do not gossip', () => {
  it('are to be polled; those that gossip are not', () => {
    const space = new GossipSpace({ factories: 4, seed: 20, absent: [2, 3] });
    expect(space.gossip(0).legacyPeers(space.now())).toEqual([]);
    space.run(15);
    expect(space.gossip(0).legacyPeers(space.now()).sort()).toEqual([nameOf(2), nameOf(3)]);
    space.gossip(0).notePolled(nameOf(2), true, space.now());
    space.gossip(0).notePolled(nameOf(3), false, space.now());
    expect(space.gossip(0).legacyPeers(space.now())).toEqual([nameOf(2)]);
    space.run(31);
    expect(space.gossip(0).legacyPeers(space.now()).sort()).toEqual([nameOf(2), nameOf(3)]);
  });

  it('are tried less often the longer they are silent', () => {
    const space = new GossipSpace({ factories: 2, seed: 21, absent: [1] });
    space.run(10);
    let polls = 0;
    for (let second = 0; second < 3_600; second += 1) {
      space.run(1);
      for (const factory of space.gossip(0).legacyPeers(space.now())) {
        space.gossip(0).notePolled(factory, false, space.now());
        polls += 1;
      }
    }
    expect(polls).toBeGreaterThan(6);
    expect(polls).toBeLessThan(14);
  });

  it('are found out as soon as they speak', () => {
    const space = new GossipSpace({ factories: 3, seed: 22, absent: [2] });
    space.run(20);
    space.gossip(0).notePolled(nameOf(2), true, space.now());
    expect(space.gossip(0).legacyPeers(space.now())).toEqual([nameOf(2)]);
    space.start(2);
    space.announce(2, running('lhcb', 1));
    space.run(15);
    expect(space.gossip(0).legacyPeers(space.now())).toEqual([]);
    expect(space.machinesSeen(0, 'lhcb')).toBe(1);
  });
});
