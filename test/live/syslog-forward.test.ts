import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SyslogForwarding } from '../../src/config/types.js';
import type { ForwardingFacts } from '../../src/host/syslog-forwarder.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';
import { COLLECTOR_PORT, Collector } from './syslog-site.js';
import { until } from './test-host.js';

const GUEST_IP = '169.254.169.1';
const SENDER = fileURLToPath(new URL('./syslog-sender.ts', import.meta.url));
const MACHINE = {
  id: '1700000001_prod_factory1-01.example.com',
  uuid: '6e1d9a3c-0000-4000-8000-000000000001',
  machinetype: 'prod',
  hostname: 'factory1-01.example.com',
};
const TAGS = {
  host: MACHINE.hostname,
  machine: MACHINE.id,
  uuid: MACHINE.uuid,
  machinetype: 'prod',
  factory: 'factory1.example.com',
  space: 'vac01.example.com',
};

let hosts: LiveHosts;

beforeEach(async () => {
  hosts = await LiveHosts.create([GUEST_IP]);
});

afterEach(async () => {
  await hosts.destroy();
});

const forwarding = (
  protocol: SyslogForwarding['collector']['protocol'],
  changes: Partial<SyslogForwarding> = {},
): SyslogForwarding => ({
  collector: { protocol, host: '127.0.0.1', port: COLLECTOR_PORT },
  caPath: null,
  certPath: null,
  keyPath: null,
  peer: null,
  maxMegabytes: 100,
  ...changes,
});

const tlsFiles = () => ({
  caPath: join(hosts.stateDir, 'ca.pem'),
  certPath: join(hosts.stateDir, 'vacd.pem'),
  keyPath: join(hosts.stateDir, 'vacd.key'),
  peer: 'collector.example.com',
});

async function start(wish: SyslogForwarding): Promise<Driver> {
  const vacd = await hosts.startDriver('syslog', { options: { forwarding: wish } });
  await vacd.call('ensureRunning');
  await vacd.call('setMachines', [[GUEST_IP, MACHINE]]);
  return vacd;
}

async function send(prefix: string, count: number, way = 'relp'): Promise<void> {
  const node = ['--import', import.meta.resolve('tsx'), SENDER, way, FACTORY_IP, prefix, `${count}`, '0'];
  const { exitCode, stderr } = await hosts.asGuest(0, process.execPath, ...node);
  expect(exitCode, stderr).toBe(0);
}

/** What takes seconds at most, also where a try was in vain. */
const PATIENCE_SECONDS = 90;

const forwards = (vacd: Driver, isSo: (facts: ForwardingFacts) => boolean, what: string) =>
  until(what, async () => isSo(await vacd.call<ForwardingFacts>('forwarding')), PATIENCE_SECONDS);

const distinct = (lines: readonly { text: string }[]) => new Set(lines.map(({ text }) => text)).size;

test.each([
  'tcp',
  'relp',
  'tls',
  'relps',
] as const)('%s: lines reach the collector with their tags, also those of its and vacd’s absence', async (protocol) => {
  const isTls = protocol === 'tls' || protocol === 'relps';
  const collector = await Collector.create(hosts, protocol);
  await collector.start();
  let vacd = await start(forwarding(protocol, isTls ? tlsFiles() : {}));
  await send('present', 200);
  const [first] = await collector.has('present', 200, PATIENCE_SECONDS);
  expect(first).toEqual({ ...TAGS, text: 'present 0' });

  await forwards(vacd, ({ deliveredLines }) => deliveredLines === 200, 'vacd knows that all are delivered');

  await collector.stop('SIGTERM');
  await send('absent', 200);
  await forwards(vacd, ({ problem }) => problem !== null, 'vacd finds no collector');
  expect((await vacd.call<string[]>('said')).join()).toContain(`cannot be forwarded to the collector ${protocol}://`);
  await vacd.kill();
  await send('nobody', 200);
  await collector.start();
  vacd = await start(forwarding(protocol, isTls ? tlsFiles() : {}));
  expect(distinct(await collector.has('absent', 200, PATIENCE_SECONDS))).toBe(200);
  expect(distinct(await collector.has('nobody', 200, PATIENCE_SECONDS))).toBe(200);
  const all = await collector.has('', 600, 1);
  expect(
    all.every(
      ({ machine, uuid, factory, space }) =>
        machine === MACHINE.id && uuid === MACHINE.uuid && factory === TAGS.factory && space === TAGS.space,
    ),
  ).toBe(true);
  // Whatever was sent before vacd was killed is not sent again by the next.
  expect(all.filter(({ text }) => text.startsWith('present'))).toHaveLength(200);
  await collector.stop('SIGKILL');
});

test('a collector that is not whom it should be gets nothing', async () => {
  const collector = await Collector.create(hosts, 'tls');
  await collector.start();
  const vacd = await start(forwarding('tls', { ...tlsFiles(), peer: 'other.example.com' }));
  await send('secret', 5);
  // Until the collector listens it is another one.
  await forwards(vacd, ({ problem }) => problem?.includes('other.example.com') ?? false, 'vacd says whom it wants');
  expect(await collector.lines()).toEqual([]);
  await collector.stop('SIGKILL');
});

test('a guest’s own structured data are text, and cannot pass for the relay’s', async () => {
  const collector = await Collector.create(hosts, 'relp');
  await collector.start();
  await start(forwarding('relp'));
  const forged = '<13>1 2026-01-01T00:00:00Z h a b c [vac@32473 machine="forged"] done';
  const program = `const s = require('node:net').connect(514, '${FACTORY_IP}', () => s.end(process.argv[1] + '\\n'));`;
  await hosts.asGuest(0, process.execPath, '-e', program, forged);
  expect(await collector.has('done', 1, PATIENCE_SECONDS)).toEqual([
    { ...TAGS, text: '[vac@32473 machine="forged"] done' },
  ]);
  await collector.stop('SIGKILL');
});
