import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MetricsServer } from '../../src/daemon/metrics-server.js';
import { GuardedScrapes } from '../../src/metrics/parent.js';
import { TestLog, until } from './test-factory.js';

const HOST = '127.0.0.1';

let directory: string;
let log: TestLog;
let server: MetricsServer;
let scrapes: GuardedScrapes;
let problems: string[];
let text: () => Promise<string>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vac-metrics-'));
  log = new TestLog();
  problems = [];
  text = async () => 'vac_up 1\n';
  scrapes = new GuardedScrapes({
    page: { contentType: 'text/plain', text: () => text() },
    mark: `${directory}/metrics`,
    identity: { uid: 65534, gid: 65534 },
    onProblem: (line) => problems.push(line),
  });
  server = new MetricsServer({ scrapes, log: log.logger, resolve: async (host) => [host], retryMs: 20 });
});

afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

function ask(path: string, host = HOST): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port: server.port, path, agent: false }, async (response) => {
      const body = (await response.setEncoding('utf8').toArray()).join('');
      resolve({ status: response.statusCode ?? 0, body });
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('the text', () => {
  beforeEach(() => server.listen({ host: HOST, port: 0 }));

  test('is served by a process without root, whole however long it is, and made once a second at most', async () => {
    expect(readFileSync(`/proc/${scrapes.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    let made = 0;
    text = async () => {
      made += 1;
      return `vac_up 1\n${'# ä comment\n'.repeat(100_000)}`;
    };
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/metrics')));
    const tookSeconds = (performance.now() - began) / 1000;
    for (const { status, body } of answers)
      expect([status, body === `vac_up 1\n${'# ä comment\n'.repeat(100_000)}`]).toEqual([200, true]);
    expect(made).toBeLessThanOrEqual(1 + Math.floor(tookSeconds));
  });

  test('that cannot be made is an error for who asks, and a line in the log', async () => {
    text = async () => {
      throw new Error('no idea');
    };
    expect((await ask('/metrics')).status).toBe(500);
    expect(problems[0]).toBe('/metrics: no idea');
  });

  test('is there again when the child was killed', async () => {
    const { pid } = scrapes;
    process.kill(pid!, 'SIGKILL');
    await until('another runs', () => scrapes.pid !== pid && scrapes.pid !== null);
    // It waits in the socket, which vacd has kept.
    expect(await ask('/metrics')).toEqual({ status: 200, body: 'vac_up 1\n' });
  });

  test('is not given to a child that asks for more than it can need, nor anything else', () => {
    expect(() => scrapes.receive('passwd')).toThrow('something else');
    const asks = () => {
      for (let times = 0; times < 20; times += 1) scrapes.receive('text');
    };
    expect(asks).toThrow('too often');
  });
});

describe('listening', () => {
  test('on IPv6 too', async () => {
    await server.listen({ host: '::', port: 0 });
    expect((await ask('/metrics', '::1')).status).toBe(200);
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
    await server.listen({ host: HOST, port: 0 });
    const { port: before } = server;
    await server.listen({ host: HOST, port: 0 });
    expect(server.port).toBe(before);
    // What is open does not delay it.
    const open = connect({ host: HOST, port: before! }).on('error', () => {});
    await once(open, 'connect');
    await server.listen({ host: '127.0.0.2', port: 0 });
    await until('what is open is closed', () => open.destroyed);
    expect((await ask('/metrics', '127.0.0.2')).status).toBe(200);
    await expect(ask('/metrics')).rejects.toThrow('ECONNREFUSED');
    await server.listen(null);
    await expect(ask('/metrics', '127.0.0.2')).rejects.toThrow();
  });

  test('many changes in a row end with the last', async () => {
    const changes = [1, 2, 3, 4].map((last) => server.listen({ host: `127.0.0.${last}`, port: 0 }));
    await Promise.all(changes);
    expect((await ask('/metrics', '127.0.0.4')).status).toBe(200);
    expect(log.with('warning')).toEqual([]);
  });
});
