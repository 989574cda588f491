import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askDaemon, type ControlReply, type ControlRequest, ControlServer } from '../../src/daemon/control.js';
import { OrderBook } from '../../src/daemon/orders.js';
import type { SpaceReport } from '../../src/daemon/space-report.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { NO_ORDERS } from '../../src/factory/orders.js';
import type { Decision } from '../../src/factory/plan.js';
import { controlHandlers } from './control-handlers.js';
import { TestFactory } from './test-factory.js';

let directory: string;
let path: string;
let server: ControlServer;
let decisions: DecisionLog;
let factory: TestFactory;
let orders: OrderBook;
/** What VacQuery tells of the space. */
let space: SpaceReport | null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-control-'));
  path = join(directory, 'vacd.sock');
  factory = await TestFactory.create();
  decisions = new DecisionLog();
  const { memory, log, layout } = factory;
  orders = new OrderBook({ memory, path: layout.orders(), log: log.logger, wake: () => {} });
  space = null;
  server = new ControlServer(
    path,
    controlHandlers({
      status: () => factoryStatus(memory, decisions, 'in memory'),
      why: (about) => decisions.about(about),
      drain: (order) => orders.drain(order),
      undrain: () => orders.undrain(),
      stop: (machine) => orders.stop(machine),
      shutdownAt: (timeSeconds) => orders.shutdownAt(timeSeconds),
      space: () => space,
    }),
  );
  await server.listen();
});

afterEach(async () => {
  await server.close();
  await factory.dispose();
  await rm(directory, { recursive: true });
});

function decision(changes: Partial<Decision>): Decision {
  return {
    timeSeconds: 1,
    slot: null,
    machinetype: null,
    machine: null,
    code: 'backoff',
    reason: 'it waits',
    ...changes,
  };
}

/** What comes back for these bytes until the server ends the connection. */
async function send(...parts: string[]): Promise<string> {
  const socket = connect(path).setEncoding('utf8');
  await once(socket, 'connect');
  for (const part of parts) await new Promise<void>((resolve) => socket.write(part, () => resolve()));
  let text = '';
  socket.on('data', (data: string) => {
    text += data;
  });
  // A connection that is cut in the middle of a request is an end as well.
  socket.on('error', () => {});
  await once(socket, 'close');
  return text;
}

async function refusal(line: string): Promise<string> {
  const reply = JSON.parse(await send(`${line}\n`)) as ControlReply;
  if (reply.ok) throw new Error(`${line} was accepted`);
  return reply.error;
}

