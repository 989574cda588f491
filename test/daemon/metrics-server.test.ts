import { once } from 'node:events';
import { get, request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Metrics } from '../../src/daemon/metrics.js';
import { MetricsServer } from '../../src/daemon/metrics-server.js';
import { run } from '../../src/host/exec.js';
import { parseExposition } from './exposition.js';
import { TestFactory, TestLog, until } from './test-factory.js';

const HOST = '127.0.0.1';
const PATIENCE_MS = 300;

let log: TestLog;
let server: MetricsServer;
let page: { contentType: string; text: () => Promise<string> };

beforeEach(() => {
  log = new TestLog();
  page = { contentType: 'text/plain', text: async () => 'vac_up 1\n' };
  server = new MetricsServer(page, log.logger, { patienceMs: PATIENCE_MS, retryMs: 20 });
});

afterEach(() => server.close());

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

function ask(path: string, options: { method?: string; host?: string; localAddress?: string } = {}): Promise<Answer> {
  const { host = HOST, method = 'GET', localAddress } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: server.port, path, method, localAddress, agent: false }, async (response) => {
      const body = (await response.setEncoding('utf8').toArray()).join('');
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** A connection that says only what it is told to. */
async function dial(words = ''): Promise<Socket> {
  const socket = connect({ host: HOST, port: server.port! });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(words);
  return socket;
}

describe('answers', () => {
  beforeEach(() => server.listen({ host: HOST, port: 0 }));

  test('GET /metrics, whatever the query', async () => {
    for (const path of ['/metrics', '/metrics?name=x']) {
      expect(await ask(path)).toMatchObject({ status: 200, body: 'vac_up 1\n' });
    }
    const { headers } = await ask('/metrics');
    expect(headers).toMatchObject({ 'content-type': 'text/plain', 'content-length': '9', connection: 'close' });
  });

  test('HEAD with the same headers and no body', async () => {
    const { status, headers, body } = await ask('/metrics', { method: 'HEAD' });
    expect([status, headers['content-length'], body]).toEqual([200, '9', '']);
  });

  test('nothing else', async () => {
    for (const path of ['/', '/metrics/', '/metricsx', '//metrics', '/..%2fmetrics', '*']) {
      expect((await ask(path)).status, path).toBe(404);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await ask('/metrics', { method }), method).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    }
  });

  test('500 where the text cannot be made, and the next one again', async () => {
    page.text = async () => {
      throw new Error('no idea');
    };
    expect((await ask('/metrics')).status).toBe(500);
    expect(log.with('no idea')).toHaveLength(1);
    page.text = async () => 'vac_up 1\n';
    expect((await ask('/metrics')).status).toBe(200);
  });

  test('garbage, and headers without end, by closing', async () => {
    for (const words of [
      '\x16\x03\x01',
      'GET /metrics\r\n\r\n',
      `GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n`,
    ]) {
      const socket = await dial(words);
      socket.resume();
      await once(socket, 'close');
    }
    expect((await ask('/metrics')).status).toBe(200);
  });
});

describe('a client that hangs', () => {
  beforeEach(() => server.listen({ host: HOST, port: 0 }));

  test.each([
    ['says nothing', ''],
    ['never ends its headers', 'GET /metrics HTTP/1.1\r\nHost: x\r\n'],
    ['never sends its body', 'GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'],
  ])('because it %s is cut off, and others are answered meanwhile', async (_, words) => {
    const socket = await dial(words);
    socket.resume();
    const closed = once(socket, 'close');
    expect((await ask('/metrics')).status).toBe(200);
    await closed;
  });

  test('because it does not take its answer is cut off', async () => {
    const asked = new Promise<void>((resolve) => {
      page.text = async () => {
        resolve();
        // More than the kernel keeps for a reader that does not read.
        return 'x'.repeat(32 * 1024 * 1024);
      };
    });
    const socket = await dial('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    await asked;
    page.text = async () => 'vac_up 1\n';
    expect((await ask('/metrics')).body).toBe('vac_up 1\n');
    await until('the server gives it up', () => (server as unknown as { sockets: Set<Socket> }).sockets.size === 0);
    socket.destroy();
  });

  test('is no trouble where there are a hundred of it', async () => {
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dial()));
    for (const socket of sockets) socket.resume();
    await Promise.all(sockets.map((socket) => (socket.destroyed ? null : once(socket, 'close'))));
    expect((await ask('/metrics')).status).toBe(200);
  });
});

