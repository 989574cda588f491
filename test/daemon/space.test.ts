import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/daemon/log.js';
import { Memory } from '../../src/daemon/memory.js';
import { Space } from '../../src/daemon/space.js';
import { MemoryNetwork, PERFECT_NETWORK, seededRandom, steadyClock } from '../../src/vacquery/index.js';
import { config, machine, machinetype } from '../factory/builders.js';

const NAMES = ['wn1.example.com', 'wn2.example.com', 'wn3.example.com'] as const;
const addressOf = (name: string) => `192.0.2.${NAMES.indexOf(name as (typeof NAMES)[number]) + 1}`;

let stateDir: string;
let network: MemoryNetwork;
const spaces: Space[] = [];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vac-space-'));
  network = new MemoryNetwork(steadyClock, seededRandom(7), PERFECT_NETWORK);
});

afterEach(async () => {
  await Promise.all(spaces.splice(0).map((space) => space.close()));
  rmSync(stateDir, { recursive: true });
});

/** A factory of the space with a number of running machines of type `prod`, and what its log said. */
async function factory(name: string, running: number, settings: Parameters<typeof config>[1] = {}) {
  const memory = new Memory(
    name,
    config([machinetype('prod', { targetShare: 1 })], { factories: [...NAMES], udpTimeoutSeconds: 1, ...settings }),
  );
  memory.host = { ...memory.host, processors: 4 };
  for (let slot = 0; slot < running; slot += 1) {
    const facts = machine({}, { slot, machinetype: 'prod', id: `1700000000_prod_${name}-${slot}` });
    memory.remember({ ...facts }, performance.now());
  }
  const lines: string[] = [];
  const space = new Space({
    memory,
    log: createLogger('text', (line) => lines.push(line)),
    stateDir,
    wake: () => {},
    clock: steadyClock,
    openTransport: async (port) => network.open(addressOf(name), port),
    resolve: async (host) => [addressOf(host)],
  });
  spaces.push(space);
  await space.start();
  return { memory, lines };
}

describe('factories of one space', () => {
  it('learn what the others run, and nothing of themselves', async () => {
    const [first, second, third] = [await factory(NAMES[0], 2), await factory(NAMES[1], 3), await factory(NAMES[2], 0)];
    await vi.waitFor(
      () => {
        const seen = third.memory.peers.map(({ factory: name, runningMachines }) => [name, runningMachines]);
        expect(seen.sort()).toEqual([
          [NAMES[0], 2],
          [NAMES[1], 3],
        ]);
      },
      { timeout: 5000 },
    );
    expect(second.memory.peers.some(({ factory: name }) => name === NAMES[1])).toBe(false);
    expect(first.lines.filter((line) => line.includes('alone')).length).toBeLessThanOrEqual(1);
  });

  it('answer no other space', async () => {
    const [, other] = [await factory(NAMES[0], 2), await factory(NAMES[1], 1, { vacSpace: 'another.example.com' })];
    await vi.waitFor(() => expect(other.lines.some((line) => line.includes('going on alone'))).toBe(true), {
      timeout: 5000,
    });
    expect(other.memory.peers).toEqual([]);
  });

  it('go on alone when nobody answers, and say so once', async () => {
    const { memory, lines } = await factory(NAMES[0], 1);
    await vi.waitFor(() => expect(lines.some((line) => line.includes('going on alone'))).toBe(true), { timeout: 5000 });
    expect(memory.peers).toEqual([]);
  });
});
