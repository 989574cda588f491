import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseIpNetwork } from '../../src/config/networks.js';
import type { Memory } from '../../src/daemon/memory.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { VacError } from '../../src/errors.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { refuseAllStarts } from '../../src/factory/limits.js';
import type { ServiceName } from '../../src/factory/types.js';
import {
  decode,
  encode,
  GOSSIP_LIMITS,
  type MachinetypeStatus,
  makeQuery,
  PERFECT_NETWORK,
  VACQUERY_PORT,
} from '../../src/vacquery/index.js';
import {
  addressOf,
  configOf,
  NAMES,
  SILENT_SECONDS,
  SPACE,
  SpaceNetwork,
  TIMEOUT_SECONDS,
  WN1,
  WN2,
  WN3,
} from '../space/space-network.js';
import { snapshotOf } from '../vacquery/snapshot.js';

let net: SpaceNetwork;
beforeEach(() => {
  net = new SpaceNetwork();
});
afterEach(() => net.close());

/** A host that asks by itself; resolves to what came back. */
async function ask(address: string, of: string, space = SPACE): Promise<MachinetypeStatus[]> {
  const transport = net.network.open(address);
  const statuses: MachinetypeStatus[] = [];
  transport.onDatagram((datagram) => {
    const decoded = decode(datagram);
    if (decoded.ok) statuses.push(decoded.message as MachinetypeStatus);
  });
  const query = encode(makeQuery('machinetypes_query', space, 'c', 'Vac test'));
  if (query.ok) transport.send(query.datagram, addressOf(of), VACQUERY_PORT);
  await net.pass(0.02);
  await transport.close();
  return statuses;
}

describe('factories of one space', () => {
  it('learn what the others run within seconds, and nothing of themselves', async () => {
    const [first, second, third] = [await net.start(WN1, 2), await net.start(WN2, 3), await net.start(WN3)];
    await net.pass(1);
    expect(third.running()).toEqual({ [WN1]: 2, [WN2]: 3 });
    expect(second.running()).toEqual({ [WN1]: 2, [WN3]: 0 });
    first.run(7);
    await net.pass(2.5);
    expect(third.running()).toEqual({ [WN1]: 3, [WN2]: 3 });
    expect([first, second, third].flatMap(({ log }) => log.with('alone'))).toEqual([]);
  });

  it('are told apart from themselves in any case of letters', async () => {
    const loud = await net.start(WN1.toUpperCase(), 1);
    await net.start(WN2, 1);
    await net.pass(1);
    expect(loud.running()).toEqual({ [WN2]: 1 });
    expect(loud.report().factories).toEqual(NAMES);
  });

  it('answer no other space', async () => {
    const [, other] = [await net.start(WN1, 2), await net.start(WN2, 1, { vacSpace: 'another.example.com' })];
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(other.memory.peers).toEqual([]);
    expect(other.memory.alone).toBe(true);
  });

  it('that fall silent keep nobody waiting for the others’ news', async () => {
    const watcher = await net.start(WN1);
    const silent = await net.start(WN2, 1);
    const busy = await net.start(WN3, 0);
    await net.pass(4);
    await silent.space.close();
    for (let slot = 0; slot < 8; slot += 1) {
      busy.run(slot);
      await net.pass(2.5);
      expect(watcher.running()).toEqual({ [WN2]: 1, [WN3]: slot + 1 });
    }
    expect(watcher.counted()).toBe(9);
    await net.pass(SILENT_SECONDS + TIMEOUT_SECONDS - 10);
    expect(watcher.problemsOf(WN2)).toEqual([
      expect.stringMatching(/^no answer to \d+ quer(y|ies), last heard \d\d s ago$/),
    ]);
    // Its machines run on, most likely; but not for ever.
    await net.pass(GOSSIP_LIMITS.expirySeconds - SILENT_SECONDS - TIMEOUT_SECONDS - 20);
    expect(watcher.running()).toEqual({ [WN2]: 1, [WN3]: 8 });
    await net.pass(30);
    expect(watcher.running()).toEqual({ [WN3]: 8 });
    expect(watcher.counted()).toBe(8);
  });

  it('that come back are heard at once', async () => {
    const watcher = await net.start(WN1);
    await net.pass(TIMEOUT_SECONDS + 5);
    expect(watcher.memory.alone).toBe(true);
    await net.start(WN2, 4);
    await net.pass(0.5);
    expect(watcher.running()).toEqual({ [WN2]: 4 });
  });
});

