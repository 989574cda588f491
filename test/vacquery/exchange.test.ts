import { describe, expect, it } from 'vitest';
import { encode } from '../../src/vacquery/codec.js';
import { MAX_COUNT_CHANGES } from '../../src/vacquery/collection.js';
import { saltedCookies } from '../../src/vacquery/cookies.js';
import { type PeerAnswer, PollExchange, type PollPeer } from '../../src/vacquery/exchange.js';
import type { FactorySnapshot } from '../../src/vacquery/messages.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { Replies } from '../../src/vacquery/replies.js';
import { bytes, RECORDED } from './recorded.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

const GOOD = { factory: 'wn1.example.com', addresses: ['10.0.0.1', '2001:db8::1'], port: 995 };
const EVIL = { factory: 'wn2.example.com', addresses: ['10.0.0.2'], port: 995 };
const TIMEOUT_MS = 10_000;
const cookieOf = saltedCookies(Uint8Array.of(1, 2, 3));

function exchangeWith(
  memory = new PeerMemory(),
  peers: readonly PollPeer[] = [GOOD, EVIL],
  startMs = 0,
  onComplete: (answer: PeerAnswer) => void = () => {},
) {
  const exchange = new PollExchange(
    {
      query: 'machinetypes_query',
      space: SPACE,
      vacVersion: 'Vac 0.1.0 vacd',
      peers,
      cookieOf,
      timeoutMs: TIMEOUT_MS,
      rng: seededRandom(1),
      memory,
      onComplete,
    },
    startMs,
  );
  exchange.due(startMs + 100);
  return exchange;
}

function replies(factory: string, machinetypes: number, cookie: string, timeSeconds = NOW_SECONDS, space = SPACE) {
  const snapshot: FactorySnapshot = { ...snapshotOf(factory, 4, machinetypes), space };
  return new Replies(snapshot, () => {}).datagrams('machinetypes_query', cookie, timeSeconds)!;
}

const goodReplies = (machinetypes: number, timeSeconds = NOW_SECONDS) =>
  replies(GOOD.factory, machinetypes, cookieOf(GOOD.factory), timeSeconds);
const answerOf = (exchange: PollExchange<'machinetypes_query'>) => exchange.answers()[0]!;

