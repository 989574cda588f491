/** What a machine held of images, disks and context, after its creation failed or vacd died in the middle of it. */

import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recoverMachines } from '../../src/daemon/recover.js';
import { CREATE_STEPS } from '../../src/machines/create.js';
import { drainOrder, orders } from '../factory/builders.js';
import { ImageServer, rawImage } from '../host/images/image-server.js';
import { NULL_LOGS, TestFactory } from './test-factory.js';

let server: ImageServer;
let factory: TestFactory;
/** Ends the steps that hang. */
let bury: (why: Error) => void;

beforeEach(async () => {
  bury = () => {};
  server = await ImageServer.start();
  factory = await TestFactory.create({
    machinetypes: [
      {
        name: 'web',
        rootImage: server.serve('/a.img', { content: rawImage(1), etag: '"1"' }),
        userData: 'template',
        context: ['metadata', 'configdrive', 'nocloud', 'one'],
        diskGbPerProcessor: 0.1,
        swapMibPerProcessor: 1,
        targetShare: 1,
        backoffSeconds: 3600,
      },
    ],
    slots: 1,
  });
  const files = factory.layout.machinetypeFiles('web');
  await mkdir(files, { recursive: true });
  await writeFile(`${files}/template`, '#!/bin/sh\n');
});

afterEach(async () => {
  bury(new Error('it is dead'));
  await factory.dispose();
  await server.close();
});

/** Everything that is not history. */
async function held(id: string): Promise<string[]> {
  const { layout } = factory;
  const names = await readdir(layout.machine(id));
  return [
    ...names.filter((name) => /\.(qcow2|img|iso|fd|tmp)$|^volumes$/.test(name)),
    ...(await readdir(layout.slots())),
    ...(await readdir(`${layout.imageCache()}/in-use`).catch(() => [])),
  ];
}

async function onlyMachine(): Promise<string> {
  const [id] = await readdir(factory.layout.machines());
  return id!;
}

test('all of it is there while the machine runs', async () => {
  await factory.drive();
  expect((await held(await onlyMachine())).length).toBe(8);
});

const STEPS = CREATE_STEPS.map(({ name }) => name).filter((name) => name !== 'intent' && name !== 'started');

test.each(STEPS)('a creation that fails at %s leaves nothing of it', async (step) => {
  factory.listen = (_machine, at, moment) => {
    if (at === step && moment === 'begin') throw new Error('the host said no');
  };
  await factory.drive();
  expect(await held(await onlyMachine())).toEqual([]);
});

test.each(STEPS)('a vacd that dies at %s leaves it to the next one, which leaves nothing of it', async (step) => {
  let dying = () => {};
  const isDying = new Promise<void>((resolve) => {
    dying = resolve;
  });
  const forEver = new Promise<void>((_, reject) => {
    bury = reject;
  });
  factory.listen = (_machine, at, moment) => {
    if (at !== step || moment !== 'begin') return;
    dying();
    return forEver;
  };
  factory.pass();
  await factory.settle();
  factory.pass();
  await isDying;
  const id = await onlyMachine();
  // What the next one knows is what is written down; and it is told to start nothing.
  factory.memory.machines.clear();
  factory.memory.orders = orders({ drain: drainOrder() });
  await recoverMachines(factory.journal, factory.memory, NULL_LOGS, factory.log.logger);
  await factory.observer.listDomains();
  // Of the one that died, which hangs, nothing is waited for.
  for (const phase of ['endMachine', 'clearMachine']) {
    expect(factory.pass().actions.map(({ kind }) => kind)).toEqual([phase]);
    await expect.poll(() => factory.memory.machines.get(id)?.busy ?? false).toBe(false);
  }
  expect(await held(id)).toEqual([]);
});
