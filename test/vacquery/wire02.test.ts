import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode } from '../../src/vacquery/codec.js';
import { Responder } from '../../src/vacquery/responder.js';
import type { GossipMessage } from '../../src/vacquery/wire02.js';
import { slotHostname, slotOfHostname } from '../../src/vacquery/wire02.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import {
  ageBucketBytes,
  ageFrameBytes,
  answerBytes,
  ChangesSize,
  encodeGossip,
  headerBytes,
  looksLikeGossip,
  splitChange,
  syncBytes,
} from '../../src/vacquery/wire02-encode.js';
import { change, FACTORIES, gossipMessage, ROSTER } from './gossip-arbitraries.js';
import { NOW_SECONDS, snapshotOf } from './snapshot.js';

const text = (message: GossipMessage) => new TextDecoder().decode(encodeGossip(message, ROSTER));
const bytes = (written: string) => new TextEncoder().encode(written);
const WN1 = ROSTER.ids[ROSTER.indexOf('wn1.example.com')]!;

/** As documented in the README. */
const EXAMPLE: GossipMessage = {
  space: 'vac01.example.com',
  factory: 'wn1.example.com',
  vacVersion: null,
  timeSent: 1_763_719_200,
  sync: null,
  answer: null,
  ages: { bits: 0, first: 0, buckets: [{ check: 5, codes: Uint8Array.from([0, 12, 63]) }] },
  changes: [
    {
      ageDs: 31,
      change: {
        id: WN1,
        incarnation: 1_763_700_000,
        from: 11,
        to: 14,
        changedDs: 864_005,
        head: { version: 12, changedDs: 864_000, maxProcessors: 32, takesMachines: true, left: false },
        slices: [
          {
            version: 14,
            changedDs: 864_005,
            machinetype: 'lhcb-prod',
            runningHs06: 320.5,
            runningMachines: 32,
            runningProcessors: 32,
            beforeFizzle: 4,
            end: { atDs: 863_885, message: '200 Success', hostname: 'wn1-07.example.com' },
            decayedUse: null,
          },
        ],
      },
    },
  ],
};

describe('a gossip datagram', () => {
  it('is written as documented', () => {
    expect(text(EXAMPLE)).toBe(
      '{"message_type": "gossip", "vacquery_version": "VacQuery 02", "space": "vac01.example.com", ' +
        '"factory": "wn1.example.com", "time_sent": 1763719200, "ages": [0,0,"AAAFAM_"], ' +
        `"strings": ["lhcb-prod","200 Success"], "changes": [["${WN1}BpH-0g",14,3,864005,31,` +
        '[2,5,-1,32,1],[0,0,0,320.5,32,32,4,120,1,7]]]}',
    );
  });

  it('is read as it was meant, and is as large as was said before', () => {
    fc.assert(
      fc.property(gossipMessage, (message) => {
        const datagram = encodeGossip(message, ROSTER);
        const { sync, answer, ages, changes, ...header } = message;
        const size = new ChangesSize();
        for (const { change: sent, ageDs } of changes) {
          const factory = ROSTER.names[ROSTER.indexOfId(sent.id)]!;
          expect(size.add(sent, ageDs, factory, Number.POSITIVE_INFINITY)).toBe(true);
        }
        const frame = ages === null ? 0 : ageFrameBytes(ages.bits, ages.first);
        const said =
          headerBytes(header) +
          size.bytes +
          (sync === null ? 0 : syncBytes(sync)) +
          (answer === null ? 0 : answerBytes(answer)) +
          (ages?.buckets ?? []).reduce((sum, { codes }) => sum + ageBucketBytes(codes.length), frame);
        expect(datagram.length).toBe(said);
        if (datagram.length > 1472) return;
        expect(decodeGossip(datagram, ROSTER)).toEqual({ ok: true, unknownIds: 0, message });
      }),
    );
  });

  it('is no query and no status to those who do not know it', () => {
    fc.assert(
      fc.property(gossipMessage, (message) => {
        const datagram = encodeGossip(message, ROSTER);
        expect(looksLikeGossip(datagram)).toBe(true);
        expect(decode(datagram).ok).toBe(false);
        // The predecessor looks for these keys.
        const keys = Object.keys(JSON.parse(text(message)) as object);
        expect(keys).not.toContain('method');
        expect(keys).not.toContain('cookie');
      }),
      { numRuns: 50 },
    );
    const refused: unknown[] = [];
    const responder = new Responder({
      mayAsk: () => true,
      onRefusal: (refusal) => refused.push(refusal),
      onProblem: () => {},
    });
    responder.setSnapshot(snapshotOf('wn1.example.com', 1, 1));
    expect(responder.answer(bytes(text(EXAMPLE)), '10.0.0.1', 0, NOW_SECONDS)).toEqual([]);
    expect(refused).toHaveLength(1);
  });

  it('of factories that are not in the list loses their changes alone', () => {
    const stranger = text(EXAMPLE).replace(WN1, 'AAAAAAAA');
    expect(decodeGossip(bytes(stranger), ROSTER)).toMatchObject({ ok: true, unknownIds: 1, message: { changes: [] } });
  });

  it('with a key that nobody knows yet is read all the same', () => {
    const newer = text(EXAMPLE).replace('"ages"', '"future": {"a": [1]}, "ages"');
    expect(decodeGossip(bytes(newer), ROSTER)).toEqual({ ok: true, unknownIds: 0, message: EXAMPLE });
  });

  it.each([
    ['nothing', ''],
    ['a query', '{"method": "machinetypes", "space": "vac01.example.com"}'],
  ])('is not %s', (_what, written) => {
    expect(decodeGossip(bytes(written), ROSTER)).toEqual({ ok: false, reason: 'not-gossip' });
  });

  it.each([
    ['cut off', (whole: string) => whole.slice(0, -3)],
    ['too large', (whole: string) => whole.replace('{"message_type": "gossip", ', `$&"a": "${'x'.repeat(1300)}", `)],
    ['without a factory', (whole: string) => whole.replace('"factory"', '"factories"')],
    ['with a name that is none', (whole: string) => whole.replace('"wn1.example.com"', '"../../etc"')],
    ['with a machinetype that is none', (whole: string) => whole.replace('lhcb-prod', 'LHCb prod')],
    ['with a negative count', (whole: string) => whole.replace('320.5,32,32', '320.5,-32,32')],
    ['with half a machine', (whole: string) => whole.replace('320.5,32,32', '320.5,0.5,32')],
    ['with power beyond all measure', (whole: string) => whole.replace('320.5', '1e300')],
    ['with a version of zero', (whole: string) => whole.replace(',14,3,', ',0,0,')],
    ['with a version too high', (whole: string) => whole.replace(',14,3,', ',1073741824,3,')],
    ['with parts older than it says', (whole: string) => whole.replace('[2,5,-1', '[9,5,-1')],
    ['with two parts of one version', (whole: string) => whole.replace('[2,5,-1', '[0,5,-1')],
    ['with one part twice', (whole: string) => whole.replace('[2,5,-1,32,1]', '[1,0,0,1,1,1,1]')],
    ['without parts', (whole: string) => whole.replace(/,\[2,5,-1.*\]\]\]/, ']]')],
    ['with a string that is not there', (whole: string) => whole.replace('[0,0,0,', '[0,0,2,')],
    ['with an end to come', (whole: string) => whole.replace(',120,1,7', ',-120,1,7')],
    ['with strings that are none', (whole: string) => whole.replace('"lhcb-prod"', '{"a": 1}')],
    ['with changes that are none', (whole: string) => whole.replace(/"changes": .*\}/, '"changes": 7}')],
    ['with letters that are none', (whole: string) => whole.replace('BpH-0g', 'BpH*0g')],
    ['with ages that are none', (whole: string) => whole.replace('AAAFAM_', 'AA')],
  ])('%s is refused', (_what, spoil) => {
    const spoilt = spoil(text(EXAMPLE));
    expect(spoilt).not.toBe(text(EXAMPLE));
    expect(decodeGossip(bytes(spoilt), ROSTER)).toEqual({ ok: false, reason: 'malformed' });
  });

  it('has messages of machines made harmless', () => {
    const steered = text(EXAMPLE).replace('200 Success', '200 \\u001b[31mred\\u0007');
    const decoded = decodeGossip(bytes(steered), ROSTER);
    expect(decoded.ok && decoded.message.changes[0]!.change.slices[0]!.end!.message).toBe('200 ?[31mred?');
  });
});

