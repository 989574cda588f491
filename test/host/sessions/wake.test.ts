import { beforeEach, expect, test } from 'vitest';
import { WakeSensor } from '../../../src/host/sessions/wake.js';

let sensor: WakeSensor;
beforeEach(() => {
  sensor = new WakeSensor();
});

/** Looks at moments of both clocks, in seconds; which of them found that the host had slept. */
const looks = (...moments: readonly (readonly [steady: number, boot: number])[]) =>
  moments.map(([steady, boot]) => sensor.look(steady * 1000, boot));

test('a night between two looks is a sleep, from whose end on the host has been in use', () => {
  expect(looks([10, 1000], [10.25, 1000], [10.5, 30_000], [10.75, 30_000])).toEqual([false, false, true, false]);
  expect(sensor.read(70_500)).toBe(60);
});

test('each sleep counts', () => {
  expect(looks([10, 1000], [11, 2000], [12, 2001], [13, 2600])).toEqual([false, true, false, true]);
});

test('a host that is awake is not in use by that, however its looks are held up', () => {
  expect(looks([0, 100], [0.9, 101], [400, 500], [400.1, 501], [401, 501])).toEqual(Array(5).fill(false));
  expect(sensor.read(500_000)).toBe(Number.POSITIVE_INFINITY);
});

test('looks by itself, until it is closed', async () => {
  let told = 0;
  sensor.start(() => {
    told += 1;
  });
  // As if the host had been asleep until now: the first look of all was long before.
  sensor.look(performance.now(), 0);
  await expect.poll(() => told).toBe(1);
  sensor.close();
});
