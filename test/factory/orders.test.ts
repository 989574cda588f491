import { describe, expect, it } from 'vitest';
import { drainInForce, effectiveShutdownTime, shutdownLimit, utcTime } from '../../src/factory/orders.js';
import { drainOrder, NOW, orders, settings, state } from './builders.js';

const at = (ordered: Parameters<typeof orders>[0]) => state({ orders: orders(ordered) });

describe('an order to drain', () => {
  it.each([
    ['holds until it is lifted', null, true],
    ['holds until its time', NOW + 1, true],
    ['holds no longer at its time', NOW, false],
  ])('%s', (_, untilSeconds, holds) => {
    const drain = drainOrder({ untilSeconds });
    expect(drainInForce(at({ drain }))).toBe(holds ? drain : null);
  });
});

describe('the shutdown time', () => {
  const by = (byTimeSeconds: number, untilSeconds: number | null = null) => drainOrder({ byTimeSeconds, untilSeconds });

  it.each([
    ['nobody says', {}, null, null],
    ['the configuration', {}, NOW + 50, NOW + 50],
    ['vac shutdown-at', { shutdownTimeSeconds: NOW + 40 }, null, NOW + 40],
    ['vac drain --by', { drain: by(NOW + 30) }, null, NOW + 30],
    ['all three: the earliest holds', { drain: by(NOW + 30), shutdownTimeSeconds: NOW + 40 }, NOW + 50, NOW + 30],
    ['all three, the configuration first', { drain: by(NOW + 30), shutdownTimeSeconds: NOW + 40 }, NOW + 20, NOW + 20],
    ['a drain that is over', { drain: by(NOW + 30, NOW - 1) }, NOW + 50, NOW + 50],
    ['vac shutdown-at, of the past', { shutdownTimeSeconds: NOW - 40 }, NOW + 50, NOW - 40],
  ])('of %s', (_, ordered, configured, expected) => {
    expect(effectiveShutdownTime(at(ordered), settings({ shutdownTimeSeconds: configured }))).toBe(expected);
  });

  it('says whose it is', () => {
    expect(shutdownLimit(at({ drain: by(NOW + 30) }), settings())?.by).toBe('the shutdown time of vac drain');
    expect(shutdownLimit(at({}), settings({ shutdownTimeSeconds: NOW }))?.by).toBe('shutdown_time');
  });
});

it('times are told in UTC', () => expect(utcTime(1_767_225_600)).toBe('2026-01-01 00:00:00 UTC'));
