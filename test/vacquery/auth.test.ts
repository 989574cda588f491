import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AUTH_BYTES, Authenticator, type AuthMode, type AuthVerdict } from '../../src/vacquery/auth.js';
import { type KeysResult, parseSpaceKeys, type SpaceKey } from '../../src/vacquery/auth-keys.js';
import { nodeHmac } from '../../src/vacquery/auth-node.js';
import { ReplayMemory } from '../../src/vacquery/auth-replay.js';
import { decode, encode } from '../../src/vacquery/codec.js';
import { makeQuery } from '../../src/vacquery/messages.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { addressOf, GossipSpace, nameOf, running } from './gossip-space.js';
import { bytes, RECORDED, RECORDED_NAMES } from './recorded.js';
import { NOW_SECONDS, SPACE } from './snapshot.js';

const OLD_KEY = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
const NEW_KEY = 'fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210';

function keysOf(...lines: string[]): readonly SpaceKey[] {
  const result = parseSpaceKeys(lines.join('\n'), nodeHmac);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.keys;
}

interface Given {
  readonly mode?: AuthMode;
  readonly keys?: readonly SpaceKey[];
  readonly audience?: string;
  readonly unixSeconds?: number;
}

function authenticatorOf({ mode = 'required', keys, audience = 'wn1.example.com', unixSeconds }: Given = {}) {
  return new Authenticator({
    mode,
    keys: keys ?? keysOf(OLD_KEY),
    hmac: nodeHmac,
    audience,
    unixSeconds: unixSeconds ?? NOW_SECONDS - 1_000,
    rng: seededRandom(1),
  });
}

const signer = () => authenticatorOf({ audience: 'wn2.example.com' });
const QUERY = bytes('{"message_type": "machinetypes_query", "space": "vac01.example.com", "cookie": "c"}');
const refusal = (verdict: AuthVerdict) => (verdict.ok ? null : verdict.reason);

describe('a key file', () => {
  it('has a key to a line, the first of which signs, comments and empty lines aside', () => {
    const keys = keysOf('# of May', '', `  ${NEW_KEY}\r`, OLD_KEY, '#', '');
    expect(keys.map(({ secret }) => new TextDecoder().decode(secret))).toEqual([NEW_KEY, OLD_KEY]);
    expect(keys.map(({ id }) => id)).toEqual([keysOf(NEW_KEY)[0]!.id, keysOf(OLD_KEY)[0]!.id]);
    expect(keys[0]!.id).toMatch(/^[A-Za-z0-9_-]{8}$/);
    expect(NEW_KEY).not.toContain(keys[0]!.id);
  });

  it.each([
    ['is empty', '', null, /no key in it.*openssl rand -hex 32/],
    ['has comments alone', '# none\n', null, /no key/],
    ['has a short key', `\n${OLD_KEY.slice(0, 31)}`, 2, /31 characters, a key needs at least 32/],
    ['has a long key', OLD_KEY.repeat(5), 1, /320 characters, a key may have 256/],
    ['has two words in a line', `${OLD_KEY} ${NEW_KEY}`, 1, /one word/],
    ['has letters of other scripts', `${OLD_KEY}é`, 1, /ASCII/],
    ['has the same key twice', `${OLD_KEY}\n#\n${OLD_KEY}`, 3, /same key as in line 1/],
    ['has a line of dashes', '-'.repeat(64), 1, /at least 8 different/],
    ['has too many keys', Array.from({ length: 17 }, (_, at) => `${OLD_KEY}${at}`).join('\n'), null, /at most 16/],
  ])('that %s is refused by line, and the key is not told', (_what, text, line, message) => {
    const result: KeysResult = parseSpaceKeys(text, nodeHmac);
    if (result.ok) throw new Error('was accepted');
    expect(result.problems).toHaveLength(1);
    expect(result.problems[0]!.line).toBe(line);
    expect(result.problems[0]!.message).toMatch(message);
    expect(result.problems[0]!.message).not.toContain(OLD_KEY.slice(0, 16));
    expect(result.problems[0]!.message).not.toContain('----');
  });
});

