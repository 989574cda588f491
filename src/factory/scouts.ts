/**
 * Whose turn it is to send a scout. After a backoff all factories of a space may start a machine of the type in the same
 * second, and none has heard yet what the others do: N scouts at once would hit a queue that most likely is still empty.
 *
 * So they go one after the other, in an order that each works out by itself: a rank for each factory, drawn anew for each
 * abort by a hash that is the same everywhere. The first goes at once; whoever hears meanwhile of a scout that is out
 * stays at home. Of those after it each waits longer, but by less and less (the logarithm: feedback suppression, as
 * multicast protocols do it), so that a space whose first ones are full, drained or dead loses little time: the last of
 * a thousand goes after half a minute.
 *
 * What is hashed must be the same in all factories. The time of the abort is not (clocks differ, and times are whole
 * seconds); the name of the machine that aborted is.
 */

/** The last one's wait grows with the space by so much for each factory, and no further than the second figure. */
const SECONDS_PER_FACTORY = 3;
const MAX_SECONDS = 30;

export interface ScoutQuestion {
  /** This factory. */
  readonly factory: string;
  /** All of the space, this one included or not. */
  readonly factories: readonly string[];
  readonly machinetype: string;
  readonly fizzleSeconds: number;
  /** Host name of the machine whose abort the backoff was for. */
  readonly abortedMachine: string;
}

/** How long after the end of a backoff this factory waits before it sends a scout, and among how many it takes turns. */
export interface ScoutTurn {
  readonly delaySeconds: number;
  readonly factories: number;
}

/** The delay is `T × ln(1 + rank) / ln(N)` with `T = min(30 s, 3 s × N)`, and never longer than fizzle_seconds. */
export function scoutTurn(question: ScoutQuestion): ScoutTurn {
  const others = question.factories.filter((name) => name !== question.factory);
  const factories = others.length + 1;
  if (factories === 1) return { delaySeconds: 0, factories };
  const seed = hash(`${question.machinetype} ${question.abortedMachine} `, OFFSET_BASIS);
  const own = draw(question.factory, seed);
  // Two names with one hash are told apart by the names themselves: no two factories have one rank.
  const isBefore = (name: string, drawn: number) => drawn < own || (drawn === own && name < question.factory);
  const rank = others.reduce((before, name) => before + (isBefore(name, draw(name, seed)) ? 1 : 0), 0);
  const longest = Math.min(MAX_SECONDS, SECONDS_PER_FACTORY * factories, question.fizzleSeconds);
  return { delaySeconds: (longest * Math.log(1 + rank)) / Math.log(factories), factories };
}

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a, 32 bits: cheap, and the same on every host. */
function hash(text: string, seed: number): number {
  let value = seed;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), PRIME);
  return value;
}

/** Names that differ in their last letter alone must not always come in one order, so all bits are mixed at the end. */
function draw(factory: string, seed: number): number {
  let value = hash(factory, seed);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