describe('what is believed', () => {
  it('all replies of a peer make its answer complete, from any of its addresses', () => {
    const exchange = exchangeWith();
    const [first, ...rest] = goodReplies(3);
    expect(exchange.receive(first!, '2001:db8::1', 101)).toBe('accepted');
    expect(answerOf(exchange)).toMatchObject({ outcome: 'partial', expected: 3 });
    for (const reply of rest) expect(exchange.receive(reply, '10.0.0.1', 102)).toBe('accepted');
    expect(answerOf(exchange)).toMatchObject({ outcome: 'complete', expected: 3, asked: 1 });
    expect(answerOf(exchange).statuses.map(({ receivedMs }) => receivedMs)).toEqual([101, 102, 102]);
    expect(exchange.isOver(103)).toBe(false);
  });

  it.each([
    ['a cookie of nobody', () => replies(GOOD.factory, 1, 'guess'), '10.0.0.1', 'wrong-cookie'],
    [
      'a replay from an earlier poll',
      () => replies(GOOD.factory, 1, saltedCookies()(GOOD.factory)),
      '10.0.0.1',
      'wrong-cookie',
    ],
    [
      'a peer that answers for another',
      () => replies(GOOD.factory, 1, cookieOf(EVIL.factory)),
      '10.0.0.2',
      'wrong-factory',
    ],
    ['an address that is not the peer’s', () => goodReplies(1), '10.0.0.2', 'wrong-address'],
    [
      'another space',
      () => replies(GOOD.factory, 1, cookieOf(GOOD.factory), NOW_SECONDS, 'vac02.example.com'),
      '10.0.0.1',
      'other-space',
    ],
    ['garbage', () => [bytes('{')], '10.0.0.1', 'not-json'],
    ['a query', () => [bytes(RECORDED.factoryQuery)], '10.0.0.1', 'not-a-status'],
  ])('%s is not', (_what, datagrams, address, refusal) => {
    const memory = new PeerMemory();
    const exchange = exchangeWith(memory);
    expect(exchange.receive(datagrams()[0]!, address, 101)).toBe(refusal);
    expect(exchange.answers().map(({ outcome }) => outcome)).toEqual(['none', 'none']);
    expect(memory.lastHeardMs(GOOD.factory)).toBeNull();
  });

  it('another kind of status than was asked for is not', () => {
    const exchange = exchangeWith();
    const snapshot = snapshotOf(GOOD.factory, 1, 1);
    const [reply] = new Replies(snapshot, () => {}).datagrams('factory_query', cookieOf(GOOD.factory), NOW_SECONDS)!;
    expect(exchange.receive(reply!, '10.0.0.1', 101)).toBe('wrong-status');
    expect([...answerOf(exchange).refused]).toEqual([['wrong-status', 1]]);
  });

  it('a status with a wrong value is counted at the peer whose address it came from', () => {
    const exchange = exchangeWith();
    exchange.receive(bytes(RECORDED.machinetypeIdle.replace('atlas-prod', 'Atlas Prod')), '2001:db8::1', 101);
    exchange.receive(bytes('{'), '192.0.2.1', 101);
    expect([...answerOf(exchange).refused]).toEqual([['bad-name', 1]]);
    expect([...exchange.strayRefusals]).toEqual([['not-json', 1]]);
  });

  it('says by which other name a host answered', () => {
    const exchange = exchangeWith();
    exchange.receive(replies('WN1.example.com', 1, cookieOf(EVIL.factory))[0]!, '10.0.0.2', 101);
    expect(exchange.answers()[1]).toMatchObject({ outcome: 'none', claimedFactory: 'WN1.example.com' });
  });

  it('says which strange address answered in its name', () => {
    const exchange = exchangeWith();
    expect(answerOf(exchange).strayAddress).toBeNull();
    exchange.receive(goodReplies(1)[0]!, '192.0.2.66', 101);
    expect(answerOf(exchange)).toMatchObject({ outcome: 'none', strayAddress: '192.0.2.66' });
  });

  it('a factory that writes its name in capitals is the same factory', () => {
    const exchange = exchangeWith();
    expect(exchange.receive(replies('WN1.example.com', 1, cookieOf(GOOD.factory))[0]!, '10.0.0.1', 101)).toBe(
      'accepted',
    );
  });
});

describe('counts that do not fit together', () => {
  it('the same reply twice is one status', () => {
    const exchange = exchangeWith();
    const [reply] = goodReplies(2);
    exchange.receive(reply!, '10.0.0.1', 101);
    expect(exchange.receive(reply!, '10.0.0.1', 102)).toBe('duplicate');
    expect(answerOf(exchange).statuses).toHaveLength(1);
  });

  it('a newer reply about the same machinetype replaces the older, never the other way round', () => {
    const exchange = exchangeWith();
    const [older] = goodReplies(2, NOW_SECONDS);
    const [newer] = goodReplies(2, NOW_SECONDS + 5);
    for (const reply of [newer!, older!]) exchange.receive(reply, '10.0.0.1', 101);
    expect(answerOf(exchange).statuses[0]!.status.time_sent).toBe(NOW_SECONDS + 5);
  });

  it('a changed number throws away what came under the old one, and has it asked for again', () => {
    const exchange = exchangeWith();
    for (const reply of goodReplies(2)) exchange.receive(reply, '10.0.0.1', 101);
    const changed = goodReplies(3, NOW_SECONDS + 1);
    exchange.receive(changed[2]!, '10.0.0.1', 102);
    expect(answerOf(exchange)).toMatchObject({ outcome: 'partial', expected: 3 });
    const asked = exchange.due(102 + TIMEOUT_MS / 10).map(({ address }) => address);
    expect(asked).toContain(GOOD.addresses[0]);
    for (const reply of changed) exchange.receive(reply, '10.0.0.1', 103);
    expect(answerOf(exchange)).toMatchObject({ outcome: 'complete', expected: 3 });
  });

  it('late replies under an old number change nothing', () => {
    const exchange = exchangeWith();
    for (const reply of goodReplies(3, NOW_SECONDS + 1)) exchange.receive(reply, '10.0.0.1', 101);
    expect(exchange.receive(goodReplies(2)[0]!, '10.0.0.1', 102)).toBe('duplicate');
    expect(answerOf(exchange)).toMatchObject({ outcome: 'complete', expected: 3 });
  });

  it('more names than the peer says that it has are refused', () => {
    const exchange = exchangeWith();
    const snapshot = snapshotOf(GOOD.factory, 1, 2);
    for (let index = 0; index < 1000; index += 1) {
      const machinetypes = [0, 1].map((half) => ({
        ...snapshot.machinetypes[half]!,
        machinetype: `t-${index}-${half}`,
      }));
      const sent = new Replies({ ...snapshot, machinetypes }, () => {});
      for (const reply of sent.datagrams('machinetypes_query', cookieOf(GOOD.factory), NOW_SECONDS)!) {
        exchange.receive(reply, '10.0.0.1', 101);
      }
    }
    expect(answerOf(exchange).statuses).toHaveLength(2);
    expect(answerOf(exchange).refused.get('too-many')).toBe(1998);
  });

  it('a peer that changes its number for ever is not listened to for ever', () => {
    const exchange = exchangeWith();
    let unsteady = 0;
    for (let index = 0; index < 100; index += 1) {
      const [reply] = goodReplies(2 + (index % 2), NOW_SECONDS);
      if (exchange.receive(reply!, '10.0.0.1', 101 + index) === 'unsteady') unsteady += 1;
    }
    expect(unsteady).toBeGreaterThan((100 - MAX_COUNT_CHANGES) / 2 - 2);
    expect(answerOf(exchange).statuses.length).toBeLessThanOrEqual(1);
  });
});

