import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseIpNetwork } from '../../src/config/networks.js';
import { Memory } from '../../src/daemon/memory.js';
import { Space, type SpaceParts } from '../../src/daemon/space.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { VacError } from '../../src/errors.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { refuseAllStarts } from '../../src/factory/limits.js';
import {
  decode,
  encode,
  type MachinetypeStatus,
  MemoryNetwork,
  makeQuery,
  PERFECT_NETWORK,
  Replies,
  seededRandom,
  type Transport,
  VACQUERY_PORT,
  VirtualClock,
} from '../../src/vacquery/index.js';
import { config, machine, machinetype } from '../factory/builders.js';
import { snapshotOf } from '../vacquery/snapshot.js';
import { TestLog, turn } from './test-factory.js';

const [WN1, WN2, WN3] = ['wn1.example.com', 'wn2.example.com', 'wn3.example.com'] as const;
const NAMES: readonly string[] = [WN1, WN2, WN3];
const SPACE = 'vac01.example.com';
const TIMEOUT_SECONDS = 5;
const addressOf = (name: string) => `192.0.2.${NAMES.indexOf(name.toLowerCase()) + 1}`;

type Settings = Parameters<typeof config>[1];

let stateDir: string;
let clock: VirtualClock;
let network: MemoryNetwork;
const factories: Space[] = [];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vac-space-'));
  clock = new VirtualClock();
  network = new MemoryNetwork(clock, seededRandom(7));
});

afterEach(async () => {
  await Promise.all(factories.splice(0).map((space) => space.close()));
  rmSync(stateDir, { recursive: true });
});

function configOf(settings: Settings = {}) {
  return config([machinetype('prod', { targetShare: 1.5, machinegroup: 'group' })], {
    vacSpace: SPACE,
    factories: [...NAMES],
    udpTimeoutSeconds: TIMEOUT_SECONDS,
    ...settings,
  });
}

/** A factory of the space with a number of running machines of type `prod`, not started yet. */
function make(name: string, running = 0, settings: Settings = {}, parts: Partial<SpaceParts> = {}) {
  const memory = new Memory(name, configOf(settings));
  memory.host = { ...memory.host, processors: 8 };
  const run = (slot: number) =>
    memory.remember({ ...machine({}, { slot, id: `1700000000_prod_${name}-${slot}` }) }, clock.nowMs());
  for (let slot = 0; slot < running; slot += 1) run(slot);
  const log = new TestLog();
  const space = new Space({
    memory,
    log: log.logger,
    stateDir,
    wake: () => {},
    clock,
    openTransport: async (port) => network.open(addressOf(name), port),
    resolve: async (host) => [addressOf(host)],
    ownAddresses: () => [addressOf(name)],
    ...parts,
  });
  factories.push(space);
  const reconfigure = (changed: Settings) => {
    memory.config = configOf({ ...settings, ...changed });
    space.configure();
  };
  const problemsOf = (peer: string) => space.report().peers.find(({ factory }) => factory === peer)?.problems;
  return { memory, log, space, run, reconfigure, problemsOf };
}

async function start(...made: Parameters<typeof make>) {
  const factory = make(...made);
  await factory.space.start();
  return factory;
}

/** Virtual time, and as many turns of the real loop as what happens in it takes. */
async function pass(seconds: number): Promise<void> {
  const endMs = clock.nowMs() + seconds * 1000;
  while (clock.nowMs() < endMs) {
    clock.runUntil(Math.min(endMs, clock.nowMs() + 20));
    await turn();
  }
}

const running = (memory: Memory) =>
  Object.fromEntries(memory.peers.map(({ factory, runningMachines }) => [factory, runningMachines]));

