/** A machinetype whose image is a URL, from the decision to the machine and its end. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { standingProblems } from '../../src/daemon/standing-problems.js';
import { typeDecision } from '../factory/builders.js';
import { ImageServer, rawImage, sha256 } from '../host/images/image-server.js';
import { TestFactory } from './test-factory.js';

let server: ImageServer;
let factory: TestFactory;

beforeEach(async () => {
  server = await ImageServer.start();
});
afterEach(async () => {
  await factory.dispose();
  await server.close();
});

async function make(url: string, slots = 64): Promise<void> {
  factory = await TestFactory.create({
    machinetypes: [{ name: 'web', rootImage: url, targetShare: 1 }],
    settings: { maxStartingMachines: slots, overloadPerProcessor: 1000 },
    slots,
  });
}

const machines = () => [...factory.memory.machines.values()].map(({ entry }) => entry.record.id);
const inUse = (id = '') => join(factory.layout.imageCache(), 'in-use', id);

test('64 slots: one download, and all are started from it', async () => {
  await make(server.serve('/a.img', { content: rawImage(1), etag: '"1"' }));
  expect((await factory.drive()).filter((kind) => kind === 'fetchImage')).toHaveLength(1);
  expect(machines()).toHaveLength(64);
  expect(server.asked).toHaveLength(1);
  expect((await readdir(inUse())).sort()).toEqual(machines().sort());
  const [one] = machines();
  expect(sha256(await readFile(inUse(one)))).toBe(sha256(rawImage(1)));
  const overlay = await readFile(factory.layout.inMachine(one!, 'root.qcow2'));
  expect(overlay.includes(inUse(one))).toBe(true);
}, 60_000);

test('while it is fetched nothing is started, and it is told how far it is', async () => {
  let release = () => {};
  const hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  await make(server.serve('/a.img', { content: rawImage(1), etag: '"1"', hold }), 1);
  expect(factory.pass().actions.map(({ kind }) => kind)).toEqual(['fetchImage']);
  await expect
    .poll(() => typeDecision(factory.pass(), 'web')?.reason)
    .toBe('waits: its image is being fetched: 0 % of 300 kB');
  expect(factory.pass().actions).toEqual([]);
  release();
  await factory.settle();
  expect(factory.pass().actions.map(({ kind }) => kind)).toEqual(['createMachine']);
});

test('where there is no image nothing is started or left, and somebody is told', async () => {
  await make(`${server.url}/none.img`, 1);
  expect(await factory.drive()).toEqual(['fetchImage']);
  const decision = typeDecision(factory.pass(), 'web');
  expect(decision).toMatchObject({
    code: 'image-unavailable',
    reason: expect.stringMatching(/the server answers 404 Not Found; next try in \d+ s$/),
  });
  const state = factory.memory.state(0, 0);
  expect(standingProblems(state, factory.memory.config)).toEqual([
    expect.stringContaining('web: its image cannot be used'),
  ]);
  expect(await readdir(factory.layout.machines())).toEqual([]);
  // A changed configuration may have put it right; the network is looked at first.
  factory.memory.reconfigure(factory.memory.config);
  factory.pass();
  await factory.settle();
  expect(typeDecision(factory.pass(), 'web')?.code).toBe('image-fetching');
});

test('a machine gives its image back at its end', async () => {
  await make(server.serve('/a.img', { content: rawImage(1), etag: '"1"' }), 1);
  await factory.drive();
  const [id] = machines();
  expect(existsSync(inUse(id))).toBe(true);
  factory.memory.orders = { ...factory.memory.orders, stopAll: true };
  const { uuid } = factory.memory.machines.get(id!)!.entry.record;
  await factory.hypervisor.destroyDomain(uuid);
  await factory.settle();
  await factory.drive();
  expect(machines()).toEqual([]);
  expect(existsSync(inUse(id))).toBe(false);
});
