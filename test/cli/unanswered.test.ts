import { expect, it } from 'vitest';
import { unanswered } from '../../src/cli/unanswered.js';
import type { PeerAnswer } from '../../src/vacquery/index.js';

function answer(name: string, changes: Partial<PeerAnswer> = {}): PeerAnswer {
  return {
    factory: `${name}.example.com`,
    outcome: 'none',
    statuses: [],
    expected: null,
    asked: 12,
    wasDead: false,
    refused: new Map(),
    claimedFactory: null,
    strayAddress: null,
    ...changes,
  };
}

const said = (answers: readonly PeerAnswer[], problems: Record<string, string> = {}) =>
  unanswered({ answers, problems: new Map(Object.entries(problems)), nowMs: 0 }, 10);

it('nothing is said when all answered in full', () => {
  expect(said([answer('wn01', { outcome: 'complete' })])).toBeNull();
});

it('those that did not answer are named in their order, with what is known of why', () => {
  const refused = new Map([['wrong-cookie', 3]] as const);
  const answers = [
    answer('wn10'),
    answer('wn2'),
    answer('wn3', { outcome: 'complete' }),
    answer('wn4', { outcome: 'partial', expected: 64, statuses: [] }),
    answer('wn5', { claimedFactory: 'wn6.example.com' }),
    answer('wn7', { strayAddress: '192.0.2.7' }),
    answer('wn8', { refused }),
  ];
  expect(said(answers, { 'wn2.example.com': 'its name does not resolve' })).toBe(
    '6 of 7 factories did not answer within 10 s: wn2 (its name does not resolve), wn4 (0 of 64 datagrams arrived), ' +
      'wn5 (its host calls itself wn6.example.com), wn7 (an answer came from 192.0.2.7, which is none of its addresses), ' +
      'wn8 (its answers are refused: wrong-cookie) and 1 more',
  );
});

it('answers of which only a part came are called that', () => {
  expect(said([answer('wn1', { outcome: 'partial', expected: 3 })])).toBe(
    '1 of 1 factory did not answer in full within 10 s: wn1 (0 of 3 datagrams arrived)',
  );
});