describe('a signed datagram', () => {
  it('is believed by who has the key, and read by who knows of no signatures', () => {
    for (const name of RECORDED_NAMES) {
      const plain = bytes(RECORDED[name]);
      const signed = signer().sign(plain, 'wn1.example.com', NOW_SECONDS);
      expect(signed.length).toBe(plain.length + AUTH_BYTES);
      expect(authenticatorOf().check(signed, 'wn2.example.com', NOW_SECONDS)).toEqual({ ok: true, isSigned: true });
      const read = decode(signed);
      const asSent = decode(plain);
      // A recorded datagram that fills its datagram has no room for one.
      if (signed.length <= 1472) expect(read).toEqual(asSent);
    }
  });

  it('that is changed in any byte is not believed', () => {
    const signed = signer().sign(QUERY, 'wn1.example.com', NOW_SECONDS);
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const altered = Uint8Array.from(signed);
        altered[at] = altered[at]! ^ by;
        expect(authenticatorOf().check(altered, 'wn2.example.com', NOW_SECONDS).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
    for (let at = 0; at < signed.length; at += 1) {
      const altered = Uint8Array.from(signed);
      altered[at] = altered[at]! ^ 1;
      expect(authenticatorOf().check(altered, 'wn2.example.com', NOW_SECONDS).ok).toBe(false);
      expect(authenticatorOf().check(signed.subarray(0, at), 'wn2.example.com', NOW_SECONDS).ok).toBe(false);
    }
  });

  it('is no one else’s to use: signed for another, with another key, too old, too new, or a second time', () => {
    const checked = authenticatorOf();
    const check = (datagram: Uint8Array, atSeconds = NOW_SECONDS) =>
      refusal(checked.check(datagram, 'wn2.example.com', atSeconds));
    expect(check(signer().sign(QUERY, 'wn3.example.com', NOW_SECONDS))).toBe('bad-signature');
    expect(check(authenticatorOf({ keys: keysOf(NEW_KEY) }).sign(QUERY, 'wn1.example.com', NOW_SECONDS))).toBe(
      'unknown-key',
    );
    expect(check(signer().sign(QUERY, 'wn1.example.com', NOW_SECONDS - 61))).toBe('clock-skew');
    expect(checked.check(signer().sign(QUERY, 'wn1.example.com', NOW_SECONDS + 3_600), 'x', NOW_SECONDS)).toEqual({
      ok: false,
      reason: 'clock-skew',
      skewSeconds: 3_600,
    });
    const good = signer().sign(QUERY, 'WN1.example.com', NOW_SECONDS);
    expect(check(good)).toBeNull();
    expect(check(good)).toBe('replayed');
    expect(check(good, NOW_SECONDS + 59)).toBe('replayed');
    expect(check(good, NOW_SECONDS + 61)).toBe('clock-skew');
    expect(check(QUERY)).toBe('unsigned');
  });

  it('of before this process began is not believed: it may have been then', () => {
    const restarted = authenticatorOf({ unixSeconds: NOW_SECONDS });
    const before = signer().sign(QUERY, 'wn1.example.com', NOW_SECONDS - 1);
    expect(refusal(restarted.check(before, 'wn2.example.com', NOW_SECONDS))).toBe('replayed');
  });

  it('as an answer is for whoever asked, and once', () => {
    const answer = signer().sign(QUERY, '', NOW_SECONDS);
    const asker = authenticatorOf();
    expect(refusal(asker.check(answer, 'wn2.example.com', NOW_SECONDS))).toBe('bad-signature');
    expect(asker.check(answer, 'wn2.example.com', NOW_SECONDS, true).ok).toBe(true);
    expect(refusal(asker.check(answer, 'wn2.example.com', NOW_SECONDS, true))).toBe('replayed');
  });

  it('cannot be made of an unsigned one by those who have no key', () => {
    const forged = bytes('{"a": 1, "auth": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}');
    const [key] = keysOf(OLD_KEY);
    const known = bytes(`{"a": 1, "auth": "${key!.id}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`);
    for (const mode of ['mixed', 'required'] as const) {
      expect(refusal(authenticatorOf({ mode }).check(forged, 'x', NOW_SECONDS))).toBe('unknown-key');
      expect(refusal(authenticatorOf({ mode }).check(known, 'x', NOW_SECONDS))).toBe('bad-signature');
    }
  });
});

describe('the memory of what was taken', () => {
  it('takes each nonce of a sender once, and stays small', () => {
    const memory = new ReplayMemory(60_000, 0);
    for (let at = 1; at <= 20_000; at += 1) expect(memory.take('a', `n${at}`, at, at)).toBe(true);
    for (let at = 1; at <= 20_000; at += 1) expect(memory.take('a', `n${at}`, at, 20_000)).toBe(false);
    expect(memory.take('b', 'n1', 1, 20_000)).toBe(true);
  });

  it('refuses what it may have forgotten, never takes it again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ sender: fc.nat(3), nonce: fc.nat(400), delayMs: fc.nat(90_000) }), { maxLength: 400 }),
        (datagrams) => {
          const memory = new ReplayMemory(60_000, 0);
          const taken = new Set<string>();
          datagrams.forEach(({ sender, nonce, delayMs }, index) => {
            const nowMs = 100_000 + index * 500;
            const signedMs = 50_000 + nonce * 100;
            if (Math.abs(signedMs - nowMs) > 60_000 || delayMs > 80_000) return;
            const isFirst = memory.take(String(sender), String(nonce), signedMs, nowMs);
            const key = `${sender} ${nonce}`;
            if (taken.has(key)) expect(isFirst).toBe(false);
            if (isFirst) taken.add(key);
          });
        },
      ),
    );
  });

  it('forgets senders by the thousands without taking anything twice', () => {
    const memory = new ReplayMemory(60_000, 0);
    expect(memory.take('first', 'n', 5, 5)).toBe(true);
    for (let at = 0; at < 17_000; at += 1) expect(memory.take(`s${at}`, 'n', 10 + at, 10 + at)).toBe(true);
    expect(memory.take('first', 'n', 5, 30_000)).toBe(false);
    expect(memory.take('first', 'm', 30_000, 30_000)).toBe(true);
  });
});