describe('a request', () => {
  test('for the status is answered with it', async () => {
    const reply = await askDaemon(path, { command: 'status' });
    expect(reply).toMatchObject({ ok: true, decisions: [], status: { slots: 4, hypervisor: 'in memory' } });
  });

  test('for the reasons gets those of the slot or the machinetype', async () => {
    decisions.add([decision({ slot: 1, reason: 'of slot 1' }), decision({ machinetype: 'prod', reason: 'of prod' })]);
    const reasons = async (about: object) => {
      const reply = await askDaemon(path, { command: 'why', ...about });
      return reply.ok ? reply.decisions.map(({ reason }) => reason) : [];
    };
    expect(await reasons({ slot: 1 })).toEqual(['of slot 1']);
    expect(await reasons({ machinetype: 'prod' })).toEqual(['of prod']);
    expect(await reasons({ slot: 2 })).toEqual([]);
    expect(await reasons({})).toEqual([]);
  });

  test('may come in pieces', async () => {
    expect(JSON.parse(await send('{"comma', 'nd": "stat', 'us"}', '\n'))).toMatchObject({ ok: true });
  });

  test.each([
    ['{"command": ', /JSON/],
    ['hello', /JSON/],
    ['null', /no JSON object/],
    ['42', /no JSON object/],
    ['"status"', /no JSON object/],
    ['[]', /no JSON object/],
    ['{}', /unknown command undefined/],
    [
      '{"command":"reboot"}',
      /unknown command reboot; there are: status, why, drain, undrain, stop, shutdownAt, .*quarantine, release, .*space/,
    ],
    ['{"command":"__proto__"}', /unknown command/],
    ['{"command":["drain"]}', /unknown command/],
    ['{"command":"status","slot":1}', /^status: this vacd knows no field slot$/],
    ['{"command":"undrain","reason":"x"}', /knows no field reason/],
    ['{"command":"why","slot":"1"}', /^why: slot "1" is no slot number$/],
    ['{"command":"why","slot":-1}', /is no slot number/],
    ['{"command":"why","machinetype":1}', /machinetype 1 is no text/],
    ['{"command":"drain"}', /^drain: reason is missing$/],
    ['{"command":"drain","reason":7}', /reason 7 is no text/],
    ['{"command":"drain","reason":" "}', /reason " " is empty/],
    ['{"command":"drain","reason":"a\\u001b[1m"}', /control characters/],
    [`{"command":"drain","reason":"${'x'.repeat(201)}"}`, /longer than 200 characters/],
    ['{"command":"drain","reason":"x","until":1}', /knows no field until/],
    ['{"command":"drain","reason":"x","untilSeconds":"tomorrow"}', /untilSeconds "tomorrow" is no Unix time/],
    ['{"command":"drain","reason":"x","untilSeconds":1.5}', /is no Unix time in seconds/],
    ['{"command":"drain","reason":"x","byTimeSeconds":4102444800000}', /is no Unix time in seconds/],
    [
      '{"command":"drain","reason":"x","byTimeSeconds":1700000000}',
      /^drain: byTimeSeconds 1700000000 is past \(it was 2023-11-14 22:13:20 UTC\); give a time that is to come$/,
    ],
    [
      '{"command":"drain","reason":"x","byTimeSeconds":4102444801,"untilSeconds":4102444800}',
      /machines would still have to be gone when draining is over/,
    ],
    ['{"command":"stop"}', /^stop: machine is missing$/],
    ['{"command":"stop","machine":3}', /machine 3 is no text/],
    [
      '{"command":"stop","machine":"nobody"}',
      /^no machine nobody runs on factory1.example.com; no machine runs here now$/,
    ],
    ['{"command":"shutdownAt"}', /^shutdownAt: timeSeconds is missing$/],
    ['{"command":"shutdownAt","timeSeconds":0}', /timeSeconds 0 is past/],
    ['{"command":"shutdownAt","timeSeconds":true}', /is no Unix time/],
    ['{"command":"space"}', /knows of no space yet/],
  ])('that is wrong is refused with a reason: %s', async (line, error) => {
    expect(await refusal(line)).toMatch(error);
    expect(factory.memory.orders).toEqual(NO_ORDERS);
    expect(await askDaemon(path, { command: 'status' })).toMatchObject({ ok: true });
  });

  test('that is too long is cut off, and the server goes on', async () => {
    expect(await send('x'.repeat(5000))).toBe('');
    expect(await send(`{"command":"status","padding":"${'x'.repeat(5000)}"}\n`)).toBe('');
    expect(await askDaemon(path, { command: 'status' })).toMatchObject({ ok: true });
  });

  test('of one client does not wait for another that says nothing', async () => {
    const silent = connect(path);
    await once(silent, 'connect');
    try {
      const requests: ControlRequest[] = Array.from({ length: 10 }, () => ({ command: 'status' }));
      const replies = await Promise.all(requests.map((request) => askDaemon(path, request)));
      expect(replies.every(({ ok }) => ok)).toBe(true);
    } finally {
      silent.destroy();
    }
  });

  test('whose client has gone does not end the server', async () => {
    const hasty = connect(path);
    await once(hasty, 'connect');
    hasty.end('{"command":"status"}\n');
    hasty.destroy();
    expect(await askDaemon(path, { command: 'status' })).toMatchObject({ ok: true });
  });
});

