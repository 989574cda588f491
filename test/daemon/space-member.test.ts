/** The daemon's side of a space with a member that says what the test wants: one that was taken over, or that dies. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Memory } from '../../src/daemon/memory.js';
import { Space } from '../../src/daemon/space.js';
import { BadMessage } from '../../src/guard/part.js';
import type { MemberListener, MemberProcess } from '../../src/space/member-process.js';
import type { ToMember } from '../../src/space/messages.js';
import { VirtualClock } from '../../src/vacquery/index.js';
import { machine } from '../factory/builders.js';
import { configOf, WN1, WN2, WN3 } from '../space/space-network.js';
import { TestLog } from './test-factory.js';

let directory: string;
let space: Space;
let clock: VirtualClock;
let log: TestLog;
let memory: Memory;
let woken: number;
/** What the member of now was told. */
let told: ToMember[];
let member: MemberListener;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vac-member-'));
  clock = new VirtualClock();
  log = new TestLog();
  woken = 0;
  memory = new Memory(WN1, configOf());
  memory.host = { ...memory.host, processors: 8 };
  const process: MemberProcess = {
    connect: (listener) => {
      member = listener;
    },
    begin: async () => {},
    openPort: async () => begin(),
    close: async () => {},
  };
  const wake = () => {
    woken += 1;
  };
  space = new Space({ memory, log: log.logger, stateDir: directory, wake, clock, process });
  await space.start();
});
afterEach(async () => {
  await space.close();
  rmSync(directory, { recursive: true });
  vi.restoreAllMocks();
});

function begin(): void {
  told = [];
  const mine = told;
  member.began((message) => mine.push(message));
}

const toldOf = <Type extends ToMember['type']>(type: Type) =>
  told.filter((message): message is Extract<ToMember, { type: Type }> => message.type === type);
const generation = () => toldOf('configure').at(-1)!.config.generation;

function say(type: string, body: object = {}): void {
  member.receive(type, JSON.parse(JSON.stringify(body)));
}

function news(runningMachines: number, change: object = {}): void {
  const item = {
    factory: 'others',
    machinetype: 'prod',
    runningHs06: runningMachines,
    runningMachines,
    runningProcessors: runningMachines,
    beforeFizzle: 0,
    lastEnd: null,
  };
  const all = { generation: generation(), heard: true, alone: false, news: [item], uses: [], problems: [], ...change };
  say('news', { isLast: true, news: all });
}

const counted = () => memory.peers.reduce((sum, { runningMachines }) => sum + runningMachines, 0);

describe('news', () => {
  it('of an earlier configuration counts for nothing', () => {
    news(1);
    const old = generation();
    memory.config = configOf({ factories: [WN1, WN3] });
    space.configure();
    memory.config = configOf({ factories: [WN1, WN2, WN3] });
    space.configure();
    news(5, { generation: old });
    expect(counted()).toBe(1);
    news(2);
    expect(counted()).toBe(2);
  });

  it('counts for nothing where there are no others', () => {
    memory.config = configOf({ factories: [] });
    space.configure();
    news(5, { heard: false, alone: true });
    expect(memory).toMatchObject({ peers: [], spaceHeard: true, alone: false });
  });

  it('in pages is taken when the last one is there', () => {
    news(1);
    const page = (name: string, isLast: boolean) => {
      const item = { ...memory.peers[0], machinetype: name };
      const body = {
        generation: generation(),
        heard: true,
        alone: false,
        news: [item],
        uses: [[name, 1]],
        problems: [],
      };
      say('news', { isLast, news: body });
    };
    page('a', false);
    page('b', false);
    expect(memory.peers.map(({ machinetype: name }) => name)).toEqual(['prod']);
    page('c', true);
    expect(memory.peers.map(({ machinetype: name }) => name)).toEqual(['a', 'b', 'c']);
    expect([...memory.peerUses.keys()]).toEqual(['a', 'b', 'c']);
    const pageWithout = { generation: generation(), heard: true, alone: false, uses: [], problems: [] };
    const many = Array.from({ length: 3_000 }, () => memory.peers[0]);
    const flood = () => say('news', { isLast: false, news: { ...pageWithout, news: many } });
    flood();
    expect(flood).toThrow(BadMessage);
  });

  it('is told to the log when nobody else answers, and when somebody does again', () => {
    for (const alone of [true, true, false, true]) news(1, { alone });
    expect(log.lines).toEqual([
      'warning: none of the 2 other factories answers: going on alone',
      'info: other factories answer: no longer alone',
      'warning: none of the 2 other factories answers: going on alone',
    ]);
  });
});

