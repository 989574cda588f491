import { expect, test } from 'vitest';
import { machineAction } from '../../src/factory/lifecycle.js';
import { quarantineSuspension } from '../../src/factory/quarantine.js';
import type { Machine, Quarantine } from '../../src/factory/types.js';
import { end, machine, NOW, settings, state } from './builders.js';

const ORDER: Quarantine = { sinceSeconds: NOW - 60, who: 'ann', reason: 'it scans', memory: null, release: null };
const KEPT: Quarantine = { ...ORDER, memory: 'its memory is kept in /x' };
const MARK = quarantineSuspension(ORDER);
const LATE = { shutdownTimeSeconds: NOW - 1000 };

function kindOf(changes: Partial<Machine>, quarantine: Quarantine): string | null {
  const one = machine({ ...changes, quarantine });
  return machineAction(one, state({ machines: [one] }), settings())?.kind ?? null;
}

test.each<[string, Partial<Machine>, Quarantine, string | null]>([
  ['that runs is halted', { domain: 'running' }, ORDER, 'holdMachine'],
  ['that another has paused is taken over', { domain: 'paused' }, ORDER, 'holdMachine'],
  ['whose guest is going down is halted', { domain: 'shutdown' }, ORDER, 'holdMachine'],
  ['that is halted gets its memory kept', { domain: 'paused', suspension: MARK }, ORDER, 'keepMemory'],
  ['whose memory is kept is left alone', { domain: 'paused', suspension: MARK, ...LATE }, KEPT, null],
  ['past its time is halted, not stopped', { domain: 'running', ...LATE }, KEPT, 'holdMachine'],
  ['of which nothing is known is left alone', { domain: 'unknown', ...LATE }, ORDER, null],
  ['whose domain is gone has ended', { domain: 'gone' }, KEPT, 'endMachine'],
  ['that has ended is not cleared', { phase: 'ended' }, KEPT, null],
  ['that is cleared is not forgotten', { phase: 'cleared', end: end({ timeSeconds: 1 }) }, KEPT, null],
  [
    'that is released goes on',
    { domain: 'paused', suspension: MARK },
    { ...KEPT, release: 'resume' },
    'releaseMachine',
  ],
  ['that went on is like any other', { domain: 'running', ...LATE }, { ...KEPT, release: 'resume' }, 'requestStop'],
  ['that is released to be destroyed', { domain: 'paused' }, { ...KEPT, release: 'destroy' }, 'destroyMachine'],
  ['that is destroyed has ended', { domain: 'gone' }, { ...KEPT, release: 'destroy' }, 'endMachine'],
  ['that has ended and is released is cleared', { phase: 'ended' }, { ...KEPT, release: 'resume' }, 'clearMachine'],
])('a machine in quarantine %s', (_what, changes, order, kind) => {
  expect(kindOf(changes, order)).toBe(kind);
});

test('an order to stop does not reach it', () => {
  const one = machine({ domain: 'paused', suspension: MARK, quarantine: KEPT });
  const { orders } = state({});
  const stopping = { ...orders, stopAll: true, stopMachines: new Set([one.record.id]) };
  expect(machineAction(one, state({ machines: [one], orders: stopping }), settings())).toBeNull();
});

test('what was asked of it before does not end it', () => {
  const stop = { reason: 'r', message: 'm', overrides: false, politely: false, requestedTimeSeconds: NOW - 90 };
  expect(kindOf({ domain: 'paused', suspension: MARK, stop }, KEPT)).toBeNull();
});
