import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Census, censusName, censusTime } from '../../src/daemon/census.js';
import type { StateLayout } from '../../src/machines/layout.js';
import type { CensusAnswer } from '../../src/space/messages.js';
import { decode, type FactoryStatus, VirtualClock } from '../../src/vacquery/index.js';
import { RECORDED } from '../vacquery/recorded.js';
import { makeStateDirectory, TestLog } from './test-factory.js';

const HOUR = 3600;
/** 2026-01-02 03:04:05 UTC */
const START = Date.UTC(2026, 0, 2, 3, 4, 5) / 1000;

let layout: StateLayout;
let log: TestLog;
let clock: VirtualClock;
let census: Census;
/** Virtual times at which all were asked, in seconds after the start. */
let asked: number[];
let answers: readonly CensusAnswer[] | null;
let random: number;

beforeEach(async () => {
  layout = await makeStateDirectory();
  log = new TestLog();
  clock = new VirtualClock();
  asked = [];
  answers = [answer('wn01.example.com')];
  random = 0;
  census = newCensus();
});

afterEach(async () => {
  await census.close();
  await rm(layout.root, { recursive: true, force: true });
});

function newCensus(): Census {
  return new Census({
    layout,
    log: log.logger,
    clock,
    nowSeconds: () => Math.floor(START + clock.nowMs() / 1000),
    rng: () => random,
    ask: async () => {
      asked.push(Math.round(clock.nowMs() / 1000));
      return answers;
    },
  });
}

/** What a deployed factory says of itself, under this name. */
function answer(factory: string): CensusAnswer {
  const decoded = decode(Buffer.from(RECORDED.factoryStatus));
  if (!decoded.ok) throw new Error(decoded.reason);
  return { factory, status: { ...(decoded.message as FactoryStatus), factory } };
}

async function files(): Promise<string[]> {
  return (await readdir(layout.spaceCensus())).sort();
}

/** The only census that is kept. */
async function onlyOne(): Promise<Record<string, Record<string, unknown>>> {
  const [name, ...more] = await files();
  expect(more).toEqual([]);
  return JSON.parse(await readFile(join(layout.spaceCensus(), name!), 'utf8'));
}

/** So many seconds pass, and what comes of them. */
async function pass(seconds: number): Promise<void> {
  const endMs = clock.nowMs() + seconds * 1000;
  while (clock.nowMs() < endMs) {
    clock.runUntil(Math.min(endMs, clock.nowMs() + 10_000));
    // File work is real: time waits for it.
    await census.settled();
  }
}

describe('the schedule', () => {
  test('first within minutes of the start, at a time of each factory’s own, then each hour', async () => {
    for (const [rng, first] of [
      [0, 120],
      [0.5, 420],
      [0.999, 719],
    ] as const) {
      random = rng;
      await census.start();
      const begin = Math.round(clock.nowMs() / 1000);
      await pass(first + 2 * HOUR + 60);
      const expected = [first, first + HOUR, first + 2 * HOUR];
      asked.forEach((time, index) => {
        // Time goes on by steps of ten seconds here.
        expect(Math.abs(time - begin - expected[index]!)).toBeLessThanOrEqual(10 * (index + 1));
      });
      expect(asked).toHaveLength(3);
      await census.close();
      await rm(layout.spaceCensus(), { recursive: true });
      asked = [];
      census = newCensus();
    }
  });

  test('not again within the hour after a restart', async () => {
    await writeFile(join(layout.spaceCensus(), censusName(START - 1000)), '{}');
    await writeFile(join(layout.spaceCensus(), censusName(START - 5000)), '{}');
    await census.start();
    await pass(HOUR - 1000 - 30);
    expect(asked).toEqual([]);
    await pass(60);
    expect(asked).toHaveLength(1);
  });

  test('is not put off by a file from a clock that was ahead', async () => {
    await writeFile(join(layout.spaceCensus(), censusName(START + 40 * HOUR)), '{}');
    await census.start();
    await pass(180);
    expect(asked).toHaveLength(1);
    expect(await files()).toEqual([censusName(START + 120)]);
  });

  test('ends with close, in the middle of one too', async () => {
    answers = [];
    await census.start();
    clock.runUntil(120_000);
    await census.close();
    clock.runUntil(10 * HOUR * 1000);
    expect(asked).toEqual([120]);
    expect(await files()).toEqual([]);
  });

  test('a factory that is alone keeps none', async () => {
    answers = null;
    await census.start();
    await pass(2 * HOUR);
    expect(asked).toHaveLength(2);
    expect(await files()).toEqual([]);
    expect(census.last).toBeNull();
    expect(log.lines).toEqual([]);
  });
});

