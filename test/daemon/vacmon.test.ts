import { createSocket, type Socket, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { HostPort, Settings } from '../../src/config/types.js';
import { readHostStatus } from '../../src/daemon/snapshot.js';
import { VacMon } from '../../src/daemon/vacmon.js';
import {
  decode,
  openDgramTransport,
  type Status,
  type Transport,
  UNASKED_COOKIE,
  VirtualClock,
} from '../../src/vacquery/index.js';
import { config, end, machinetype } from '../factory/builders.js';
import { TestFactory, until } from './test-factory.js';

const MINUTE_MS = 60_000;

let factory: TestFactory;
let clock: VirtualClock;
let vacmon: VacMon;
let opened: Transport[];
let openTransport: () => Promise<Transport>;
let resolve: (name: string) => Promise<readonly string[]>;
const services: Service[] = [];

/** A VacMon service: keeps what it is sent. */
class Service {
  readonly statuses: Status[] = [];
  readonly where: HostPort;

  private constructor(readonly socket: Socket) {
    const { address: host, port } = socket.address();
    this.where = { host, port };
    socket.on('message', (datagram) => {
      const decoded = decode(datagram);
      if (!decoded.ok) throw new Error(`not to be read: ${decoded.reason} ${decoded.field}: ${datagram}`);
      this.statuses.push(decoded.message as Status);
    });
    services.push(this);
  }

  static async open(type: SocketType = 'udp4', port = 0): Promise<Service> {
    const socket = createSocket({ type, recvBufferSize: 8 * 1024 * 1024 });
    socket.bind(port, type === 'udp4' ? '127.0.0.1' : '::1');
    await once(socket, 'listening');
    return new Service(socket);
  }
}

beforeEach(async () => {
  factory = await TestFactory.create({ slots: 4, machinetypes: [{ name: 'prod' }, { name: 'user' }] });
  clock = new VirtualClock(1_000);
  opened = [];
  resolve = async (name) => [name];
  const host = await readHostStatus(factory.layout.root);
  openTransport = async () => {
    const transport = await openDgramTransport({ port: 0, receiveBufferBytes: 65_536 });
    opened.push(transport);
    return transport;
  };
  vacmon = new VacMon({
    memory: factory.memory,
    log: factory.log.logger,
    readHost: async () => host,
    clock,
    openTransport: () => openTransport(),
    resolve: (name) => resolve(name),
    rng: () => 0.5,
  });
});

afterEach(async () => {
  await vacmon.close();
  for (const { socket } of services.splice(0)) socket.close();
  await factory.dispose();
});

function sendTo(...vacmonHostports: HostPort[]): void {
  const changes: Partial<Settings> = { vacmonHostports };
  factory.memory.config = config(factory.memory.config.machinetypes, changes);
  vacmon.reconfigure();
}

/** Time passes, with whatever comes of it but what sockets bring. */
async function pass(ms: number): Promise<void> {
  const endMs = clock.nowMs() + ms;
  while (clock.nowMs() < endMs) {
    clock.runUntil(Math.min(endMs, clock.nowMs() + 5));
    for (let microtasks = 0; microtasks < 10; microtasks += 1) await null;
  }
}

/** Time passes until something holds; sockets are given a turn after each step. */
async function passUntil(what: string, condition: () => boolean, stepMs = 5): Promise<void> {
  await until(what, async () => {
    if (condition()) return true;
    await pass(stepMs);
    return condition();
  });
}

/** Datagrams sent so far to the first service. */
function sent(): number {
  return vacmon.counts()[0]?.[1] ?? 0;
}

const WHOLE_ROUND = 1 + 2 + 4;

describe('a round', () => {
  test('tells all, unasked, soon after the start and each minute', async () => {
    const service = await Service.open();
    const machine = await factory.addMachine({ slot: 1, accountingFqan: '/vo/Role=NULL' });
    await factory.observer.listDomains();
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length >= WHOLE_ROUND);
    expect(clock.nowMs()).toBeLessThan(1_000 + 5_000);
    expect(service.statuses.map(({ message_type }) => message_type)).toEqual([
      'factory_status',
      ...['machinetype_status', 'machinetype_status'],
      ...['machine_status', 'machine_status', 'machine_status', 'machine_status'],
    ]);
    for (const status of service.statuses) {
      expect(status).toMatchObject({
        cookie: UNASKED_COOKIE,
        space: 'vac01.example.com',
        factory: factory.memory.factory,
      });
    }
    expect(service.statuses[4]).toMatchObject({
      machine: machine.entry.record.hostname,
      state: 'Running',
      uuid: machine.entry.record.uuid,
      fqan: '/vo/Role=NULL',
    });
    await pass(MINUTE_MS - 5_000);
    expect(sent()).toBe(WHOLE_ROUND);
    await pass(5_000);
    expect(vacmon.counts()).toEqual([[`127.0.0.1:${service.where.port}`, 2 * WHOLE_ROUND]]);
    await pass(60 * MINUTE_MS);
    expect(sent()).toBe(62 * WHOLE_ROUND);
  });

  test('leaves out an fqan that does not begin with a slash', async () => {
    const service = await Service.open();
    factory.memory.config = config([machinetype('prod', { accountingFqan: 'vo' })]);
    await factory.addMachine({ slot: 0, accountingFqan: 'vo' });
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length >= 1 + 1 + 4);
    for (const status of service.statuses) expect(status).not.toHaveProperty('fqan', 'vo');
    expect(service.statuses.find((status) => status.message_type === 'machine_status')).toHaveProperty('fqan', null);
  });

  test('reaches several services, by IPv6 too', async () => {
    const all = [await Service.open(), await Service.open(), await Service.open('udp6')];
    sendTo(...all.map(({ where }) => where));
    await passUntil('a round of each', () => all.every(({ statuses }) => statuses.length === WHOLE_ROUND));
    expect(opened).toHaveLength(1);
    expect(vacmon.counts().map(([name]) => name)).toContain(`[::1]:${all[2]!.where.port}`);
  });

  test('does not burst: with 64 slots no two datagrams to a service leave within a moment', async () => {
    const service = await Service.open();
    factory.memory.host = { ...factory.memory.host, processors: 64 };
    const sentMs: number[] = [];
    sendTo(service.where);
    await passUntil('the socket is there', () => opened.length === 1);
    const transport = opened[0]!;
    const send = transport.send.bind(transport);
    transport.send = (...datagram) => {
      sentMs.push(clock.nowMs());
      send(...datagram);
    };
    await passUntil('a round', () => sentMs.length >= 1 + 2 + 64);
    const gaps = sentMs.slice(1).map((ms, index) => ms - sentMs[index]!);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5);
    await until('it has all', () => service.statuses.length === 67);
  });

  test('of thousands of slots is over before the next begins', async () => {
    const service = await Service.open();
    factory.memory.host = { ...factory.memory.host, processors: 20_000 };
    sendTo(service.where);
    await passUntil('it begins', () => sent() > 0);
    await pass(30_000);
    expect(sent()).toBe(20_003);
  });
});

