/**
 * A vacd of which nothing is left but its syslog relay: takes `{"call": "keep", "args": [...]}` lines, answers each with
 * `{"result": ...}` or `{"error": ..., "code": ...}`. A process of its own, so that tests can put it into a network namespace
 * and kill it. Datagrams are counted by a table of nft that the test may have made.
 */

import { createInterface } from 'node:readline';
import { Firewall } from '../../src/host/firewall.js';
import { SyslogRelay } from '../../src/host/syslog.js';
import type { LoggedMachine } from '../../src/host/syslog-table.js';

interface Wish {
  readonly call: string;
  readonly args: readonly unknown[];
}

const [stateDir, address, options] = process.argv.slice(2) as [string, string, string];
const said: string[] = [];
const firewall = new Firewall();
const relay = new SyslogRelay({
  stateDir,
  address,
  port: 514,
  relp: 'yes',
  forwarding: null,
  factory: 'factory1.example.com',
  space: 'vac01.example.com',
  days: 90,
  maxMegabytes: 50,
  // A host that holds rsyslogd up is not what is tested: vacd asks again then.
  answerSeconds: 60,
  datagramsSent: () => firewall.syslogDatagrams(),
  info: (message) => said.push(message),
  warn: (message) => said.push(message),
  ...(JSON.parse(options) as object),
});

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line) as Wish;
  process.stdout.write(`${JSON.stringify(await answer(call, args))}\n`);
}

async function answer(call: string, args: readonly unknown[]): Promise<unknown> {
  if (call === 'said') return { result: said };
  const begun = performance.now();
  try {
    const method = (relay as unknown as Record<string, (...args: unknown[]) => unknown>)[call]!;
    const revived = call === 'setMachines' ? [new Map(args[0] as [string, LoggedMachine][])] : args;
    const result = await method.apply(relay, [...revived]);
    return { result, milliseconds: performance.now() - begun };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    return { error: message, code };
  }
}
