import { readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../src/host/helper-daemon.js';
import type { LoggedMachine } from '../../src/host/syslog-table.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';

const GUEST_IPS = ['169.254.169.1', '169.254.169.2'] as const;
const SENDER = fileURLToPath(new URL('./syslog-sender.ts', import.meta.url));
/** What takes milliseconds, on a host that holds anybody up. */
const PATIENCE_SECONDS = 90;

const machine = (created: number, slot = 1): LoggedMachine => ({
  id: `${created}_prod_factory1-0${slot}.example.com`,
  uuid: `00000000-0000-4000-8000-00${created}`,
  machinetype: 'prod',
  hostname: `factory1-0${slot}.example.com`,
});
const FIRST = machine(1700000001);
const SECOND = machine(1700000002);
const OTHER = machine(1700000003, 2);

/** As the firewall counts what is sent. */
const COUNTS = `table inet vac_counts {
  set syslog_datagrams { type ipv4_addr; flags dynamic; counter; size 64; }
  chain input { type filter hook input priority 0; udp dport 514 update @syslog_datagrams { ip saddr counter }; }
}`;

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

const assign = (...machines: (LoggedMachine | null)[]) =>
  vacd.call(
    'setMachines',
    machines.flatMap((each, index) => (each === null ? [] : [[GUEST_IPS[index], each]])),
  );

/** Sends a raw datagram to the receiver as guest number `guest`. */
async function send(guest: number, datagram: string): Promise<void> {
  const program = `const s = require('node:dgram').createSocket('udp4');
    s.send(process.argv[1], 514, '${FACTORY_IP}', () => s.close());`;
  const { exitCode, stderr } = await hosts.asGuest(guest, process.execPath, '-e', program, datagram);
  expect(exitCode, stderr).toBe(0);
}

/** Sends lines `<prefix> 0…` and waits until the sender is done. */
async function sendMany(guest: number, way: 'udp' | 'tcp' | 'relp', prefix: string, count: number): Promise<void> {
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), SENDER];
  const { exitCode, stderr } = await hosts.asGuest(
    guest,
    ...(node as [string]),
    way,
    FACTORY_IP,
    prefix,
    `${count}`,
    '0',
  );
  expect(exitCode, stderr).toBe(0);
}

const log = ({ id }: { id: string }) => readFile(join(hosts.stateDir, 'logs', `${id}.log`), 'utf8').catch(() => '');
const linesWith = async (whose: { id: string }, text: string) =>
  (await log(whose)).split('\n').filter((line) => line.includes(text));

/** Waits until the machine's log holds the text, and returns the line. */
async function lineWith(whose: { id: string }, text: string): Promise<string> {
  await waitUntil(async () => (await linesWith(whose, text)).length > 0, PATIENCE_SECONDS);
  const [line] = await linesWith(whose, text);
  expect(line, `a line with "${text}" in the log of ${whose.id}`).toBeDefined();
  return line!;
}

test('from the moment that a machine has an address, its lines are in its file, whatever name they claim', async () => {
  await assign(FIRST);
  await send(0, '<14>Nov 21 07:00:00 ../../evil ../x: claims another name');
  const line = await lineWith(FIRST, 'claims another name');
  expect(line).toMatch(/^\d{4}-\d\d-\d\dT\S+ 169\.254\.169\.1 udp user\.info /);
  expect(await vacd.call('logPath', FIRST.id)).toBe(join(hosts.stateDir, 'logs', `${FIRST.id}.log`));
  expect((await stat(join(hosts.stateDir, 'logs', `${FIRST.id}.log`))).mode & 0o777).toBe(0o640);
});

test('lines come by TCP and RELP as well', async () => {
  await sendMany(0, 'tcp', 'by stream', 50);
  await sendMany(0, 'relp', 'by relp', 50);
  await lineWith(FIRST, 'by stream 49');
  expect(await linesWith(FIRST, ' tcp user.notice')).toHaveLength(50);
  expect(await linesWith(FIRST, ' relp user.notice')).toHaveLength(50);
});

test('control characters and line breaks cannot forge a line', async () => {
  await send(0, '<14>Nov 21 07:00:00 guest test: one\n2026-01-01T00:00:00 forged \x1b[31mred\x07 end');
  const line = await lineWith(FIRST, 'red');
  expect(line).toContain('one#0122026-01-01T00:00:00 forged #033[31mred#007 end');
});

test('a long line is cut, and goes on in the next', async () => {
  await send(0, `<14>Nov 21 07:00:00 guest long: ${'x'.repeat(12_000)} end`);
  const line = await lineWith(FIRST, 'guest long:');
  expect(line.length).toBeLessThan(8400);
});

