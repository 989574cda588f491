import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type ClosedEvent, type Connection, LibvirtError, open } from 'libvirt';
import { afterEach, describe, expect, it } from 'vitest';
import { domainXml } from './domain-xml.js';

const opened: Connection[] = [];

async function openTest(options?: Parameters<typeof open>[1]): Promise<Connection> {
  const connection = await open('test:///default', options);
  opened.push(connection);
  return connection;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((connection) => connection.close()));
});

describe('a connection', () => {
  it('tells about itself and its host', async () => {
    const connection = await openTest();
    expect(await connection.isAlive()).toBe(true);
    expect(await connection.uri()).toBe('test:///default');
    expect(await connection.driverType()).toBe('TEST');
    expect(await connection.hostname()).toMatch(/./);
    expect(await connection.libVersion()).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await connection.hypervisorVersion()).toBe('0.0.2');
    expect(await connection.capabilitiesXml()).toMatch(/^<capabilities>/);
    expect(await connection.nodeInfo()).toMatchObject({ processors: 16, memoryKiB: 3145728, numaNodes: 2 });
    expect(connection.suspect).toBe(false);
  });

  it('fails to open with a libvirt error that names the cause', async () => {
    const error: unknown = await open('nosuchdriver:///system').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LibvirtError);
    expect(error).toMatchObject({ operation: 'open', level: 2, name: 'LibvirtError' });
    const refused: unknown = await open('qemu+unix:///system?socket=/nonexistent/sock').catch(
      (reason: unknown) => reason,
    );
    expect(refused).toMatchObject({ codeName: 'VIR_ERR_SYSTEM_ERROR', code: 38 });
    expect((refused as Error).message).toContain('/nonexistent/sock');
  });

  it('refuses changes when opened read-only', async () => {
    const connection = await openTest({ readOnly: true });
    await expect(connection.createDomain(domainXml('denied'))).rejects.toMatchObject({
      codeName: 'VIR_ERR_OPERATION_DENIED',
      operation: 'createDomain',
    });
    expect(await connection.listDomains()).toHaveLength(1);
  });

  it('closes once, says so once, and refuses calls afterwards', async () => {
    const connection = await openTest();
    const events: ClosedEvent[] = [];
    connection.on('closed', (event) => events.push(event));
    await Promise.all([connection.close(), connection.close()]);
    await connection.close();
    expect(events).toEqual([{ reason: 'client' }]);
    expect(connection.closedReason).toBe('client');
    expect(await connection.isAlive()).toBe(false);
    await expect(connection.hostname()).rejects.toMatchObject({ codeName: 'VIR_ERR_INVALID_CONN' });
  });

  it('ends its threads when closed', async () => {
    const connection = await openTest();
    await Promise.all(Array.from({ length: 40 }, () => connection.capabilitiesXml()));
    expect(callThreads()).toBeGreaterThan(0);
    await connection.close();
    await expect.poll(() => callThreads()).toBe(0);
  });

  it('answers many calls at once, each with its own answer or error', async () => {
    const connection = await openTest();
    const missing = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? connection.uri() : connection.domainState(missing(n)))),
    );
    results.forEach((result, n) => {
      if (n % 2 === 0) expect(result).toEqual({ status: 'fulfilled', value: 'test:///default' });
      else expect(result).toMatchObject({ status: 'rejected', reason: { codeName: 'VIR_ERR_NO_DOMAIN' } });
    });
  });

  it('takes an answer that came in time, however late this process hears of it', async () => {
    const connection = await openTest();
    const { uuid } = await connection.createDomain(domainXml('answered'));
    const directory = mkdtempSync(join(tmpdir(), 'libvirt-connection-'));
    try {
      const path = join(directory, 'core');
      // After an immediate timers come first, and what threads have to say after them.
      await setImmediate();
      const dumped = connection.coreDumpDomain(uuid, path, { timeoutSeconds: 0.001 });
      // Nothing else of this process runs until the thread has done it and waits for more.
      const began = performance.now();
      while (performance.now() < began + 5 || !existsSync(path) || callThreads('S') < callThreads());
      await dumped;
      expect(connection.suspect).toBe(false);
    } finally {
      rmSync(directory, { recursive: true });
      await connection.destroyDomain(uuid);
    }
  });

  it('checks its options', async () => {
    await expect(open('test:///default', { callTimeoutSeconds: 0 })).rejects.toThrow(RangeError);
    await expect(open('test:///default', { keepAlive: { intervalSeconds: 0.5, count: 1 } })).rejects.toThrow(
      RangeError,
    );
    const connection = await openTest();
    await expect(connection.uri({ timeoutSeconds: Number.NaN })).rejects.toThrow(RangeError);
    expect(await connection.uri({ timeoutSeconds: Number.POSITIVE_INFINITY })).toBe('test:///default');
  });

  it('refuses a string that C would cut at its NUL', async () => {
    const connection = await openTest();
    await expect(connection.lookupDomainByName('test\0er')).rejects.toThrow(TypeError);
  });
});

