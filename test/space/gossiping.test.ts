import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GOSSIP_LIMITS, PERFECT_NETWORK, VACQUERY_PORT } from '../../src/vacquery/index.js';
import { until } from '../daemon/test-factory.js';
import { addressOf, SILENT_SECONDS, SpaceNetwork, TIMEOUT_SECONDS, WN1, WN2, WN3 } from './space-network.js';

let net: SpaceNetwork;
beforeEach(() => {
  net = new SpaceNetwork();
});
afterEach(() => net.close());

const three = async (...running: number[]) => [
  await net.start(WN1, running[0]),
  await net.start(WN2, running[1]),
  await net.start(WN3, running[2]),
];
type Factory = Awaited<ReturnType<SpaceNetwork['start']>>;
const end = ({ memory, space }: Factory, index = 0) => {
  memory.update([...memory.machines.values()][index]!, { phase: 'ended' });
  space.announce();
};

describe('a change', () => {
  it('is known everywhere within a second, be it a start or an end', async () => {
    const [first, second, third] = (await three(2, 3)) as [Factory, Factory, Factory];
    await net.pass(3);
    expect(first.ways()).toEqual({ [WN2]: 'gossip', [WN3]: 'gossip' });
    first.run(7);
    expect(
      await net.until('the start is known', () => third.counted() === 6 && second.counted() === 3, 1),
    ).toBeLessThan(1);
    end(second);
    expect(await net.until('the end is known', () => third.counted() === 5 && first.counted() === 2, 1)).toBeLessThan(
      1,
    );
    expect(third.running()).toEqual({ [WN1]: 3, [WN2]: 2 });
  });

  it('is known in some seconds where 30 % of all datagrams are lost', async () => {
    net.network.faults = { ...PERFECT_NETWORK, lossRate: 0.3, duplicateRate: 0.05, maxDelayMs: 50 };
    const [first, second, third] = (await three()) as [Factory, Factory, Factory];
    await net.pass(10);
    const times: number[] = [];
    for (let slot = 0; slot < 8; slot += 1) {
      first.run(slot);
      const isKnown = () => second.counted() === slot + 1 && third.counted() === slot + 1;
      times.push(await net.until(`machine ${slot} is known`, isKnown, 60));
    }
    // Once in a while both copies of one are lost, and found missing some seconds later.
    expect(times.sort((a, b) => a - b)[times.length / 2]).toBeLessThan(2);
  });

  it('wakes the loop of a factory that has room, and no other', async () => {
    let woken = 0;
    const wake = () => {
      woken += 1;
    };
    const room = await net.start(WN1, 0, {}, { wake });
    const second = await net.start(WN2);
    await net.pass(20);
    woken = 0;
    second.run(1);
    await net.pass(5);
    expect(woken).toBe(1);
    for (let slot = 0; slot < 8; slot += 1) room.run(slot);
    second.run(2);
    await net.pass(5);
    expect(room.counted()).toBe(2);
    expect(woken).toBe(1);
  });
});

describe('an intended start', () => {
  it('counts for the others before there is anything of the machine', async () => {
    const [first, second] = (await three()) as [Factory, Factory];
    await net.pass(3);
    const machine = first.run(3);
    first.memory.update(machine, { phase: 'starting', startedTimeSeconds: null });
    first.space.announce();
    await net.until('it counts', () => second.memory.peers.some(({ beforeFizzle }) => beforeFizzle === 1), 1);
    expect(second.counted()).toBe(1);
  });
});

describe('a factory that is started again', () => {
  it('is believed at once, with a calendar that was set back too', async () => {
    const [first, second] = (await three(3)) as [Factory, Factory];
    await net.pass(3);
    expect(second.running()).toMatchObject({ [WN1]: 3 });
    await first.space.close();
    net.calendarMs -= 7_200_000;
    const again = await net.start(WN1, 1);
    await net.until('it is believed', () => second.running()[WN1] === 1, 1.5);
    await net.until('it has heard the others', () => again.memory.spaceHeard, 2);
  });

  it('and has lost its state directory as well raises its number over what the others know', async () => {
    const [first, second] = (await three(3)) as [Factory, Factory];
    await net.pass(3);
    await first.space.close();
    const path = join(net.stateDirOf(WN1), 'incarnation');
    const before = Number(readFileSync(path, 'utf8'));
    net.calendarMs -= 7_200_000;
    writeFileSync(path, 'half a num');
    const again = await net.start(WN1, 1);
    expect(again.log.lines).toEqual([
      `warning: ${path}: not the number that vacd wrote; the time is taken instead, which is right unless the clock was set back`,
    ]);
    await net.pass(2);
    // The disk takes the time that it takes; nothing is sent meanwhile.
    await until('the number is on disk', () => Number(readFileSync(path, 'utf8')) === before + 1);
    await again.space.settled();
    await net.until('it is believed', () => second.running()[WN1] === 1, 20);
  });
});

