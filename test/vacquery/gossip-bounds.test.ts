/** One factory that is broken, or worse, costs the others no memory or time without end. */

import { describe, expect, it } from 'vitest';
import { GOSSIP_LIMITS } from '../../src/vacquery/gossip-limits.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import { forged, gossipDatagram, spaceWithLiar } from './gossip-liar.js';
import { addressOf, GossipSpace, nameOf, running } from './gossip-space.js';

const sync = { nonce: 1, bits: 0, first: 0, digests: [0], known: [], stamps: [{ bucket: 0, stamps: [] }] };

describe('a factory', () => {
  it('that floods is not looked at, is named, and keeps nobody from being heard', () => {
    const space = spaceWithLiar();
    const flood = gossipDatagram(space, { ages: null });
    const outcomes = new Map<string, number>();
    for (let datagram = 0; datagram < 20_000; datagram += 1) {
      const outcome = space.deliver(1, flood, addressOf(0));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    expect(outcomes.get('accepted')! * flood.length).toBeLessThan(2 * GOSSIP_LIMITS.burstBytes + 10_000);
    expect(outcomes.get('too-much')).toBeGreaterThan(10_000);
    const view = space.gossip(1).view(space.now());
    expect(view.find(({ factory }) => factory === nameOf(0))!.problems).toEqual([
      'it sends far more than a factory should: most of it is not looked at',
    ]);
    space.announce(2, running('lhcb', 7));
    space.runUntil(() => space.machinesSeen(1, 'lhcb') === 9, 5);
    space.run(60);
    expect(space.deliver(1, flood, addressOf(0))).toBe('accepted');
  });

  it('that has the whole space compared several times in one question is not answered', () => {
    const space = spaceWithLiar();
    const stamps = [sync.stamps[0]!, sync.stamps[0]!];
    expect(space.deliver(1, gossipDatagram(space, { sync: { ...sync, stamps } }), addressOf(0))).toBe('malformed');
    expect(space.deliver(1, gossipDatagram(space, { sync }), addressOf(0))).toBe('accepted');
  });

  it('whose clock has run for ten thousand years leaves nothing that never settles', () => {
    let known: readonly number[] | undefined;
    const space = new GossipSpace({
      factories: 3,
      seed: 1,
      absent: [0],
      onSent: (datagram, from) => {
        if (from !== 1) return;
        const decoded = decodeGossip(datagram, space.gossip(1).roster);
        if (decoded.ok && decoded.message.sync !== null) known = decoded.message.sync.known;
      },
    });
    for (let version = 1; version <= 50; version += 1) {
      const slice = { ...running('lhcb', 1), end: null, decayedUse: null, version, changedDs: 2 ** 40 };
      const { ageDs, change } = forged(space, 0, 1, { from: version - 1, to: version, changedDs: 2 ** 40 });
      const sent = { ageDs, change: { ...change, slices: [slice] } };
      space.deliver(1, gossipDatagram(space, { changes: [sent] }), addressOf(0));
      space.run(1);
    }
    expect(known).toHaveLength(1);
    space.run(60);
    expect(known).toEqual([]);
  });
});

it('a list of factories that changes between a question and its answer breaks nothing', () => {
  const space = spaceWithLiar();
  const end = { timeSeconds: Math.floor(space.now().unixSeconds), message: '200 Success', hostname: nameOf(2) };
  space.announce(2, running('lhcb', 1, end));
  space.runUntil(() => space.hasConverged(), 20);
  const gossip = space.gossip(1);
  gossip.receive(gossipDatagram(space, { sync }), addressOf(0), space.now());
  gossip.setFactories([nameOf(1), nameOf(4)], space.now());
  expect(() => gossip.due(space.now())).not.toThrow();
});