test('lines of an address that no machine holds are kept apart', async () => {
  await send(1, '<14>Nov 21 07:00:00 guest test: from a stranger');
  expect(await lineWith({ id: 'unknown' }, 'from a stranger')).toContain(GUEST_IPS[1]);
});

test('the next machine at the same address has a file of its own, from its first line on', async () => {
  await assign(SECOND, OTHER);
  await send(0, '<14>Nov 21 07:00:00 guest test: first words');
  await lineWith(SECOND, 'first words');
  await send(1, '<14>Nov 21 07:00:00 guest test: no stranger any more');
  await lineWith(OTHER, 'no stranger any more');
  expect(await log(FIRST)).not.toContain('first words');
});

test('what a machine sent before it lost its address is its own to the last line, by every way', async () => {
  for (const way of ['udp', 'tcp', 'relp'] as const) {
    await assign(FIRST, OTHER);
    await sendMany(0, way, `last by ${way}`, 2000);
    await assign(SECOND, OTHER);
    await send(0, `<14>Nov 21 07:00:00 guest test: after ${way}`);
    await lineWith(SECOND, `after ${way}`);
    expect(await linesWith(SECOND, `last by ${way}`)).toEqual([]);
    // UDP may lose; what arrived must be in the one file.
    const kept = await linesWith(FIRST, `last by ${way}`);
    if (way !== 'udp') expect(kept).toHaveLength(2000);
  }
});

test('a connection of the machine before is closed, so that nothing more comes by it', async () => {
  await assign(FIRST, OTHER);
  const program = `const s = require('node:net').connect(514, '${FACTORY_IP}', () => s.write('<13>t: before\\n'));
    s.on('error', () => {}); s.on('close', () => { console.log('closed'); });
    setInterval(() => s.write('<13>t: half a line of the machine before'), 5);`;
  const ended = hosts.asGuest(
    0,
    'timeout',
    `${PATIENCE_SECONDS}`,
    process.execPath,
    '-e',
    `${program} s.on('close', () => process.exit(0))`,
  );
  await lineWith(FIRST, 't: before');
  await assign(SECOND, OTHER);
  expect((await ended).stdout).toBe('closed\n');
  await send(0, '<14>Nov 21 07:00:00 guest test: after the close');
  await lineWith(SECOND, 'after the close');
  expect(await log(SECOND)).not.toContain('half a line');
});

test('a flood while addresses change hands is never put to another machine', async () => {
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), SENDER];
  for (let round = 0; round < 3; round++) {
    const holder = machine(1700000100 + round);
    await assign(holder, OTHER);
    const flood = hosts.asGuest(0, ...(node as [string]), 'udp', FACTORY_IP, `flood ${round}`, '3000', '0');
    await lineWith(holder, `flood ${round} `);
    // Nobody has it while its machine still sends, as when a machine is destroyed late.
    await assign(null, OTHER);
    await flood;
    const next = machine(1700000200 + round);
    await assign(next, OTHER);
    await send(0, `<14>Nov 21 07:00:00 guest test: next ${round}`);
    await lineWith(next, `next ${round}`);
    expect(await linesWith(next, 'flood')).toEqual([]);
  }
});

test('what came while nobody had the address is not the next machine’s, however late it is read', async () => {
  await assign(null, OTHER);
  const [pid] = await hosts.pidsOf('rsyslogd');
  process.kill(pid!, 'SIGSTOP');
  await sendMany(0, 'udp', 'read late', 3000);
  const unread = async () => Number((await hosts.factory('ss', '-Huln', 'sport = :514')).stdout.split(/\s+/)[1]);
  const before = await unread();
  const next = machine(1700000300);
  const assigned = assign(next, OTHER);
  await waitUntil(async () => (await unread()) > before, PATIENCE_SECONDS);
  process.kill(pid!, 'SIGCONT');
  await assigned;
  await send(0, '<14>Nov 21 07:00:00 guest test: after what was late');
  await lineWith(next, 'after what was late');
  expect(await linesWith(next, 'read late')).toEqual([]);
  expect((await linesWith({ id: 'unknown' }, 'read late')).length).toBeGreaterThan(0);
});