test('thousands of scrapes of a real factory, each good', async () => {
  const factory = await TestFactory.create({ machinetypes: [{ name: 'prod' }, { name: 'user' }] });
  const metrics = new Metrics(factory.memory);
  const real = new MetricsServer(metrics, log.logger);
  try {
    await real.listen({ host: HOST, port: 0 });
    const scrape = () =>
      new Promise<string>((resolve, reject) => {
        get({ host: HOST, port: real.port, path: '/metrics', agent: false }, async (response) => {
          resolve((await response.setEncoding('utf8').toArray()).join(''));
        }).on('error', reject);
      });
    const texts = new Set<string>();
    const scrapeMany = async () => {
      for (let times = 0; times < 125; times += 1) texts.add(await scrape());
    };
    await Promise.all(Array.from({ length: 16 }, scrapeMany));
    for (const text of texts) expect(parseExposition(text).has('vac_machines')).toBe(true);
  } finally {
    metrics.close();
    await real.close();
    await factory.dispose();
  }
});

// In a network namespace of its own, where addresses of that network do no harm.
test('the machines’ network is cut off without an answer, whichever side is in it', async () => {
  const driver = fileURLToPath(new URL('machines-network-driver.ts', import.meta.url));
  const addresses = 'ip link set lo up && ip addr add 169.254.77.1/16 dev lo && ip addr add 198.51.100.1/32 dev lo';
  const inside = `${addresses} && exec "$0" --import tsx "$1"`;
  const { stdout } = await run('unshare', ['--net', 'sh', '-ec', inside, process.execPath, driver]);
  expect(JSON.parse(stdout)).toEqual({
    'to 169.254.77.1 from 169.254.77.1': 'cut off',
    'to 169.254.77.1 from 198.51.100.1': 'cut off',
    'to 198.51.100.1 from 169.254.77.1': 'cut off',
    'to ::ffff:169.254.77.1 from ::ffff:198.51.100.1': 'cut off',
    'to 198.51.100.1 from 198.51.100.1': '200',
    'to 127.0.0.1 from 127.0.0.1': '200',
    'to ::1 from ::1': '200',
  });
});

describe('listening', () => {
  test('on IPv6 too', async () => {
    await server.listen({ host: '::', port: 0 });
    expect((await ask('/metrics', { host: '::1' })).status).toBe(200);
    expect((await ask('/metrics')).status).toBe(200);
  });

  test('nowhere by wish', async () => {
    await server.listen(null);
    expect(server.port).toBeNull();
    expect(log.lines).toEqual([]);
  });

  test('a port that is taken is said once, and had as soon as it is free', async () => {
    const other = createServer().listen(0, HOST);
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await server.listen({ host: HOST, port });
    expect(server.port).toBeNull();
    expect(log.with('warning')).toEqual([
      `warning: /metrics cannot be served at 127.0.0.1:${port}: another program has that port (ss -ltnp shows which); see metrics_listen; tried again every 0.02 s`,
    ]);
    other.close();
    await until('the port is had', () => server.port === port);
    expect((await ask('/metrics')).status).toBe(200);
    expect(log.with('warning')).toHaveLength(1);
    expect(log.with(`info: /metrics is served at http://127.0.0.1:${port}/metrics`)).toHaveLength(1);
  });

  test('an address that this host does not have is said', async () => {
    await server.listen({ host: '192.0.2.1', port: 10195 });
    expect(log.with('this host has no such address')).toHaveLength(1);
  });

  test('a change of the configuration moves it, and an unchanged one does nothing', async () => {
    // What is open does not delay it, however long it may stay open.
    server = new MetricsServer(page, log.logger, { patienceMs: 3_600_000 });
    await server.listen({ host: HOST, port: 0 });
    const { port: before } = server;
    await server.listen({ host: HOST, port: 0 });
    expect(server.port).toBe(before);
    const open = await dial();
    const moved = server.listen({ host: '127.0.0.2', port: 0 });
    await until('what is open is closed', () => open.destroyed);
    await moved;
    expect((await ask('/metrics', { host: '127.0.0.2' })).status).toBe(200);
    await expect(ask('/metrics')).rejects.toThrow('ECONNREFUSED');
    await server.listen(null);
    await expect(ask('/metrics', { host: '127.0.0.2' })).rejects.toThrow();
  });

  test('many changes in a row end with the last', async () => {
    const changes = [1, 2, 3, 4].map((last) => server.listen({ host: `127.0.0.${last}`, port: 0 }));
    await Promise.all(changes);
    expect((await ask('/metrics', { host: '127.0.0.4' })).status).toBe(200);
    expect(log.with('warning')).toEqual([]);
  });
});