describe('an answer in full', () => {
  it('is told at once, while another peer is still waited for', () => {
    const told: PeerAnswer[] = [];
    const exchange = exchangeWith(new PeerMemory(), [GOOD, EVIL], 0, (answer) => told.push(answer));
    const [first, second] = goodReplies(2);
    exchange.receive(first!, '10.0.0.1', 101);
    expect(told).toEqual([]);
    exchange.receive(second!, '10.0.0.1', 102);
    exchange.receive(second!, '10.0.0.1', 103);
    expect(told).toEqual([answerOf(exchange)]);
    expect(told[0]).toMatchObject({ factory: GOOD.factory, outcome: 'complete', expected: 2 });
    expect(exchange.isOver(103)).toBe(false);
  });

  it('is told as well when it comes after the end', () => {
    const told: PeerAnswer[] = [];
    const exchange = exchangeWith(new PeerMemory(), [GOOD], 0, (answer) => told.push(answer));
    expect(exchange.isOver(TIMEOUT_MS)).toBe(true);
    exchange.receive(goodReplies(1)[0]!, '10.0.0.1', TIMEOUT_MS + 1);
    expect(told.map(({ factory }) => factory)).toEqual([GOOD.factory]);
  });
});

describe('a peer with several addresses', () => {
  /** Where its queries go after the first, when one address at most answers. */
  function askedUntil(memory: PeerMemory, endMs: number, answeringAt: string | null = null): string[] {
    const exchange = exchangeWith(memory, [GOOD]);
    const asked: string[] = [];
    for (let nowMs = 101; nowMs < endMs; nowMs += 10) {
      for (const { address } of exchange.due(nowMs)) {
        asked.push(address);
        // A part only, so that it must be asked again.
        if (address === answeringAt) exchange.receive(goodReplies(2)[0]!, address, nowMs);
      }
    }
    return asked;
  }

  it('is asked at each in turn while it is silent', () => {
    const [first, second] = GOOD.addresses;
    expect(askedUntil(new PeerMemory(), 3_000).slice(0, 3)).toEqual([second, first, second]);
  });

  it('is asked first where it answered last', () => {
    const memory = new PeerMemory();
    const second = GOOD.addresses[1]!;
    askedUntil(memory, 3_000, second);
    expect(memory.lastAddress(GOOD.factory)).toBe(second);
    const next = new PollExchange(
      {
        query: 'machinetypes_query',
        space: SPACE,
        vacVersion: 'Vac 0.1.0 vacd',
        peers: [GOOD],
        cookieOf,
        timeoutMs: TIMEOUT_MS,
        rng: () => 0,
        memory,
      },
      20_000,
    );
    expect(next.due(20_000).map(({ address }) => address)).toEqual([second]);
  });
});

