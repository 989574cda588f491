import { expect, test } from 'vitest';
import { quarantineProblems } from '../../src/daemon/quarantine-problems.js';
import type { Quarantine } from '../../src/factory/types.js';

const order: Quarantine = {
  sinceSeconds: 1_700_000_000,
  who: 'ann',
  reason: 'it scans',
  memory: 'its memory is kept in /x',
  release: null,
};

test('each machine in quarantine is told of, with what could not be kept', () => {
  const orders = new Map<string, Quarantine>([
    ['a', order],
    ['b', { ...order, memory: 'its memory could NOT be kept: no room' }],
    ['c', { ...order, release: 'resume' }],
  ]);
  expect(quarantineProblems(orders)).toEqual([
    'a is in quarantine since 2023-11-14 22:13:20 UTC, by ann: it scans; vac release lifts it',
    'b is in quarantine since 2023-11-14 22:13:20 UTC, by ann: it scans; its memory could NOT be kept: no room; vac release lifts it',
    'c is being released from quarantine',
  ]);
});
