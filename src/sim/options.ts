/**
 * What may be asked of a simulation, as one table: parsed, said by the help and printed in the man page by those who own
 * command lines. `request.ts` makes a scenario of the values.
 */

export interface SimulateOption {
  readonly type: 'string' | 'boolean';
  readonly multiple?: true;
  readonly value?: string;
  readonly default?: string;
  readonly help: string;
}

export const SIMULATE_OPTIONS = {
  factories: {
    type: 'string',
    value: 'N',
    help: "How many factories (default: the configuration's, else 100).",
  },
  desktops: {
    type: 'string',
    value: 'N',
    help: "Instead of a space: so many desktops in overnight mode with made-up owners, for a week, by the configuration's [overnight], beside its windows alone. Takes --slots, --hours and --seed.",
  },
  slots: {
    type: 'string',
    value: 'N',
    help: 'Processors of each factory (default: total_processors of the configuration, else 32).',
  },
  types: {
    type: 'string',
    value: 'N',
    help: 'How many machinetypes, with shares from N down to 1 (default 10). Not with a configuration, which has its own.',
  },
  hours: { type: 'string', value: 'HOURS', default: '24', help: 'How long, in simulated time.' },
  seed: { type: 'string', value: 'N', default: '1', help: 'The same seed gives the same run, event by event.' },
  loss: {
    type: 'string',
    value: 'PERCENT',
    default: '0',
    help: 'Datagrams that are lost: 30, 30% and 0.3 are the same.',
  },
  delay: { type: 'string', value: 'MS', default: '20', help: 'Datagrams take up to so long, and overtake each other.' },
  partition: {
    type: 'string',
    multiple: true,
    value: 'FROM+TIME',
    help: 'The first half of the factories and the second do not hear each other, as 6h+30m: after six hours, for half an hour. May be given more than once.',
  },
  restarts: {
    type: 'string',
    value: 'PERCENT',
    default: '0',
    help: 'Factories whose vacd dies and comes back, each hour; written as for --loss.',
  },
  skew: { type: 'string', value: 'SECONDS', default: '1', help: 'Clocks are wrong by up to so much.' },
  'black-holes': { type: 'string', value: 'N', default: '0', help: 'Factories on which every machine dies at once.' },
  'share-change': {
    type: 'string',
    multiple: true,
    value: 'TIME:TYPE=SHARE',
    help: 'New target shares from a time on, as 12h:prod=5,analysis=1. May be given more than once. Without a configuration the last steady type doubles its share half-way; "none" prevents that.',
  },
  work: {
    type: 'string',
    multiple: true,
    value: 'TYPE=WHEN',
    help: 'When a type has work: always, never, hours as 0-6,12-18, or half/12 for half of each 12 hours. May be given more than once. Without it all types of a configuration always have work; of those without one, four in ten have some half of the time.',
  },
  life: {
    type: 'string',
    value: 'HOURS',
    help: 'Median life of a machine that found work (default: half of max_wallclock_seconds; three hours without a configuration).',
  },
  backoff: { type: 'string', value: 'SECONDS', help: "backoff_seconds of all types, instead of the configuration's." },
  fizzle: { type: 'string', value: 'SECONDS', help: "fizzle_seconds of all types, instead of the configuration's." },
  'half-life': {
    type: 'string',
    value: 'HOURS',
    help: "share_half_life_hours, instead of the configuration's or 0. Errors of shares are of what runs now all the same, so a type that catches up is one: longTermShares of --json tells what came of it.",
  },
  empty: { type: 'boolean', help: 'Begin with empty hosts, and not with a space in full operation.' },
  polling: {
    type: 'boolean',
    help: 'Our factories poll each other by VacQuery 01.03 instead of gossiping (some tens of factories at most).',
  },
  exact: {
    type: 'boolean',
    help: 'Simulate each datagram however many there are; otherwise the spreading of news is measured on the first minutes of a large run.',
  },
  alone: { type: 'boolean', help: 'Without the predecessor beside it for comparison.' },
  svg: { type: 'string', value: 'FILE', help: 'Draw the shares over time into this file.' },
} as const satisfies Record<string, SimulateOption>;

export type SimulateOptionName = keyof typeof SIMULATE_OPTIONS;

/** What was given: a text for an option with a value, true for one without, a list where it may be given again. */
export type SimulateValues = {
  readonly [Name in SimulateOptionName]?: (typeof SIMULATE_OPTIONS)[Name] extends { readonly type: 'boolean' }
    ? boolean
    : (typeof SIMULATE_OPTIONS)[Name] extends { readonly multiple: true }
      ? readonly string[]
      : string;
};