/** A host that asks by itself; resolves to what came back. */
async function ask(address: string, of: string, space = SPACE): Promise<MachinetypeStatus[]> {
  const transport = network.open(address);
  const statuses: MachinetypeStatus[] = [];
  transport.onDatagram((datagram) => {
    const decoded = decode(datagram);
    if (decoded.ok) statuses.push(decoded.message as MachinetypeStatus);
  });
  const query = encode(makeQuery('machinetypes_query', space, 'c', 'Vac test'));
  if (query.ok) transport.send(query.datagram, addressOf(of), VACQUERY_PORT);
  await pass(0.02);
  await transport.close();
  return statuses;
}

describe('factories of one space', () => {
  it('learn what the others run within seconds, and nothing of themselves', async () => {
    const [first, second, third] = [await start(WN1, 2), await start(WN2, 3), await start(WN3)];
    await pass(1);
    expect(running(third.memory)).toEqual({ [WN1]: 2, [WN2]: 3 });
    expect(running(second.memory)).toEqual({ [WN1]: 2, [WN3]: 0 });
    first.run(7);
    await pass(2.5);
    expect(running(third.memory)).toEqual({ [WN1]: 3, [WN2]: 3 });
    expect([first, second, third].flatMap(({ log }) => log.with('alone'))).toEqual([]);
  });

  it('are told apart from themselves in any case of letters', async () => {
    const loud = await start(WN1.toUpperCase(), 1);
    await start(WN2, 1);
    await pass(1);
    expect(running(loud.memory)).toEqual({ [WN2]: 1 });
    expect(loud.space.report().factories).toEqual(NAMES);
  });

  it('answer no other space', async () => {
    const [, other] = [await start(WN1, 2), await start(WN2, 1, { vacSpace: 'another.example.com' })];
    await pass(TIMEOUT_SECONDS + 1);
    expect(other.memory.peers).toEqual([]);
    expect(other.memory.alone).toBe(true);
  });

  it('that fall silent keep nobody waiting for the others’ news', async () => {
    const watcher = await start(WN1);
    const silent = await start(WN2, 1);
    const busy = await start(WN3, 0);
    await pass(4);
    await silent.space.close();
    for (let slot = 0; slot < 8; slot += 1) {
      busy.run(slot);
      await pass(2.5);
      expect(running(watcher.memory)).toEqual({ [WN2]: 1, [WN3]: slot + 1 });
    }
    expect(watcher.problemsOf(WN2)).toEqual([
      expect.stringMatching(/^no answer to \d+ quer(y|ies), last heard 2\d s ago$/),
    ]);
    // Its machines run on, most likely; but not for ever.
    await pass(300);
    expect(running(watcher.memory)).toEqual({ [WN3]: 8 });
  });

  it('that come back are asked as soon as they ask themselves', async () => {
    const watcher = await start(WN1);
    await pass(TIMEOUT_SECONDS + 3);
    await start(WN2, 4);
    await pass(0.5);
    expect(running(watcher.memory)).toEqual({ [WN2]: 4 });
  });
});

