import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientLimits, MAX_CONNECTIONS_PER_CLIENT, REQUESTS } from '../../src/metadata/limits.js';
import { MAX_OPEN_PER_MACHINE } from '../../src/metadata/messages.js';

describe('limits of a client', () => {
  it('let it ask so much at once, then so much a second, and touch nobody else', () => {
    const limits = new ClientLimits();
    const asks = (count: number, nowMs: number, ip = 'a') => {
      let admitted = 0;
      for (let index = 0; index < count; index += 1) {
        if (!limits.begin(ip, nowMs)) continue;
        admitted += 1;
        limits.answered(ip);
      }
      return admitted;
    };
    expect(asks(REQUESTS.burst + 50, 0)).toBe(REQUESTS.burst);
    expect(asks(50, 1000)).toBe(REQUESTS.perSecond);
    expect(asks(50, 1000, 'b')).toBe(50);
    expect(asks(REQUESTS.burst + 50, 3_600_000)).toBe(REQUESTS.burst);
  });

  it('let it have so many connections and open requests at a time', () => {
    const limits = new ClientLimits();
    const crowded = Array.from({ length: MAX_CONNECTIONS_PER_CLIENT + 2 }, () => {
      limits.connected('a', 0);
      return limits.isCrowded('a');
    });
    expect(crowded.indexOf(true)).toBe(MAX_CONNECTIONS_PER_CLIENT);
    expect(limits.isCrowded('b')).toBe(false);
    const requests = Array.from({ length: MAX_OPEN_PER_MACHINE + 2 }, () => limits.begin('a', 0));
    expect(requests.filter(Boolean)).toHaveLength(MAX_OPEN_PER_MACHINE);
    limits.answered('a');
    expect([limits.begin('a', 0), limits.begin('a', 0)]).toEqual([true, false]);
  });

  it('are back where they were when all is over, in whatever order it came', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('connect', 'close', 'begin', 'answer')), (steps) => {
        const limits = new ClientLimits();
        let connections = 0;
        let pending = 0;
        for (const step of steps) {
          if (step === 'connect') {
            limits.connected('a', 0);
            connections += 1;
          } else if (step === 'begin') {
            if (limits.begin('a', 0)) pending += 1;
          } else if (step === 'close' && connections > 0) {
            limits.disconnected('a');
            connections -= 1;
          } else if (step === 'answer' && pending > 0) {
            limits.answered('a');
            pending -= 1;
          }
        }
        for (; connections > 0; connections -= 1) limits.disconnected('a');
        for (; pending > 0; pending -= 1) limits.answered('a');
        expect(limits.size).toBe(0);
      }),
    );
  });
});
