/** The member in a real child of vacd, on the protocol's port of addresses of the loopback network. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Memory } from '../../src/daemon/memory.js';
import { Space } from '../../src/daemon/space.js';
import { refuseAllStarts } from '../../src/factory/limits.js';
import type { ServiceName } from '../../src/factory/types.js';
import { guardCommand } from '../../src/guard/command.js';
import { GuardedMember, type GuardedMemberOptions } from '../../src/space/parent.js';
import { openDgramTransport, steadyClock } from '../../src/vacquery/index.js';
import { TestLog } from '../daemon/test-factory.js';
import { config, machine, machinetype } from '../factory/builders.js';
import { MemberHere } from './member-here.js';

/** Names that need no resolver. */
const [OURS, THEIRS] = ['127.0.9.2', '127.0.9.3'] as const;
const NOBODY = { uid: 65534, gid: 65534 };

let directory: string;
const made: Space[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vac-guarded-'));
});
afterEach(async () => {
  await Promise.all(made.splice(0).map((space) => space.close()));
  rmSync(directory, { recursive: true });
});

function stateDirOf(name: string): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true });
  return path;
}

async function until(what: string, condition: () => boolean, withinMs = 90_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(10);
  }
}

function factory(name: string, process: MemberHere | GuardedMember) {
  const settings = { vacSpace: 'vac01.example.com', factories: [OURS, THEIRS], udpTimeoutSeconds: 60 };
  const memory = new Memory(name, config([machinetype('prod')], settings));
  memory.host = { ...memory.host, processors: 8, stateFreeBytes: 1e12 };
  memory.hypervisorProblem = null;
  for (const service of Object.keys(memory.services) as ServiceName[]) memory.serviceReady(service, 0);
  const log = new TestLog();
  const space = new Space({
    memory,
    log: log.logger,
    stateDir: stateDirOf(name),
    wake: () => {},
    clock: steadyClock,
    process,
  });
  made.push(space);
  const run = (slot: number) => {
    memory.remember({ ...machine({}, { slot, id: `1700000000_prod_${name}-${slot}` }) }, steadyClock.nowMs());
    space.announce();
  };
  const counted = () => memory.peers.reduce((sum, { runningMachines }) => sum + runningMachines, 0);
  const refusal = () =>
    refuseAllStarts(memory.state(Math.floor(Date.now() / 1000), performance.now()), memory.config.settings)?.code;
  return { memory, log, space, run, counted, refusal };
}

const guarded = (options: Partial<GuardedMemberOptions> = {}) =>
  new GuardedMember({
    mark: `${directory}/vacquery`,
    identity: NOBODY,
    onProblem: (line) => problems.push(line),
    addresses: { udp4: OURS, udp6: null },
    // None is taken for hung that is only held up.
    beatSeconds: 30,
    ...options,
  });
const here = () =>
  new MemberHere({
    clock: steadyClock,
    openTransport: (port) => openDgramTransport({ port, ipv4Address: THEIRS, ipv6Address: null }),
  });
let problems: string[] = [];
beforeEach(() => {
  problems = [];
});

test('a factory hears and is heard by its child; that is killed, and nothing starts until the next one has heard', async () => {
  const child = guarded();
  const ours = factory(OURS, child);
  const theirs = factory(THEIRS, here());
  theirs.run(1);
  await Promise.all([ours.space.start(), theirs.space.start()]);
  ours.run(1);
  ours.run(2);
  await until('both have heard', () => ours.counted() === 1 && theirs.counted() === 2);
  await until('nothing is in the way', () => ours.refusal() === undefined);
  expect(readFileSync(`/proc/${child.pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
  const incarnation = () => Number(readFileSync(join(stateDirOf(OURS), 'incarnation'), 'utf8'));
  const [first, firstPid] = [incarnation(), child.pid!];

  process.kill(firstPid, 'SIGKILL');
  await until('it is gone', () => ours.refusal() === 'query-port');
  // What the others ran is not forgotten by it.
  expect(ours.counted()).toBe(1);
  const { queryPort, problems: told, peers } = ours.space.report();
  expect(queryPort).toBeNull();
  expect(told).toEqual(['the process that speaks VacQuery for vacd has ended, and is started anew']);
  expect(peers.map(({ factory: name }) => name)).toEqual([THEIRS]);
  theirs.run(2);
  const seen = new Set<number>();
  const starts = new Set<number>();
  await until('it is heard again', () => {
    seen.add(ours.counted());
    if (ours.refusal() === undefined) starts.add(ours.counted());
    return ours.counted() === 2 && ours.refusal() === undefined;
  });
  expect([...seen]).toEqual([1, 2]);
  expect([...starts]).toEqual([2]);
  expect(child.pid).not.toBe(firstPid);
  expect(incarnation()).toBeGreaterThan(first);
  ours.run(3);
  await until('the other believes the new one', () => theirs.counted() === 3);
  expect(problems).toHaveLength(1);
  expect(ours.log.with('runs again')).toHaveLength(1);

  await ours.space.look();
  expect(ours.space.report()).toMatchObject({ queryPort: 995, problems: [], peers: [{ way: 'gossip' }] });
  expect(ours.space.gossip()?.counts.received).toBeGreaterThan(0);
  expect((await ours.space.census())?.map(({ factory: name }) => name)).toEqual([THEIRS]);
  await expect(ours.space.resolve('192.0.2.7')).resolves.toEqual(['192.0.2.7']);
});

test('a port that another program has is told of as that, and is there when it has ended', async () => {
  const other = await openDgramTransport({ port: 995, ipv4Address: OURS, ipv6Address: null });
  const child = guarded();
  child.connect({ began: () => {}, ended: () => {}, receive: () => {} });
  try {
    await expect(child.openPort()).rejects.toMatchObject({ code: 'address-in-use' });
    await other.close();
    await child.openPort();
    expect(child.pid).not.toBeNull();
  } finally {
    await child.close();
  }
  expect(child.pid).toBeNull();
});

describe('a child that was taken over', () => {
  const hostile = (attack: string) =>
    guarded({
      command: (task, mark) => {
        const program = fileURLToPath(new URL('hostile-member.mjs', import.meta.url));
        const [command, args] = guardCommand(task, mark, program);
        return ['env', [`HOSTILE=${attack}`, command, ...args]];
      },
    });

  test.each([
    'a word that there is not',
    'a factory of nowhere',
    'numbers without end',
    'pictures without end',
    'lines without end',
    'news without end',
  ])('and says %s is ended, and nothing starts', async (attack) => {
    const child = hostile(attack);
    const ours = factory(OURS, child);
    await ours.space.start().catch(() => {});
    await until('it was ended', () => problems.some((line) => /was ended/.test(line)));
    expect(ours.memory.peers).toEqual([]);
    expect(ours.refusal()).toMatch(/^(query-port|space-unheard)$/);
    expect(ours.log.lines.length).toBeLessThanOrEqual(220 * 4);
    expect(`${ours.log.lines.join()}${problems.join()}`).not.toContain('\u001b');
  });

  test('can lie of the space, which is all that it can', async () => {
    const ours = factory(OURS, hostile('lies'));
    await ours.space.start();
    await until('it is believed', () => ours.counted() === 1e6);
    expect(ours.memory.peers).toEqual([expect.objectContaining({ factory: 'others', machinetype: 'prod' })]);
    expect(ours.memory.peers[0]?.lastEnd?.message).toBe('300 ?[2Jno work?root: rm');
    expect(ours.space.problems()).toEqual(['?[31mroot!']);
    expect(ours.refusal()).toBeUndefined();
  });
});
