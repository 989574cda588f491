import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OwnerFacts, OwnerSource } from '../../../src/factory/overnight-types.js';
import { waitUntil } from '../../../src/host/helper-daemon.js';
import { OwnerSensors } from '../../../src/host/sessions/index.js';
import { cpuTicks, processTicks } from '../../../src/host/sessions/other-cpu.js';
import { Desktop } from './desktop.js';

let desktop: Desktop;
let sensors: OwnerSensors;
let changes: number;
let notes: string[];

beforeEach(async () => {
  desktop = await Desktop.create();
  changes = 0;
  notes = [];
  sensors = start();
});

afterEach(async () => {
  sensors.close();
  await desktop.destroy();
});

function start(): OwnerSensors {
  const made = new OwnerSensors({
    own: { machines: () => [] },
    note: (message) => notes.push(message),
    busAddress: desktop.busAddress,
    inputDirectory: desktop.inputDirectory,
    powerRoot: desktop.powerRoot,
  });
  made.start(() => {
    changes += 1;
  });
  return made;
}

const facts = (): OwnerFacts => sensors.facts(performance.now(), Date.now() / 1000);

/** When a source was last in use, on the clock of performance.now(): unlike for how long it was not, that stays. */
function usedAtMs(source: () => OwnerSource): number {
  const before = performance.now();
  return before - idle(source()) * 1000;
}

function sources(): readonly OwnerSource[] {
  const { sources: sensed } = facts();
  if ('unknown' in sensed) throw new Error(sensed.unknown);
  return sensed.value;
}

const seat = () => sources().find(({ name }) => name === 'seat0')!;

/** Waits until the facts are so. */
async function until(what: string, condition: () => boolean): Promise<void> {
  expect(await waitUntil(async () => condition(), 60), `${what}: ${JSON.stringify(facts())}`).toBe(true);
}

describe('the seat', () => {
  test('is idle since the last input of any device, which is noticed by itself', async () => {
    await until('the device is found', () => 'value' in seat().idleForSeconds);
    await until('half a second passes', () => idle(seat()) > 0.5);
    const before = changes;
    const touchedMs = performance.now();
    desktop.touch();
    await until('the touch is told', () => changes > before && usedAtMs(seat) >= touchedMs - 100);
    expect(seat().activeSinceSeconds).toBeGreaterThan(Date.now() / 1000 - 60);
  });

  test('without any input device is unknown, and that is told once', async () => {
    sensors.close();
    sensors = new OwnerSensors({
      own: { machines: () => [] },
      note: (message) => notes.push(message),
      busAddress: desktop.busAddress,
      inputDirectory: `${desktop.directory}/none`,
      powerRoot: desktop.powerRoot,
    });
    sensors.start(() => {});
    await until('it is looked for', () => 'unknown' in seat().idleForSeconds);
    for (let again = 0; again < 3; again += 1) facts();
    expect(notes.filter((note) => note.includes('input'))).toEqual([
      `overnight: input: not known (there is no input device in ${desktop.directory}/none)`,
    ]);
  });

  test('shows who is logged in and whether the screen is locked, at once', async () => {
    const session = await desktop.logIn('1', 'ann', 1000);
    await until('the login is known', () => seat().user === 'ann');
    expect(seat().locked).toEqual({ value: false });
    await desktop.lock(session);
    await until('the lock is known', () => 'value' in seat().locked && (seat().locked as { value: boolean }).value);
  });

  test('whose logind goes away is not known to be locked; and known again when it is back', async () => {
    await until('logind is asked', () => 'value' in seat().locked);
    await desktop.stopLogind();
    await until('it is missed', () => 'unknown' in seat().locked);
    await desktop.startLogind();
    await desktop.logIn('7', 'bob', 1001);
    await until('it is back', () => seat().user === 'bob');
    // Once each, though it may be missed for more than one reason, or more than once where it is slow.
    const told = notes.filter((note) => note.includes('logins'));
    expect([told[0], told.at(-1)]).toEqual([expect.stringContaining('not known'), 'overnight: logins: known again']);
    expect(told.filter((note, index) => note === told[index + 1])).toEqual([]);
  });
});

