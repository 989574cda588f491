import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isVacError } from '../../src/errors.js';
import type { MetadataMachine } from '../../src/metadata/handler.js';
import { MAX_PUT_BYTES } from '../../src/metadata/joboutputs.js';
import { type ListenAddress, MAX_CONNECTIONS_PER_CLIENT, MetadataServer } from '../../src/metadata/server.js';
import { ask, TestSite } from './site.js';

const OWNER = { uid: process.getuid?.() === 0 ? 65534 : -1, gid: process.getuid?.() === 0 ? 65534 : -1 };
const MACHINE_IP = '127.0.0.2';

let site: TestSite;
let machine: MetadataMachine;
let server: MetadataServer;
let metadata: ListenAddress;
let gateway: ListenAddress;
let problems: string[];

beforeEach(async () => {
  site = await TestSite.make();
  machine = await site.add(MACHINE_IP);
  problems = [];
  server = new MetadataServer(
    [
      { address: '127.0.0.254', port: 0 },
      { address: '127.0.0.253', port: 0 },
    ],
    site,
    { guestOwner: OWNER, onProblem: (message) => problems.push(message) },
  );
  await server.listen();
  [metadata, gateway] = server.bound() as [ListenAddress, ListenAddress];
});
afterEach(async () => {
  await server.close();
  await site.remove();
});