describe('an answer', () => {
  it('tells of a start at once, however short a time ago the last one was', async () => {
    const { memory, space, run } = await net.start(WN1, 1);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
    run(5);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 2, num_before_fizzle: 0 });
    const [[id, first]] = [...memory.machines] as [[string, Parameters<typeof memory.update>[0]]];
    memory.update(first, { phase: 'ended' });
    space.announce();
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
    memory.machines.delete(id);
    memory.config = configOf({ hs06PerProcessor: 7 });
    space.announce();
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
  });

  it('has the share and the group as configured', async () => {
    await net.start(WN1);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ target_share: 1.5, machinegroup: 'group' });
  });

  it('is made for those who ask alone, and once for many of them', async () => {
    const { memory } = await net.start(WN1, 3, { factories: [] });
    let pictures = 0;
    const state = memory.state.bind(memory);
    memory.state = (...args) => {
      pictures += 1;
      return state(...args);
    };
    await net.pass(60);
    await ask('192.0.2.77', WN1);
    expect(pictures).toBe(0);
    for (let index = 0; index < 5; index += 1) expect(await ask('127.0.0.1', WN1)).toHaveLength(1);
    expect(pictures).toBe(1);
    await net.pass(1);
    await ask('127.0.0.1', WN1);
    expect(pictures).toBe(2);
  });

  it('is given to those alone who may ask; refusals are logged once and counted', async () => {
    const { look, log, reconfigure } = await net.start(WN1, 0, { factories: [] });
    expect(await ask('192.0.2.1', WN1)).toHaveLength(1);
    for (let index = 0; index < 3; index += 1) expect(await ask('198.51.100.9', WN1)).toEqual([]);
    expect(await ask('127.0.0.1', WN1, 'another.example.com')).toEqual([]);
    expect(log.lines).toEqual([
      'warning: VacQuery: 1 query of 198.51.100.9 not answered: stranger',
      'warning: VacQuery: 1 query of 127.0.0.1 not answered: other-space',
    ]);
    expect(look().counts).toEqual({
      received: new Map([['machinetypes_query', 1]]),
      sent: new Map([['machinetype_status', 1]]),
      refused: new Map([
        ['stranger', 3],
        ['other-space', 1],
      ]),
    });
    reconfigure({ queryNetworks: [parseIpNetwork('198.51.100.0/24')!, parseIpNetwork('0.0.0.0/0')!] });
    expect(await ask('198.51.100.9', WN1)).toHaveLength(1);
    expect(await ask('169.254.169.3', WN1)).toEqual([]);
  });
});

describe('names', () => {
  it('that hang hold up nobody, and are asked as soon as they are there', async () => {
    let found: (addresses: string[]) => void = () => {};
    const resolve = (name: string): Promise<string[]> =>
      name === WN3
        ? new Promise((done) => {
            found = done;
          })
        : Promise.resolve([addressOf(name)]);
    await net.start(WN2, 2);
    // Of one that gossips the other would tell.
    await net.startLegacy(WN3, 3);
    const { running } = await net.start(WN1, 0, {}, { resolve });
    await net.pass(20);
    expect(running()).toEqual({ [WN2]: 2 });
    found([addressOf(WN3)]);
    await net.pass(0.2);
    expect(running()).toEqual({ [WN2]: 2, [WN3]: 3 });
  });

  it('of which none resolves hold starts up for udp_timeout_seconds, and not a moment longer', async () => {
    const woken: number[] = [];
    const { memory } = await net.start(
      WN1,
      0,
      {},
      {
        resolve: async () => Promise.reject(new Error('no such host')),
        wake: () => woken.push(net.clock.nowMs()),
      },
    );
    await net.pass(TIMEOUT_SECONDS - 0.1);
    expect([memory.spaceHeard, woken]).toEqual([false, []]);
    await net.pass(0.2);
    expect([memory.spaceHeard, memory.alone, woken.length]).toEqual([true, true, 1]);
  });
});

