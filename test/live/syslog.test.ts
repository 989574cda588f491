import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../src/host/helper-daemon.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';

const GUEST_IPS = ['169.254.169.1', '169.254.169.2'];
const FIRST = '1700000001_prod_factory1-01.example.com';
const SECOND = '1700000002_prod_factory1-01.example.com';

let hosts: LiveHosts;
let vacd: Driver;

beforeAll(async () => {
  hosts = await LiveHosts.create(GUEST_IPS);
  vacd = await hosts.startDriver('syslog');
  await vacd.call('ensureRunning');
});

afterAll(async () => {
  await hosts?.destroy();
});

/** Sends a raw datagram to the receiver as guest number `guest`. */
async function send(guest: number, datagram: string): Promise<void> {
  const program = `const s = require('node:dgram').createSocket('udp4');
    s.send(process.argv[1], 514, '${FACTORY_IP}', () => s.close());`;
  const { exitCode, stderr } = await hosts.asGuest(guest, process.execPath, '-e', program, datagram);
  expect(exitCode, stderr).toBe(0);
}

const log = (machineId: string) => readFile(join(hosts.stateDir, 'logs', `${machineId}.log`), 'utf8').catch(() => '');

/** Waits until the machine's log holds the text, and returns the line. */
async function lineWith(machineId: string, text: string): Promise<string> {
  let line: string | undefined;
  await waitUntil(async () => {
    line = (await log(machineId)).split('\n').find((each) => each.includes(text));
    return line !== undefined;
  }, 10);
  expect(line, `a line with "${text}" in the log of ${machineId}`).toBeDefined();
  return line!;
}

/** The table is read anew some time after the signal: sends numbered lines until one arrives where it should. */
async function sendUntilIn(machineId: string, guest: number, text: string): Promise<void> {
  let number = 0;
  const arrived = await waitUntil(async () => {
    await send(guest, `<13>Nov 21 07:00:00 guest test: ${text} ${number++}`);
    return (await log(machineId)).includes(text);
  }, 20);
  expect(arrived, `"${text}" arrives in the log of ${machineId}`).toBe(true);
}

test('a line goes to the file of the machine that holds the address, whatever name the line claims', async () => {
  await vacd.call('setMachines', [[GUEST_IPS[0], FIRST]]);
  await sendUntilIn(FIRST, 0, 'hello from the first');
  await send(0, '<14>Nov 21 07:00:00 ../../evil ../x: claims another name');
  const line = await lineWith(FIRST, 'claims another name');
  expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+ 169\.254\.169\.1 user\.info /);
  expect(await vacd.call('logPath', FIRST)).toBe(join(hosts.stateDir, 'logs', `${FIRST}.log`));
});

test('control characters and line breaks cannot forge a line', async () => {
  await send(0, '<14>Nov 21 07:00:00 guest test: one\n2026-01-01T00:00:00 forged \x1b[31mred\x07 end');
  const line = await lineWith(FIRST, 'red');
  expect(line).toContain('one#0122026-01-01T00:00:00 forged #033[31mred#007 end');
});

test('lines of an address that no machine holds are kept apart', async () => {
  await send(1, '<14>Nov 21 07:00:00 guest test: from a stranger');
  expect(await lineWith('unknown', 'from a stranger')).toContain(GUEST_IPS[1]);
});

test('the next machine at the same address has a file of its own', async () => {
  await vacd.call('setMachines', [
    [GUEST_IPS[0], SECOND],
    [GUEST_IPS[1], 'other_machine'],
  ]);
  await sendUntilIn(SECOND, 0, 'hello from the second');
  await send(1, '<14>Nov 21 07:00:00 guest test: no stranger any more');
  await lineWith('other_machine', 'no stranger any more');
  const before = await log(FIRST);
  await send(0, '<14>Nov 21 07:00:00 guest test: last words');
  await lineWith(SECOND, 'last words');
  expect(await log(FIRST)).toBe(before);
});

test('the receiver outlives vacd, and is started again when it was killed, with its table', async () => {
  const before = await hosts.pidsOf('rsyslogd');
  expect(before).toHaveLength(1);
  await vacd.kill();
  await send(0, '<14>Nov 21 07:00:00 guest test: while vacd is away');
  await lineWith(SECOND, 'while vacd is away');
  vacd = await hosts.startDriver('syslog');
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('rsyslogd')).toEqual(before);

  process.kill(before[0]!, 'SIGKILL');
  await waitUntil(async () => (await hosts.pidsOf('rsyslogd')).length === 0, 10);
  await vacd.call('ensureRunning');
  await send(0, '<14>Nov 21 07:00:00 guest test: after the restart');
  await lineWith(SECOND, 'after the restart');
});

test('another program on the port is named as the reason', async () => {
  await vacd.call('stop');
  const program = `require('node:dgram').createSocket('udp4').bind(514, '${FACTORY_IP}', () => console.log('bound'))`;
  const squatter = hosts.spawnInFactory(process.execPath, '-e', program);
  try {
    await hosts.lineOf(squatter);
    await expect(vacd.call('ensureRunning')).rejects.toMatchObject({ code: 'address-in-use' });
  } finally {
    const gone = new Promise((resolve) => squatter.once('exit', resolve));
    squatter.kill('SIGKILL');
    await gone;
  }
  await vacd.call('ensureRunning');
});
