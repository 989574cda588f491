/** The log of connections with the kernel's own connection tracking: a guest behind NAT, its host, and the outside. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FlowLog } from '../../src/host/flow-log.js';
import { FlowLogFiles, readFlows } from '../../src/host/flow-log-files.js';
import type { Flow } from '../../src/host/flow-log-lines.js';
import { until } from './test-host.js';

const exec = promisify(execFile);
const GUEST = '169.254.169.3';
const PUBLIC = '192.0.2.10';
const OUTSIDE = '198.51.100.7';
const FLOOD = 2_000;
const FIRST_PORT = 5_000;
const FLOOD_PORT = 20_000;

const [guest, host, outside] = ['g', 'h', 'o'].map((name) => `vt${process.pid}${name}`) as [string, string, string];
const NAT = `table ip nat {
 chain post {
  type nat hook postrouting priority 100;
  ip saddr 169.254.0.0/16 snat to ${PUBLIC}
 }
}`;

let directory: string;
let log: FlowLog;
const told: string[] = [];

const inside = (namespace: string, ...words: string[]) => exec('ip', ['netns', 'exec', namespace, ...words]);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-flow-live-'));
  for (const namespace of [guest, host, outside]) {
    await exec('ip', ['netns', 'add', namespace]);
    await inside(namespace, 'ip', 'link', 'set', 'lo', 'up');
  }
  await connect(guest, `${GUEST}/16`, host, '169.254.169.253/16', 'in');
  await connect(outside, `${OUTSIDE}/24`, host, '198.51.100.1/24', 'out');
  await inside(host, 'ip', 'address', 'add', `${PUBLIC}/32`, 'dev', 'out');
  await inside(guest, 'ip', 'route', 'add', 'default', 'via', '169.254.169.253');
  await inside(outside, 'ip', 'route', 'add', `${PUBLIC}/32`, 'via', '198.51.100.1');
  await inside(host, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  await inside(host, 'nft', NAT);
  const tell = (line: string) => void told.push(line);
  log = new FlowLog({
    files: new FlowLogFiles(directory, { days: 1, bytes: 1e7 }),
    ends: true,
    log: { info: tell, warn: tell, error: tell },
    command: ['ip', 'netns', 'exec', host, 'conntrack'],
    limits: { machineBurst: 100, machinePerSecond: 10 },
  });
  log.start();
});

afterAll(async () => {
  await log?.close();
  for (const namespace of [guest, host, outside]) await exec('ip', ['netns', 'delete', namespace]).catch(() => {});
  await rm(directory, { recursive: true });
});

async function connect(one: string, oneIp: string, other: string, otherIp: string, name: string): Promise<void> {
  await exec('ip', ['link', 'add', name, 'netns', other, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', one]);
  for (const [namespace, device, ip] of [
    [one, 'eth0', oneIp],
    [other, name, otherIp],
  ] as const) {
    await inside(namespace, 'ip', 'address', 'add', ip, 'dev', device);
    await inside(namespace, 'ip', 'link', 'set', device, 'up');
  }
}

/** Sends datagrams as the guest: from one port to so many, 1000 and up. */
function send(port: number, count: number): Promise<unknown> {
  const program = `const s = require('node:dgram').createSocket('udp4');
    s.bind(${port}, async () => {
      for (let i = 0; i < ${count}; i += 1) await new Promise((r) => s.send('x', 1000 + i, '${OUTSIDE}', r));
      s.close();
    });`;
  return inside(guest, process.execPath, '-e', program);
}

async function flows(matches: (flow: Flow) => boolean) {
  return readFlows(directory, { fromSeconds: 0, toSeconds: 9_999_999_999, matches, most: 10_000 });
}

test('what the outside saw leads to the machine, and a flood is counted, not written', async () => {
  // conntrack is there when it tells of something.
  let port = FIRST_PORT;
  const isFirst = ({ fromPort, event }: Flow) => fromPort < FLOOD_PORT && event === 'new';
  await until('a connection is logged', async () => {
    // Each is another connection: of one that is known to the kernel already, nothing new is told.
    await send(port++, 1);
    return (await flows(isFirst)).flows.length > 0;
  });
  expect(log.problem(), told.join('\n')).toBeNull();
  const [flow] = (await flows(isFirst)).flows;
  expect(flow).toMatchObject({ event: 'new', protocol: 'udp', from: GUEST, to: OUTSIDE, toPort: 1000, as: PUBLIC });
  expect(flow!.asPort).toBeGreaterThanOrEqual(1024);

  await send(FLOOD_PORT, FLOOD);
  const amounts = async (): Promise<{ logged: number; counted: number }> => {
    const { flows: logged, gaps } = await flows(({ fromPort, event }) => fromPort === FLOOD_PORT && event === 'new');
    const counts = gaps.filter(({ count, why }) => count > 0 && why.includes(GUEST));
    return { logged: logged.length, counted: counts.reduce((sum, { count }) => sum + count, 0) };
  };
  await until('every connection is logged or counted, or it is said that the kernel dropped some', async () => {
    const { logged, counted } = await amounts();
    const { gaps } = await flows(() => false);
    return logged + counted >= FLOOD || gaps.some(({ why }) => why.includes('than the kernel could tell of'));
  });
  expect((await amounts()).logged).toBeLessThan(FLOOD / 4);
}, 120_000);
