import { mkdir, readFile, rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StatusFiles } from '../../src/daemon/status-files.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { TestFactory } from './test-factory.js';

let factory: TestFactory;
let files: StatusFiles;

beforeEach(async () => {
  factory = await TestFactory.create({ slots: 3 });
  const { memory, layout, log } = factory;
  files = new StatusFiles({ memory, decisions: new DecisionLog(), layout, log: log.logger });
});
afterEach(() => factory.dispose());

const text = (path: string) => readFile(path, 'utf8').catch(() => null);

test('factory-error tells what `vac check` tells first, while that keeps machines from starting', async () => {
  const { memory, layout } = factory;
  await files.write();
  expect(await text(layout.counts())).toBe('0 3 0 3 0');
  expect(await text(layout.factoryError())).toBeNull();
  memory.queryProblem = 'UDP port 995 is taken';
  await files.write();
  expect(await text(layout.factoryError())).toBe('the other factories cannot ask this one: UDP port 995 is taken\n');
  memory.queryProblem = null;
  memory.creationFailures.set('prod', { count: 9, timeSeconds: 1, message: 'no image' });
  await files.write();
  expect(await text(layout.factoryError())).toBeNull();
});

test('trouble in writing them is told once, and once when it is over', async () => {
  const { layout, log } = factory;
  await mkdir(layout.counts());
  for (let times = 0; times < 3; times += 1) await files.write();
  expect(log.lines).toEqual([expect.stringMatching(/^error: status files not written: .*counts/)]);
  await rm(layout.counts(), { recursive: true });
  for (let times = 0; times < 2; times += 1) await files.write();
  expect(log.lines.slice(1)).toEqual(['info: status files are written again']);
});

test('they are written by one at a time', async () => {
  let asked = 0;
  const state = factory.memory.state.bind(factory.memory);
  factory.memory.state = (...args) => {
    asked += 1;
    return state(...args);
  };
  await Promise.all([files.write(), files.write(), files.write()]);
  const once = asked;
  await files.write();
  expect(asked).toBe(2 * once);
});
