import { describe, expect, it } from 'vitest';
import { saltedCookies } from '../../src/vacquery/cookies.js';
import { ASKER_ADDRESS, MemorySpace, TIMEOUT_MS } from './memory-space.js';
import { bytes } from './recorded.js';
import { SPACE } from './snapshot.js';

const lossy = (lossRate: number) => ({ lossRate, duplicateRate: 0.05, minDelayMs: 0.2, maxDelayMs: 30 });

describe('a poll of 100 factories', () => {
  for (const lossRate of [0, 0.1, 0.3, 0.5]) {
    for (const dead of [0, 1, 50]) {
      it(`with ${lossRate * 100} % loss and ${dead} dead ends by its deadline with all there is to know`, async () => {
        const space = new MemorySpace({ factories: 100, dead, seed: 7 + dead, faults: lossy(lossRate) });
        const answers = await space.poll('machinetypes_query');
        expect(space.endedMs).toBeLessThanOrEqual(TIMEOUT_MS);
        expect(answers.slice(0, dead).map(({ outcome }) => outcome)).toEqual(Array(dead).fill('none'));
        const living = answers.slice(dead);
        expect(living.filter(({ outcome }) => outcome !== 'complete')).toEqual([]);
        for (const { factory, statuses } of living) {
          expect(new Set(statuses.map(({ status }) => status.machinetype)).size).toBe(10);
          expect(statuses.every(({ status }) => status.factory === factory)).toBe(true);
        }
        expect(space.peers.filter(({ factory }) => space.memory.isDead(factory))).toHaveLength(dead);
        // The next poll knows who is dead, and takes as long as if these were not there.
        const startedMs = space.clock.nowMs();
        await space.poll('machinetypes_query');
        expect(space.endedMs - startedMs).toBeLessThan(lossRate === 0 ? 300 : TIMEOUT_MS);
      });
    }
  }
});

describe('what a poll costs', () => {
  it('asks a peer that answers at once exactly once', async () => {
    const space = new MemorySpace({ factories: 50, seed: 1 });
    const answers = await space.poll('machinetypes_query');
    expect(answers.map(({ asked }) => asked)).toEqual(Array(50).fill(1));
    expect(space.network.counts.sent).toBe(50 * 11);
    expect(space.endedMs).toBeLessThan(200);
  });

  it('asks nobody again whose answer may wait to be read, on a host that is slow to read', async () => {
    const space = new MemorySpace({ factories: 400, seed: 10, readsPerMs: 0.8 });
    const answers = await space.poll('machinetypes_query');
    expect(answers.filter(({ outcome }) => outcome !== 'complete')).toEqual([]);
    expect(answers.filter(({ asked }) => asked > 1)).toEqual([]);
    // 4,000 datagrams take 5 s at this pace.
    expect(space.endedMs).toBeLessThan(5_100);
  });

  it('asks for what was lost as soon as the rest was read', async () => {
    const space = new MemorySpace({ factories: 400, seed: 11, readsPerMs: 2, faults: lossy(0.1) });
    const answers = await space.poll('machinetypes_query');
    expect(answers.filter(({ outcome }) => outcome !== 'complete')).toEqual([]);
    expect(space.endedMs).toBeLessThan(6_000);
  });

  it('asks thousands at a bounded rate, however many of them are silent', async () => {
    const space = new MemorySpace({ factories: 4_000, dead: 4_000, seed: 12 });
    await space.poll('machinetypes_query');
    expect(space.network.counts.sent).toBeGreaterThan(4_000);
    expect(space.network.counts.sent).toBeLessThan(2.7 * TIMEOUT_MS);
  });

  it('asks a silent peer ever less often', async () => {
    const space = new MemorySpace({ factories: 1, dead: 1, seed: 2 });
    const [answer] = await space.poll('machinetypes_query');
    expect(answer!.asked).toBeGreaterThan(10);
    expect(answer!.asked).toBeLessThan(20);
  });

  it.each(['machines_query', 'factory_query'] as const)('gets all of a %s, too', async (query) => {
    const space = new MemorySpace({ factories: 3, slots: 64, seed: 3, faults: lossy(0.3) });
    const answers = await space.poll(query);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['complete', 'complete', 'complete']);
    expect(answers[0]!.statuses).toHaveLength(query === 'machines_query' ? 64 : 1);
  });

  it('of nobody is over at once', async () => {
    const space = new MemorySpace({ factories: 0, seed: 4 });
    expect(await space.poll('machinetypes_query')).toEqual([]);
    expect(space.endedMs).toBe(0);
  });
});

