/**
 * "Every log line sent by 3 guests while rsyslog and the collector are stopped and started arrives at the collector exactly
 * as tagged (TCP path), or is counted as lost (UDP)." Guests are network namespaces with machines' addresses; one of
 * them runs a real rsyslogd with what `early_syslog = relp` makes of its image.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../src/host/helper-daemon.js';
import type { LostLines } from '../../src/host/syslog-keeper.js';
import { earlySyslogFiles } from '../../src/machines/boot-files.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';
import { COLLECTOR_PORT, Collector } from './syslog-site.js';

const GUEST_IPS = ['169.254.169.1', '169.254.169.2', '169.254.169.3'] as const;
const SENDER = fileURLToPath(new URL('./syslog-sender.ts', import.meta.url));
/** Lines of each guest by TCP, and the time over which they are spread at least. */
const LINES = 3000;
const PAUSE_MS = 40;
/** How the relay and the collector are stopped, one time after the other. */
const STOPS = ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const;
/** The others send by a program of the test. */
const RSYSLOGD_GUEST = 0;

const MACHINES = GUEST_IPS.map((_, index) => ({
  id: `170000000${index}_type-${index}_factory1-0${index + 1}.example.com`,
  uuid: `6e1d9a3c-0000-4000-8000-00000000000${index}`,
  machinetype: `type-${index}`,
  hostname: `factory1-0${index + 1}.example.com`,
}));

let hosts: LiveHosts;
let collector: Collector;
let vacd: Driver;

beforeAll(async () => {
  hosts = await LiveHosts.create(GUEST_IPS);
  collector = await Collector.create(hosts, 'relp');
  await collector.start();
  // As the firewall does, which counts what arrives, taken or not.
  await hosts.factory(
    'nft',
    `table inet vac {
      set syslog_datagrams { type ipv4_addr; flags dynamic; counter; size 64; }
      chain input { type filter hook input priority 0; udp dport 514 update @syslog_datagrams { ip saddr counter }; }
    }`,
  );
  vacd = await startVacd();
  await vacd.call(
    'setMachines',
    GUEST_IPS.map((ip, index) => [ip, MACHINES[index]]),
  );
});

afterAll(async () => {
  await hosts?.destroy();
});

async function startVacd(): Promise<Driver> {
  const forwarding = {
    collector: { protocol: 'relp', host: '127.0.0.1', port: COLLECTOR_PORT },
    ...{ caPath: null, certPath: null, keyPath: null, peer: null, maxMegabytes: 100 },
  };
  const driver = await hosts.startDriver('syslog', { options: { forwarding } });
  await driver.call('ensureRunning');
  return driver;
}

/** Resolves with the number of lines sent once all are. */
async function send(way: string, guest: number, address: string): Promise<number> {
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), SENDER] as const;
  const args = [way, address, `guest ${guest} ${way}`, `${LINES}`, `${PAUSE_MS}`];
  return Number(await hosts.lineOf(hosts.spawnAsGuest(guest, ...node, ...args)));
}

/** A rsyslogd in the guest that gets its lines by its own loopback, and sends them as its image's early_syslog says. */
async function guestRsyslogd(guest: number): Promise<void> {
  const directory = join(hosts.stateDir, `guest-${guest}`);
  await mkdir(directory);
  const early = earlySyslogFiles({ host: FACTORY_IP, port: 514 }, 'relp')['etc/rsyslog.d/vm.conf'];
  await writeFile(join(directory, 'vm.conf'), String(early));
  await writeFile(
    join(directory, 'rsyslog.conf'),
    `global(workDirectory="${directory}")\nmodule(load="imptcp")\ninput(type="imptcp" address="127.0.0.1" port="514")
include(file="${directory}/vm.conf")\n`,
  );
  hosts.spawnAsGuest(guest, 'rsyslogd', '-n', '-i', 'NONE', '-f', join(directory, 'rsyslog.conf'));
  await waitUntil(async () => (await hosts.asGuest(guest, 'ss', '-Hltn', 'sport = :514')).stdout !== '', 10);
}

async function stopRelay(signal: NodeJS.Signals): Promise<void> {
  const pids = await relayPids();
  for (const pid of pids) process.kill(pid, signal);
  await waitUntil(async () => (await relayPids()).length === 0, 15);
}

async function relayPids(): Promise<number[]> {
  const pids = await hosts.pidsOf('rsyslogd');
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => lines[index]!.includes('syslog/rsyslog.conf'));
}

test('every line by RELP reaches the collector as tagged, every line by UDP does or is counted', {
  timeout: 150_000,
}, async () => {
  await guestRsyslogd(RSYSLOGD_GUEST);
  const sent = Promise.all([
    send('tcp', 0, '127.0.0.1'),
    send('relp', 1, FACTORY_IP),
    send('relp', 2, FACTORY_IP),
    send('udp', 1, FACTORY_IP),
  ]);

  // In turn, while they send: the relay and the collector stopped in order and killed, and vacd killed.
  for (const signal of STOPS) {
    await delay(1000);
    await stopRelay(signal);
    await delay(500);
    await vacd.call('ensureRunning');
    await vacd.call('keep');
    await delay(700);
    await collector.stop(signal);
    await delay(800);
    await collector.start();
  }
  await vacd.kill();
  vacd = await startVacd();
  expect(await sent).toEqual([LINES, LINES, LINES, LINES]);

  for (const [guest, way] of ['tcp', 'relp', 'relp'].entries()) {
    const lines = await collector.has(`guest ${guest} ${way} `, LINES, guest === RSYSLOGD_GUEST ? 20 : 60);
    const arrived = new Set(lines.map(({ text }) => text));
    const all = Array.from({ length: LINES }, (_, number) => `guest ${guest} ${way} ${number}`);
    const missing = all.filter((text) => !arrived.has(text));
    // omrelp of rsyslog 8.2302 sometimes gives up the line that is not acknowledged yet when its connection breaks: that
    // one is lost in the guest. A sender that keeps what is not acknowledged loses none.
    expect(missing.length, missing.join(', ')).toBeLessThanOrEqual(guest === RSYSLOGD_GUEST ? STOPS.length : 0);
    expect(arrived.size).toBe(LINES - missing.length);
    const { id, hostname, ...machine } = MACHINES[guest]!;
    const tags = {
      ...machine,
      machine: id,
      host: hostname,
      factory: 'factory1.example.com',
      space: 'vac01.example.com',
    };
    for (const { text: _, ...line } of lines) expect(line).toEqual(tags);
    process.stdout.write(`guest ${guest}: ${LINES} lines sent, ${lines.length} at the collector\n`);
  }

  // What came by UDP is in the log; what did not is counted there.
  const arrived = new Set((await collector.has('guest 1 udp ', LINES, 3)).map(({ text }) => text)).size;
  await vacd.call('setMachines', []);
  const log = await readFile(join(hosts.stateDir, 'logs', `${MACHINES[1]!.id}.log`), 'utf8');
  const said = [...log.matchAll(/ vacd: (\d+) lines lost/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  process.stdout.write(`guest 1 by UDP: ${LINES} lines sent, ${arrived} at the collector, ${said} counted as lost\n`);
  expect(arrived).toBeLessThan(LINES);
  expect(arrived + said).toBe(LINES);
  expect((await vacd.call<LostLines>('lostLines')).udp).toBeGreaterThanOrEqual(0);
});