describe('orders', () => {
  const LATER = 4_102_444_800;

  test('to drain hold, and the answer shows it', async () => {
    const order = { reason: 'a new kernel', byTimeSeconds: LATER, untilSeconds: LATER + 1 };
    const reply = await askDaemon(path, { command: 'drain', ...order });
    expect(factory.memory.orders.drain).toMatchObject(order);
    expect(reply).toMatchObject({
      ok: true,
      status: {
        standstill: { code: 'draining', reason: 'a new kernel (until 2100-01-01 00:00:01 UTC)' },
        drain: order,
        shutdownTimeSeconds: LATER,
      },
    });
  });

  test('to drain need no times, and are lifted', async () => {
    await askDaemon(path, { command: 'drain', reason: 'x' });
    expect(factory.memory.orders.drain).toMatchObject({ reason: 'x', untilSeconds: null, byTimeSeconds: null });
    const reply = await askDaemon(path, { command: 'undrain' });
    expect(factory.memory.orders.drain).toBeNull();
    expect(reply).toMatchObject({ ok: true, status: { standstill: null, drain: null } });
  });

  test('of a shutdown time hold, and are lifted', async () => {
    await askDaemon(path, { command: 'shutdownAt', timeSeconds: LATER });
    expect(factory.memory.orders.shutdownTimeSeconds).toBe(LATER);
    const reply = await askDaemon(path, { command: 'shutdownAt', timeSeconds: null });
    expect(reply).toMatchObject({ ok: true, status: { shutdownTimeSeconds: null } });
  });

  test('to stop a machine name it in the answer', async () => {
    const { entry } = await factory.addMachine({ slot: 2 });
    const reply = await askDaemon(path, { command: 'stop', machine: 'factory1-02' });
    expect(reply).toMatchObject({ ok: true, machine: entry.record.id, status: { slots: 4 } });
    expect(factory.memory.orders.stopMachines).toEqual(new Set([entry.record.id]));
  });

  test('that cannot be written down hold, and the answer says so', async () => {
    await mkdir(factory.layout.orders());
    const reply = await askDaemon(path, { command: 'drain', reason: 'x' });
    expect(reply).toMatchObject({
      ok: false,
      error: expect.stringMatching(/^it holds, but .*orders.json could not be/),
    });
    expect(factory.memory.orders.drain?.reason).toBe('x');
  });
});

test('the space is told as it is known', async () => {
  const { factory: name } = factory.memory;
  space = {
    space: 'vac01.example.com',
    factory: name,
    factories: [name],
    queryPort: 995,
    udpTimeoutSeconds: 10,
    alone: false,
    peers: [],
    problems: [],
    hint: null,
    keys: null,
  };
  expect(await askDaemon(path, { command: 'space' })).toEqual({ ok: true, space });
});

describe('the socket', () => {
  test('is for root alone', async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('is for a group, too, when one is admitted, and no longer when it is not', async () => {
    await server.admit(4711);
    expect(await stat(path)).toMatchObject({ uid: 0, gid: 4711, mode: 0o140660 });
    await server.admit(null);
    expect(await stat(path)).toMatchObject({ uid: 0, gid: 0, mode: 0o140600 });
  });

  test('takes the place of one that a dead daemon left', async () => {
    await server.close();
    await writeFile(path, 'left behind');
    await server.listen();
    expect(await askDaemon(path, { command: 'status' })).toMatchObject({ ok: true });
  });

  test('goes with the daemon', async () => {
    await server.close();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('a daemon that cannot be asked is explained in one clear sentence', () => {
  async function complaint(): Promise<string> {
    const error = await askDaemon(path, { command: 'status' }).catch((cause: Error) => cause);
    expect(error).toMatchObject({ code: 'daemon-not-running' });
    return (error as Error).message;
  }

  test('no socket', async () => {
    await server.close();
    expect(await complaint()).toBe(
      `cannot ask vacd at ${path}: no vacd runs there; start it, or name its state directory with --state-dir`,
    );
  });

  test('a socket that nobody listens on', async () => {
    await server.close();
    await writeFile(path, '');
    expect(await complaint()).toBe(
      `cannot ask vacd at ${path}: no vacd runs there; start it, or name its state directory with --state-dir`,
    );
  });

  test('not root', async () => {
    await chmod(directory, 0o755);
    const { geteuid, seteuid } = process;
    const own = geteuid!();
    seteuid!(65534);
    let asked: Promise<string>;
    try {
      // connect(2) is called at once, as this user.
      asked = complaint();
    } finally {
      seteuid!(own);
    }
    expect(await asked).toBe(
      `cannot ask vacd at ${path}: only root, and the group that control_group names, may ask (try sudo)`,
    );
  });

  test.each(['', 'no JSON at all\n'])('somebody else who answers %j', async (answer) => {
    await server.close();
    const stranger = createServer((socket) => socket.on('error', () => {}).end(answer));
    await new Promise<void>((resolve) => stranger.listen(path, resolve));
    try {
      expect(await complaint()).toBe(
        `cannot ask vacd at ${path}: the answer breaks off, or is not from a vacd; ask again`,
      );
    } finally {
      stranger.close();
    }
  });
});
