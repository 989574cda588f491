/** A receiver that is there and does nothing: a real rsyslogd that is held by SIGSTOP. */

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SyslogRelay } from '../../src/host/syslog.js';
import type { LoggedMachine } from '../../src/host/syslog-table.js';

const machine = (number: number): [string, LoggedMachine] => [
  `169.254.169.${number}`,
  { id: `${number}_prod_h`, uuid: 'u', machinetype: 'prod', hostname: 'h' },
];

let stateDir: string;
let relay: SyslogRelay;
/** The same receiver's, of a vacd that does not wait for long; asked only what is not answered, however long it waits. */
let impatient: SyslogRelay;
let warned: string[];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'vac-syslog-'));
  warned = [];
  relay = relayWith({});
  impatient = relayWith({ answerSeconds: 1 });
});
const relayWith = (patience: { answerSeconds?: number }) =>
  new SyslogRelay({
    stateDir,
    address: '127.0.0.1',
    port: 20_000 + (process.pid % 10_000),
    relp: 'no',
    forwarding: null,
    factory: 'factory1.example.com',
    space: 'vac01.example.com',
    days: 90,
    maxMegabytes: 50,
    answerSeconds: 60,
    info: () => {},
    warn: (message) => warned.push(message),
    ...patience,
  });
afterEach(async () => {
  await relay.stop();
  await rm(stateDir, { recursive: true });
});

test('one that hangs is replaced, and then machines get their addresses again', async () => {
  await relay.ensureRunning();
  await relay.setMachines(new Map([machine(1)]));
  const pid = Number((await readFile(join(stateDir, 'syslog', 'vac-syslog.pid'), 'utf8')).split(' ')[0]);
  process.kill(pid, 'SIGSTOP');
  const both = new Map([machine(1), machine(2)]);
  await expect(impatient.setMachines(both)).rejects.toThrow('in 1 s: it may be busy, and is asked again');
  await expect(impatient.keep()).rejects.toThrow('it was ended, and is started anew');
  expect(warned).toHaveLength(1);
  await relay.ensureRunning();
  await relay.setMachines(both);
  await relay.keep();
});