describe('a member that ends', () => {
  it('stops starts at once; its news stays until another has heard the space', () => {
    news(3);
    expect(memory).toMatchObject({ spaceHeard: true, queryProblem: null });
    member.ended();
    expect(memory.queryProblem).toMatch(/has ended, and is started anew/);
    expect(counted()).toBe(3);
    begin();
    // It has said nothing yet.
    expect(memory).toMatchObject({ spaceHeard: false, queryProblem: expect.stringMatching(/has ended/) });
    news(0, { heard: false });
    expect(memory).toMatchObject({ spaceHeard: false, queryProblem: null });
    expect(counted()).toBe(3);
    news(4);
    expect(memory.spaceHeard).toBe(true);
    expect(counted()).toBe(4);
    expect(log.lines).toEqual(['info: the process that speaks VacQuery for vacd runs again']);
  });

  it('is followed by one that is told all that this one knew', () => {
    const types = () => told.map(({ type }) => type);
    const before = types();
    member.ended();
    begin();
    expect(types()).toEqual(before);
    expect(types()).toEqual(['own', 'configure', 'keys']);
  });

  it('leaves nobody waiting for its answers', async () => {
    news(1);
    const answers = Promise.allSettled([space.look(), space.census(), space.resolve('host.example.com')]);
    member.ended();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(space.report().peers.map(({ factory, outcome }) => [factory, outcome])).toEqual([
      [WN2, 'unasked'],
      [WN3, 'unasked'],
    ]);
    await expect(space.census()).rejects.toThrow('has ended');
  });
});

it('a member that does not answer is waited for less long than vac waits', async () => {
  const looked = space.look();
  clock.runUntil(clock.nowMs() + 700);
  await looked;
  expect(space.gossip()).toBeNull();
  const census = space.census();
  clock.runUntil(clock.nowMs() + 20_000);
  await expect(census).rejects.toThrow('does not answer');
});

describe('what the others are told of this factory', () => {
  it('goes to the member when it has changed, and only then', () => {
    space.announce();
    space.announce();
    expect(toldOf('own')).toHaveLength(1);
    memory.remember(machine(), clock.nowMs());
    space.announce();
    expect(toldOf('own').map(({ entry }) => entry.machinetypes[0]?.runningMachines)).toEqual([0, 1]);
  });

  it('is painted for who asks, and called stale when it is', () => {
    memory.remember(machine(), clock.nowMs());
    say('picture-wanted', { machines: false });
    say('picture-wanted', { machines: true });
    const pictures = toldOf('picture').map(({ picture, hasMachines }) => [picture.machines.length, hasMachines]);
    expect(pictures).toEqual([
      [0, false],
      [8, true],
    ]);
    space.announce();
    expect(toldOf('picture-stale')).toHaveLength(0);
    memory.remember(machine({}, { slot: 2, id: '1700000000_prod_x-2' }), clock.nowMs());
    space.announce();
    space.announce();
    expect(toldOf('picture-stale')).toHaveLength(1);
  });
});

describe('a member that was taken over', () => {
  it('gets one number of a start, none of the far future, and no more', async () => {
    say('number-wanted');
    await space.settled();
    expect(toldOf('number')).toHaveLength(1);
    expect(() => say('number-wanted')).toThrow(BadMessage);
    expect(() => say('number-raised', { incarnation: 9_999_999_999 })).toThrow(BadMessage);
    const raised = toldOf('number')[0]!.incarnation + 1;
    say('number-raised', { incarnation: raised });
    await space.settled();
    expect(toldOf('number-kept')).toEqual([{ type: 'number-kept', incarnation: raised }]);
  });

  it('tells of each factory once, and only of those of the space', () => {
    void space.look();
    const { id } = toldOf('look')[0]!;
    const peer = { ...space.report().peers[0]! };
    say('look-peers', { id, peers: [peer] });
    expect(() => say('look-peers', { id, peers: [peer] })).toThrow(BadMessage);
    expect(() => say('look-peers', { id, peers: [{ ...peer, factory: 'wn9.example.com' }] })).toThrow(BadMessage);
    // Of what nobody asked, nothing is kept.
    for (let times = 0; times < 3; times += 1) say('look-peers', { id: 77, peers: [peer] });
    expect(() => say('census', { id, wasAsked: true })).toThrow(BadMessage);
  });

  it('fills no log, and does not keep vacd from its work', () => {
    const flood = () => {
      for (let line = 0; line < 2_000; line += 1) say('log', { level: 'error', text: `line ${line}` });
    };
    expect(flood).toThrow('it says more than there is to say');
    expect(log.lines).toHaveLength(200);
    clock.runUntil(clock.nowMs() + 5_000);
    say('log', { level: 'info', text: 'quiet again' });
    expect(log.lines.slice(200)).toEqual([
      'warning: VacQuery: 800 more lines were left out, as they came too fast',
      'info: quiet again',
    ]);
  });

  it('wakes the loop four times a second at most', () => {
    for (let count = 0; count < 50; count += 1) {
      news(count);
      clock.runUntil(clock.nowMs() + 20);
    }
    expect(woken).toBeLessThanOrEqual(5);
    expect(woken).toBeGreaterThan(2);
  });
});