describe('a factory cut off from all others', () => {
  it('goes on alone with what it knows, says so once, and says when it is over', async () => {
    const { memory, running, log, report } = await net.start(WN1, 1);
    await net.start(WN2, 2);
    await net.start(WN3, 3);
    await net.pass(4);
    net.network.partition((address) => address === addressOf(WN1));
    await net.pass(SILENT_SECONDS + TIMEOUT_SECONDS + 10);
    expect(memory.alone).toBe(true);
    expect(report().alone).toBe(true);
    expect(running()).toEqual({ [WN2]: 2, [WN3]: 3 });
    expect(log.lines).toEqual(['warning: none of the 2 other factories answers: going on alone']);
    const problems = () => factoryStatus(memory, new DecisionLog(), '').problems;
    expect(problems()).toContainEqual(expect.stringContaining('goes on alone'));
    net.network.heal();
    await net.pass(31);
    expect(problems()).toEqual([]);
    expect(report().alone).toBe(false);
    expect(log.lines.slice(1)).toEqual(['info: other factories answer: no longer alone']);
  });
});

it('a factory that ends in the middle of a poll says nothing of peers that had no time to answer', async () => {
  const { memory, space, log } = await net.start(WN1, 0, { factories: [WN1, WN2] });
  await net.pass(1);
  memory.spaceHeard = true;
  await space.close();
  await net.pass(60);
  expect(log.lines).toEqual([]);
  expect(memory.alone).toBe(false);
});

it('a factory that has ended asks nobody, whoever still asks it', async () => {
  const { space, problemsOf } = await net.start(WN1, 0, { factories: [WN1, WN2] });
  await net.pass(TIMEOUT_SECONDS + 3);
  expect(problemsOf(WN2)).toHaveLength(1);
  const closing = space.close();
  const dead = net.network.open(addressOf(WN2));
  const query = encode(makeQuery('machinetypes_query', SPACE, 'c', 'Vac test'));
  if (query.ok) dead.send(query.datagram, addressOf(WN1), VACQUERY_PORT);
  net.clock.runUntil(net.clock.nowMs() + 20);
  await closing;
  await dead.close();
  await net.pass(60);
  expect(net.clock.step()).toBe(false);
});

describe('a changed configuration', () => {
  it('adds and drops factories', async () => {
    const others = [await net.start(WN2, 2), await net.start(WN3, 3)];
    const { memory, running, report, reconfigure } = await net.start(WN1, 0, { factories: [WN1, WN2] });
    await net.pass(1);
    expect(running()).toEqual({ [WN2]: 2 });
    reconfigure({ factories: NAMES });
    expect(memory.spaceHeard).toBe(true);
    await net.pass(5);
    expect(running()).toEqual({ [WN2]: 2, [WN3]: 3 });
    reconfigure({ factories: [WN1, WN2] });
    expect(running()).toEqual({ [WN2]: 2 });
    // None of those that were heard is left: as at a start, nothing is known.
    reconfigure({ factories: [WN1, WN3] });
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
    await net.until('they are heard', () => memory.spaceHeard, TIMEOUT_SECONDS - 1);
    expect(running()).toEqual({ [WN3]: 3 });
    expect(report().peers.map(({ factory }) => factory)).toEqual([WN3]);
    reconfigure({ factories: [] });
    expect(memory).toMatchObject({ peers: [], alone: false, spaceHeard: true });
    const sent = net.network.counts.sent;
    for (const { space: other } of others) await other.close();
    await net.pass(20);
    expect(net.network.counts.sent).toBe(sent);
  });

  it('that gives a lone factory company holds starts until that is heard', async () => {
    await net.start(WN2, 2);
    const { memory, running, reconfigure } = await net.start(WN1, 0, { factories: [] });
    await reconfigure({ factories: [WN1, WN2] });
    expect(memory.spaceHeard).toBe(false);
    await net.until('it is heard', () => memory.spaceHeard, 1);
    expect(running()).toEqual({ [WN2]: 2 });
  });

  it('of the space begins anew: news of the old one is forgotten, also when it comes late', async () => {
    await net.start(WN2, 2);
    await net.start(WN3, 3, { vacSpace: 'new.example.com' });
    const { memory, running, reconfigure } = await net.start(WN1);
    await net.pass(1);
    expect(running()).toEqual({ [WN2]: 2 });
    const settled = reconfigure({ vacSpace: 'new.example.com' });
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
    await settled;
    await net.pass(1);
    expect(running()).toEqual({ [WN3]: 3 });
    expect(await ask('127.0.0.1', WN1)).toEqual([]);
    expect(await ask('127.0.0.1', WN1, 'new.example.com')).toHaveLength(1);
  });

  it('of the space has what the old one still answers count for nothing', async () => {
    net.network.faults = { ...PERFECT_NETWORK, minDelayMs: 300, maxDelayMs: 300 };
    await net.start(WN2, 2);
    const { memory, reconfigure } = await net.start(WN1, 0, { factories: [WN1, WN2] });
    await net.pass(0.4);
    await reconfigure({ vacSpace: 'new.example.com' });
    await net.pass(1);
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
  });

  it('of the time-out holds for the next poll', async () => {
    const { memory, space, report, reconfigure } = net.make(WN1);
    memory.config = configOf({ udpTimeoutSeconds: 300 });
    await space.start();
    await net.pass(1);
    await reconfigure({ udpTimeoutSeconds: 1, vacSpace: 'new.example.com' });
    await net.pass(1.5);
    expect(memory).toMatchObject({ spaceHeard: true, alone: true });
    expect(report().udpTimeoutSeconds).toBe(1);
  });
});

