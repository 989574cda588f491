import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { decisionLine, why } from '../../src/cli/why.js';
import type { ControlServer } from '../../src/daemon/control.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { NOW } from '../factory/builders.js';
import { controlServer } from './control-server.js';
import { factoryView, logged, machineView } from './status.js';

let directory: string;
let path: string;
let server: ControlServer;
let decisions: DecisionLog;
let status: FactoryStatus;

beforeEach(async () => {
  vi.stubEnv('TZ', 'UTC');
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
  directory = await mkdtemp(join(tmpdir(), 'vac-why-'));
  path = join(directory, 'vacd.sock');
  decisions = new DecisionLog();
  decisions.add([
    { ...logged(), slot: 0, code: 'started', reason: 'start prod (1 processor)', timeSeconds: NOW - 20 },
    { ...logged(), slot: 1, reason: 'of slot 1' },
    { ...logged(), machinetype: 'prod', code: 'backoff', reason: 'it backs off' },
  ]);
  status = factoryView({ processorsUsed: 1, machines: [machineView({}, { slot: 0 })] });
  server = controlServer(
    path,
    () => {
      const { slots, machinetypes, done } = decisions.summary();
      return { ...status, slotDecisions: slots, machinetypeDecisions: machinetypes, done };
    },
    decisions,
  );
  await server.listen();
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const VIEW = { columns: Number.POSITIVE_INFINITY, nowSeconds: NOW, colour: false };
const ask = (subject?: string, view = VIEW) => why(path, subject, false, view);

describe('vac why', () => {
  test('without a subject tells of every slot and machinetype', async () => {
    expect(await ask()).toMatchInlineSnapshot(`
      "factory1.example.com: 1 of 4 processors in use, KVM (vmx)
      slots:
        01:59:40           0: start prod (1 processor)
        01:59:55           1: of slot 1
      machinetypes:
        01:59:55           prod: it backs off"
    `);
  });

  test.each(['0', 'factory1-00', 'factory1-00.example.com'])('of a slot by %s', async (subject) => {
    expect(await ask(subject)).toBe(
      [
        'slot 0 (factory1-00.example.com, prod, running), latest decision last:',
        '  01:59:40           start prod (1 processor)',
      ].join('\n'),
    );
  });

  test('of an empty slot, and of one on which nothing was decided', async () => {
    expect(await ask('1')).toMatch(/^slot 1 \(empty\), latest decision last:\n.* of slot 1$/);
    expect(await ask('3')).toBe('slot 3 (empty), latest decision last:\n  nothing was decided yet');
  });

  test('of a machinetype', async () => {
    expect(await ask('prod')).toMatch(/^machinetype prod, latest decision last:\n.* it backs off$/);
    expect(await ask('user')).toContain('nothing was decided yet');
  });

  test('tells first what holds for all: that nothing starts, until when machines live, what is wrong', async () => {
    status = {
      ...status,
      standstill: { code: 'draining', reason: 'new kernel' },
      shutdownTimeSeconds: NOW + 7200,
      problems: ['prod: creating it failed 5 times in a row (no such image)'],
    };
    expect((await ask()).split('\n').slice(1, 5)).toEqual([
      'nothing starts: new kernel',
      'all machines are to be gone by 2023-11-16 04:00 UTC (in 2 h)',
      'problem: prod: creating it failed 5 times in a row (no such image)',
      'slots:',
    ]);
  });

  test('fits its screen, and loses no word by that', async () => {
    const reason = 'a reason of so many words that no screen of eighty columns shows it on one line beside its time';
    decisions.add([{ ...logged(), slot: 2, reason }]);
    const lines = (await ask('2', { ...VIEW, columns: 80 })).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines).toHaveLength(3);
    expect(lines.slice(1).join(' ').replace(/ +/g, ' ')).toContain(reason);
  });

  test('as JSON is what the daemon said', async () => {
    expect(JSON.parse(await why(path, 'prod', true))).toMatchObject([{ code: 'backoff', reason: 'it backs off' }]);
    expect(JSON.parse(await why(path, undefined, true))).toMatchObject({ factory: status.factory, slots: 4 });
  });

  test.each([
    '4',
    '99999999',
    '-1',
    '0x1',
    'prod2',
    'factory2-00',
    'factory1-00.elsewhere.org',
    'factory1-0',
    '',
  ])('of what there is not (%j) says what there is', async (subject) => {
    await expect(ask(subject)).rejects.toMatchObject({
      code: 'no-such-thing',
      message: `${subject} is neither a slot (0 to 3) nor a machinetype (prod, user) of this factory`,
    });
  });

  test('of a factory without a domain takes its machines’ names', async () => {
    status = { ...status, factory: 'demo', machines: [] };
    expect(await ask('demo-01')).toMatch(/^slot 1 \(empty\)/);
  });

  test('says that no vacd runs where none does', async () => {
    await server.close();
    await expect(ask()).rejects.toMatchObject({ code: 'daemon-not-running' });
  });
});

describe('the time of a decision', () => {
  const DAY = 86_400;

  test('is one of day when it was today', () => {
    expect(decisionLine(logged({ timeSeconds: NOW - 5 }))).toBe('  01:59:55           prod backs off for 12 s more');
  });

  test('has its date when it was not', () => {
    expect(decisionLine(logged({ timeSeconds: NOW - DAY }))).toMatch(/^ {2}2023-11-15 02:00:00 {2}prod/);
    expect(decisionLine(logged({ timeSeconds: NOW - 2 * 3600 - 1 }))).toMatch(/^ {2}2023-11-15 23:59:59 {2}prod/);
  });

  test('is a span when it was given more than once', () => {
    const line = decisionLine(logged({ sinceSeconds: NOW - 3600, timeSeconds: NOW, times: 900 }), 'prod');
    expect(line).toBe('  01:00:00-02:00:00  prod: prod backs off for 12 s more');
  });
});
