import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isVacError } from '../../src/errors.js';
import { type ListenAddress, MetadataSockets } from '../../src/metadata/sockets.js';

const ANY = { address: '127.0.0.254', port: 0 };

let sockets: MetadataSockets;

beforeEach(() => {
  sockets = new MetadataSockets([ANY]);
  sockets.bind();
});
afterEach(() => sockets.close());

function failureOf(address: ListenAddress): unknown {
  const others = new MetadataSockets([address]);
  try {
    others.bind();
    return null;
  } catch (error) {
    return error;
  } finally {
    others.close();
  }
}

describe('the sockets of the metadata service', () => {
  it('say which address is in use, and what to do', () => {
    const [bound] = sockets.bound();
    const error = failureOf(bound!);
    expect(isVacError(error, 'address-in-use')).toBe(true);
    expect((error as Error).message).toMatch(new RegExp(`^127\\.0\\.0\\.254:${bound!.port} is in use .*stop it`));
  });

  it('say which address the host does not have, and what brings it', () => {
    const error = failureOf({ address: '192.0.2.1', port: 80 });
    expect(isVacError(error, 'address-missing')).toBe(true);
    expect((error as Error).message).toMatch(/192\.0\.2\.1:80.*network/);
  });

  it('are bound once, and what had failed when it can be', async () => {
    const before = sockets.bound();
    sockets.bind();
    expect(sockets.bound()).toEqual(before);

    const blocker = createServer().listen(0, '127.0.0.252');
    await once(blocker, 'listening');
    const { port } = blocker.address() as { port: number };
    const two = new MetadataSockets([
      { address: '127.0.0.251', port: 0 },
      { address: '127.0.0.252', port },
    ]);
    try {
      expect(() => two.bind()).toThrow('in use');
      expect([...two.descriptors().keys()]).toEqual(['127.0.0.251']);
      await new Promise((resolve) => blocker.close(resolve));
      two.bind();
      expect([...two.descriptors().keys()]).toEqual(['127.0.0.251', '127.0.0.252']);
    } finally {
      two.close();
    }
  });

  it('free their ports when they are closed, and can be bound again', () => {
    const [bound] = sockets.bound();
    sockets.close();
    expect(failureOf(bound!)).toBeNull();
    sockets.bind();
    expect(sockets.bound()).toHaveLength(1);
  });
});