async function rawConnection(localAddress = MACHINE_IP): Promise<Socket> {
  const socket = connect({ host: metadata.address, port: metadata.port, localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('machines', () => {
  it('get the same at both addresses, by their own address', async () => {
    await site.add('127.0.0.3', { uuid: 'other' });
    for (const address of [metadata, gateway]) {
      expect((await ask(address, MACHINE_IP, '/latest/meta-data/instance-id')).body).toBe(machine.uuid);
      expect((await ask(address, '127.0.0.3', '/latest/meta-data/instance-id')).body).toBe('other');
      expect((await ask(address, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
    }
  });

  it('that are unknown get 404', async () => {
    expect(await ask(metadata, '127.0.0.9', '/latest/user-data')).toMatchObject({ status: 404, body: 'not found\n' });
  });

  it('get type and length, and by HEAD nothing more', async () => {
    const answer = await ask(metadata, MACHINE_IP, '/machinefeatures/total_cpu');
    expect(answer).toMatchObject({ status: 200, type: 'text/plain', headers: { 'content-length': '1' } });
    await writeFile(join(machine.directory, 'joboutputs/log'), 'x');
    for (const path of ['/machinefeatures/total_cpu', '/joboutputs/log']) {
      expect(await ask(metadata, MACHINE_IP, path, { method: 'HEAD' }), path).toMatchObject({ status: 200, body: '' });
    }
    const refused = await ask(metadata, MACHINE_IP, '/', { method: 'DELETE' });
    expect(refused).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, PUT' } });
  });

  it('get back what they put, large files too', async () => {
    const body = Buffer.alloc(3_000_000, 'vac');
    expect((await ask(gateway, MACHINE_IP, '/joboutputs/log', { method: 'PUT', body })).status).toBe(201);
    expect((await ask(gateway, MACHINE_IP, '/joboutputs/log')).body).toBe(body.toString());
  });

  it('may use curl --upload-file with a trailing slash', async () => {
    const file = join(machine.directory, 'heartbeat.txt');
    await writeFile(file, 'x'.repeat(2_000_000));
    const url = `http://${gateway.address}:${gateway.port}/joboutputs/`;
    const curl = (...args: string[]) => promisify(execFile)('curl', ['-sS', '--interface', MACHINE_IP, ...args]);
    const { stdout } = await curl('-w', '%{http_code}', '--upload-file', file, url);
    expect(stdout).toBe('created\n201');
    expect(await readFile(join(machine.directory, 'joboutputs/heartbeat.txt'), 'utf8')).toHaveLength(2_000_000);
    expect((await curl('-o', '/dev/null', '-w', '%{http_code}', '-X', 'PUT', '-d', 'x', url)).stdout).toBe('403');
  });

  it('may end their side of the connection with the request, as nc does with a file', async () => {
    const socket = connect({
      host: gateway.address,
      port: gateway.port,
      localAddress: MACHINE_IP,
      allowHalfOpen: true,
    });
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.end('PUT /joboutputs/shutdown_message HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n200 Success');
    await once(socket, 'end');
    expect(received).toMatch(/^HTTP\/1.1 201 /);
    expect(await readFile(join(machine.directory, 'joboutputs/shutdown_message'), 'utf8')).toBe('200 Success');
  });

  it.each([
    ['/joboutputs/large', MAX_PUT_BYTES + 5_000_000, 413],
    ['/joboutputs/.bad', 5_000_000, 403],
    ['/joboutputs/good', 5_000_000, 201],
  ])('can go on with its connection after PUT %s of %i bytes', async (path, bytes, status) => {
    const socket = await rawConnection();
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.write(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
    socket.write(Buffer.alloc(bytes));
    socket.write('GET /jobfeatures/job_id HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(received).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*HTTP/1.1 200 OK[^]*\\r\\n\\r\\n127\\.0\\.0\\.2$`));
  });
});

describe('whatever a client does', () => {
  it('an upload that it breaks off leaves nothing', async () => {
    const socket = await rawConnection();
    socket.write('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    const putTmp = join(machine.directory, 'put-tmp');
    const waiting = () => readdir(putTmp).catch(() => []);
    await expect.poll(async () => (await waiting()).length).toBe(1);
    socket.destroy();
    await expect.poll(async () => (await waiting()).length).toBe(0);
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('an upload that ends before its length leaves nothing either', async () => {
    const socket = await rawConnection();
    socket.end('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await once(socket.resume(), 'close');
    await expect.poll(() => readdir(join(machine.directory, 'put-tmp')).catch(() => [])).toEqual([]);
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('a request that is no HTTP, or has endless headers, ends its connection alone', async () => {
    for (const [bytes, status] of [
      ['\x00\x01nonsense\r\n\r\n', 400],
      [`GET / HTTP/1.1\r\nX: ${'x'.repeat(10_000)}\r\n`, 431],
    ] as const) {
      const socket = await rawConnection();
      socket.write(bytes);
      const [answer] = await once(socket, 'data');
      expect(String(answer)).toContain(`HTTP/1.1 ${status}`);
      await once(socket, 'close');
    }
    expect((await ask(metadata, MACHINE_IP, '/machinefeatures/total_cpu')).body).toBe('4');
  });

  it('a path is taken as it was sent', async () => {
    for (const path of ['/machinefeatures/../user_data', '/joboutputs/..%2fuser_data', '/%2e%2e/%2e%2e/etc/passwd']) {
      expect((await ask(metadata, MACHINE_IP, path)).status, path).toBe(404);
    }
  });

  it('the connections of the others stay theirs', async () => {
    await site.add('127.0.0.3');
    const sockets: Socket[] = [];
    try {
      for (let count = 0; count < MAX_CONNECTIONS_PER_CLIENT; count += 1) sockets.push(await rawConnection());
      const oneMore = await rawConnection();
      if (!oneMore.destroyed) await once(oneMore, 'close');
      expect((await ask(metadata, '127.0.0.3', '/jobfeatures/job_id')).body).toBe('127.0.0.3');
      sockets[0]!.destroy();
      await expect
        .poll(() => ask(metadata, MACHINE_IP, '/jobfeatures/job_id').catch(() => null))
        .toMatchObject({ status: 200 });
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  it('a fault of the host is told to the site, and to the client only that there is one', async () => {
    await rm(join(machine.directory, 'joboutputs'), { recursive: true });
    await symlink('joboutputs', join(machine.directory, 'joboutputs'));
    expect(await ask(metadata, MACHINE_IP, '/joboutputs/')).toMatchObject({ status: 500, body: 'error\n' });
    expect(problems).toEqual([expect.stringMatching(/^metadata: GET from 127\.0\.0\.2 failed: ELOOP/)]);
  });
});

describe('listening', () => {
  async function failureOf(addresses: ListenAddress[]): Promise<unknown> {
    const other = new MetadataServer(addresses, site, { guestOwner: OWNER });
    return other.listen().then(
      () => other.close(),
      (error: unknown) => error,
    );
  }

  it('says which address is in use, and what to do', async () => {
    const error = await failureOf([metadata]);
    expect(isVacError(error, 'address-in-use')).toBe(true);
    expect((error as Error).message).toMatch(new RegExp(`^127\\.0\\.0\\.254:${metadata.port} is in use .*stop it`));
  });

  it('says which address the host does not have, and what brings it', async () => {
    const error = await failureOf([{ address: '192.0.2.1', port: 80 }]);
    expect(isVacError(error, 'address-missing')).toBe(true);
    expect((error as Error).message).toMatch(/192\.0\.2\.1:80.*network/);
  });

  it('again does nothing when it listens, and brings up what had failed', async () => {
    const [before] = server.bound();
    await server.listen();
    expect(server.bound()[0]).toEqual(before);

    const blocker = createServer().listen(0, '127.0.0.252');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const second = new MetadataServer(
      [
        { address: '127.0.0.251', port: 0 },
        { address: '127.0.0.252', port },
      ],
      site,
      { guestOwner: OWNER },
    );
    try {
      await expect(second.listen()).rejects.toThrow('in use');
      expect(second.bound()).toHaveLength(1);
      await new Promise((resolve) => blocker.close(resolve));
      await second.listen();
      expect(second.bound()).toHaveLength(2);
    } finally {
      await second.close();
    }
  });

  it('ends with close, open connections included, and can begin again', async () => {
    const socket = await rawConnection();
    const closed = once(socket, 'close');
    await server.close();
    await closed;
    await expect(ask(metadata, MACHINE_IP, '/')).rejects.toThrow('ECONNREFUSED');
    await server.listen();
    expect((await ask(server.bound()[0]!, MACHINE_IP, '/latest/meta-data/local-ipv4')).body).toBe(MACHINE_IP);
  });
});