describe('terminals', () => {
  test('tell when something was typed, and of a remote login where from', async () => {
    await desktop.logIn('2', 'root', 0, { remoteHost: '192.0.2.7' });
    const terminal = await desktop.terminal();
    const source = () => sources().find(({ name }) => name.split(' ')[0] === terminal.name);
    await until('it is known whose it is', () => source()?.name === `${terminal.name} (login from 192.0.2.7)`);
    expect(source()).toMatchObject({ kind: 'remote', user: 'root' });
    // The kernel keeps such times to eight seconds.
    await until('it is idle for longer than a time of a terminal is exact', () => idle(source()!) > 9);
    const typedMs = performance.now();
    terminal.type('hello');
    await until('typing is noticed', () => usedAtMs(() => source()!) >= typedMs - 100);
  });
});

describe('power', () => {
  test('a host without battery is on mains, with its lid open', async () => {
    await until('it is looked at', () => 'value' in facts().onMains);
    expect(facts()).toMatchObject({ onMains: { value: true }, lidClosed: { value: false } });
  });

  test('a laptop is on mains while its supply is online, and its lid may be closed', async () => {
    await desktop.supply('BAT0', { type: 'Battery', status: 'Discharging' });
    await desktop.supply('AC', { type: 'Mains', online: '0' });
    await desktop.supply('mouse', { type: 'Battery', scope: 'Device', status: 'Discharging' });
    await desktop.lid('closed');
    // A look may have come before the lid was closed.
    const isClosed = () => JSON.stringify(facts().lidClosed) === JSON.stringify({ value: true });
    await until('it is looked at', () => JSON.stringify(facts().onMains) === '{"value":false}' && isClosed());
    await desktop.supply('AC', { online: '1' });
    await until('it is plugged in', () => (facts().onMains as { value: boolean }).value);
  });
});

test('a host without NetworkManager does not know whether its network is metered', async () => {
  await until(
    'it is asked',
    () => 'unknown' in facts().metered && !JSON.stringify(facts().metered).includes('not looked'),
  );
  expect(facts().metered).toEqual({ unknown: 'this host has no NetworkManager to tell' });
});

describe('CPU of other programs', () => {
  test('a program that computes is seen, and not if it is a machine of ours', async () => {
    const burner = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
    await writeFile(`${desktop.directory}/wn-00.pid`, String(burner.pid));
    const [blind, knowing] = [[], ['wn-00']].map((machines) => {
      const own = { machines: () => machines, pidDirectory: desktop.directory };
      return new OwnerSensors({ own, note: () => {}, busAddress: desktop.busAddress });
    });
    const percent = (of: OwnerSensors) => {
      const sensed = of.facts(performance.now(), Date.now() / 1000).otherCpuPercent;
      return 'value' in sensed ? sensed.value : Number.NaN;
    };
    try {
      for (const each of [blind!, knowing!]) each.start(() => {});
      // Both see whatever else runs on this host.
      await until('it makes the difference', () => percent(blind!) > percent(knowing!) + 2);
    } finally {
      for (const each of [blind!, knowing!]) each.close();
      burner.kill('SIGKILL');
    }
  });

  test('is read from /proc: busy is neither idle, nor waiting, nor stolen', () => {
    expect(cpuTicks('cpu  10 2 3 100 5 1 1 7 4 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toEqual({
      totalTicks: 129,
      busyTicks: 17,
    });
    expect(() => cpuTicks('intr 1\n')).toThrow('/proc/stat');
    expect(processTicks('42 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 11 12 13 14 20 0 1 0 5')).toBe(50);
  });
});

function idle({ idleForSeconds }: OwnerSource): number {
  if ('unknown' in idleForSeconds) throw new Error(idleForSeconds.unknown);
  return idleForSeconds.value;
}
