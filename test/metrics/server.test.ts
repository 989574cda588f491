import { once } from 'node:events';
import { get, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Metrics } from '../../src/daemon/metrics.js';
import { run } from '../../src/host/exec.js';
import { ScrapeServer } from '../../src/metrics/server.js';
import { parseExposition } from '../daemon/exposition.js';
import { TestFactory, until } from '../daemon/test-factory.js';

const HOST = '127.0.0.1';
const PATIENCE_MS = 300;

let problems: string[];
let server: ScrapeServer;
let text: () => Promise<string>;

beforeEach(() => {
  problems = [];
  text = async () => 'vac_up 1\n';
  const page = async () => ({ contentType: 'text/plain', body: await text() });
  server = new ScrapeServer({ page, onProblem: (line) => problems.push(line), patienceMs: PATIENCE_MS });
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
    text = async () => {
      throw new Error('no idea');
    };
    expect((await ask('/metrics')).status).toBe(500);
    expect(problems).toEqual(['/metrics: no idea']);
    text = async () => 'vac_up 1\n';
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
      text = async () => {
        resolve();
        // More than the kernel keeps for a reader that does not read.
        return 'x'.repeat(32 * 1024 * 1024);
      };
    });
    const socket = await dial('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.pause();
    await asked;
    text = async () => 'vac_up 1\n';
    expect((await ask('/metrics')).body).toBe('vac_up 1\n');
    await until('the server gives it up', () => server.connections === 0);
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
  const page = async () => ({ contentType: metrics.contentType, body: await metrics.text() });
  const real = new ScrapeServer({ page, onProblem: (line) => problems.push(line) });
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
