import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decode, Replies, type Transport, VACQUERY_PORT } from '../../src/vacquery/index.js';
import { machinetype } from '../factory/builders.js';
import { snapshotOf } from '../vacquery/snapshot.js';
import { addressOf, SPACE, SpaceNetwork, TIMEOUT_SECONDS, WN1, WN2, WN3 } from './space-network.js';

let net: SpaceNetwork;
beforeEach(() => {
  net = new SpaceNetwork();
});
afterEach(() => net.close());

/** When a factory of which gossip hears nothing is polled for the first time, seconds after the start. */
const GRACE_SECONDS = TIMEOUT_SECONDS / 5;

describe('the first poll', () => {
  it('holds starts until all have answered', async () => {
    await net.startLegacy(WN2);
    await net.startLegacy(WN3);
    const { memory, running } = await net.start(WN1);
    expect(memory.spaceHeard).toBe(false);
    await net.pass(GRACE_SECONDS - 0.1);
    expect(memory.spaceHeard).toBe(false);
    await net.pass(0.3);
    expect(memory.spaceHeard).toBe(true);
    expect(running()).toEqual({ [WN2]: 0, [WN3]: 0 });
  });

  it('ends with the time-out when one is silent, with the others’ news there long before', async () => {
    await net.startLegacy(WN2, 2);
    const { memory, running, log } = await net.start(WN1);
    await net.pass(GRACE_SECONDS + 0.5);
    expect(running()).toEqual({ [WN2]: 2 });
    await net.pass(TIMEOUT_SECONDS - GRACE_SECONDS - 0.7);
    expect(memory.spaceHeard).toBe(false);
    await net.pass(0.4);
    expect(memory.spaceHeard).toBe(true);
    expect(log.with('alone')).toEqual([]);
  });

  it('waits for no name that cannot be resolved while others can', async () => {
    await net.startLegacy(WN2, 2);
    const resolve = async (name: string) => {
      if (name === WN3) throw new Error('getaddrinfo ENOTFOUND');
      return [addressOf(name)];
    };
    const { memory, problemsOf } = await net.start(WN1, 0, {}, { resolve });
    await net.pass(GRACE_SECONDS + 0.3);
    expect(memory.spaceHeard).toBe(true);
    expect(problemsOf(WN3)).toEqual(['its name does not resolve (getaddrinfo ENOTFOUND)']);
  });

  it('ends with the time-out where no name resolves, as on a host that just booted', async () => {
    let isUp = false;
    const resolve = async (name: string) => {
      if (!isUp) throw new Error('getaddrinfo EAI_AGAIN');
      return [addressOf(name)];
    };
    const { memory, running } = await net.start(WN1, 0, {}, { resolve });
    await net.pass(TIMEOUT_SECONDS - 0.1);
    expect(memory).toMatchObject({ spaceHeard: false, alone: false });
    await net.pass(0.2);
    expect(memory).toMatchObject({ spaceHeard: true, alone: true });
    isUp = true;
    await net.startLegacy(WN2, 1);
    await net.pass(10);
    expect(memory.alone).toBe(false);
    expect(running()).toEqual({ [WN2]: 1 });
  });

  it('that fails keeps no peer from being asked by the next', async () => {
    let isBroken = true;
    const openTransport = async (port: number): Promise<Transport> => {
      const transport = net.network.open(addressOf(WN1), port);
      const send: Transport['send'] = (...datagram) => {
        if (isBroken && port === 0) throw new Error('no more sockets');
        transport.send(...datagram);
      };
      return { ...transport, send };
    };
    await net.startLegacy(WN2, 2);
    const { running } = await net.start(WN1, 0, { factories: [WN1, WN2] }, { openTransport });
    await net.pass(GRACE_SECONDS + 1);
    isBroken = false;
    await net.pass(4);
    expect(running()).toEqual({ [WN2]: 2 });
  });

  it('ends with the time-out when polling itself fails', async () => {
    const openTransport = async (port: number): Promise<Transport> => {
      const transport = net.network.open(addressOf(WN1), port);
      if (port !== 0) return transport;
      const send = () => {
        throw new Error('no more sockets');
      };
      return { ...transport, send };
    };
    const { memory, log } = await net.start(WN1, 0, {}, { openTransport });
    await net.pass(TIMEOUT_SECONDS + 0.1);
    expect(memory.spaceHeard).toBe(true);
    expect(log.with('asking the other factories: no more sockets').length).toBeGreaterThan(0);
  });

  it('is none for a factory on its own', async () => {
    const { memory, report, log } = await net.start(WN1, 0, { factories: [WN1] });
    expect(memory).toMatchObject({ spaceHeard: true, alone: false });
    await net.pass(60);
    expect(net.network.counts.sent).toBe(0);
    expect(report()).toMatchObject({ factories: [WN1], alone: false, peers: [], queryPort: VACQUERY_PORT });
    expect(log.lines).toEqual([]);
  });
});