describe('a calendar that is set while all run', () => {
  it.each([-86_400_000, 86_400_000])('by %d ms makes nobody forget anything, nor say it again', async (stepMs) => {
    const [, second] = (await three(2, 1)) as [Factory, Factory];
    await net.pass(60);
    const sent = net.network.counts.sent;
    await net.pass(60);
    const perMinute = net.network.counts.sent - sent;
    net.calendarMs += stepMs;
    for (let step = 0; step < 6; step += 1) {
      await net.pass(10);
      expect(second.running()).toEqual({ [WN1]: 2, [WN3]: 0 });
    }
    expect(net.network.counts.sent - sent - perMinute).toBeLessThan(perMinute * 1.3);
    expect(second.log.lines).toEqual([]);
  });
});

describe('a factory that dies', () => {
  it('counts for five minutes, and leaves the other alone sooner', async () => {
    const [first, second] = (await three(2)) as [Factory, Factory, Factory];
    first.reconfigure({ factories: [WN1, WN2] });
    await second.reconfigure({ factories: [WN1, WN2] });
    await net.pass(5);
    await first.space.close();
    await net.until('it is alone', () => second.memory.alone, SILENT_SECONDS + TIMEOUT_SECONDS + 4);
    expect(second.counted()).toBe(2);
    await net.pass(GOSSIP_LIMITS.expirySeconds - SILENT_SECONDS - TIMEOUT_SECONDS - 10);
    expect(second.counted()).toBe(2);
    await net.until('its news has expired', () => second.counted() === 0, 60);
    expect(second.running()).toEqual({});
    expect(second.problemsOf(WN1)).toEqual([
      expect.stringMatching(/^no answer to \d+ quer(y|ies), last heard 3\d\d s ago$/),
    ]);
  });
});

describe('one of the predecessor’s', () => {
  it('is polled beside those that gossip, and only it', async () => {
    const legacy = await net.startLegacy(WN3, 4);
    const [first, second] = [await net.start(WN1, 1), await net.start(WN2, 2)];
    await net.pass(5);
    expect(first.ways()).toEqual({ [WN2]: 'gossip', [WN3]: 'poll' });
    expect(first.running()).toEqual({ [WN2]: 2, [WN3]: 4 });
    expect(first.counted()).toBe(6);
    expect(second.memory).toMatchObject({ spaceHeard: true, alone: false });
    legacy.run(7);
    await net.until('its start is known', () => first.counted() === 7, 5);
    expect([...first.log.lines, ...second.log.lines]).toEqual([]);
    // Of two others one is asked, every two seconds.
    expect(first.look().counts.sent.get('machinetypes_query')).toBeLessThanOrEqual(6);
  });

  it('becomes one that gossips when it is upgraded, and back, without a word from anybody', async () => {
    const third = await net.startLegacy(WN3, 4);
    const [first] = [await net.start(WN1, 1), await net.start(WN2, 2)];
    await net.pass(20);
    expect(first.ways()[WN3]).toBe('poll');
    net.legacy.delete(WN3);
    third.run(6);
    await net.until('it gossips', () => first.ways()[WN3] === 'gossip', 120);
    await net.pass(0.1);
    expect(first.running()).toEqual({ [WN2]: 2, [WN3]: 5 });
    expect(first.counted()).toBe(7);
    await net.pass(10);
    net.legacy.add(WN3);
    third.run(5);
    await net.until('it is polled', () => first.ways()[WN3] === 'poll', SILENT_SECONDS + 10);
    await net.pass(0.1);
    expect(first.running()).toEqual({ [WN2]: 2, [WN3]: 6 });
    // What gossip still holds of it counts no more, nor twice.
    expect(first.counted()).toBe(8);
    await net.pass(400);
    expect(first.counted()).toBe(8);
    expect(first.log.lines).toEqual([]);
  });
});