describe('dead peers', () => {
  it('are asked once in a probe interval, are not waited for, and are alive again with their first answer', async () => {
    const space = new MemorySpace({ factories: 10, dead: 1, seed: 5 });
    const deadFactory = space.peers[0]!.factory;
    await space.poll('machinetypes_query');
    expect(space.memory.isDead(deadFactory)).toBe(true);

    let asked = 0;
    const startMs = space.clock.nowMs();
    // Ten minutes of a poll each ten seconds.
    for (let round = 1; round <= 60; round += 1) {
      space.clock.runUntil(startMs + round * 10_000);
      const [answer] = await space.poll('machinetypes_query');
      expect(answer).toMatchObject({ outcome: 'none', wasDead: true });
      expect(space.endedMs - (startMs + round * 10_000)).toBeLessThan(100);
      space.clock.runUntil(space.endedMs + 50);
      asked += answer!.asked;
    }
    expect(asked).toBeGreaterThanOrEqual(19);
    expect(asked).toBeLessThanOrEqual(21);

    space.revive(0);
    space.clock.runUntil(space.clock.nowMs() + 30_000);
    await space.poll('machinetypes_query');
    // Its answer may come a moment after the others', when the poll is over: it still counts.
    space.clock.runUntil(space.clock.nowMs() + 1_000);
    expect(space.memory.isDead(deadFactory)).toBe(false);
    const [answer] = await space.poll('machinetypes_query');
    expect(answer).toMatchObject({ outcome: 'complete', wasDead: false });
  });

  it('all of them: a partition ends with nobody waited for, and heals by itself', async () => {
    const space = new MemorySpace({ factories: 20, seed: 6 });
    space.network.partition((address) => address.startsWith('10.1.'));
    expect((await space.poll('machinetypes_query')).every(({ outcome }) => outcome === 'none')).toBe(true);
    const startedMs = space.clock.nowMs();
    await space.poll('machinetypes_query');
    expect(space.endedMs).toBe(startedMs);
    space.network.heal();
    space.clock.runUntil(startedMs + 60_000);
    await space.poll('machinetypes_query');
    space.clock.runUntil(space.clock.nowMs() + 1_000);
    expect((await space.poll('machinetypes_query')).every(({ outcome }) => outcome === 'complete')).toBe(true);
  });
});

describe('polls beside each other', () => {
  it('let a silent peer keep only its own poll waiting', async () => {
    const space = new MemorySpace({ factories: 2, dead: 1, seed: 8 });
    const [dead, living] = space.peers;
    const began = (peers: typeof space.peers) =>
      space.poller.poll({
        query: 'machinetypes_query',
        space: SPACE,
        vacVersion: 'Vac 0.1.0 vacd',
        peers,
        cookieOf: saltedCookies(Uint8Array.of(peers.length)),
        timeoutMs: TIMEOUT_MS,
        rng: space.rng,
        memory: space.memory,
      });
    const slow = began([dead!, living!]);
    space.clock.runUntil(2_000);
    const quick = began([living!]);
    space.clock.runUntil(2_100);
    expect((await quick).map(({ outcome }) => outcome)).toEqual(['complete']);
    expect(space.memory.isDead(dead!.factory)).toBe(false);

    space.revive(0);
    space.clock.runUntil(TIMEOUT_MS);
    expect((await slow).map(({ outcome }) => outcome)).toEqual(['complete', 'complete']);
  });

  it('count what they sent and got, by kind and reason', async () => {
    const space = new MemorySpace({ factories: 3, machinetypes: 5, seed: 9 });
    await space.poll('machinetypes_query');
    await space.poll('factory_query');
    const stranger = space.network.open('10.9.9.9', 995);
    stranger.send(bytes('garbage'), ASKER_ADDRESS, space.poller.transport.port);
    space.clock.runUntil(space.clock.nowMs() + 1_000);
    expect(space.poller.counts).toEqual({
      sent: new Map([
        ['machinetypes_query', 3],
        ['factory_query', 3],
      ]),
      received: new Map([
        ['machinetype_status', 15],
        ['factory_status', 3],
      ]),
      refused: new Map([['not-json', 1]]),
    });
  });
});
