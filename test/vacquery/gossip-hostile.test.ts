/** Peers that lie, hosts that pretend, and what is not to come of it. */

import { describe, expect, it } from 'vitest';
import { GOSSIP_LIMITS } from '../../src/vacquery/gossip-limits.js';
import { MAX_VERSION } from '../../src/vacquery/wire02.js';
import { forged, gossipDatagram, spaceWithLiar } from './gossip-liar.js';
import { addressOf, GossipSpace, nameOf, running } from './gossip-space.js';
import { SPACE } from './snapshot.js';

describe('one bad datagram', () => {
  it.each([
    ['of an incarnation as late as is believed', (now: number) => ({ incarnation: Math.floor(now) + 86_000 })],
    ['of a version without successor', (_now: number, own: number) => ({ incarnation: own, to: MAX_VERSION })],
    ['that replaces a state that was told', (_now: number, own: number) => ({ incarnation: own, from: 0, to: 2 })],
    ['of the next incarnation', (_now: number, own: number) => ({ incarnation: own + 1 })],
  ])('%s in the name of a factory is overcome by that factory', (_what, changeOf) => {
    const space = spaceWithLiar();
    const own = space.gossip(2).stampOf(nameOf(2))!.incarnation;
    const change = forged(space, 2, 999, changeOf(space.now().unixSeconds, own));
    space.deliver(3, gossipDatagram(space, { changes: [change] }), addressOf(0));
    space.run(60);
    for (const index of [1, 3, 4]) {
      expect(
        space
          .gossip(index)
          .newsOf(nameOf(2), space.now())
          .map((news) => news.runningMachines),
      ).toEqual([1]);
    }
    // And it goes on from there.
    space.announce(2, running('lhcb', 4));
    space.runUntil(() => space.machinesSeen(1, 'lhcb') === 6, 20);
    expect(space.gossip(2).ownProblems(space.now())).toEqual([]);
  });

  it('from further in the future is not believed at all', () => {
    const space = spaceWithLiar();
    const incarnation = Math.floor(space.now().unixSeconds) + 90_000;
    space.deliver(3, gossipDatagram(space, { changes: [forged(space, 2, 999, { incarnation })] }), addressOf(0));
    expect(
      space
        .gossip(3)
        .newsOf(nameOf(2), space.now())
        .map((news) => news.runningMachines),
    ).toEqual([1]);
    expect(space.gossip(3).counts.disbelieved).toBe(1);
    const view = space
      .gossip(3)
      .view(space.now())
      .find(({ factory }) => factory === nameOf(2))!;
    expect(view.problems.join()).toMatch(/started 90000 s in the future by its own clock/);
  });

  it('of an old state brings nothing back', () => {
    const said: Uint8Array[] = [];
    const space = new GossipSpace({
      factories: 3,
      seed: 2,
      onSent: (datagram, from) => {
        if (from === 0) said.push(datagram);
      },
    });
    space.announce(0, running('lhcb', 9));
    space.runUntil(() => space.hasConverged(), 20);
    const old = [...said];
    space.announce(0, running('lhcb', 2));
    space.run(30);
    const stamp = space.gossip(1).stampOf(nameOf(0));
    for (const datagram of old) expect(space.deliver(1, datagram, addressOf(0))).toBe('accepted');
    expect(space.gossip(1).stampOf(nameOf(0))).toEqual(stamp);
    expect(space.machinesSeen(1, 'lhcb')).toBe(2);
  });

  it('about thousands of machinetypes is not kept', () => {
    const space = spaceWithLiar();
    const { incarnation } = space.gossip(2).stampOf(nameOf(2))!;
    for (let part = 0; part < 600; part += 1) {
      const at = { incarnation, from: 100 + part, to: 101 + part };
      const change = forged(space, 2, 1, at);
      const slices = change.change.slices.map((slice) => ({ ...slice, machinetype: `type-${part}` }));
      const sent = { ...change, change: { ...change.change, slices } };
      space.deliver(3, gossipDatagram(space, { changes: [sent] }), addressOf(0));
    }
    expect(space.gossip(3).newsOf(nameOf(2), space.now()).length).toBeLessThanOrEqual(256);
    space.run(120);
    // The owner takes its name back, and nothing of it is left.
    expect(space.gossip(3).newsOf(nameOf(2), space.now())).toHaveLength(1);
    expect(
      space
        .gossip(3)
        .totals(space.now())
        .map(({ machinetype }) => machinetype),
    ).toEqual(['lhcb']);
  });

  it('is looked at only from where its factory is', () => {
    const space = spaceWithLiar();
    const good = gossipDatagram(space, { changes: [forged(space, 0, 5, { incarnation: 1_700_000_000 })] });
    expect(space.deliver(1, good, '192.0.2.1')).toBe('stranger');
    expect(space.deliver(1, good, addressOf(3))).toBe('wrong-factory');
    const text = new TextDecoder().decode(good);
    const bytes = (changed: string) => new TextEncoder().encode(changed);
    expect(space.deliver(1, bytes(text.replace(SPACE, 'other.example.com')), addressOf(0))).toBe('other-space');
    expect(space.deliver(1, bytes(text.replace(nameOf(0), nameOf(1))), addressOf(0))).toBe('own-name');
    expect(space.deliver(1, bytes(text.slice(0, 200)), addressOf(0))).toBe('malformed');
    expect(space.deliver(1, bytes('{"method": "machinetypes"}'), addressOf(0))).toBe('not-gossip');
    expect(space.machinesSeen(1, 'lhcb')).toBe(3);
    expect(space.gossip(1).counts.refused).toEqual({
      stranger: 1,
      'wrong-factory': 1,
      'other-space': 1,
      'own-name': 1,
      malformed: 1,
      'not-gossip': 1,
    });
    const problems = space
      .gossip(1)
      .view(space.now())
      .find(({ factory }) => factory === nameOf(0))!.problems;
    expect(problems).toEqual([`its host calls itself ${nameOf(1)}: what it says is not believed`]);
    expect(space.gossip(1).ownProblems(space.now())).toEqual([
      `the host at ${addressOf(0)} gossips under this factory's name: give each host its own`,
    ]);
    expect(space.deliver(1, good, addressOf(0))).toBe('accepted');
    expect(space.machinesSeen(1, 'lhcb')).toBe(8);
  });
});