it('a silent peer is asked by one poll at a time, and when it is dead once in half a minute', async () => {
  const { look } = await net.start(WN1, 0, { factories: [WN1, WN2] });
  const queries = () => look().counts.sent.get('machinetypes_query') ?? 0;
  await net.pass(GRACE_SECONDS + TIMEOUT_SECONDS + 0.1);
  const asked = queries();
  expect(asked).toBeGreaterThan(10);
  expect(asked).toBeLessThan(25);
  await net.pass(120);
  expect(queries() - asked).toBeLessThanOrEqual(4);
});

describe('a factory without machinetypes', () => {
  /** Answers as the protocol has it: a machinetypes query with nothing at all. */
  async function typeless(name: string) {
    net.legacy.add(name);
    const factory = net.make(name, 2);
    const withTypes = factory.memory.config;
    factory.memory.config = { ...withTypes, machinetypes: [] };
    await factory.space.start();
    const give = () => {
      factory.memory.config = withTypes;
    };
    return { ...factory, give, take: () => (factory.memory.config = { ...withTypes, machinetypes: [] }) };
  }

  it('is neither dead nor does it leave another one alone', async () => {
    const watcher = await net.start(WN1, 0, { factories: [WN1, WN2] });
    await typeless(WN2);
    await net.pass(120);
    expect(watcher.memory).toMatchObject({ alone: false, spaceHeard: true, peers: [] });
    expect(watcher.log.lines).toEqual([]);
    expect(watcher.problemsOf(WN2)).toEqual([]);
    expect(watcher.peer(WN2)).toMatchObject({ outcome: 'complete', machinetypes: 0, machinetypesExpected: 0 });
    expect(watcher.peer(WN2)?.heardSecondsAgo).toBeLessThan(10);
  });

  it('is asked for its types all the same, and heard as soon as it has some', async () => {
    const watcher = await net.start(WN1, 0, { factories: [WN1, WN2] });
    const other = await typeless(WN2);
    await net.pass(60);
    other.give();
    await net.pass(5);
    expect(watcher.running()).toEqual({ [WN2]: 2 });
    other.take();
    await net.pass(40);
    expect(watcher.running()).toEqual({ [WN2]: 0 });
    expect(watcher.problemsOf(WN2)).toEqual([]);
    expect(watcher.log.lines).toEqual([]);
  });

  it('that was dead is alive again without having asked', async () => {
    const watcher = await net.start(WN1, 0, { factories: [WN1, WN2] });
    await net.pass(TIMEOUT_SECONDS * 2 + GRACE_SECONDS);
    expect(watcher.memory.alone).toBe(true);
    const transport = net.network.open(addressOf(WN2), VACQUERY_PORT);
    transport.onDatagram((datagram, from) => {
      const decoded = decode(datagram);
      if (!decoded.ok || decoded.message.message_type !== 'factory_query') return;
      const replies = new Replies({ ...snapshotOf(WN2, 1, 0), space: SPACE }, () => {});
      for (const reply of replies.datagrams('factory_query', decoded.message.cookie, Date.now() / 1000) ?? []) {
        transport.send(reply, from.address, from.port);
      }
    });
    await net.pass(40);
    expect(watcher.memory.alone).toBe(false);
    await transport.close();
  });
});

it('what a poll heard first takes nothing away that a later one heard, however long others keep it waiting', async () => {
  const second = await net.startLegacy(WN2, 1);
  const watcher = await net.start(WN1);
  await net.pass(GRACE_SECONDS + 2);
  const types = () => watcher.memory.peers.map(({ machinetype: name }) => name).sort();
  expect(types()).toEqual(['prod']);
  second.memory.config = { ...second.memory.config, machinetypes: [machinetype('prod'), machinetype('user')] };
  for (let tenths = 0; tenths < 10 && types().length < 2; tenths += 1) await net.pass(0.25);
  for (let step = 0; step < 40; step += 1) {
    expect(types()).toEqual(['prod', 'user']);
    await net.pass(0.1);
  }
});