describe('a census', () => {
  test('has the answers with the keys and number forms of the wire', async () => {
    answers = [answer('wn02.example.com'), answer('wn01.example.com')];
    await census.start();
    await pass(180);
    expect(await files()).toEqual(['20260102T030605Z.json']);
    const text = await readFile(join(layout.spaceCensus(), '20260102T030605Z.json'), 'utf8');
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toContain(`"wn01.example.com": ${RECORDED.factoryStatus}`);
    expect(Object.keys(await onlyOne())).toEqual(['wn01.example.com', 'wn02.example.com']);
    expect(census.last).toEqual({ timeSeconds: START + 120, factories: 2 });
  });

  test('is empty where nobody answers', async () => {
    answers = [];
    await census.start();
    await pass(180);
    expect(await onlyOne()).toEqual({});
    expect(census.last?.factories).toBe(0);
  });

  test('is kept for a day, and nothing else in the directory is touched', async () => {
    await writeFile(join(layout.spaceCensus(), censusName(START - 90_000)), '{}');
    await writeFile(join(layout.spaceCensus(), 'notes.txt'), 'mine');
    await census.start();
    await pass(30 * HOUR);
    const kept = await files();
    expect(kept.at(-1)).toBe('notes.txt');
    const ages = kept.flatMap((name) => censusTime(name) ?? []).map((time) => START + 30 * HOUR - time);
    expect(ages.length).toBeGreaterThanOrEqual(24);
    expect(ages.length).toBeLessThanOrEqual(25);
    expect(Math.max(...ages)).toBeLessThanOrEqual(25 * HOUR);
  });

  test('has the catalogue’s entries for those that did not answer, and for no others', async () => {
    const entries = {
      'wn01.example.com': { max_machines: 1 },
      'wn03.example.com': { max_processors: 64, max_machines: 32, max_hs06: 640.5 },
      'elsewhere.example.org': { max_machines: 7 },
    };
    await writeFile(layout.spaceCatalogue(), JSON.stringify(entries));
    answers = [answer('wn01.example.com')];
    await census.start();
    await pass(180);
    const { 'wn01.example.com': first, ...others } = await onlyOne();
    expect(first).toMatchObject({ message_type: 'factory_status', max_machines: 4 });
    expect(others).toEqual({
      'elsewhere.example.org': { max_machines: 7 },
      'wn03.example.com': { max_processors: 64, max_machines: 32, max_hs06: 640.5 },
    });
    expect(census.last?.factories).toBe(1);
  });

  test('leaves a bad catalogue out, and says so once until it is corrected', async () => {
    await writeFile(layout.spaceCatalogue(), '{"wn03.example.com": {"max_machines": "7"}}');
    await census.start();
    await pass(3 * HOUR);
    expect(log.lines).toEqual([
      `warning: ${layout.spaceCatalogue()}: "wn03.example.com": max_machines = "7": expected a whole number, 0 or more; the catalogue is left out of the census until this is corrected`,
    ]);
    await writeFile(layout.spaceCatalogue(), '{"wn03.example.com": {"max_machines": 7}}');
    await pass(HOUR);
    const newest = (await files()).at(-1)!;
    expect(JSON.parse(await readFile(join(layout.spaceCensus(), newest), 'utf8'))).toHaveProperty(
      ['wn03.example.com'],
      {
        max_machines: 7,
      },
    );
    await writeFile(layout.spaceCatalogue(), '{');
    await pass(HOUR);
    expect(log.lines).toHaveLength(2);
  });
});

describe('a disk that is full', () => {
  beforeEach(() => mount('-t', 'tmpfs', '-o', 'size=64k,mode=755', 'tmpfs', layout.root));
  afterEach(() => {
    spawnSync('umount', [layout.root]);
  });

  test('is said once, tried again each ten minutes, and leaves nothing half written', async () => {
    await writeFile(join(layout.root, 'ballast'), Buffer.alloc(60 * 1024));
    answers = Array.from({ length: 40 }, (_, index) => answer(`wn${index}.example.com`));
    await census.start();
    await pass(HOUR);
    expect(asked.length).toBeGreaterThanOrEqual(5);
    expect(log.lines).toEqual([
      'warning: the census of the space is not kept: ENOSPC: no space left on device, write; tried again every 10 minutes',
    ]);
    expect(await files()).toEqual([]);
    expect(census.last).toBeNull();
    await rm(join(layout.root, 'ballast'));
    await pass(600);
    expect(Object.keys(await onlyOne())).toHaveLength(40);
    expect(log.lines.slice(1)).toEqual(['info: the census of the space is kept again']);
    const before = asked.length;
    await pass(HOUR - 700);
    expect(asked).toHaveLength(before);
  });

  function mount(...args: string[]): void {
    const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  }
});

test('names of files are times, and nothing else is', () => {
  expect(censusName(START)).toBe('20260102T030405Z.json');
  expect(censusTime('20260102T030405Z.json')).toBe(START);
  for (const name of ['20260230T030405Z.json', '20260102T250000Z.json', '20260102T030405Z.json.tmp', 'x', '']) {
    expect(censusTime(name), name).toBeNull();
  }
});