describe('a port that is taken', () => {
  const takenUntil = (freeMs: number) => async (port: number) => {
    if (port === VACQUERY_PORT && net.clock.nowMs() < freeMs)
      throw new VacError('address-in-use', 'UDP port 995 is taken');
    return net.network.open(addressOf(WN1), port);
  };

  it('ends the start of a factory that others must hear', async () => {
    const { space } = net.make(WN1, 0, {}, { openTransport: takenUntil(1) });
    await expect(space.start()).rejects.toMatchObject({ code: 'address-in-use' });
  });

  const refusal = ({ memory }: { memory: Memory }) =>
    refuseAllStarts(memory.state(1_700_000_000, net.clock.nowMs()), memory.config.settings);
  const healthy = (memory: Memory) => {
    memory.hypervisorProblem = null;
    memory.host = { ...memory.host, stateFreeBytes: 1e12 };
    for (const service of Object.keys(memory.services) as ServiceName[]) memory.serviceReady(service, 0);
  };

  it('lets a factory with machines look after them, and start nothing until the others can ask it', async () => {
    const factory = await net.start(WN1, 2, {}, { openTransport: takenUntil(31_000) });
    healthy(factory.memory);
    expect(refusal(factory)).toMatchObject({ code: 'query-port', reason: expect.stringContaining('995 is taken') });
    expect(factoryStatus(factory.memory, new DecisionLog(), '').problems[0]).toContain('995 is taken');
    await net.start(WN2, 1);
    await net.pass(31);
    expect(factory.running()).toEqual({ [WN2]: 1 });
    expect(refusal(factory)?.code).toBe('query-port');
    await net.pass(30);
    expect(refusal(factory)).toBeNull();
    expect(factory.log.with('VacQuery')).toEqual([
      'warning: VacQuery is not answered; tried again every 30 s: UDP port 995 is taken',
      'info: VacQuery is answered now',
    ]);
  });

  it('keeps a factory from starting anything as soon as there are others, and no longer', async () => {
    const factory = await net.start(WN1, 0, { factories: [] }, { openTransport: takenUntil(Number.POSITIVE_INFINITY) });
    healthy(factory.memory);
    expect(refusal(factory)).toBeNull();
    factory.reconfigure({ factories: [WN1, WN2] });
    expect(refusal(factory)?.code).toBe('query-port');
    await net.pass(100);
    factory.reconfigure({ factories: [WN1] });
    expect(refusal(factory)).toBeNull();
  });

  it('is tried again by a factory on its own, every 30 s', async () => {
    const { report, log } = await net.start(WN1, 0, { factories: [] }, { openTransport: takenUntil(61_000) });
    expect(report().queryPort).toBeNull();
    await net.pass(89);
    expect(report().queryPort).toBeNull();
    await net.pass(2);
    expect(report().queryPort).toBe(VACQUERY_PORT);
    expect(await ask('127.0.0.1', WN1)).toHaveLength(1);
    expect(log.lines).toEqual([
      'warning: VacQuery is not answered; tried again every 30 s: UDP port 995 is taken',
      'info: VacQuery is answered now',
    ]);
  });
});

