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

test('with a full disk no machine is started; when there is room again all goes on by itself', async () => {
  const send = (prefix: string, count: number) =>
    hosts.lineOf(
      hosts.spawnAsGuest(
        0,
        process.execPath,
        ...['--import', import.meta.resolve('tsx'), SENDER, 'relp', FACTORY_IP, prefix, `${count}`, '0'],
      ),
    );
  const count = async (prefix: string) => (await kept()).filter((line) => line.includes(` ${prefix} `)).length;
  expect(await send('room', 20)).toBe('20');
  const [pid] = await hosts.pidsOf('rsyslogd');
  await hosts.factory('sh', '-c', `cat /dev/zero > ${logs}/filler 2>/dev/null || true`);
  expect(await send('full', 500)).toBe('500');
  // The receiver cannot be told of another machine, so none is started.
  await expect(vacd.call('setMachines', [[GUEST_IP, { ...MACHINE, id: 'next' }]])).rejects.toThrow(
    /ENOSPC|is the disk of/,
  );
  expect(await hosts.pidsOf('rsyslogd')).toEqual([pid]);

  await hosts.factory('rm', `${logs}/filler`);
  await vacd.call('setMachines', [[GUEST_IP, MACHINE]]);
  expect(await send('again', 30)).toBe('30');
  expect(await waitUntil(async () => (await count('again')) === 30, 90)).toBe(true);
  expect(await hosts.pidsOf('rsyslogd')).toEqual([pid]);
});
