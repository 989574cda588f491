import { describe, expect, it } from 'vitest';
import { stream } from '../../src/sim/random.js';
import { MAX_ROUNDS, pollOdds, rounds } from '../../src/sim/reference-poll.js';

/** The predecessor's poll of one peer, datagram by datagram. */
function pollOnce(lossRate: number, types: number, rng: () => number) {
  const got = new Set<number>();
  let queries = 0;
  let replies = 0;
  let round = 0;
  while (round < MAX_ROUNDS && got.size < types) {
    round += 1;
    queries += 1;
    if (rng() < lossRate) continue;
    for (let type = 0; type < types; type += 1) {
      replies += 1;
      if (rng() >= lossRate) got.add(type);
    }
  }
  return { queries, replies, round, got, isComplete: got.size === types };
}

describe('the odds of a poll', () => {
  it.each([0, 0.1, 0.3, 0.5])('with %d of all datagrams lost are those of polls datagram by datagram', (lossRate) => {
    const types = 10;
    const rng = stream(5, 'polls');
    const polls = Array.from({ length: 20_000 }, () => pollOnce(lossRate, types, rng));
    const mean = (of: (poll: (typeof polls)[number]) => number) =>
      polls.reduce((sum, poll) => sum + of(poll), 0) / polls.length;
    const odds = pollOdds(lossRate, types);
    expect(odds.queriesAlive).toBeCloseTo(
      mean(({ queries }) => queries),
      1,
    );
    expect(Math.abs(odds.repliesAlive / mean(({ replies }) => replies) - 1)).toBeLessThan(0.02);
    expect(odds.missing).toBeCloseTo(
      mean(({ got }) => (got.has(0) ? 0 : 1)),
      2,
    );
    for (let round = 1; round <= MAX_ROUNDS; round += 1) {
      expect(odds.completeBy[round]).toBeCloseTo(
        mean((poll) => (poll.isComplete && poll.round <= round ? 1 : 0)),
        1,
      );
    }
  });

  it('of a perfect network are one query, all answers, one round', () => {
    const odds = pollOdds(0, 10);
    expect(odds).toMatchObject({ queriesAlive: 1, repliesAlive: 10, missing: 0 });
    expect(rounds(odds, 1000, 0, 0.999)).toBe(1);
  });

  it('with somebody dead, a poll has all its rounds', () => {
    expect(rounds(pollOdds(0, 10), 1000, 1, 0)).toBe(MAX_ROUNDS);
  });
});
