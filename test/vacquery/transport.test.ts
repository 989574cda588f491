import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { isVacError } from '../../src/errors.js';
import { saltedCookies } from '../../src/vacquery/cookies.js';
import { openDgramTransport } from '../../src/vacquery/dgram.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { Poller } from '../../src/vacquery/poller.js';
import { Responder } from '../../src/vacquery/responder.js';
import { steadyClock } from '../../src/vacquery/steady-clock.js';
import type { Endpoint, Transport } from '../../src/vacquery/transport.js';
import { bytes } from './recorded.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

const open: Transport[] = [];

async function transportOn(
  ipv4Address: string | null,
  ipv6Address: string | null = null,
  port = 0,
): Promise<Transport> {
  const transport = await openDgramTransport({ port, ipv4Address, ipv6Address });
  open.push(transport);
  return transport;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((transport) => transport.close()));
});

const hasIpv6 = await transportOn(null, '::1').then(
  () => true,
  () => false,
);

function nextDatagram(transport: Transport): Promise<{ datagram: Uint8Array; from: Endpoint }> {
  return new Promise((resolve) => transport.onDatagram((datagram, from) => resolve({ datagram, from })));
}

describe('sockets', () => {
  it('carry a datagram there and back', async () => {
    const [here, there] = [await transportOn('127.0.0.1'), await transportOn('127.0.0.1')];
    const arrived = nextDatagram(there);
    here.send(bytes('query'), '127.0.0.1', there.port);
    const { datagram, from } = await arrived;
    expect(Buffer.from(datagram).toString()).toBe('query');
    expect(from).toMatchObject({ address: '127.0.0.1', port: here.port });
    const back = nextDatagram(here);
    there.send(bytes('reply'), from.address, from.port);
    expect(Buffer.from((await back).datagram).toString()).toBe('reply');
  });

  it.skipIf(!hasIpv6)('carry IPv6 (skipped where the host has no ::1)', async () => {
    const [here, there] = [await transportOn('127.0.0.1', '::1'), await transportOn(null, '::1')];
    const arrived = nextDatagram(there);
    here.send(bytes('query'), '::1', there.port);
    expect((await arrived).from.address).toBe('::1');
  });

  it('a port that is taken is named', async () => {
    const taken = await transportOn('127.0.0.1');
    const error: unknown = await transportOn('127.0.0.1', null, taken.port).catch((problem: unknown) => problem);
    expect(isVacError(error, 'address-in-use')).toBe(true);
    expect((error as Error).message).toContain(`UDP port ${taken.port} is taken on 127.0.0.1`);
  });

  it('an address that the host does not have is named', async () => {
    const error: unknown = await transportOn('192.0.2.1').catch((problem: unknown) => problem);
    expect(isVacError(error, 'address-missing')).toBe(true);
    expect((error as Error).message).toContain('192.0.2.1');
  });

  it('sending to nowhere, to no port and after closing never throws', async () => {
    const transport = await transportOn('127.0.0.1');
    transport.send(bytes('x'), '127.0.0.1', 1);
    transport.send(bytes('x'), '127.0.0.1', 0);
    transport.send(bytes('x'), '127.0.0.1', 65_536);
    transport.send(bytes('x'), 'no address', 995);
    transport.send(bytes('x'), '2001:db8::1', 995);
    transport.send(new Uint8Array(100_000), '127.0.0.1', 995);
    await transport.close();
    transport.send(bytes('x'), '127.0.0.1', 995);
    await transport.close();
    // The port is free again.
    const socket = createSocket('udp4');
    await new Promise<void>((bound, failed) => {
      socket.once('error', failed).bind(transport.port, '127.0.0.1', bound);
    });
    socket.close();
  });
});

/** A factory with 64 machines on real sockets; answers `ally` alone. */
async function serve(ipv4Address: string | null, ipv6Address: string | null, ally: string): Promise<Transport> {
  const served = await transportOn(ipv4Address, ipv6Address);
  const responder = new Responder({
    mayAsk: (address) => address === ally,
    onRefusal: () => {},
    onProblem: (problem) => expect(problem).toBeUndefined(),
  });
  responder.setSnapshot(snapshotOf('wn01.example.com', 64, 10));
  served.onDatagram((datagram, { address, port }) => {
    for (const reply of responder.answer(datagram, address, steadyClock.nowMs(), NOW_SECONDS)) {
      served.send(reply, address, port);
    }
  });
  return served;
}

async function pollOf(addresses: readonly string[], port: number, ipv4: string | null, ipv6: string | null) {
  const poller = new Poller(await transportOn(ipv4, ipv6), steadyClock);
  const memory = new PeerMemory();
  const answers = await poller.poll({
    query: 'machines_query',
    space: SPACE,
    vacVersion: 'Vac 0.1.0 vac',
    peers: [{ factory: 'wn01.example.com', addresses, port }],
    cookieOf: saltedCookies(),
    timeoutMs: 10_000,
    rng: Math.random,
    memory,
  });
  return { answer: answers[0]!, lastAddress: memory.lastAddress('wn01.example.com') };
}

describe('a poll over loopback gets every machine of a factory', () => {
  it('by IPv4', async () => {
    const served = await serve('127.0.0.1', null, '127.0.0.1');
    const { answer } = await pollOf(['127.0.0.1'], served.port, '127.0.0.1', null);
    expect(answer).toMatchObject({ outcome: 'complete', expected: 64 });
  });

  it.skipIf(!hasIpv6)('by IPv6 (skipped where the host has no ::1)', async () => {
    const served = await serve(null, '::1', '::1');
    const { answer } = await pollOf(['::1'], served.port, null, '::1');
    expect(answer).toMatchObject({ outcome: 'complete', expected: 64 });
  });

  it.skipIf(!hasIpv6)('by the other family where its first address is silent (skipped without ::1)', async () => {
    const served = await serve(null, '::1', '::1');
    const { answer, lastAddress } = await pollOf(['127.0.0.1', '::1'], served.port, '127.0.0.1', '::1');
    expect(answer).toMatchObject({ outcome: 'complete', expected: 64, refused: new Map() });
    expect(answer.asked).toBeGreaterThanOrEqual(2);
    expect(lastAddress).toBe('::1');
  });
});
