import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_CONNECTIONS_PER_CLIENT, MAX_PUT_BYTES, REQUESTS } from '../../src/metadata/limits.js';
import type { HostMachine } from '../../src/metadata/machine-files.js';
import { type DEADLINES_MS, MetadataServer } from '../../src/metadata/server.js';
import type { ListenAddress } from '../../src/metadata/sockets.js';
import { ask, TestSite } from './site.js';

const MACHINE_IP = '127.0.0.2';

let site: TestSite;
let machine: HostMachine;
let server: MetadataServer;
let metadata: ListenAddress;
let gateway: ListenAddress;
let problems: string[];

beforeEach(async () => {
  site = await TestSite.make();
  machine = await site.add(MACHINE_IP);
  problems = [];
  // Nobody is given up who is only held up.
  await serve({ headers: 120_000, request: 120_000, answer: 120_000 });
});
afterEach(async () => {
  await server.close();
  await site.remove();
});

async function serve(deadlines: Partial<typeof DEADLINES_MS>): Promise<void> {
  server = new MetadataServer(site, { onProblem: (message) => problems.push(message), deadlines });
  metadata = await server.listen({ host: '127.0.0.254', port: 0 });
  gateway = await server.listen({ host: '127.0.0.253', port: 0 });
}

/** From now on whoever is slow is given up soon. */
async function hurry(): Promise<void> {
  await server.close();
  await serve({ headers: 500, request: 1_500, answer: 1_500, sweep: 100 });
}

