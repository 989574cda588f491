import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/types.js';
import { Metrics } from '../../src/daemon/metrics.js';
import { pipesDirectory } from '../../src/daemon/pipe-copies.js';
import { Pipes } from '../../src/daemon/pipes.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { config, diedEarly, machinetype } from '../factory/builders.js';
import { serveHttp, type WebServer } from '../host/web-server.js';
import { TestFactory, until, writeRawImage } from './test-factory.js';

let factory: TestFactory;
let server: WebServer;
let pipes: Pipes;
let document: string;

beforeEach(async () => {
  document = '';
  server = await serveHttp((_, response) => {
    response.writeHead(document === '' ? 404 : 200).end(document);
  });
  factory = await TestFactory.create({ machinetypes: [], slots: 1 });
  const files = factory.layout.machinetypeFiles('p');
  await mkdir(files, { recursive: true });
  await writeRawImage(join(files, 'image.raw'));
  const { memory, log, layout } = factory;
  const options = { swap_mb_per_processor: '0' };
  const pipe = { prefix: 'p', url: `${server.url}/p`, targetShare: 1, options, localOptions: {} };
  pipes = new Pipes(
    {
      directory: pipesDirectory(layout.root),
      log: log.logger,
      millisecondsPerSecond: 0.2,
      onChange: (changed) => memory.renewMachinetypes(changed),
      onFacts: (facts) => {
        memory.pipes = facts;
      },
    },
    { ...memory.config, vacuumPipes: [pipe] },
  );
  memory.renewMachinetypes(await pipes.load());
  pipes.begin();
});
afterEach(async () => {
  await pipes.close();
  await server.close();
  await factory.dispose();
});

const gives = (...suffixes: string[]): void => {
  const machinetypes = suffixes.map((suffix) => ({
    suffix,
    target_share: 1,
    machine_model: 'vm-raw',
    root_image: 'image.raw',
  }));
  document = JSON.stringify({ cache_seconds: 60, machinetypes });
};
const names = (): string => factory.memory.config.machinetypes.map(({ name }) => name).join();
const kinds = (): string[] => factory.pass().actions.map(({ kind }) => kind);

describe("a pipe's machinetypes in a factory", () => {
  it('start machines; those of one that is gone go on, and no others start', async () => {
    expect(kinds()).toEqual([]);
    gives('a');
    await until('the machinetype', () => names() === 'p-a');
    await factory.drive();
    const [machine] = [...factory.memory.machines.values()];
    expect(machine!.entry).toMatchObject({ phase: 'running', record: { machinetype: 'p-a' } });

    gives();
    await until('it is gone', () => names() === '');
    await factory.settle();
    expect(kinds()).toEqual([]);
    expect(machine!.entry).toMatchObject({ phase: 'running', stop: null });

    factory.hypervisor.domains.clear();
    await factory.settle();
    expect(await factory.drive()).not.toContain('create');
    expect(factory.memory.machines.size).toBe(0);
  });

  it('are told of in status and metrics while they cannot be had', async () => {
    await until('a problem', () => factory.memory.pipes.get('p')?.problem != null);
    const status = () => factoryStatus(factory.memory, new DecisionLog(), 'kvm');
    expect(status().problems).toEqual([
      `vacuum pipe p gives no machinetypes: ${server.url}/p answers 404, not with a document`,
    ]);
    const scraped = async () => {
      // A new one each time: its answer is kept for a moment.
      const metrics = new Metrics(factory.memory);
      const lines = (await metrics.text()).split('\n').filter((line) => /^vac_(pipe|problems)/.test(line));
      metrics.close();
      return lines;
    };
    expect(await scraped()).toEqual([
      'vac_problems 1',
      'vac_pipe_machinetypes{pipe="p"} 0',
      'vac_pipe_refused_machinetypes{pipe="p"} 0',
      'vac_pipe_failing{pipe="p"} 1',
    ]);
    gives('a', 'b', 'b');
    await until('machinetypes', () => names() === 'p-a,p-b');
    expect(status().problems).toEqual([expect.stringContaining('its machinetype b is refused')]);
    expect(await scraped()).toEqual([
      'vac_problems 1',
      'vac_pipe_machinetypes{pipe="p"} 2',
      'vac_pipe_refused_machinetypes{pipe="p"} 1',
      expect.stringMatching(/^vac_pipe_copy_age_seconds\{pipe="p"\} \d+$/),
      'vac_pipe_failing{pipe="p"} 0',
    ]);
  });
});

describe('what a pipe changes', () => {
  const failure = { count: 3, timeSeconds: 1, message: 'no image' };

  it('lifts no backoff, but nothing is kept of types that are gone with their machines', async () => {
    const { memory } = factory;
    for (const name of ['p-a', 'p-b', 'p-c']) memory.creationFailures.set(name, failure);
    memory.earlyDeaths.set('p-b', diedEarly('p-b', 4, 9999).get('p-b')!);
    await factory.addMachine({ machinetype: 'p-c' });
    const changed: Config = config([machinetype('p-a', { maxProcessors: 2 })]);
    memory.renewMachinetypes(changed);
    expect(memory.config).toBe(changed);
    expect([...memory.creationFailures.keys()]).toEqual(['p-a', 'p-c']);
    expect([...memory.earlyDeaths.keys()]).toEqual([]);
  });
});