describe('who asks', () => {
  /** What factory 1 sends to the liar's address within a second. */
  function answered(space: GossipSpace, datagrams: readonly Uint8Array[]): number {
    let bytes = 0;
    const listener = space.network.open(addressOf(0), 995);
    listener.onDatagram((datagram) => {
      bytes += datagram.length;
    });
    for (const datagram of datagrams) space.deliver(1, datagram, addressOf(0));
    space.run(1);
    void listener.close();
    return bytes;
  }

  const asking = (space: GossipSpace, nonce: number) =>
    gossipDatagram(space, {
      sync: { nonce, bits: 0, first: 0, digests: [0], known: [], stamps: [{ bucket: 0, stamps: [] }] },
    });

  it('is told no more than three times what he sent, for the asking address may be forged', () => {
    const space = new GossipSpace({ factories: 40, seed: 3, absent: [0] });
    for (let index = 1; index < 40; index += 1) {
      space.announce(index, ...Array.from({ length: 10 }, (_, type) => running(`type-${type}`, 5)));
    }
    space.run(120);
    const question = asking(space, 1);
    const before = answered(space, []);
    const told = answered(space, [question]);
    expect(told).toBeGreaterThan(question.length);
    expect(told).toBeLessThanOrEqual(3 * question.length + before + 3_000);
    const listener = space.network.open(addressOf(0), 995);
    let answers = 0;
    listener.onDatagram((datagram) => {
      if (new TextDecoder().decode(datagram).includes('"answer"')) answers += datagram.length;
    });
    space.deliver(1, question, addressOf(0));
    space.run(0.01);
    expect(answers).toBeGreaterThan(0);
    expect(answers).toBeLessThanOrEqual(3 * question.length);
  });

  it('again and again gets no more than the limits allow, and keeps nobody from being told news', () => {
    const space = spaceWithLiar(10, 4);
    const flood = Array.from({ length: 20_000 }, (_, nonce) => asking(space, nonce));
    const { burstBytes, bytesPerSecond } = GOSSIP_LIMITS;
    // Budget of a burst and a second, and no more answers than wait in line.
    expect(answered(space, flood)).toBeLessThan(burstBytes + bytesPerSecond + 20_000);
    space.announce(1, running('lhcb', 7));
    space.runUntil(() => space.machinesSeen(2, 'lhcb') === 14, 5);
  });

  it('and answers what nobody asked gets nothing', () => {
    const space = spaceWithLiar();
    const ids = space.gossip(1).roster.ids;
    const wanted = ids.map((id) => ({ id, incarnation: 0, version: 0 }));
    const answer = { nonce: 7, differing: [0], lacking: [1, 2, 3], wanted, hasMore: true };
    const { sent } = space.gossip(1).counts;
    for (let times = 0; times < 50; times += 1) space.deliver(1, gossipDatagram(space, { answer }), addressOf(0));
    space.run(0.01);
    expect(space.gossip(1).counts.sent - sent).toBeLessThan(5);
  });
});

describe('two factories of one name', () => {
  it('are found out, and do not drive each other on', () => {
    // The name has both hosts' addresses.
    const space = new GossipSpace({ factories: 5, seed: 5, impostor: { index: 4, of: 3 } });
    for (let index = 0; index < 5; index += 1) space.announce(index, running('lhcb', 1 + index));
    const first = space.gossip(3).stampOf(nameOf(3))!.incarnation;
    space.run(120);
    const problems = space.gossip(3).ownProblems(space.now(3));
    expect(problems.join()).toMatch(/another factory gossips under this one's name \(heard by way of wn/);
    const raised = space.gossip(3).stampOf(nameOf(3))!.incarnation - first;
    expect(raised).toBeGreaterThan(2);
    // Far slower than time, so that it never gets ahead of the calendar.
    expect(raised).toBeLessThan(40);
    space.stop(4);
    space.announce(3, running('lhcb', 20));
    space.run(60);
    expect(
      space
        .gossip(0)
        .newsOf(nameOf(3), space.now())
        .map((news) => news.runningMachines),
    ).toEqual([20]);
    space.run(600);
    expect(space.gossip(3).ownProblems(space.now(3))).toEqual([]);
  });
});