test('the receiver outlives vacd, and is started again when it was killed, with its table', async () => {
  await assign(SECOND, OTHER);
  const before = await hosts.pidsOf('rsyslogd');
  expect(before).toHaveLength(1);
  await vacd.kill();
  await send(0, '<14>Nov 21 07:00:00 guest test: while vacd is away');
  await lineWith(SECOND, 'while vacd is away');
  vacd = await hosts.startDriver('syslog');
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('rsyslogd')).toEqual(before);

  process.kill(before[0]!, 'SIGKILL');
  await waitUntil(async () => (await hosts.pidsOf('rsyslogd')).length === 0, PATIENCE_SECONDS);
  await vacd.call('ensureRunning');
  await send(0, '<14>Nov 21 07:00:00 guest test: after the restart');
  await lineWith(SECOND, 'after the restart');
});

test('a vacd after this one takes nothing for confirmed, and takes an address away as well', async () => {
  await vacd.kill();
  vacd = await hosts.startDriver('syslog');
  await assign(FIRST, OTHER);
  await send(0, '<14>Nov 21 07:00:00 guest test: told by the next vacd');
  await lineWith(FIRST, 'told by the next vacd');
});

test('a receiver with another configuration is replaced, and knows its machines from the start', async () => {
  const [before] = await hosts.pidsOf('rsyslogd');
  await vacd.kill();
  vacd = await hosts.startDriver('syslog', { options: { relp: 'no' } });
  await assign(SECOND, OTHER);
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('rsyslogd')).not.toEqual([before]);
  await send(0, '<14>Nov 21 07:00:00 guest test: to the one that replaced it');
  await lineWith(SECOND, 'to the one that replaced it');
});

test('a log that is as large as it may be takes no more lines, says so once, and tells how many at its end', async () => {
  await vacd.kill();
  vacd = await hosts.startDriver('syslog', { options: { maxMegabytes: 1 } });
  await vacd.call('ensureRunning');
  await assign(SECOND, OTHER);
  const path = join(hosts.stateDir, 'logs', `${SECOND.id}.log`);
  await truncate(path, 1_000_000);
  await vacd.call('keep');
  await vacd.call('keep');
  await sendMany(0, 'relp', 'too many', 25);
  expect(await linesWith(SECOND, 'too many')).toEqual([]);
  expect(await linesWith(SECOND, 'this log has 1 MB (syslog_mb): no more lines are kept here')).toHaveLength(1);
  await waitUntil(async () => {
    await vacd.call('keep');
    return (await vacd.call<{ full: number }>('lostLines')).full === 25;
  }, PATIENCE_SECONDS);
  await assign(null, OTHER);
  await lineWith(SECOND, 'vacd: at least 25 more lines were not kept here');
});

test('datagrams that were sent and not received are counted, and said in the log', async () => {
  await assign(FIRST, OTHER);
  await hosts.factory('nft', COUNTS);
  await send(0, '<14>Nov 21 07:00:00 guest test: makes an entry');
  await lineWith(FIRST, 'makes an entry');
  await vacd.call('keep');
  await sendMany(0, 'udp', 'received', 30);
  await lineWith(FIRST, 'received 29');
  const [pid] = await hosts.pidsOf('rsyslogd');
  process.kill(pid!, 'SIGKILL');
  await waitUntil(async () => (await hosts.pidsOf('rsyslogd')).length === 0, PATIENCE_SECONDS);
  await sendMany(0, 'udp', 'lost', 40);
  await vacd.call('ensureRunning');
  await waitUntil(async () => {
    await vacd.call('keep');
    return (await linesWith(FIRST, 'lines lost')).length > 0;
  }, PATIENCE_SECONDS);
  expect(await lineWith(FIRST, 'lines lost')).toMatch(
    / - vacd syslog\.warning \S+ factory1\.example\.com vacd: 40 lines lost that were sent by UDP/,
  );
  expect(await vacd.call('lostLines')).toMatchObject({ udp: 40 });
  await hosts.factory('nft', 'delete table inet vac_counts');
});

test('datagrams that are read late are not said to be lost', async () => {
  await assign(FIRST, OTHER);
  await hosts.factory('nft', COUNTS);
  await vacd.call('keep');
  const { udp: before } = await vacd.call<{ udp: number }>('lostLines');
  const [pid] = await hosts.pidsOf('rsyslogd');
  process.kill(pid!, 'SIGSTOP');
  await sendMany(0, 'udp', 'late', 40);
  for (let look = 0; look < 3; look++) await vacd.call('keep');
  process.kill(pid!, 'SIGCONT');
  await lineWith(FIRST, 'late 39');
  await assign(null, OTHER);
  expect(await vacd.call('lostLines')).toMatchObject({ udp: before });
  await hosts.factory('nft', 'delete table inet vac_counts');
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
