import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ClosedEvent, type Connection, LibvirtError, LibvirtTimeoutError, open } from 'libvirt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PrivateLibvirtd, privateLibvirtdUnavailable } from './private-libvirtd.js';

const title =
  privateLibvirtdUnavailable === null ? 'a hung libvirtd' : `a hung libvirtd: ${privateLibvirtdUnavailable}`;

describe.skipIf(privateLibvirtdUnavailable !== null)(title, () => {
  let libvirtd: PrivateLibvirtd;
  const opened: Connection[] = [];

  // One for each test: libvirtd 9.0 itself may crash when it wakes and finds its clients gone.
  beforeEach(async () => {
    libvirtd = await PrivateLibvirtd.start();
  });

  afterEach(async () => {
    await libvirtd.stop();
    await Promise.allSettled(opened.splice(0).map((connection) => connection.close()));
  });

  async function openRemote(options?: Parameters<typeof open>[1]): Promise<Connection> {
    const connection = await open(libvirtd.testUri, options);
    opened.push(connection);
    return connection;
  }

  const hang = (connection: Connection, timeoutSeconds: number): Promise<unknown> =>
    connection.hostname({ timeoutSeconds }).catch((error: unknown) => error);

  it('times out the call by name, while JavaScript runs on, and serves again once it wakes', async () => {
    const connection = await openRemote({ keepAlive: null, callTimeoutSeconds: 2 });
    libvirtd.pause();
    let ticks = 0;
    const ticker = setInterval(() => ticks++, 10);
    const error: unknown = await connection.hostname().catch((reason: unknown) => reason);
    clearInterval(ticker);

    expect(error).toBeInstanceOf(LibvirtTimeoutError);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ operation: 'hostname', timeoutSeconds: 2, begun: true });
    expect((error as Error).message).toContain('2 s');
    expect(connection.suspect).toBe(true);
    // Were JavaScript blocked for the length of the call, there would be none.
    expect(ticks).toBeGreaterThan(0);

    libvirtd.resume();
    const next = await openRemote();
    expect(await next.hostname()).toMatch(/./);
    expect(next.suspect).toBe(false);
  });

  it('holds up neither another connection nor the file system', async () => {
    const hung = await openRemote({ keepAlive: null });
    const other = await open('test:///default');
    opened.push(other);
    libvirtd.pause();
    const calls = Array.from({ length: 24 }, () => hang(hung, 1));
    expect(await other.domainStats()).toHaveLength(1);
    expect(await readFile('/proc/self/comm', 'utf8')).not.toBe('');
    const errors = (await Promise.all(calls)) as LibvirtTimeoutError[];
    // 16 threads hang; what waited behind them is dropped and will never happen.
    expect(errors.filter((error) => error.begun)).toHaveLength(16);
    expect(errors.filter((error) => !error.begun)).toHaveLength(8);
  });

  it('drops a call that no thread had begun: it does not happen later', async () => {
    const connection = await openRemote({ keepAlive: null });
    libvirtd.pause();
    const hung = Array.from({ length: 16 }, () => connection.hostname());
    const late: unknown = await connection
      .createDomain(`<domain type='test'><name>late</name><memory>1024</memory><os><type>hvm</type></os></domain>`, {
        timeoutSeconds: 0.5,
      })
      .catch((error: unknown) => error);
    expect(late).toMatchObject({ name: 'LibvirtTimeoutError', begun: false, operation: 'createDomain' });
    libvirtd.resume();
    await Promise.all(hung);
    expect((await connection.listDomains()).map((domain) => domain.name)).toEqual(['test']);
  });

  it('times out opening too, and nothing stays of a connection that opens late', async () => {
    libvirtd.pause();
    await expect(open(libvirtd.testUri, { callTimeoutSeconds: 0.5 })).rejects.toMatchObject({
      name: 'LibvirtTimeoutError',
      operation: 'open',
      begun: true,
    });
    libvirtd.resume();
    expect(await (await openRemote()).isAlive()).toBe(true);
  });

  it('is found dead by keep-alive: the connection closes and its hung call fails', async () => {
    const connection = await openRemote({ keepAlive: { intervalSeconds: 1, count: 2 } });
    const closed = once(connection, 'closed') as Promise<[ClosedEvent]>;
    libvirtd.pause();
    const error = await hang(connection, 30);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).not.toBeInstanceOf(LibvirtTimeoutError);
    expect(await closed).toEqual([{ reason: 'keepalive' }]);
    expect(await connection.isAlive()).toBe(false);
    await connection.close();
    await expect(connection.uri()).rejects.toMatchObject({ codeName: 'VIR_ERR_INVALID_CONN' });
  });

  it('does not keep a closing connection waiting for ever', async () => {
    const connection = await openRemote({ keepAlive: null });
    libvirtd.pause();
    await expect(connection.close({ timeoutSeconds: 0.5 })).rejects.toBeInstanceOf(LibvirtTimeoutError);
    expect(connection.closedReason).toBe('client');
  });

  it('leaves hung calls behind when their connection is closed', async () => {
    const connection = await openRemote({ keepAlive: null });
    libvirtd.pause();
    const calls = Array.from({ length: 16 }, () => hang(connection, 0.5));
    expect(await Promise.all(calls)).toEqual(calls.map(() => expect.any(LibvirtTimeoutError)));
    await connection.close({ timeoutSeconds: 0.5 });
    expect(connection.closedReason).toBe('client');
  });

  it.each([
    ['process.exit', 'process.exit(7);', 7],
    ['the end of its work', '', 0],
    ['an uncaught exception', 'throw new Error("on purpose");', 1],
  ])('does not hold a process back from ending by %s', async (_how, ending, code) => {
    const script = `
      import { open } from 'libvirt';
      const connection = await open(${JSON.stringify(libvirtd.testUri)}, { keepAlive: null });
      process.stdout.write('opened\\n');
      await new Promise((resolve) => process.stdin.once('data', resolve));
      process.stdin.destroy();
      if (${code} !== 0) for (let i = 0; i < 20; i++) connection.hostname({ timeoutSeconds: 3600 }).catch(() => {});
      await connection.hostname({ timeoutSeconds: 0.3 }).catch((error) => console.log(error.name));
      ${ending}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    await once(child.stdout, 'data');
    libvirtd.pause();
    const closed = once(child, 'close');
    child.stdin.write('go\n');
    // The other calls have an hour: for a process that waits for them this test has not the time.
    expect(await closed).toEqual([code, null]);
    expect(output).toBe('opened\nLibvirtTimeoutError\n');
  });
});