describe('the end', () => {
  it('comes at the deadline, whatever keeps arriving', () => {
    const exchange = exchangeWith();
    const [reply] = goodReplies(2);
    let sent = 0;
    for (let nowMs = 101; nowMs < TIMEOUT_MS + 5_000; nowMs += 1) {
      exchange.receive(reply!, '10.0.0.1', nowMs);
      sent += exchange.due(nowMs).length;
      expect(exchange.isOver(nowMs)).toBe(nowMs >= TIMEOUT_MS);
    }
    expect(exchange.nextWakeMs).toBeNull();
    expect(sent).toBeLessThan(110);
  });

  it('comes as soon as all that live are complete', () => {
    const memory = new PeerMemory();
    memory.silent(EVIL.factory, -1);
    memory.asked(EVIL.factory, -1);
    const exchange = exchangeWith(memory);
    for (const reply of goodReplies(2)) exchange.receive(reply, '10.0.0.1', 101);
    expect(exchange.isOver(101)).toBe(true);
    expect(exchange.nextWakeMs).toBeNull();
    expect(exchange.answers()[1]).toMatchObject({ outcome: 'none', asked: 0, wasDead: true });
  });

  it('a late answer still counts, and brings a dead peer back', () => {
    const memory = new PeerMemory();
    const exchange = exchangeWith(memory);
    expect(exchange.isOver(TIMEOUT_MS)).toBe(true);
    expect(memory.isDead(GOOD.factory)).toBe(true);
    for (const reply of goodReplies(2)) exchange.receive(reply, '10.0.0.1', TIMEOUT_MS + 1);
    expect(memory.isDead(GOOD.factory)).toBe(false);
    expect(answerOf(exchange).outcome).toBe('complete');
    expect(exchange.due(TIMEOUT_MS + 2)).toEqual([]);
  });

  it('a peer that never answers in full is waited for only shortly after two such polls', () => {
    const memory = new PeerMemory();
    let startMs = 0;
    const tookMs = [1, 2, 3].map(() => {
      const exchange = exchangeWith(memory, [GOOD], startMs);
      exchange.receive(goodReplies(2)[0]!, '10.0.0.1', startMs + 101);
      let nowMs = startMs;
      for (; !exchange.isOver(nowMs); nowMs = exchange.nextWakeMs!) exchange.due(nowMs);
      const took = nowMs - startMs;
      startMs = nowMs + 1_000;
      return took;
    });
    expect(tookMs).toEqual([TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS / 10]);
  });

  it('a peer without an address is not asked and not waited for', () => {
    const exchange = exchangeWith(new PeerMemory(), [{ ...GOOD, addresses: [] }]);
    expect(exchange.isOver(100)).toBe(true);
    expect(answerOf(exchange)).toMatchObject({ outcome: 'none', asked: 0 });
  });
});

it('each peer gets another cookie, which nobody can make from it', () => {
  const salted = saltedCookies();
  expect(salted('a.example.com')).toMatch(/^[0-9a-f]{64}$/);
  expect(salted('a.example.com')).toBe(salted('a.example.com'));
  expect(new Set([salted('a.example.com'), salted('b.example.com'), saltedCookies()('a.example.com')]).size).toBe(3);
  expect(cookieOf('wn1.example.com')).toBe('9a7cb734aa0a95e9b29e59bb636dcf4fa5e6713ea9e6bea053211d0e4100d8fc');
});

it('a query of a poll is what deployed factories understand', () => {
  const exchange = new PollExchange(
    {
      query: 'machinetypes_query',
      space: SPACE,
      vacVersion: 'Vac 0.1.0 vacd',
      peers: [GOOD],
      cookieOf,
      timeoutMs: 1,
      rng: () => 0,
      memory: new PeerMemory(),
    },
    0,
  );
  const [sent] = exchange.due(0);
  expect(sent).toMatchObject({ address: '10.0.0.1', port: 995 });
  expect(sent!.datagram).toEqual(
    (
      encode({
        message_type: 'machinetypes_query',
        method: 'machinetypes',
        space: SPACE,
        cookie: cookieOf(GOOD.factory),
        vac_version: 'Vac 0.1.0 vacd',
        vacquery_version: 'VacQuery 01.03',
      }) as { datagram: Uint8Array }
    ).datagram,
  );
});
