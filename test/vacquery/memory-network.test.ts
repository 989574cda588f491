import { describe, expect, it } from 'vitest';
import { MemoryNetwork, type NetworkFaults } from '../../src/vacquery/memory-network.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { VirtualClock } from '../../src/vacquery/virtual-clock.js';
import { bytes } from './recorded.js';

function arrivals(faults: NetworkFaults, seed: number, count = 1000): number[] {
  const clock = new VirtualClock();
  const network = new MemoryNetwork(clock, seededRandom(seed), faults);
  const [sender, receiver] = [network.open('10.0.0.1'), network.open('10.0.0.2', 995)];
  const order: number[] = [];
  receiver.onDatagram((datagram) => order.push(Number(Buffer.from(datagram).toString())));
  for (let index = 0; index < count; index += 1) sender.send(bytes(String(index)), '10.0.0.2', 995);
  clock.runUntil(1_000);
  return order;
}

describe('the network in memory', () => {
  it('delivers everything once and in order when nothing is wrong with it', () => {
    const faults = { lossRate: 0, duplicateRate: 0, minDelayMs: 1, maxDelayMs: 1 };
    expect(arrivals(faults, 1)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });

  it('loses, doubles and reorders as it is told, the same for the same seed', () => {
    const faults = { lossRate: 0.3, duplicateRate: 0.1, minDelayMs: 1, maxDelayMs: 50 };
    const order = arrivals(faults, 1);
    expect(order.length).toBeGreaterThan(1100 * 0.7 - 60);
    expect(order.length).toBeLessThan(1100 * 0.7 + 60);
    expect(new Set(order).size).toBeLessThan(order.length);
    expect([...order].sort((a, b) => a - b)).not.toEqual(order);
    expect(arrivals(faults, 1)).toEqual(order);
    expect(arrivals(faults, 2)).not.toEqual(order);
  });

  it('refuses a second socket on one address and port, until the first is closed', async () => {
    const network = new MemoryNetwork(new VirtualClock(), seededRandom(1));
    const first = network.open('10.0.0.1', 995);
    expect(() => network.open('10.0.0.1', 995)).toThrow('10.0.0.1 port 995 is taken');
    await first.close();
    expect(network.open('10.0.0.1', 995).port).toBe(995);
  });
});

describe('the virtual clock', () => {
  it('runs timers by time, and those of one time in the order they were set', () => {
    const clock = new VirtualClock();
    const rng = seededRandom(3);
    const ran: [number, number][] = [];
    const times = Array.from({ length: 500 }, () => Math.floor(rng() * 50));
    times.forEach((atMs, index) => {
      clock.at(atMs, () => {
        expect(clock.nowMs()).toBe(atMs);
        ran.push([atMs, index]);
      });
    });
    clock.runUntil(100);
    expect(ran).toEqual(
      times.map((atMs, index): [number, number] => [atMs, index]).sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    );
    expect(clock.nowMs()).toBe(100);
  });

  it('does not run what was cancelled or lies beyond', () => {
    const clock = new VirtualClock();
    const ran: string[] = [];
    const cancel = clock.at(10, () => ran.push('cancelled'));
    clock.at(5, cancel);
    clock.at(21, () => ran.push('beyond'));
    clock.runUntil(20);
    expect(ran).toEqual([]);
    expect(clock.step()).toBe(true);
    expect(clock.step()).toBe(false);
    expect(ran).toEqual(['beyond']);
  });
});

it('random numbers are spread evenly and differ by seed', () => {
  const rng = seededRandom(1);
  const counts = new Array<number>(10).fill(0);
  for (let draw = 0; draw < 100_000; draw += 1) counts[Math.floor(rng() * 10)]! += 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  expect(seededRandom(1)()).not.toBe(seededRandom(2)());
});