describe('giving a key to a running space', () => {
  const modes = new Map<number, AuthMode | 'off'>();
  const keys = new Map<number, readonly SpaceKey[]>();
  const spaceOf = (factories: number, skewSeconds: (index: number) => number = () => 0) =>
    new GossipSpace({
      factories,
      seed: 1,
      skewSeconds,
      authenticator: (index, unixSeconds) => {
        const mode = modes.get(index) ?? 'off';
        const own = { keys: keys.get(index) ?? keysOf(OLD_KEY), audience: nameOf(index), unixSeconds };
        return mode === 'off' ? null : authenticatorOf({ mode, ...own });
      },
    });
  /** Restarts a factory with another mode, as after a change of its configuration. */
  const change = (space: GossipSpace, index: number, mode: AuthMode) => {
    modes.set(index, mode);
    space.stop(index);
    space.start(index);
    space.announce(index, running('lhcb', 1));
  };
  const everySees = (space: GossipSpace, count: number) =>
    space.names.every((_, index) => space.machinesSeen(index, 'lhcb') === count);

  it('works host by host: first mixed everywhere, then required', () => {
    modes.clear();
    const space = spaceOf(5);
    for (let index = 0; index < 5; index += 1) space.announce(index, running('lhcb', 1));
    space.runUntil(() => everySees(space, 4), 20);
    for (const mode of ['mixed', 'required'] as const) {
      for (let index = 0; index < 5; index += 1) {
        change(space, index, mode);
        space.run(3);
        space.runUntil(() => everySees(space, 4), 20);
      }
    }
    expect(space.gossip(0).counts.refused).toEqual({});
  });

  it('to one that is late: it is heard until the first requires signatures, and named then', () => {
    modes.clear();
    for (let index = 0; index < 4; index += 1) modes.set(index, 'mixed');
    const space = spaceOf(5);
    for (let index = 0; index < 5; index += 1) space.announce(index, running('lhcb', 1));
    space.runUntil(() => everySees(space, 4), 20);
    change(space, 0, 'required');
    space.run(60);
    expect(space.gossip(0).counts.refused.unauthenticated).toBeGreaterThan(0);
    const view = space.gossip(0).view(space.now());
    expect(view.find(({ factory }) => factory === nameOf(4))!.problems).toEqual([
      'what it sends is not signed, and not believed: give it the space’s key'.replace('’', "'"),
    ]);
    expect(view.find(({ factory }) => factory === nameOf(1))!.problems).toEqual([]);
  });

  it('changes it by adding the new one everywhere before it signs', () => {
    modes.clear();
    keys.clear();
    for (let index = 0; index < 4; index += 1) modes.set(index, 'required');
    const space = spaceOf(4);
    for (let index = 0; index < 4; index += 1) space.announce(index, running('lhcb', 1));
    space.runUntil(() => everySees(space, 3), 20);
    for (const lines of [[OLD_KEY, NEW_KEY], [NEW_KEY, OLD_KEY], [NEW_KEY]]) {
      for (let index = 0; index < 4; index += 1) {
        keys.set(index, keysOf(...lines));
        change(space, index, 'required');
        space.run(3);
        space.runUntil(() => everySees(space, 3), 20);
      }
    }
    // What was on its way to one that was restarted may be refused for its age, and nothing for its key.
    for (let index = 0; index < 4; index += 1) {
      expect(Object.keys(space.gossip(index).counts.refused).filter((outcome) => outcome !== 'replayed')).toEqual([]);
    }
    keys.clear();
  });

  it('refuses a factory whose clock is too wrong, and says so', () => {
    modes.clear();
    for (let index = 0; index < 3; index += 1) modes.set(index, 'required');
    const space = spaceOf(3, (index) => (index === 2 ? 300 : 0));
    for (let index = 0; index < 3; index += 1) space.announce(index, running('lhcb', 1));
    space.run(30);
    expect(space.machinesSeen(0, 'lhcb')).toBe(1);
    expect(space.gossip(0).counts.refused['clock-skew']).toBeGreaterThan(0);
    expect(
      space
        .gossip(0)
        .view(space.now())
        .find(({ factory }) => factory === nameOf(2))!.problems,
    ).toEqual(["its clock is 300 s ahead of this host's: what it signs is not believed, set the clock that is wrong"]);
  });

  it('leaves replays and forgeries without effect', () => {
    modes.clear();
    for (let index = 0; index < 3; index += 1) modes.set(index, 'required');
    const said: Uint8Array[] = [];
    const space = new GossipSpace({
      factories: 3,
      seed: 1,
      authenticator: (index, unixSeconds) => authenticatorOf({ audience: nameOf(index), unixSeconds }),
      onSent: (datagram, from) => {
        if (from === 0) said.push(datagram);
      },
    });
    for (let index = 0; index < 3; index += 1) space.announce(index, running('lhcb', 1));
    space.run(20);
    const { counts } = space.gossip(1);
    const { changes, duplicates, received, sent } = counts;
    const outcomes = said.map((datagram) => {
      const altered = Uint8Array.from(datagram);
      altered[60] = altered[60]! ^ 1;
      return [space.deliver(1, datagram, addressOf(0)), space.deliver(1, altered, addressOf(0))];
    });
    expect(new Set(outcomes.flat())).toEqual(new Set(['replayed', 'unauthenticated']));
    expect(counts).toMatchObject({ changes, duplicates, received, sent });
  });
});

describe('room for signatures', () => {
  it('is left in gossip, and there in a query', () => {
    const query = encode(makeQuery('machinetypes_query', SPACE, 'x'.repeat(64), 'Vac 0.1.0 vacd'));
    if (!query.ok) throw new Error(query.reason);
    expect(signer().sign(query.datagram, 'wn1.example.com', NOW_SECONDS).length).toBeLessThan(400);
    let largest = 0;
    const space = new GossipSpace({
      factories: 12,
      seed: 1,
      authenticator: (index, unixSeconds) => authenticatorOf({ audience: nameOf(index), unixSeconds }),
      onSent: (datagram) => {
        largest = Math.max(largest, datagram.length);
      },
    });
    for (let round = 0; round < 10; round += 1) {
      for (let index = 0; index < 12; index += 1) {
        space.announce(index, ...[0, 1, 2, 3, 4, 5, 6].map((type) => running(`type-${type}`, round + index)));
      }
      space.run(1);
    }
    expect(largest).toBeGreaterThan(1_300);
    expect(largest).toBeLessThanOrEqual(1_451);
  });
});
