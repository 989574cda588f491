/** What machines' syslog costs: CPU of the relay per 1,000 lines by each way, of forwarding, and what a start waits for it. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitUntil } from '../../src/host/helper-daemon.js';
import type { ForwardingFacts } from '../../src/host/syslog-forwarder.js';
import { type Driver, FACTORY_IP, LiveHosts } from '../live/nfs-hosts.js';
import { COLLECTOR_PORT, Collector } from '../live/syslog-site.js';
import { type Figure, figure, mean } from './figure.js';

const IP = '169.254.169.1';
const SENDER = fileURLToPath(new URL('../live/syslog-sender.ts', import.meta.url));
const LINES = 10_000;
const CHANGES = 10;
/** Clock ticks a second in /proc/PID/stat. */
const TICKS = 100;

const machine = (number: number) => ({
  id: `${1_700_000_000 + number}_bench_factory1-01.example.com`,
  uuid: '6e1d9a3c-0000-4000-8000-000000000001',
  machinetype: 'bench',
  hostname: 'factory1-01.example.com',
});

export async function syslogFigures(): Promise<Figure[]> {
  const hosts = await LiveHosts.create([IP]);
  try {
    const figures: Figure[] = [];
    const vacd = await hosts.startDriver('syslog');
    await vacd.call('ensureRunning');
    for (const [number, way] of (['udp', 'tcp', 'relp'] as const).entries()) {
      figures.push(await relayFigure(hosts, vacd, machine(number), way));
    }
    figures.push(...(await changeFigures(vacd)));
    await vacd.call('stop');
    await vacd.kill();
    figures.push(...(await forwardFigures(hosts)));
    return figures;
  } finally {
    await hosts.destroy();
  }
}

async function relayFigure(
  hosts: LiveHosts,
  vacd: Driver,
  whose: ReturnType<typeof machine>,
  way: string,
): Promise<Figure> {
  await vacd.call('setMachines', [[IP, whose]]);
  const [pid] = await hosts.pidsOf('rsyslogd');
  const before = await cpuMilliseconds(pid!);
  await send(hosts, way, 1);
  const kept = await linesOf(join(hosts.stateDir, 'logs', `${whose.id}.log`));
  const perThousand = ((await cpuMilliseconds(pid!)) - before) / (kept / 1000);
  return figure(`syslog: relay, 1,000 lines by ${way}, CPU`, perThousand, 'ms');
}

async function changeFigures(vacd: Driver): Promise<Figure[]> {
  const [given, taken]: number[][] = [[], []];
  for (let number = 0; number < CHANGES; number++) {
    await vacd.call('setMachines', []);
    given!.push(await vacd.timed('setMachines', [[IP, machine(number)]]));
    taken!.push(await vacd.timed('setMachines', []));
  }
  return [
    figure('syslog: an address given, and confirmed', mean(given!), 'ms'),
    figure('syslog: an address taken, seen through', mean(taken!), 'ms'),
  ];
}

async function forwardFigures(hosts: LiveHosts): Promise<Figure[]> {
  const collector = await Collector.create(hosts, 'relp');
  const forwarding = {
    collector: { protocol: 'relp', host: '127.0.0.1', port: COLLECTOR_PORT },
    ...{ caPath: null, certPath: null, keyPath: null, peer: null, maxMegabytes: 1000 },
  };
  const vacd = await hosts.startDriver('syslog', { options: { forwarding } });
  await vacd.call('ensureRunning');
  await vacd.call('setMachines', [[IP, machine(99)]]);
  const [relay] = await hosts.pidsOf('rsyslogd');
  const relayBefore = await cpuMilliseconds(relay!);
  await send(hosts, 'relp', 1);
  const relayAfter = await cpuMilliseconds(relay!);
  const before = await cpuMilliseconds(vacd.pid);
  await collector.start();
  const delivered = async () => (await vacd.call<ForwardingFacts>('forwarding')).deliveredLines;
  // Without the time until it is found to be back.
  await waitUntil(async () => (await delivered()) > 0, 60);
  const [begunMs, already] = [performance.now(), await delivered()];
  await waitUntil(async () => (await delivered()) >= LINES, 120);
  const seconds = (performance.now() - begunMs) / 1000;
  const cpu = (await cpuMilliseconds(vacd.pid)) - before;
  await collector.stop('SIGKILL');
  return [
    figure(
      'syslog: relay, 1,000 lines kept for a collector too, CPU',
      (relayAfter - relayBefore) / (LINES / 1000),
      'ms',
    ),
    figure('syslog: forwarding of 1,000 lines by relp, CPU', cpu / (LINES / 1000), 'ms'),
    figure('syslog: lines a second to a collector that came back', (LINES - already) / seconds, '1/s'),
  ];
}

async function send(hosts: LiveHosts, way: string, pauseMs: number): Promise<void> {
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), SENDER] as const;
  // Datagrams have no flow control: a pause each 10 lines keeps them from being lost.
  const pause = way === 'udp' ? pauseMs : 0;
  await hosts.lineOf(hosts.spawnAsGuest(0, ...node, way, FACTORY_IP, `bench ${way}`, `${LINES}`, `${pause}`));
}

async function cpuMilliseconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

async function linesOf(path: string): Promise<number> {
  return (await readFile(path, 'latin1')).split('\n').length - 1;
}
