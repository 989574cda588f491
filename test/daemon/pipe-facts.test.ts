import { describe, expect, it } from 'vitest';
import { copyAgeSeconds, type PipeFacts, pipeProblems } from '../../src/daemon/pipe-facts.js';

const DAY = 86_400;
const NOW = 100 * DAY;
const facts = (changes: Partial<PipeFacts> = {}): PipeFacts => ({
  machinetypes: 2,
  refused: [],
  cacheSeconds: 3600,
  checkedTimeSeconds: NOW - 60,
  problem: null,
  ...changes,
});
const problem = { sinceSeconds: NOW - 60, message: 'https://x.example/p answers 500, not with a document' };
const problems = (changes: Partial<PipeFacts>) => pipeProblems(new Map([['p', facts(changes)]]), NOW);

describe('of a pipe is told', () => {
  it.each<[string, Partial<PipeFacts>]>([
    ['all is well', {}],
    ['it was not asked yet', { checkedTimeSeconds: null }],
    ['its copy is younger than a day', { problem, checkedTimeSeconds: NOW - DAY + 1 }],
    ['its copy is good for long', { problem, cacheSeconds: DAY, checkedTimeSeconds: NOW - 3 * DAY }],
    ['the clock was set back', { problem, checkedTimeSeconds: NOW + DAY }],
  ])('nothing when %s', (_, changes) => expect(problems(changes)).toEqual([]));

  it('that there is no copy', () => {
    expect(problems({ problem, checkedTimeSeconds: null })).toEqual([
      `vacuum pipe p gives no machinetypes: ${problem.message}`,
    ]);
  });

  it('how old the copy is once that is a day and three of its times', () => {
    expect(problems({ problem, checkedTimeSeconds: NOW - 1.5 * DAY })).toEqual([
      `vacuum pipe p: the copy in force is 1.5 days old: ${problem.message}`,
    ]);
    expect(problems({ problem, cacheSeconds: DAY, checkedTimeSeconds: NOW - 3 * DAY - 1 })).toHaveLength(1);
  });

  it('which machinetypes are refused', () => {
    const one = { entry: 'a', reason: 'is bad' };
    expect(problems({ refused: [one] })).toEqual(['vacuum pipe p: its machinetype a is refused: is bad']);
    expect(problems({ refused: [one, one, one] })).toEqual([
      'vacuum pipe p: its machinetype a is refused: is bad (and 2 more)',
    ]);
  });
});

it('a copy from a time to come is new', () => {
  expect(copyAgeSeconds(facts({ checkedTimeSeconds: NOW + 5 }), NOW)).toBe(0);
  expect(copyAgeSeconds(facts({ checkedTimeSeconds: NOW - 5 }), NOW)).toBe(5);
});