async function rawConnection(localAddress = MACHINE_IP): Promise<Socket> {
  const socket = connect({ host: metadata.address, port: metadata.port, localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('an upload that is announced to be too large', () => {
  it('is refused before any of it is read', async () => {
    const socket = await rawConnection();
    const answered = once(socket, 'data');
    socket.write('PUT /joboutputs/large HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n');
    const [said] = (await answered) as [Buffer];
    expect(said.toString('latin1')).toMatch(/^HTTP\/1\.1 413 /);
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
    socket.destroy();
  });
});

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
    const files = () => readdir(join(machine.directory, 'joboutputs'));
    await expect.poll(async () => (await files()).length).toBe(1);
    socket.destroy();
    await expect.poll(files).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('an upload that ends before its length leaves nothing either', async () => {
    const socket = await rawConnection();
    socket.end('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf');
    await once(socket.resume(), 'close');
    await expect.poll(() => readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
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

  it('bytes of any kind end at most their own connection', async () => {
    await hurry();
    const piece = fc.oneof(
      fc.constantFrom(
        'GET ',
        'PUT ',
        'POST ',
        'HEAD ',
        'CONNECT ',
        '/joboutputs/log ',
        '/',
        ' HTTP/1.1\r\n',
        '\r\n',
        '\r\n\r\n',
      ),
      fc.constantFrom(
        'Host: x\r\n',
        'Content-Length: 5\r\n',
        'Content-Length: -1\r\n',
        'Transfer-Encoding: chunked\r\n',
      ),
      fc.constantFrom(
        'Upgrade: h2c\r\nConnection: Upgrade\r\n',
        'Expect: 100-continue\r\n',
        '5\r\nhello\r\n',
        'ffffffffffffffff\r\n',
      ),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const socket = await rawConnection();
        socket.end(pieces.join(''), 'latin1');
        await untilClosed(socket);
      }),
      { numRuns: 150 },
    );
    expect((await ask(metadata, '127.0.0.1', '/')).status).toBe(404);
    expect(problems).toEqual([]);
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

  it('connections that a client closed before it opened another do not count', async () => {
    for (let round = 0; round < 5; round += 1) {
      const closed: Socket[] = [];
      for (let count = 0; count < MAX_CONNECTIONS_PER_CLIENT; count += 1) closed.push(await rawConnection());
      const next = rawConnection();
      for (const socket of closed) socket.destroy();
      const answer = untilClosed(await next);
      (await next).write('GET /jobfeatures/job_id HTTP/1.0\r\n\r\n');
      expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  it('a fault of the host is told to the site, and to the client only that there is one', async () => {
    await rm(join(machine.directory, 'joboutputs'), { recursive: true });
    await symlink('joboutputs', join(machine.directory, 'joboutputs'));
    expect(await ask(metadata, MACHINE_IP, '/joboutputs/')).toMatchObject({ status: 500, body: 'error\n' });
    expect(problems).toEqual([expect.stringMatching(/^metadata: GET from 127\.0\.0\.2 failed: ELOOP/)]);
  });
});

/** What a connection gives until it is closed by the server. */
async function untilClosed(socket: Socket): Promise<string> {
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  // A reset comes as an error before it.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return received;
}

describe('a slow client', () => {
  beforeEach(hurry);

  it('that never ends its headers is given up', async () => {
    const socket = await rawConnection();
    socket.write('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('X: y\r\n'), 50);
    expect(await untilClosed(socket)).toContain('HTTP/1.1 408');
    clearInterval(drip);
  });

  it('that never ends its upload is given up, and nothing of it is kept', async () => {
    const socket = await rawConnection();
    socket.write('PUT /joboutputs/log HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n');
    const drip = setInterval(() => socket.write('x'), 50);
    await untilClosed(socket);
    clearInterval(drip);
    await expect.poll(() => readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('that reads its answer too slowly is given up', async () => {
    await writeFile(join(machine.directory, 'joboutputs/log'), Buffer.alloc(20_000_000));
    let opened = 0;
    const read = site.read.bind(site);
    site.read = async (...what) => {
      const file = await read(...what);
      opened += 1;
      return file;
    };
    const socket = await rawConnection();
    socket.on('data', () => socket.pause());
    const drip = setInterval(() => socket.resume(), 50);
    socket.write('GET /joboutputs/log HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => opened).toBe(1);
    await expect.poll(() => openFilesBelow(machine.directory)).toEqual([]);
    clearInterval(drip);
    socket.destroy();
    expect(problems).toEqual([]);
  });

  it('that opens a connection and says nothing is given up', async () => {
    await untilClosed(await rawConnection());
  });
});

/** Which files below a directory this process has open. */
async function openFilesBelow(directory: string): Promise<string[]> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link.startsWith(`${directory}/`));
}

describe('a flood', () => {
  it('of requests is answered up to a rate, and then by 429 with Retry-After; the others are served', async () => {
    await site.add('127.0.0.3');
    const answers = new Map<number, number>();
    // As many as it takes: on a slow host the allowance grows meanwhile.
    for (let count = 0; !answers.has(429) && count < 10_000; count += 10) {
      const socket = await rawConnection();
      socket.end('GET /machinefeatures/total_cpu HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10));
      for (const [, status, headers] of (await untilClosed(socket)).matchAll(/HTTP\/1\.1 (\d+) .*\r\n((?:.+\r\n)*)/g)) {
        answers.set(Number(status), (answers.get(Number(status)) ?? 0) + 1);
        if (status === '429') expect(headers).toMatch(/retry-after: 1\r\n/i);
      }
    }
    expect(answers.get(200)).toBeGreaterThanOrEqual(REQUESTS.burst);
    expect(answers.get(429)).toBeGreaterThan(0);
    expect((await ask(metadata, '127.0.0.3', '/jobfeatures/job_id')).body).toBe('127.0.0.3');
  });

  it('of pipelined requests ends the connection, before they fill the memory', async () => {
    const socket = await rawConnection();
    socket.write('GET /joboutputs/ HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100_000));
    await untilClosed(socket);
    expect((await ask(metadata, MACHINE_IP, '/machinefeatures/total_cpu')).status).toBe(200);
  });

  it('of connections is closed without an answer; the others are served', async () => {
    await site.add('127.0.0.3');
    let refused = 0;
    // As many as it takes: on a slow host the allowance grows meanwhile.
    for (let count = 0; refused === 0 && count < 5_000; count += 1) {
      const socket = await rawConnection();
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      if ((await untilClosed(socket)) === '') refused += 1;
    }
    expect(refused).toBeGreaterThan(0);
    expect((await ask(metadata, '127.0.0.3', '/jobfeatures/job_id')).body).toBe('127.0.0.3');
  });
});
