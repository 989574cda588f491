import { once } from 'node:events';
import { type ClosedEvent, type LifecycleEvent, open } from 'libvirt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { domainXml } from './domain-xml.js';
import { PrivateLibvirtd, privateLibvirtdUnavailable } from './private-libvirtd.js';

const title = privateLibvirtdUnavailable === null ? 'a libvirtd' : `a libvirtd: ${privateLibvirtdUnavailable}`;

describe.skipIf(privateLibvirtdUnavailable !== null)(title, () => {
  let libvirtd: PrivateLibvirtd;

  beforeAll(async () => {
    libvirtd = await PrivateLibvirtd.start();
  });

  afterAll(() => libvirtd.stop());

  it('sends events over its socket', async () => {
    const connection = await open(libvirtd.testUri);
    const events: LifecycleEvent[] = [];
    connection.on('lifecycle', (event) => events.push(event));
    const { uuid } = await connection.createDomain(domainXml('remote'));
    await connection.destroyDomain(uuid);
    await expect
      .poll(() => events.map((e) => `${e.event} ${e.detail}`))
      .toEqual(['started booted', 'stopped destroyed']);
    await connection.close();
  });

  it('that is killed closes the connection and fails its calls; restarted it serves a new one', async () => {
    const connection = await open(libvirtd.testUri);
    const closed = once(connection, 'closed') as Promise<[ClosedEvent]>;
    // Held until the daemon is dead, so the call is surely in flight when it dies.
    libvirtd.pause();
    const inFlight: Promise<unknown> = connection.hostname().catch((error: unknown) => error);
    libvirtd.kill();
    expect((await closed)[0].reason).toMatch(/^(eof|error)$/);
    expect(await inFlight).toMatchObject({ name: 'LibvirtError', operation: 'hostname' });
    await expect(connection.hostname()).rejects.toMatchObject({ codeName: 'VIR_ERR_INVALID_CONN' });

    // Either nobody listens any more, or the dying one took the connection and dropped it.
    await expect(open(libvirtd.testUri)).rejects.toMatchObject({
      codeName: expect.stringMatching(/^VIR_ERR_(SYSTEM|INTERNAL)_ERROR$/),
    });
    await libvirtd.launch();
    const next = await open(libvirtd.testUri);
    expect(await next.listDomains()).toMatchObject([{ name: 'test', state: 'running' }]);
    await next.close();
  });
});