describe('a change too large for a datagram', () => {
  it('is cut into parts that follow each other and have all of it', () => {
    fc.assert(
      fc.property(change, fc.integer({ min: 1, max: 40 }), (small, times) => {
        const slices = small.slices.flatMap((slice) =>
          Array.from({ length: times }, (_, copy) => ({ ...slice, machinetype: `${slice.machinetype}-${copy}` })),
        );
        const numbered = slices.map((slice, at) => ({ ...slice, version: small.from + at + 1 }));
        const headVersion = small.from + numbered.length + 1;
        const whole = {
          ...small,
          to: headVersion,
          head: small.head === null ? null : { ...small.head, version: headVersion },
          slices: numbered,
        };
        const parts = splitChange(whole, FACTORIES[0]!);
        expect(parts[0]!.from).toBe(whole.from);
        expect(parts.at(-1)!.to).toBe(whole.to);
        parts.slice(1).forEach((part, at) => {
          expect(part.from).toBe(parts[at]!.to);
        });
        expect(parts.flatMap((part) => part.slices)).toEqual(whole.slices);
        expect(parts.map((part) => part.head).filter((head) => head !== null)).toHaveLength(
          whole.head === null ? 0 : 1,
        );
        for (const part of parts) {
          if (part.slices.length + (part.head === null ? 0 : 1) > 1) {
            expect(new ChangesSize().add(part, part.changedDs, FACTORIES[0]!, 900)).toBe(true);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("hosts of a factory's slots", () => {
  it('are numbers, and only they', () => {
    expect(slotHostname('wn1.example.com', 7)).toBe('wn1-07.example.com');
    expect(slotHostname('alone', 123)).toBe('alone-123');
    fc.assert(
      fc.property(fc.constantFrom(...FACTORIES), fc.nat(65_535), (factory, slot) => {
        expect(slotOfHostname(factory, slotHostname(factory, slot))).toBe(slot);
      }),
    );
    for (const other of [
      'wn1-7.example.com',
      'wn1-007.example.com',
      'wn1-07.example.org',
      'wn2-07.example.com',
      'wn1-0x.example.com',
      'wn1-99999.example.com',
      'wn1.example.com',
      '',
    ]) {
      expect(slotOfHostname('wn1.example.com', other), other).toBeNull();
    }
  });
});
