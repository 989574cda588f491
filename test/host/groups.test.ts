import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { groupId } from '../../src/host/groups.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each([
  ['with getent', true],
  ['on a host without getent', false],
])('a group, %s', (_, hasGetent) => {
  async function ask(name: string): Promise<number | null> {
    if (hasGetent) return groupId(name);
    const empty = await mkdtemp(join(tmpdir(), 'vac-groups-'));
    vi.stubEnv('PATH', empty);
    try {
      return await groupId(name);
    } finally {
      await rm(empty, { recursive: true });
    }
  }

  test('has its number', async () => expect(await ask('root')).toBe(0));
  test('that nobody knows has none', async () => expect(await ask('no-such-group-here')).toBeNull());
  test('is not another whose name begins like it', async () => expect(await ask('roo')).toBeNull());
  test('is asked for by name, not by number', async () => expect(await ask('0')).toBeNull());
});