describe('a machine that has ended', () => {
  test('is told of at once, with its own words, and its slot’s number of machines', async () => {
    const service = await Service.open();
    const machine = await factory.addMachine(
      { slot: 1 },
      { phase: 'ended', end: end({ message: '300 No more work' }) },
    );
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length === WHOLE_ROUND);
    vacmon.machineEnded(machine.entry.record.id);
    await until('it is told of', () => service.statuses.length > WHOLE_ROUND);
    expect(service.statuses.at(-1)).toMatchObject({
      message_type: 'machine_status',
      cookie: UNASKED_COOKIE,
      num_machines: 4,
      machine: machine.entry.record.hostname,
      state: 'Shut down',
      uuid: machine.entry.record.uuid,
      shutdown_message: '300 No more work',
    });
  });

  test('is told of even where its last words are too long for a datagram', async () => {
    const service = await Service.open();
    const message = '仕'.repeat(250);
    const machine = await factory.addMachine({ slot: 1 }, { phase: 'ended', end: end({ message }) });
    for (const part of ['machinetype', 'hostname'] as const) {
      const { record } = machine.entry;
      machine.entry = { ...machine.entry, record: { ...record, [part]: `${record[part]}${'x'.repeat(100)}` } };
    }
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length === WHOLE_ROUND);
    vacmon.machineEnded(machine.entry.record.id);
    await until('it is told of', () => service.statuses.length > WHOLE_ROUND);
    const { shutdown_message: told } = service.statuses.at(-1) as { shutdown_message: string };
    expect(message.startsWith(told)).toBe(true);
    expect(told.length).toBe(100);
  });

  test('of many at once are told one by one', async () => {
    const service = await Service.open();
    const machines = await Promise.all(
      [0, 1, 2, 3].map((slot) => factory.addMachine({ slot }, { phase: 'ended', end: end() })),
    );
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length === WHOLE_ROUND);
    for (const { entry } of machines) vacmon.machineEnded(entry.record.id);
    await pass(100);
    expect(sent()).toBe(WHOLE_ROUND + 4);
  });

  test('before anything is known of the service, or without one, is nothing', async () => {
    const machine = await factory.addMachine({ slot: 1 }, { phase: 'ended', end: end() });
    vacmon.machineEnded(machine.entry.record.id);
    sendTo({ host: '127.0.0.1', port: 9 });
    vacmon.machineEnded(machine.entry.record.id);
    vacmon.machineEnded('no such machine');
    expect(vacmon.counts()).toEqual([['127.0.0.1:9', 0]]);
  });
});