describe('what is wrong with the others', () => {
  /** A host of the space that answers as it is told to: with another name, clock or address. */
  function impostor(host: string, claimed: string, answerFrom = addressOf(host), aheadSeconds = 0): void {
    const [asked, answering] = [net.network.open(addressOf(host), VACQUERY_PORT), net.network.open(answerFrom)];
    asked.onDatagram((datagram, from) => {
      const decoded = decode(datagram);
      if (!decoded.ok) return;
      const [facts] = snapshotOf(claimed, 1, 1).machinetypes;
      const status = encode({
        ...facts!,
        message_type: 'machinetype_status',
        num_machinetypes: 1,
        vac_version: 'Vac 3',
        vacquery_version: 'VacQuery 01.03',
        cookie: decoded.message.cookie,
        space: SPACE,
        site: null,
        factory: claimed,
        time_sent: Math.floor(Date.now() / 1000) + aheadSeconds,
      });
      if (status.ok) answering.send(status.datagram, from.address, from.port);
    });
  }

  it('two factories of one name', async () => {
    impostor(WN3, WN2);
    await net.start(WN2, 2);
    const { running, problemsOf } = await net.start(WN1);
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(running()).toEqual({ [WN2]: 2 });
    expect(problemsOf(WN2)).toEqual([`the host at ${WN3} uses this factory's name, too`]);
    expect(problemsOf(WN3)).toContain(
      `its host calls itself ${WN2}, the name of another factory: its answers are not believed`,
    );
  });

  it('another factory of this one’s name', async () => {
    impostor(WN2, WN1);
    const { memory, problemsOf } = await net.start(WN1, 1, { factories: [WN1, WN2] });
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(memory.peers).toEqual([]);
    expect(problemsOf(WN2)).toContain(
      `its host calls itself ${WN1}, the name of this factory: its answers are not believed`,
    );
  });

  it('one that answers for another', async () => {
    impostor(WN2, WN2, addressOf(WN3));
    const { memory, problemsOf } = await net.start(WN1, 1, { factories: [WN1, WN2] });
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(memory.peers).toEqual([]);
    expect(problemsOf(WN2)).toContain(
      `answers in its name come from ${addressOf(WN3)}, which is none of its addresses: they are not believed`,
    );
  });

  it('a clock that is wrong: told, and its news believed', async () => {
    impostor(WN2, WN2, addressOf(WN2), -3600);
    const { memory, problemsOf } = await net.start(WN1, 1, { factories: [WN1, WN2] });
    await net.pass(3);
    expect(memory.peers).toHaveLength(1);
    expect(problemsOf(WN2)).toEqual([expect.stringMatching(/^its clock is 3(599|600|601) s behind this host's$/)]);
  });

  it('a peer by IPv6 is one like the others', async () => {
    const transport = net.network.open('2001:db8::2', VACQUERY_PORT);
    const answering = net.make(
      WN2,
      2,
      {},
      { openTransport: async (port) => (port === 0 ? net.network.open('2001:db8::2') : transport) },
    );
    await answering.space.start();
    const resolve = async (name: string) => [name === WN2 ? '2001:db8::2' : addressOf(name)];
    const { running, problemsOf } = await net.start(WN1, 0, { factories: [WN1, WN2] }, { resolve });
    await net.pass(1);
    expect(running()).toEqual({ [WN2]: 2 });
    expect(problemsOf(WN2)).toEqual([]);
  });
});
