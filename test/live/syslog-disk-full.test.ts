import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../../src/host/helper-daemon.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';

const GUEST_IP = '169.254.169.1';
const SENDER = fileURLToPath(new URL('./syslog-sender.ts', import.meta.url));
const MACHINE = { id: '1700000001_prod_factory1-01.example.com', uuid: 'u', machinetype: 'prod', hostname: 'h' };

let hosts: LiveHosts;
let vacd: Driver;
let logs: string;

beforeAll(async () => {
  hosts = await LiveHosts.create([GUEST_IP]);
  logs = join(hosts.stateDir, 'logs');
  // A small disk for both directories of the relay, seen by the factory alone.
  const script = `cd ${hosts.stateDir} && mkdir disk logs syslog && mount -t tmpfs -o size=1m tmpfs disk &&
    mkdir disk/logs disk/syslog && mount --bind disk/logs logs && mount --bind disk/syslog syslog`;
  await hosts.factory('sh', '-c', script);
  vacd = await hosts.startDriver('syslog');
  await vacd.call('ensureRunning');
  await vacd.call('setMachines', [[GUEST_IP, MACHINE]]);
});

afterAll(async () => {
  await hosts?.destroy();
});

async function kept(): Promise<string[]> {
  const { stdout } = await hosts.factory('sh', '-c', `cat ${logs}/*.log 2>/dev/null || true`);
  return stdout.split('\n').filter((line) => line !== '');
}

test('a full disk holds senders back; when there is room again all lines of TCP senders are there', async () => {
  const send = (prefix: string, count: number) =>
    hosts.spawnAsGuest(
      0,
      process.execPath,
      ...['--import', import.meta.resolve('tsx'), SENDER, 'relp', FACTORY_IP, prefix, `${count}`, '0'],
    );
  expect(await hosts.lineOf(send('room', 20))).toBe('20');
  const [pid] = await hosts.pidsOf('rsyslogd');
  await hosts.factory('sh', '-c', `cat /dev/zero > ${logs}/filler 2>/dev/null || true`);
  const blocked = send('no room', 500);
  const done = hosts.lineOf(blocked);
  // The receiver cannot be told of another machine, so none is started.
  await expect(vacd.call('setMachines', [[GUEST_IP, { ...MACHINE, id: 'next' }]])).rejects.toThrow(
    /ENOSPC|is the disk of/,
  );
  expect(blocked.exitCode).toBeNull();
  expect(await hosts.pidsOf('rsyslogd')).toEqual([pid]);

  await hosts.factory('rm', `${logs}/filler`);
  await vacd.call('setMachines', [[GUEST_IP, MACHINE]]);
  expect(await done).toBe('500');
  await waitUntil(async () => (await kept()).filter((line) => line.includes('no room')).length >= 500, 10);
  const numbers = (await kept()).flatMap((line) => /no room (\d+)$/.exec(line)?.[1] ?? []);
  expect(new Set(numbers).size).toBe(500);
  await vacd.call('setMachines', []);
  await vacd.call('keep');
});