describe('a process with a connection', () => {
  const run = (script: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', `import { open } from 'libvirt';\n${script}`], {
      encoding: 'utf8',
      timeout: 100_000,
    });

  it('prints nothing of its own to stderr', () => {
    const result = run(`
      const connection = await open('test:///default');
      await connection.domainState('not a uuid').catch((error) => console.log(error.codeName));
      await connection.createDomain('<domain').catch((error) => console.log(error.codeName));
      await connection.close();`);
    expect(result).toMatchObject({ status: 0, stderr: '', stdout: 'VIR_ERR_INVALID_ARG\nVIR_ERR_XML_DETAIL\n' });
  });

  it('is not kept alive by it', () => {
    expect(run(`await open('test:///default'); console.log('done');`)).toMatchObject({ status: 0, stdout: 'done\n' });
  });

  it('hears of an exception in a listener, as with any event emitter', () => {
    const result = run(`
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const connection = await open('test:///default');
      connection.on('closed', () => { throw new Error('from closed'); });
      const alive = setInterval(() => {}, 1e6);
      const heard = new Promise((resolve) => connection.on('lifecycle', () => {
        clearInterval(alive);
        resolve();
        throw new Error('from lifecycle');
      }));
      await connection.destroyDomain((await connection.listDomains())[0].uuid);
      await heard;
      await connection.close().catch((error) => console.log('close', error.message));`);
    expect(result).toMatchObject({ status: 0, stdout: 'uncaught from lifecycle\nuncaught from closed\n' });
  });

  it('survives a worker thread that ends with its connection open', () => {
    const result = run(`
      import { Worker } from 'node:worker_threads';
      const work = \`
        import { parentPort } from 'node:worker_threads';
        import { open } from 'libvirt';
        const connection = await open('test:///default');
        connection.on('lifecycle', () => {});
        for (let i = 0; i < 50; i++) connection.capabilitiesXml().catch(() => {});
        parentPort.postMessage('working');\`;
      const connection = await open('test:///default');
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(work, { eval: true });
        await new Promise((resolve) => worker.once('message', resolve));
        await worker.terminate();
        const { uuid } = await connection.createDomain("<domain type='test'><name>w</name><memory>1024</memory><os><type>hvm</type></os></domain>");
        await connection.destroyDomain(uuid);
      }
      console.log((await connection.listDomains()).length);`);
    expect(result).toMatchObject({ status: 0, signal: null, stderr: '', stdout: '1\n' });
  });
});

/** Threads for calls; those in one state of the kernel, such as S for one that waits. */
function callThreads(inState?: string): number {
  return readdirSync('/proc/self/task').filter((task) => {
    try {
      const [, name, state] = /\((.*)\) (\S)/.exec(readFileSync(`/proc/self/task/${task}/stat`, 'utf8')) ?? [];
      return name === 'libvirt-call' && (inState === undefined || state === inState);
    } catch {
      return false; // it ended meanwhile
    }
  }).length;
}
