import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { drain } from '../../src/cli/drain.js';
import { askDaemon, type ControlReply, type ControlRequest, ControlServer } from '../../src/daemon/control.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import type { Decision } from '../../src/factory/types.js';
import { TestFactory } from './test-factory.js';

let directory: string;
let path: string;
let server: ControlServer;
let decisions: DecisionLog;
let drained: (string | null)[];
let factory: TestFactory;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-control-'));
  path = join(directory, 'vacd.sock');
  factory = await TestFactory.create();
  decisions = new DecisionLog();
  drained = [];
  server = new ControlServer(
    path,
    () => factoryStatus(factory.memory, decisions, 'in memory'),
    decisions,
    (reason) => drained.push(reason),
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
    ['[]', /unknown command|no JSON object/],
    ['{}', /unknown command/],
    ['{"command":"reboot"}', /unknown command reboot/],
    ['{"command":"__proto__"}', /unknown command/],
  ])('that is wrong is refused with a reason: %s', async (line, error) => {
    expect(await refusal(line)).toMatch(error);
    expect(drained).toEqual([]);
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

describe('drain and undrain', () => {
  test('reach the daemon, with the reason', async () => {
    expect(await drain(path, ['a', 'new', 'kernel'])).toMatch(/starts nothing more; 0 machines run on$/);
    expect(await drain(path, [])).toMatch(/starts nothing more/);
    expect(await drain(path, null)).toMatch(/starts machines again$/);
    expect(drained).toEqual(['a new kernel', 'an administrator asked for it (vac drain)', null]);
  });

  test('the machines that run are counted in the answer', async () => {
    await factory.addMachine();
    expect(await drain(path, ['x'])).toContain('; 1 machines run on');
  });
});

describe('the socket', () => {
  test('is for root alone', async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
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
    expect(await asked).toBe(`cannot ask vacd at ${path}: only root may ask (try sudo)`);
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