describe('what machines have used', () => {
  it('comes from those that gossip and those that are polled, and each counts once', async () => {
    const history = { shareHalfLifeHours: 24 };
    net.legacy.add(WN3);
    const [second, third] = [net.make(WN2, 0, history), net.make(WN3, 0, history)];
    second.memory.ownUses = () => new Map([['prod', 1e6]]);
    third.memory.ownUses = () => new Map([['prod', 5e6]]);
    await third.space.start();
    await second.space.start();
    const first = await net.start(WN1, 0, history);
    await net.pass(4);
    expect(first.ways()).toEqual({ [WN2]: 'gossip', [WN3]: 'poll' });
    expect(first.memory.peerUses.get('prod')).toBeGreaterThan(5.99e6);
    expect(first.memory.peerUses.get('prod')).toBeLessThanOrEqual(6e6);
  });
});

describe('addresses', () => {
  it('a factory with one that does not work is heard by the other', async () => {
    const resolve = async (name: string) => ['198.51.100.7', addressOf(name)];
    await net.start(WN2, 2, { factories: [WN1, WN2] }, { resolve });
    const first = await net.start(WN1, 1, { factories: [WN1, WN2] }, { resolve });
    await net.until('it is heard', () => first.ways()[WN2] === 'gossip', 30);
    await net.pass(0.1);
    expect(first.counted()).toBe(2);
  });

  it('two names of one address: it is believed to be the one that it says it is', async () => {
    const resolve = async (name: string) => [name === WN3 ? addressOf(WN2) : addressOf(name)];
    await net.start(WN2, 2);
    const first = await net.start(WN1, 1, {}, { resolve });
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(first.running()).toEqual({ [WN2]: 2 });
    expect(first.ways()).toEqual({ [WN2]: 'gossip', [WN3]: null });
    expect(first.problemsOf(WN2)).toEqual([`the host at ${WN3} uses this factory's name, too`]);
  });

  it('gossip of strangers is refused, and logged once', async () => {
    const first = await net.start(WN1, 1, { factories: [WN1, WN3] });
    await net.start(WN2, 2);
    await net.pass(30);
    expect(first.running()).toEqual({});
    expect(first.log.with('gossip')).toEqual([
      `warning: VacQuery: 1 datagram of gossip from ${addressOf(WN2)} not believed: stranger`,
    ]);
    expect(first.look().gossip()?.counts.refused.stranger).toBeGreaterThan(2);
  });

  it('nothing is sent while the port is taken, and all of it after', async () => {
    let isTaken = true;
    const openTransport = async (port: number) => {
      if (port === VACQUERY_PORT && isTaken) throw new Error('taken');
      return net.open(WN1, port);
    };
    const first = await net.start(WN1, 1, {}, { openTransport });
    const second = await net.start(WN2, 2);
    await net.pass(20);
    expect(first.ways()[WN2]).toBe('poll');
    expect(second.running()).toEqual({});
    isTaken = false;
    await net.until('it gossips', () => second.running()[WN1] === 1, 60);
    await net.until('it hears gossip', () => first.ways()[WN2] === 'gossip', 60);
  });
});

describe('the number of a start', () => {
  it.each([
    ['the far future', '9999999999\n', /is in the future, the clock was wrong then/],
    ['nothing', '', /not the number that vacd wrote/],
  ])('that is %s is not used, and said once', async (_what, text, said) => {
    writeFileSync(join(net.stateDirOf(WN1), 'incarnation'), text);
    const [first, second] = (await three(1)) as [Factory, Factory];
    await net.pass(3);
    expect(second.counted()).toBe(1);
    expect(first.log.lines).toEqual([expect.stringMatching(said)]);
  });

  it('that cannot be written down keeps nobody from gossiping', async () => {
    mkdirSync(join(net.stateDirOf(WN1), 'incarnation'));
    const [first, second] = (await three(1)) as [Factory, Factory];
    await net.pass(3);
    expect(second.ways()[WN1]).toBe('gossip');
    expect(second.counted()).toBe(1);
    expect(first.memory.spaceHeard).toBe(true);
    expect(first.log.with('the number of this start cannot be kept')).toHaveLength(1);
  });
});