describe('a factory without machinetypes', () => {
  /** Answers as the protocol has it: a machinetypes query with nothing at all. */
  async function typeless(name: string, hasTypes = false) {
    const factory = make(name, 2);
    const withTypes = factory.memory.config;
    factory.memory.config = { ...withTypes, machinetypes: [] };
    await factory.space.start();
    const give = () => {
      factory.memory.config = withTypes;
    };
    if (hasTypes) give();
    return { ...factory, give, take: () => (factory.memory.config = { ...withTypes, machinetypes: [] }) };
  }
  const summaryOf = ({ space }: { space: Space }, name: string) =>
    space.report().peers.find(({ factory }) => factory === name);

  it('is neither dead nor does it leave another one alone', async () => {
    const watcher = await start(WN1, 0, { factories: [WN1, WN2] });
    await typeless(WN2);
    await pass(120);
    expect(watcher.memory).toMatchObject({ alone: false, spaceHeard: true, peers: [] });
    expect(watcher.log.lines).toEqual([]);
    expect(watcher.problemsOf(WN2)).toEqual([]);
    expect(summaryOf(watcher, WN2)).toMatchObject({ outcome: 'complete', machinetypes: 0, machinetypesExpected: 0 });
    expect(summaryOf(watcher, WN2)?.heardSecondsAgo).toBeLessThan(10);
  });

  it('is asked for its types all the same, and heard as soon as it has some', async () => {
    const watcher = await start(WN1, 0, { factories: [WN1, WN2] });
    const other = await typeless(WN2);
    await pass(60);
    other.give();
    await pass(5);
    expect(running(watcher.memory)).toEqual({ [WN2]: 2 });
    other.take();
    await pass(40);
    expect(running(watcher.memory)).toEqual({});
    expect(watcher.problemsOf(WN2)).toEqual([]);
    expect(watcher.log.lines).toEqual([]);
  });

  it('that was dead is alive again without having asked', async () => {
    const watcher = await start(WN1, 0, { factories: [WN1, WN2] });
    await pass(TIMEOUT_SECONDS * 2 + 1);
    expect(watcher.memory.alone).toBe(true);
    const transport = network.open(addressOf(WN2), VACQUERY_PORT);
    transport.onDatagram((datagram, from) => {
      const decoded = decode(datagram);
      if (!decoded.ok || decoded.message.message_type !== 'factory_query') return;
      const replies = new Replies({ ...snapshotOf(WN2, 1, 0), space: SPACE }, () => {});
      for (const reply of replies.datagrams('factory_query', decoded.message.cookie, Date.now() / 1000) ?? []) {
        transport.send(reply, from.address, from.port);
      }
    });
    await pass(40);
    expect(watcher.memory.alone).toBe(false);
    await transport.close();
  });
});

