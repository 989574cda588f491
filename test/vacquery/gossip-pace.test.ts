import { describe, expect, it } from 'vitest';
import { GOSSIP_LIMITS } from '../../src/vacquery/gossip-limits.js';
import { Pace } from '../../src/vacquery/gossip-pace.js';

describe('news', () => {
  it('comes quickly after a quiet time, then at its pace, and faster the more there is of it', () => {
    const pauses = (changes: number) => {
      const pace = new Pace(GOSSIP_LIMITS, 0);
      return Array.from({ length: 20 }, () => pace.newsPauseMs(changes, 0)).slice(10);
    };
    expect(new Pace(GOSSIP_LIMITS, 0).newsPauseMs(1, 0)).toBe(200);
    expect(pauses(1)).toEqual(Array(10).fill(600));
    expect(pauses(64)).toEqual(Array(10).fill(150));
    expect(pauses(256)).toEqual(Array(10).fill(37.5));
  });

  it('is left to comparing where there is too much of it to get anywhere', () => {
    const pace = new Pace(GOSSIP_LIMITS, 0);
    expect(pace.isFlooded(256)).toBe(false);
    expect(pace.isFlooded(257)).toBe(true);
    for (let datagram = 0; datagram < 10; datagram += 1) pace.newsPauseMs(257, 0);
    expect(pace.newsPauseMs(257, 0)).toBe(600);
  });

  it('of our own waits for more of it while the whole space changes', () => {
    const pace = new Pace(GOSSIP_LIMITS, 0);
    expect(pace.ownDelayMs(0)).toBe(50);
    expect(pace.ownDelayMs(60)).toBe(50);
    expect(pace.ownDelayMs(164)).toBe(2_000);
    expect(pace.ownDelayMs(10_000)).toBe(5_000);
  });
});
