/**
 * `vac shares --check`: whether all factories of a space mean the same. Each decides by its own configuration, so a
 * factory with other shares, or without a type, works against the rest without anything going wrong on it.
 */

import type { MachinetypeStatus, PeerAnswer } from '../../vacquery/index.js';
import { factoryNames, heardOf, inOrder } from './answers.js';
import { mostCommon } from './space-types.js';
import { counted, decimal, line, listed, naturally, type ViewOptions, wrapped } from './text.js';

export interface SharesCheck {
  readonly lines: string[];
  /** False when nothing was found, also where some did not answer. */
  readonly differs: boolean;
}

interface Factory {
  /** As it is shown. */
  readonly name: string;
  readonly types: ReadonlyMap<string, MachinetypeStatus>;
  /** Its list of types is whole. */
  readonly isComplete: boolean;
}

/** What is compared, besides the target share; null: the factory does not tell. */
const FACTS: readonly (readonly [name: string, of: (status: MachinetypeStatus) => string | null])[] = [
  ['machinegroup', ({ machinegroup }) => machinegroup],
  ['max_processors', ({ max_processors: value }) => (value === null ? null : String(value))],
  ['max_wallclock_seconds', ({ max_wallclock_seconds: value }) => (value === null ? null : String(value))],
  [
    'memory per processor',
    ({ bytes_per_processor: value }) => (value === null ? null : `${decimal(value / 2 ** 20)} MiB`),
  ],
  ['accounting_fqan', ({ fqan }) => fqan ?? 'none'],
  // Factories that tell no shares are the predecessor's, which cannot keep any.
  [
    'use history (share_half_life_hours)',
    ({ target_share: share, decayed_use: use }) => (share === null ? null : use === null ? 'not kept' : 'kept'),
  ],
];

/** Shares that differ by less, relative to their size, are the same number written in another way. */
const SHARE_TOLERANCE = 1e-6;
const LISTED_FACTORIES = 20;

/**
 * A sentence for each difference: the type, what differs, the value and the names of the fewer factories, and the value
 * of the others. Target shares count relative to each other: one factory may write 1 and 2 where another has 10 and 20.
 */
export function sharesCheck(answers: readonly PeerAnswer<MachinetypeStatus>[], options: ViewOptions): SharesCheck {
  if (answers.length === 0) return { lines: [line('there is no factory to ask', options)], differs: false };
  const short = factoryNames(answers);
  const factories = inOrder(answers)
    .filter(({ outcome }) => outcome !== 'none')
    .map(
      ({ factory, outcome, statuses }): Factory => ({
        name: short(factory),
        types: new Map(statuses.map(({ status }) => [status.machinetype, status])),
        isComplete: outcome === 'complete',
      }),
    );
  const names = [...new Set(factories.flatMap(({ types }) => [...types.keys()]))].sort(naturally);
  const shares = relativeShares(factories);
  const found = names.flatMap((type) => [
    ...missingFrom(type, factories),
    ...FACTS.flatMap(([fact, of]) =>
      differences(
        `${type}: ${fact}`,
        factories.map(({ name, types }) => ({ name, value: factOf(types.get(type), of) })),
      ),
    ),
    ...differences(
      `${type}: target_share`,
      factories.map((factory) => ({ name: factory.name, value: shares.get(factory)?.get(type) ?? null })),
    ),
  ]);
  const same = `no differences: ${counted(names.length, 'machinetype')} on ${heardOf(answers)}`;
  return {
    lines: [...(found.length === 0 ? wrapped(same, options) : found.flatMap((text) => wrapped(text, options)))],
    differs: found.length > 0,
  };
}

function factOf(status: MachinetypeStatus | undefined, of: (status: MachinetypeStatus) => string | null) {
  return status === undefined ? null : of(status);
}

function missingFrom(type: string, factories: readonly Factory[]): string[] {
  const whole = factories.filter(({ isComplete }) => isComplete);
  const without = whole.filter(({ types }) => !types.has(type)).map(({ name }) => name);
  if (without.length === 0) return [];
  const having = factories.filter(({ types }) => types.has(type)).map(({ name }) => name);
  return [
    having.length < without.length
      ? `${type}: only on ${listed(having, LISTED_FACTORIES)}; not on ${counted(without.length, 'other factory', 'other factories')}`
      : `${type}: missing on ${listed(without, LISTED_FACTORIES)}; on ${counted(having.length, 'other factory', 'other factories')}`,
  ];
}

/** Factories that tell nothing are left out: they may well mean the same. */
function differences(
  what: string,
  values: readonly { readonly name: string; readonly value: string | null }[],
): string[] {
  const told = values.flatMap(({ name, value }) => (value === null ? [] : [{ name, value }]));
  const usual = mostCommon(told.map(({ value }) => value));
  const unusual = told.filter(({ value }) => value !== usual);
  const others = told.length - unusual.length;
  return [...new Set(unusual.map(({ value }) => value))].map((value) => {
    const names = unusual.filter((each) => each.value === value).map(({ name }) => name);
    return `${what} is ${value} on ${listed(names, LISTED_FACTORIES)}; ${usual} on ${counted(others, 'other factory', 'other factories')}`;
  });
}

/**
 * Each factory's target shares on one scale, as text: that of the configuration which most factories have. A factory's
 * own scale is taken from the types that it has in common with that one, at the middle of their ratios, so that a type
 * which it lacks, or weighs otherwise, is one difference, and not one of every type.
 */
function relativeShares(factories: readonly Factory[]): ReadonlyMap<Factory, ReadonlyMap<string, string>> {
  const own = new Map(factories.map((factory) => [factory, sharesOf(factory)]));
  const usual = mostCommon([...own.values()].filter(({ size }) => size > 0).map(formOf));
  const reference = [...own.values()].find((shares) => shares.size > 0 && formOf(shares) === usual) ?? new Map();
  return new Map(
    factories.map((factory) => {
      const shares = own.get(factory)!;
      const scale = middle(
        [...shares].flatMap(([type, share]) => {
          const wanted: number = reference.get(type) ?? 0;
          return share > 0 && wanted > 0 ? [wanted / share] : [];
        }),
      );
      return [factory, new Map([...shares].map(([type, share]) => [type, rounded(share * scale)]))];
    }),
  );
}

function sharesOf({ types }: Factory): ReadonlyMap<string, number> {
  return new Map(
    [...types].flatMap(([name, { target_share: share }]) => (share === null ? [] : [[name, share] as const])),
  );
}

/** The same for all shares that stand in the same proportions. */
function formOf(shares: ReadonlyMap<string, number>): string {
  const all = [...shares.values()].reduce((sum, share) => sum + share, 0) || 1;
  return [...shares]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, share]) => `${name} ${rounded(share / all)}`)
    .join('\n');
}

function middle(ratios: readonly number[]): number {
  return ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 1;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(-Math.log10(SHARE_TOLERANCE))));
}