describe('an answer', () => {
  it('tells of a start at once, however short a time ago the last one was', async () => {
    const { memory, run } = await start(WN1, 1);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
    run(5);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 2, num_before_fizzle: 0 });
    const [[id, first]] = [...memory.machines] as [[string, Parameters<typeof memory.update>[0]]];
    memory.update(first, { phase: 'ended' });
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
    memory.machines.delete(id);
    memory.config = configOf({ hs06PerProcessor: 7 });
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ running_machines: 1 });
  });

  it('has the share and the group as configured', async () => {
    await start(WN1);
    expect((await ask('127.0.0.1', WN1))[0]).toMatchObject({ target_share: 1.5, machinegroup: 'group' });
  });

  it('is made for those who ask alone, and once for many of them', async () => {
    const { memory } = await start(WN1, 3, { factories: [] });
    let pictures = 0;
    const state = memory.state.bind(memory);
    memory.state = (...args) => {
      pictures += 1;
      return state(...args);
    };
    await pass(60);
    await ask('192.0.2.77', WN1);
    expect(pictures).toBe(0);
    for (let index = 0; index < 5; index += 1) expect(await ask('127.0.0.1', WN1)).toHaveLength(1);
    expect(pictures).toBe(1);
    await pass(1);
    await ask('127.0.0.1', WN1);
    expect(pictures).toBe(2);
  });

  it('is given to those alone who may ask; refusals are logged once and counted', async () => {
    const { space, log, reconfigure } = await start(WN1, 0, { factories: [] });
    expect(await ask('192.0.2.1', WN1)).toHaveLength(1);
    for (let index = 0; index < 3; index += 1) expect(await ask('198.51.100.9', WN1)).toEqual([]);
    expect(await ask('127.0.0.1', WN1, 'another.example.com')).toEqual([]);
    expect(log.lines).toEqual([
      'warning: VacQuery: 1 query of 198.51.100.9 not answered: stranger',
      'warning: VacQuery: 1 query of 127.0.0.1 not answered: other-space',
    ]);
    expect(space.counts).toEqual({
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

describe('the first poll', () => {
  it('holds starts until all have answered', async () => {
    await start(WN2);
    await start(WN3);
    const { memory } = await start(WN1);
    expect(memory.spaceHeard).toBe(false);
    await pass(0.2);
    expect(memory.spaceHeard).toBe(true);
    expect(running(memory)).toEqual({ [WN2]: 0, [WN3]: 0 });
  });

  it('ends with the time-out when one is silent, with the others’ news there long before', async () => {
    await start(WN2, 2);
    const { memory, log } = await start(WN1);
    await pass(1);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    await pass(TIMEOUT_SECONDS - 1.2);
    expect(memory.spaceHeard).toBe(false);
    await pass(0.4);
    expect(memory.spaceHeard).toBe(true);
    expect(log.with('alone')).toEqual([]);
  });

  it('waits for no name that cannot be resolved while others can', async () => {
    await start(WN2, 2);
    const resolve = async (name: string) => {
      if (name === WN3) throw new Error('getaddrinfo ENOTFOUND');
      return [addressOf(name)];
    };
    const { memory, problemsOf } = await start(WN1, 0, {}, { resolve });
    await pass(0.5);
    expect(memory.spaceHeard).toBe(true);
    expect(problemsOf(WN3)).toEqual(['its name does not resolve (getaddrinfo ENOTFOUND)']);
  });

  it('ends with the time-out where no name resolves, as on a host that just booted', async () => {
    let isUp = false;
    const resolve = async (name: string) => {
      if (!isUp) throw new Error('getaddrinfo EAI_AGAIN');
      return [addressOf(name)];
    };
    const { memory } = await start(WN1, 0, {}, { resolve });
    await pass(TIMEOUT_SECONDS - 0.1);
    expect(memory).toMatchObject({ spaceHeard: false, alone: false });
    await pass(0.2);
    expect(memory).toMatchObject({ spaceHeard: true, alone: true });
    isUp = true;
    await start(WN2, 1);
    await pass(10);
    expect(memory.alone).toBe(false);
    expect(running(memory)).toEqual({ [WN2]: 1 });
  });

  it('that fails keeps no peer from being asked by the next', async () => {
    let isBroken = true;
    const openTransport = async (port: number): Promise<Transport> => {
      const transport = network.open(addressOf(WN1), port);
      const send: Transport['send'] = (...datagram) => {
        if (isBroken && port === 0) throw new Error('no more sockets');
        transport.send(...datagram);
      };
      return { ...transport, send };
    };
    await start(WN2, 2);
    const { memory } = await start(WN1, 0, { factories: [WN1, WN2] }, { openTransport });
    await pass(1);
    isBroken = false;
    await pass(4);
    expect(running(memory)).toEqual({ [WN2]: 2 });
  });

  it('ends with the time-out when polling itself fails', async () => {
    const openTransport = async (port: number): Promise<Transport> => ({
      ...network.open(addressOf(WN1), port),
      send: () => {
        throw new Error('no more sockets');
      },
    });
    const { memory, log } = await start(WN1, 0, {}, { openTransport });
    await pass(TIMEOUT_SECONDS + 0.1);
    expect(memory.spaceHeard).toBe(true);
    expect(log.with('asking the other factories: no more sockets').length).toBeGreaterThan(0);
  });

  it('is none for a factory on its own', async () => {
    const { memory, space, log } = await start(WN1, 0, { factories: [WN1] });
    expect(memory).toMatchObject({ spaceHeard: true, alone: false });
    await pass(60);
    expect(network.counts.sent).toBe(0);
    expect(space.report()).toMatchObject({ factories: [WN1], alone: false, peers: [], queryPort: VACQUERY_PORT });
    expect(log.lines).toEqual([]);
  });
});

it('a silent peer is asked by one poll at a time, and when it is dead once in half a minute', async () => {
  const { space } = await start(WN1, 0, { factories: [WN1, WN2] });
  const queries = () => space.counts.sent.get('machinetypes_query') ?? 0;
  await pass(TIMEOUT_SECONDS + 0.1);
  const asked = queries();
  expect(asked).toBeGreaterThan(10);
  expect(asked).toBeLessThan(25);
  await pass(120);
  expect(queries() - asked).toBeLessThanOrEqual(4);
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
    await start(WN2, 2);
    await start(WN3, 3);
    const { memory } = await start(WN1, 0, {}, { resolve });
    await pass(20);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    found([addressOf(WN3)]);
    await pass(0.2);
    expect(running(memory)).toEqual({ [WN2]: 2, [WN3]: 3 });
  });
});

describe('a factory cut off from all others', () => {
  it('goes on alone with what it knows, says so once, and says when it is over', async () => {
    const { memory, log, space } = await start(WN1, 1);
    await start(WN2, 2);
    await start(WN3, 3);
    await pass(4);
    network.partition((address) => address === addressOf(WN1));
    await pass(60);
    expect(memory.alone).toBe(true);
    expect(space.report().alone).toBe(true);
    expect(running(memory)).toEqual({ [WN2]: 2, [WN3]: 3 });
    expect(log.lines).toEqual(['warning: none of the 2 other factories answers: going on alone']);
    const problems = () => factoryStatus(memory, new DecisionLog(), '').problems;
    expect(problems()).toContainEqual(expect.stringContaining('goes on alone'));
    network.heal();
    await pass(31);
    expect(problems()).toEqual([]);
    expect(space.report().alone).toBe(false);
    expect(log.lines.slice(1)).toEqual(['info: other factories answer: no longer alone']);
  });
});

it('a factory that ends in the middle of a poll says nothing of peers that had no time to answer', async () => {
  const { memory, space, log } = await start(WN1, 0, { factories: [WN1, WN2] });
  await pass(1);
  memory.spaceHeard = true;
  await space.close();
  await pass(60);
  expect(log.lines).toEqual([]);
  expect(memory.alone).toBe(false);
});

it('a factory that has ended asks nobody, whoever still asks it', async () => {
  const { space, problemsOf } = await start(WN1, 0, { factories: [WN1, WN2] });
  await pass(TIMEOUT_SECONDS + 1);
  expect(problemsOf(WN2)).toHaveLength(1);
  const closing = space.close();
  const dead = network.open(addressOf(WN2));
  const query = encode(makeQuery('machinetypes_query', SPACE, 'c', 'Vac test'));
  if (query.ok) dead.send(query.datagram, addressOf(WN1), VACQUERY_PORT);
  clock.runUntil(clock.nowMs() + 20);
  await closing;
  await dead.close();
  await pass(60);
  expect(clock.step()).toBe(false);
});

it('what a poll heard first takes nothing away that a later one heard, however long others keep it waiting', async () => {
  const second = await start(WN2, 1);
  const watcher = await start(WN1);
  await pass(2);
  const types = () => watcher.memory.peers.map(({ machinetype: name }) => name).sort();
  expect(types()).toEqual(['prod']);
  second.memory.config = { ...second.memory.config, machinetypes: [machinetype('prod'), machinetype('user')] };
  for (let tenths = 0; tenths < 10 && types().length < 2; tenths += 1) await pass(0.25);
  for (let step = 0; step < 40; step += 1) {
    expect(types()).toEqual(['prod', 'user']);
    await pass(0.1);
  }
});

describe('a changed configuration', () => {
  it('adds and drops factories', async () => {
    await start(WN2, 2);
    await start(WN3, 3);
    const { memory, space, reconfigure } = await start(WN1, 0, { factories: [WN1, WN2] });
    await pass(1);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    reconfigure({ factories: NAMES });
    expect(memory.spaceHeard).toBe(true);
    await pass(0.2);
    expect(running(memory)).toEqual({ [WN2]: 2, [WN3]: 3 });
    reconfigure({ factories: [WN1, WN2] });
    expect(running(memory)).toEqual({ [WN2]: 2 });
    // None of those that were heard is left: as at a start, nothing is known.
    reconfigure({ factories: [WN1, WN3] });
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
    await pass(0.2);
    expect(running(memory)).toEqual({ [WN3]: 3 });
    expect(space.report().peers.map(({ factory }) => factory)).toEqual([WN3]);
    reconfigure({ factories: [] });
    expect(memory).toMatchObject({ peers: [], alone: false, spaceHeard: true });
    const queries = space.counts.sent.get('machinetypes_query');
    await pass(20);
    expect(space.counts.sent.get('machinetypes_query')).toBe(queries);
  });

  it('that gives a lone factory company holds starts until that is heard', async () => {
    await start(WN2, 2);
    const { memory, reconfigure } = await start(WN1, 0, { factories: [] });
    reconfigure({ factories: [WN1, WN2] });
    expect(memory.spaceHeard).toBe(false);
    await pass(0.2);
    expect(memory.spaceHeard).toBe(true);
    expect(running(memory)).toEqual({ [WN2]: 2 });
  });

  it('of the space begins anew: news of the old one is forgotten, also when it comes late', async () => {
    await start(WN2, 2);
    await start(WN3, 3, { vacSpace: 'new.example.com' });
    const { memory, reconfigure } = await start(WN1);
    await pass(1);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    reconfigure({ vacSpace: 'new.example.com' });
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
    await pass(1);
    expect(running(memory)).toEqual({ [WN3]: 3 });
    expect(await ask('127.0.0.1', WN1)).toEqual([]);
    expect(await ask('127.0.0.1', WN1, 'new.example.com')).toHaveLength(1);
  });

  it('of the space has what the old one still answers count for nothing', async () => {
    network.faults = { ...PERFECT_NETWORK, minDelayMs: 300, maxDelayMs: 300 };
    await start(WN2, 2);
    const { memory, reconfigure } = await start(WN1, 0, { factories: [WN1, WN2] });
    await pass(0.4);
    reconfigure({ vacSpace: 'new.example.com' });
    await pass(1);
    expect(memory).toMatchObject({ peers: [], spaceHeard: false });
  });

  it('of the time-out holds for the next poll', async () => {
    const { memory, space, reconfigure } = make(WN1);
    memory.config = configOf({ udpTimeoutSeconds: 300 });
    await space.start();
    await pass(1);
    reconfigure({ udpTimeoutSeconds: 1, vacSpace: 'new.example.com' });
    await pass(1.2);
    expect(memory).toMatchObject({ spaceHeard: true, alone: true });
    expect(space.report().udpTimeoutSeconds).toBe(1);
  });
});

describe('a port that is taken', () => {
  const takenUntil = (freeMs: number) => async (port: number) => {
    if (port === VACQUERY_PORT && clock.nowMs() < freeMs) throw new VacError('address-in-use', 'UDP port 995 is taken');
    return network.open(addressOf(WN1), port);
  };

  it('ends the start of a factory that others must hear', async () => {
    const { space } = make(WN1, 0, {}, { openTransport: takenUntil(1) });
    await expect(space.start()).rejects.toMatchObject({ code: 'address-in-use' });
  });

  const refusal = ({ memory }: { memory: Memory }) =>
    refuseAllStarts(memory.state(1_700_000_000, clock.nowMs()), memory.config.settings);
  const healthy = (memory: Memory) => {
    memory.hypervisorProblem = null;
    memory.host = { ...memory.host, stateFreeBytes: 1e12 };
    for (const service of ['network', 'metadata', 'nfs', 'syslog'] as const) memory.serviceReady(service, 0);
  };

  it('lets a factory with machines look after them, and start nothing until the others can ask it', async () => {
    const factory = await start(WN1, 2, {}, { openTransport: takenUntil(31_000) });
    healthy(factory.memory);
    expect(refusal(factory)).toMatchObject({ code: 'query-port', reason: expect.stringContaining('995 is taken') });
    expect(factoryStatus(factory.memory, new DecisionLog(), '').problems[0]).toContain('995 is taken');
    await start(WN2, 1);
    await pass(31);
    expect(running(factory.memory)).toEqual({ [WN2]: 1 });
    expect(refusal(factory)?.code).toBe('query-port');
    await pass(30);
    expect(refusal(factory)).toBeNull();
    expect(factory.log.with('VacQuery')).toEqual([
      'warning: VacQuery is not answered; tried again every 30 s: UDP port 995 is taken',
      'info: VacQuery is answered now',
    ]);
  });

  it('keeps a factory from starting anything as soon as there are others, and no longer', async () => {
    const factory = await start(WN1, 0, { factories: [] }, { openTransport: takenUntil(Number.POSITIVE_INFINITY) });
    healthy(factory.memory);
    expect(refusal(factory)).toBeNull();
    factory.reconfigure({ factories: [WN1, WN2] });
    expect(refusal(factory)?.code).toBe('query-port');
    await pass(100);
    factory.reconfigure({ factories: [WN1] });
    expect(refusal(factory)).toBeNull();
  });

  it('is tried again by a factory on its own, every 30 s', async () => {
    const { space, log } = await start(WN1, 0, { factories: [] }, { openTransport: takenUntil(61_000) });
    expect(space.report().queryPort).toBeNull();
    await pass(89);
    expect(space.report().queryPort).toBeNull();
    await pass(2);
    expect(space.report().queryPort).toBe(VACQUERY_PORT);
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
    const [asked, answering] = [network.open(addressOf(host), VACQUERY_PORT), network.open(answerFrom)];
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
    await start(WN2, 2);
    const { memory, problemsOf } = await start(WN1);
    await pass(TIMEOUT_SECONDS + 1);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    expect(problemsOf(WN2)).toEqual([`the host at ${WN3} uses this factory's name, too`]);
    expect(problemsOf(WN3)).toContain(
      `its host calls itself ${WN2}, the name of another factory: its answers are not believed`,
    );
  });

  it('another factory of this one’s name', async () => {
    impostor(WN2, WN1);
    const { memory, problemsOf } = await start(WN1, 1, { factories: [WN1, WN2] });
    await pass(TIMEOUT_SECONDS + 1);
    expect(memory.peers).toEqual([]);
    expect(problemsOf(WN2)).toContain(
      `its host calls itself ${WN1}, the name of this factory: its answers are not believed`,
    );
  });

  it('one that answers for another', async () => {
    impostor(WN2, WN2, addressOf(WN3));
    const { memory, problemsOf } = await start(WN1, 1, { factories: [WN1, WN2] });
    await pass(TIMEOUT_SECONDS + 1);
    expect(memory.peers).toEqual([]);
    expect(problemsOf(WN2)).toContain(
      `answers in its name come from ${addressOf(WN3)}, which is none of its addresses: they are not believed`,
    );
  });

  it('a clock that is wrong: told, and its news believed', async () => {
    impostor(WN2, WN2, addressOf(WN2), -3600);
    const { memory, problemsOf } = await start(WN1, 1, { factories: [WN1, WN2] });
    await pass(1);
    expect(memory.peers).toHaveLength(1);
    expect(problemsOf(WN2)).toEqual([expect.stringMatching(/^its clock is 3(599|600|601) s behind this host's$/)]);
  });

  it('a peer by IPv6 is one like the others', async () => {
    const transport = network.open('2001:db8::2', VACQUERY_PORT);
    const answering = make(
      WN2,
      2,
      {},
      { openTransport: async (port) => (port === 0 ? network.open('2001:db8::2') : transport) },
    );
    await answering.space.start();
    const resolve = async (name: string) => [name === WN2 ? '2001:db8::2' : addressOf(name)];
    const { memory, problemsOf } = await start(WN1, 0, { factories: [WN1, WN2] }, { resolve });
    await pass(1);
    expect(running(memory)).toEqual({ [WN2]: 2 });
    expect(problemsOf(WN2)).toEqual([]);
  });
});
