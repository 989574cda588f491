/**
 * Metadata over HTTP: what an answer costs of CPU, by a server inside vacd as it was, and by the child without root that
 * asks vacd; and what memory that child takes.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Guard } from '../../src/guard/guard.js';
import { REQUESTS } from '../../src/metadata/limits.js';
import { MetadataParent } from '../../src/metadata/parent.js';
import { MetadataServer } from '../../src/metadata/server.js';
import { type ListenAddress, MetadataSockets } from '../../src/metadata/sockets.js';
import { OWNER, TestSite } from '../metadata/site.js';
import { type Figure, figure } from './figure.js';
import type { AskOrder, AskResult } from './metadata-asker.js';

/** Each asks as often as it may at once, so that the limits take no part. */
const CLIENTS = Array.from({ length: 20 }, (_, index) => `127.0.1.${index + 1}`);
const WARM_UP = 50;
const PATHS = {
  'instance-id': '/latest/meta-data/instance-id',
  'a feature': '/machinefeatures/total_cpu',
} as const;

export async function metadataFigures(): Promise<Figure[]> {
  const site = await TestSite.make();
  for (const ip of CLIENTS) await site.add(ip, { id: `machine ${ip}` });
  const asker = fork(fileURLToPath(new URL('metadata-asker.ts', import.meta.url)));
  try {
    return await figuresOf(site, asker);
  } finally {
    asker.kill();
    await site.remove();
  }
}

async function figuresOf(site: TestSite, asker: ChildProcess): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const [what, path] of Object.entries(PATHS)) {
    const inside = await inProcess(site, asker, path);
    const outside = await byChild(site, asker, path);
    const reference = (value: number) => ({ value: Math.round(value * 1000) / 1000, what: 'inside vacd' });
    figures.push(
      figure(`metadata ${what} by the child, cpu of both`, outside.cpuMs, 'ms', reference(inside.cpuMs)),
      figure(`metadata ${what} by the child, cpu of vacd`, outside.vacdMs, 'ms', reference(inside.cpuMs)),
      figure(`metadata ${what} by the child`, 1000 / outside.cpuMs, '/s of CPU', reference(1000 / inside.cpuMs)),
    );
    if (path === PATHS['a feature']) {
      figures.push(
        figure('metadata child rss', outside.rssMib, 'MiB'),
        figure('metadata child rss, its own alone', outside.ownMib, 'MiB'),
      );
    }
  }
  return figures;
}

async function inProcess(site: TestSite, asker: ChildProcess, path: string): Promise<{ cpuMs: number }> {
  const server = new MetadataServer(site);
  const at = await server.listen({ host: '127.0.0.254', port: 0 });
  try {
    return await measure(asker, at, path, async () => ownCpuMs());
  } finally {
    await server.close();
  }
}

async function byChild(site: TestSite, asker: ChildProcess, path: string) {
  const sockets = new MetadataSockets([{ address: '127.0.0.254', port: 0 }]);
  sockets.bind();
  const onProblem = (line: string) => process.stderr.write(`${line}\n`);
  const metadata = new MetadataParent({
    guestOwner: OWNER,
    machineByIp: site.holder,
    sockets: () => sockets.descriptors(),
    onProblem,
  });
  const guard = new Guard({
    parts: [metadata],
    what: 'the child',
    mark: 'vac-bench',
    identity: { uid: 65534, gid: 65534 },
    onProblem,
  });
  try {
    await guard.ensureRunning();
    const pid = guard.pid!;
    let vacdMs = 0;
    const { cpuMs } = await measure(asker, sockets.bound()[0]!, path, async () => {
      vacdMs = ownCpuMs() - vacdMs;
      return ownCpuMs() + (await cpuMsOf(pid));
    });
    return { cpuMs, vacdMs: vacdMs / requests(), ...(await memoryOf(pid)) };
  } finally {
    await guard.close();
    sockets.close();
  }
}

const perClient = () => REQUESTS.burst - WARM_UP;
const requests = () => CLIENTS.length * perClient();

/** CPU time of one request, by the clock `cpu`, which is read before and after all. */
async function measure(
  asker: ChildProcess,
  { address, port }: ListenAddress,
  path: string,
  cpu: () => Promise<number>,
): Promise<{ cpuMs: number }> {
  const order = { address, port, path, clients: CLIENTS };
  await ask(asker, { ...order, requestsPerClient: WARM_UP });
  const before = await cpu();
  const { failed } = await ask(asker, { ...order, requestsPerClient: perClient() });
  const after = await cpu();
  if (failed > 0) throw new Error(`${failed} requests of ${path} were not answered`);
  return { cpuMs: (after - before) / requests() };
}

async function ask(asker: ChildProcess, order: AskOrder): Promise<AskResult> {
  asker.send(order);
  const [result] = (await once(asker, 'message')) as [AskResult];
  return result;
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Of /proc/PID/stat: user and system time, in ticks of 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[14 - 3]) + Number(fields[15 - 3])) * 10;
}

/** All that is in memory for it, and what of that no other process shares. */
async function memoryOf(pid: number): Promise<{ rssMib: number; ownMib: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
  return { rssMib: mib('VmRSS'), ownMib: mib('RssAnon') };
}