describe('trouble', () => {
  test('nothing is sent, and no socket opened, without a service in the configuration', async () => {
    vacmon.reconfigure();
    await pass(3 * MINUTE_MS);
    expect(opened).toEqual([]);
  });

  test('a service that is not there (ICMP errors) is told of again as soon as it is', async () => {
    const gone = await Service.open();
    const { port } = gone.where;
    gone.socket.close();
    services.pop();
    const other = await Service.open();
    sendTo({ host: '127.0.0.1', port }, other.where);
    await passUntil('rounds', () => other.statuses.length >= 3 * WHOLE_ROUND, 200);
    const back = await Service.open('udp4', port);
    await passUntil('it is back', () => back.statuses.length >= WHOLE_ROUND, 200);
    expect(factory.log.with('VacMon')).toEqual([]);
  });

  test('a name that does not resolve is said once, asked for again, and delays nobody', async () => {
    const service = await Service.open();
    let tries = 0;
    resolve = async (name) => {
      if (name !== 'm.example.com') return [name];
      tries += 1;
      if (tries <= 3) throw new Error('queryA ENOTFOUND m.example.com');
      return ['127.0.0.1'];
    };
    const named = await Service.open();
    sendTo({ host: 'm.example.com', port: named.where.port }, service.where);
    await passUntil('a round of the other', () => service.statuses.length >= WHOLE_ROUND);
    await passUntil('three tries', () => tries >= 3, 500);
    expect(named.statuses).toEqual([]);
    await passUntil('a round', () => named.statuses.length >= WHOLE_ROUND, 100);
    expect(factory.log.with('VacMon')).toEqual([
      `warning: VacMon m.example.com:${named.where.port}: its name does not resolve (queryA ENOTFOUND m.example.com); tried again each minute`,
      `info: VacMon m.example.com:${named.where.port}: status is sent to it again`,
    ]);
  });

  test('a lookup that never ends holds up neither a service whose address is known nor the end', async () => {
    const service = await Service.open();
    const asked: string[] = [];
    resolve = (name) => {
      asked.push(name);
      // The first answers; from then on the resolver hangs.
      return asked.length === 1 ? Promise.resolve(['127.0.0.1']) : new Promise(() => {});
    };
    sendTo({ host: 'known.example.com', port: service.where.port });
    await passUntil('a round', () => service.statuses.length >= WHOLE_ROUND);
    sendTo({ host: 'known.example.com', port: service.where.port }, { host: 'hangs.example.com', port: 9 });
    await passUntil('more rounds', () => service.statuses.length >= 4 * WHOLE_ROUND, 200);
    // One at a time: a hung one takes one thread, not all.
    expect(asked).toHaveLength(2);
  });

  test('a socket that cannot be had is asked for again', async () => {
    const service = await Service.open();
    let tries = 0;
    const open = openTransport;
    openTransport = async () => {
      tries += 1;
      if (tries <= 2) throw new Error('EMFILE: too many open files');
      return open();
    };
    sendTo(service.where);
    await passUntil('a round', () => service.statuses.length >= WHOLE_ROUND, 200);
    expect(factory.log.with('EMFILE')).toHaveLength(1);
  });
});

describe('a change of the configuration', () => {
  test('adds and removes services, leaves the others’ rounds as they are, and closes the socket with the last', async () => {
    const [first, second] = [await Service.open(), await Service.open()];
    sendTo(first.where);
    await passUntil('a round', () => first.statuses.length === WHOLE_ROUND);
    await pass(30_000);
    sendTo(first.where, second.where);
    await passUntil('a round of the new one', () => second.statuses.length === WHOLE_ROUND);
    expect(first.statuses).toHaveLength(WHOLE_ROUND);
    sendTo(second.where);
    await pass(3 * MINUTE_MS);
    await until('more rounds of the other', () => second.statuses.length === 4 * WHOLE_ROUND);
    expect(first.statuses).toHaveLength(WHOLE_ROUND);
    expect(vacmon.counts().map(([name]) => name)).toEqual([`127.0.0.1:${second.where.port}`]);
    const closed = vi.spyOn(opened[0]!, 'close');
    sendTo();
    await pass(3 * MINUTE_MS);
    expect(opened).toHaveLength(1);
    expect(closed).toHaveBeenCalledOnce();
    expect(second.statuses).toHaveLength(4 * WHOLE_ROUND);
  });
});
