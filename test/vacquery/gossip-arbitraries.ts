import fc from 'fast-check';
import type { Change, Head, Slice } from '../../src/vacquery/entry.js';
import { CODE_UNKNOWN } from '../../src/vacquery/gossip-ages.js';
import { Roster } from '../../src/vacquery/gossip-roster.js';
import {
  DIGEST_MASK,
  type GossipMessage,
  type IdStamp,
  KNOWN_MASK,
  MAX_INCARNATION,
  MAX_NONCE,
  MAX_VERSION,
} from '../../src/vacquery/wire02.js';
import { NOW_SECONDS, SPACE } from './snapshot.js';

export const FACTORIES = ['wn1.example.com', 'wn-22.example.com', 'alone', 'a_b.c.d.example.org'];
export const ROSTER = new Roster(FACTORIES);

const name = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const count = fc.oneof(fc.nat(64), fc.nat(1_000_000));
const hs06 = fc.oneof(
  fc.nat(1000),
  fc.nat(10_000_000).map((milli) => milli / 1000),
);
/** Printable, and as it comes out of cleaning; quotes, backslashes and other scripts among it. */
const message = fc.oneof(
  fc.constantFrom('200 Success', '300 No work', '', '"\\"', 'größer als ß', '日本語 の メッセージ', '700 \u{1F600}'),
  fc.string({ maxLength: 64, unit: fc.constantFrom(...'abc "\\\'/é€') }),
);

function endOf(factory: string, changedDs: number) {
  const [short, ...domain] = factory.split('.');
  const host = [`${short}-07`, ...domain].join('.');
  const hostname = fc.oneof(
    fc.constantFrom(host, [`${short}-7`, ...domain].join('.'), [`${short}-123`, ...domain].join('.'), 'other.host'),
    fc.constantFrom(factory, [`${short}-007`, ...domain].join('.'), [`${short}-00`, ...domain].join('.')),
  );
  return fc.option(
    fc.record({
      atDs: fc.integer({ min: changedDs - 2 ** 30, max: changedDs }),
      message: fc.option(message),
      hostname,
    }),
  );
}

/** Changes as any honest factory could send them. */
export const change: fc.Arbitrary<Change> = fc
  .record({
    index: fc.nat(FACTORIES.length - 1),
    incarnation: fc.oneof(fc.constant(NOW_SECONDS), fc.integer({ min: 1, max: MAX_INCARNATION })),
    from: fc.oneof(fc.nat(20), fc.nat(MAX_VERSION - 100)),
    changedDs: fc.oneof(fc.nat(100_000), fc.nat(2 ** 40)),
    names: fc.uniqueArray(name, { maxLength: 6 }),
    hasHead: fc.boolean(),
    versions: fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 7 }),
  })
  .chain(({ index, incarnation, from, changedDs, names, hasHead, versions }) => {
    const factory = ROSTER.names[index]!;
    const to = from + 7;
    const part = (at: number) =>
      fc.record({ version: fc.constant(from + versions[at]!), changedDs: fc.integer({ min: 0, max: changedDs }) });
    const head: fc.Arbitrary<Head> = fc
      .tuple(part(6), fc.record({ maxProcessors: count, takesMachines: fc.boolean(), left: fc.boolean() }))
      .map(([frame, facts]) => ({ ...frame, ...facts }));
    const slices: fc.Arbitrary<Slice>[] = names.map((machinetype, at) =>
      fc
        .tuple(
          part(at),
          fc.record({
            machinetype: fc.constant(machinetype),
            runningHs06: hs06,
            runningMachines: count,
            runningProcessors: count,
            beforeFizzle: count,
            end: endOf(factory, changedDs),
            decayedUse: fc.option(fc.nat(9_999).map((digits) => digits * 10 ** 6)),
          }),
        )
        .map(([frame, facts]) => ({ ...frame, ...facts })),
    );
    return fc.record({
      id: fc.constant(ROSTER.ids[index]!),
      incarnation: fc.constant(incarnation),
      from: fc.constant(from),
      to: fc.constant(to),
      changedDs: fc.constant(changedDs),
      head: hasHead || names.length === 0 ? head : fc.constant(null),
      slices: fc.tuple(...slices),
    });
  });

const stamp: fc.Arbitrary<IdStamp> = fc.record({
  id: fc.constantFrom(...ROSTER.ids, 'AAAAAAAA'),
  incarnation: fc.nat(MAX_INCARNATION),
  version: fc.nat(MAX_VERSION),
});
const digests = fc.array(fc.nat(DIGEST_MASK), { maxLength: 8 });
const known = fc.array(fc.nat(KNOWN_MASK), { maxLength: 8 });

export const gossipMessage: fc.Arbitrary<GossipMessage> = fc.record({
  space: fc.constant(SPACE),
  factory: fc.constantFrom(...FACTORIES),
  vacVersion: fc.option(fc.constant('Vac 0.1.0 vacd')),
  timeSent: fc.nat(9_999_999_999),
  sync: fc.option(
    fc.record({
      nonce: fc.nat(MAX_NONCE),
      bits: fc.constant(4),
      first: fc.nat(8),
      digests,
      known,
      stamps: fc.uniqueArray(fc.record({ bucket: fc.nat(15), stamps: fc.array(stamp, { maxLength: 3 }) }), {
        selector: ({ bucket }) => bucket,
        maxLength: 3,
      }),
    }),
  ),
  answer: fc.option(
    fc.record({
      nonce: fc.nat(MAX_NONCE),
      differing: fc.array(fc.nat(1_000), { maxLength: 5 }),
      lacking: known,
      wanted: fc.array(stamp, { maxLength: 3 }),
      hasMore: fc.boolean(),
    }),
  ),
  ages: fc.option(
    fc.record({
      bits: fc.constant(3),
      first: fc.nat(4),
      buckets: fc.array(
        fc.record({
          check: fc.nat(DIGEST_MASK),
          codes: fc.uint8Array({ max: CODE_UNKNOWN, maxLength: 10 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  ),
  changes: fc.array(fc.record({ change, ageDs: fc.nat(2 ** 30) }), { maxLength: 3 }),
});
