/** Keys given to, and changed in, a space that goes on running: in the order of the README, and in others. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Authenticator, type AuthMode, type Signer } from '../../src/vacquery/auth.js';
import { parseSpaceKeys } from '../../src/vacquery/auth-keys.js';
import { nodeHmac } from '../../src/vacquery/auth-node.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { Responder } from '../../src/vacquery/responder.js';
import { GossipSpace, LOSSY, nameOf, running } from './gossip-space.js';
import { NOW_SECONDS, snapshotOf } from './snapshot.js';

const OLD = '0123456789abcdef0123456789abcdef';
const NEW = 'fedcba9876543210fedcba9876543210';
const FACTORIES = 6;

/** What a factory's file and mode are now; they change while it runs. */
class Keys implements Signer {
  #authenticator: Authenticator | null = null;
  readonly #rng = seededRandom(7);

  constructor(
    readonly index: number,
    readonly unixSeconds: () => number,
  ) {}

  set(mode: AuthMode | 'off', ...lines: string[]): void {
    const read = parseSpaceKeys(lines.join('\n'), nodeHmac);
    const own = { audience: nameOf(this.index), unixSeconds: this.unixSeconds(), rng: this.#rng, hmac: nodeHmac };
    this.#authenticator = mode === 'off' || !read.ok ? null : new Authenticator({ mode, keys: read.keys, ...own });
  }

  sign(datagram: Uint8Array, audience: string, unixSeconds: number): Uint8Array {
    return this.#authenticator?.sign(datagram, audience, unixSeconds) ?? datagram;
  }

  check(...about: Parameters<Signer['check']>): ReturnType<Signer['check']> {
    return this.#authenticator?.check(...about) ?? { ok: true, isSigned: false };
  }
}

let keys: Keys[];
let space: GossipSpace;
let machines = 0;

beforeEach(() => {
  keys = [];
  machines = 0;
  space = new GossipSpace({
    factories: FACTORIES,
    seed: 3,
    faults: LOSSY,
    authenticator: (index) => {
      keys[index] = new Keys(index, () => space?.now().unixSeconds ?? NOW_SECONDS);
      return keys[index]!;
    },
  });
  announceAll();
  expectAllNews();
});

/** Something new of everybody. */
function announceAll(): void {
  machines += 1;
  for (let index = 0; index < FACTORIES; index += 1) space.announce(index, running('lhcb', machines));
}

const seenBy = (index: number) => space.machinesSeen(index, 'lhcb');
const knowsAll = (index: number) => seenBy(index) === (FACTORIES - 1) * machines;
const everybody = [...Array(FACTORIES).keys()];

function expectAllNews(): void {
  space.runUntil(() => everybody.every(knowsAll), 60);
}

function setEach(mode: AuthMode | 'off', ...lines: string[]): void {
  for (const index of everybody) keys[index]!.set(mode, ...lines);
}

function problemsWith(factory: number, observer: number): string {
  const view = space.gossip(observer).view(space.now());
  return view.find((one) => one.factory === nameOf(factory))!.problems.join();
}

describe('a space without keys', () => {
  it('gets them host by host, while all news goes on getting everywhere', () => {
    for (const mode of ['mixed', 'required'] as const) {
      for (const index of [3, 0, 5, 1, 4, 2]) {
        keys[index]!.set(mode, OLD);
        announceAll();
        expectAllNews();
      }
    }
    for (const index of everybody) expect(space.gossip(index).counts.refused.unauthenticated).toBeUndefined();
  });

  it('has the news of those who do not sign yet passed on by those who do, to one that requires it already', () => {
    keys[0]!.set('required', OLD);
    for (const index of [1, 2]) keys[index]!.set('mixed', OLD);
    for (let round = 0; round < 6; round += 1) {
      announceAll();
      expectAllNews();
      space.run(60);
    }
    const view = space.gossip(0).view(space.now());
    expect(view.map(({ liveness }) => liveness)).toEqual(view.map(() => 'alive'));
    expect(problemsWith(4, 0)).toMatch(/not signed, and not believed/);
  });

  it('in which one requires signatures before anybody signs is without them for that one, until they do', () => {
    keys[0]!.set('required', OLD);
    announceAll();
    space.run(60);
    expect(seenBy(0)).toBe((FACTORIES - 1) * (machines - 1));
    expect(everybody.slice(1).every(knowsAll)).toBe(true);
    expect(problemsWith(1, 0)).toMatch(/give it the space's key/);
    for (const index of everybody.slice(1)) keys[index]!.set('mixed', OLD);
    expectAllNews();
    // It is named until it was heard itself.
    space.runUntil(() => problemsWith(1, 0) === '', 60);
  });
});

describe('another key', () => {
  it('takes the place of the old one host by host, while all news goes on getting everywhere', () => {
    setEach('required', OLD);
    // What was on its way unsigned arrives.
    space.run(1);
    const refused = () => everybody.map((index) => space.gossip(index).counts.refused.unauthenticated ?? 0);
    const before = refused();
    for (const lines of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const index of [2, 4, 1, 5, 0, 3]) {
        keys[index]!.set('required', ...lines);
        announceAll();
        expectAllNews();
      }
    }
    expect(refused()).toEqual(before);
  });

  it('that signs before the others have it silences its host, and loses nothing once they do', () => {
    setEach('required', OLD);
    keys[0]!.set('required', NEW, OLD);
    announceAll();
    space.run(60);
    expect(knowsAll(0)).toBe(true);
    expect(seenBy(1)).toBe((FACTORIES - 1) * machines - 1);
    expect(problemsWith(0, 1)).toMatch(/signs with a key that this host does not have/);
    for (const index of everybody.slice(1)) keys[index]!.set('required', OLD, NEW);
    expectAllNews();
    space.runUntil(() => problemsWith(0, 1) === '', 60);
  });

  it('whose predecessor is removed too early leaves that host deaf, and loses nothing once the others sign with it', () => {
    setEach('required', OLD, NEW);
    keys[0]!.set('required', NEW);
    announceAll();
    space.run(60);
    expect(seenBy(0)).toBe((FACTORIES - 1) * (machines - 1));
    expect(everybody.slice(1).every(knowsAll)).toBe(true);
    for (const index of everybody.slice(1)) keys[index]!.set('required', NEW, OLD);
    expectAllNews();
  });
});

it('who speaks 01.03 alone neither answers gossip, nor complains of it more than of any stranger', () => {
  const reports: unknown[] = [];
  const responder = new Responder({
    mayAsk: () => true,
    onRefusal: (report) => reports.push(report),
    onProblem: (problem) => {
      throw new Error(JSON.stringify(problem));
    },
  });
  responder.setSnapshot(snapshotOf('wn09.example.com', 4, 2));
  setEach('required', OLD);
  const said: Uint8Array[] = [];
  space.stop(5);
  const legacy = space.network.open('10.0.0.5', 995);
  legacy.onDatagram((datagram) => said.push(datagram));
  for (let index = 0; index < 5; index += 1) space.announce(index, running('lhcb', 2));
  space.run(120);
  expect(said.length).toBeGreaterThan(10);
  said.forEach((datagram, at) => {
    expect(responder.answer(datagram, '10.0.0.1', at * 1_000, NOW_SECONDS)).toEqual([]);
  });
  expect(reports.length).toBeLessThanOrEqual(1);
  expect([...responder.refusalCounts.values()]).toEqual([said.length]);
});
