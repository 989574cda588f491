/**
 * What a poll of the predecessor comes to, in numbers: with N factories of T types that all poll each other every minute
 * there are ten million datagrams a minute, too many to go one by one. A query that is lost brings no answer in its
 * round; each of a peer's T answers is lost by itself. Who has not answered in full is asked again, six rounds at most
 * (SPEC 3).
 */

export const MAX_ROUNDS = 6;

export interface PollOdds {
  /** By round, from 0: chance that a peer that lives has answered in full by its end. */
  readonly completeBy: readonly number[];
  /** Chance that one type's status of a peer that lives has not come at all. */
  readonly missing: number;
  /** To one peer that lives, and to one that does not, in a whole poll: expected numbers. */
  readonly queriesAlive: number;
  readonly queriesDead: number;
  readonly repliesAlive: number;
}

export function pollOdds(lossRate: number, types: number): PollOdds {
  const arrives = 1 - lossRate;
  const completeBy = [0];
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    let chance = 0;
    for (let queries = 0; queries <= round; queries += 1) {
      const ways = binomial(round, queries) * arrives ** queries * lossRate ** (round - queries);
      chance += ways * (1 - lossRate ** queries) ** types;
    }
    completeBy.push(chance);
  }
  const askedRounds = completeBy.slice(0, MAX_ROUNDS).reduce((sum, done) => sum + 1 - done, 0);
  return {
    completeBy,
    missing: (1 - arrives * arrives) ** MAX_ROUNDS,
    queriesAlive: askedRounds,
    queriesDead: MAX_ROUNDS,
    repliesAlive: askedRounds * arrives * types,
  };
}

/** How many rounds a poll has: until all who live have answered in full, or all six when one does not answer at all. */
export function rounds(odds: PollOdds, alive: number, dead: number, uniform: number): number {
  if (dead > 0) return MAX_ROUNDS;
  for (let round = 1; round < MAX_ROUNDS; round += 1) if (uniform < odds.completeBy[round]! ** alive) return round;
  return MAX_ROUNDS;
}

function binomial(n: number, k: number): number {
  let ways = 1;
  for (let i = 1; i <= k; i += 1) ways = (ways * (n - k + i)) / i;
  return ways;
}
