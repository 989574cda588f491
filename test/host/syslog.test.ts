import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isBound, SyslogRelay } from '../../src/host/syslog.js';
import { type LoggedMachine, parseMachineTable } from '../../src/host/syslog-table.js';

const PROC_NET_UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  101: FEA9FEA9:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9071 2 0000000000000000 0
  102: 00000000:03E3 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9072 2 0000000000000000 0
`;

test('a bound address is found in the kernel’s table, and one bound to all addresses counts', () => {
  expect(isBound(PROC_NET_UDP, '169.254.169.254', 514)).toBe(true);
  expect(isBound(PROC_NET_UDP, '127.0.0.1', 995)).toBe(true);
  expect(isBound(PROC_NET_UDP, '169.254.169.253', 514)).toBe(false);
  expect(isBound(PROC_NET_UDP, '169.254.169.254', 515)).toBe(false);
  expect(isBound('', '169.254.169.254', 514)).toBe(false);
});

describe('without a running receiver', () => {
  let stateDir: string;
  let relay: SyslogRelay;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'vac-syslog-'));
    relay = new SyslogRelay({
      stateDir,
      address: '127.0.0.1',
      port: 5514,
      relp: 'no',
      forwarding: null,
      factory: 'factory1.example.com',
      space: 'vac01.example.com',
      days: 90,
      maxMegabytes: 50,
      info: () => {},
      warn: () => {},
    });
  });

  afterEach(async () => {
    await rm(stateDir, { recursive: true });
  });

  test('the table is written for its start, and left alone while nothing changes', async () => {
    const path = join(stateDir, 'syslog', 'machines.json');
    const machine: LoggedMachine = { id: '1_prod_h', uuid: 'u', machinetype: 'prod', hostname: 'h' };
    const machines = new Map([['169.254.169.1', machine]]);
    await relay.setMachines(machines);
    expect(parseMachineTable(await readFile(path, 'utf8')).machines).toEqual(machines);
    const before = await stat(path);
    await relay.setMachines(new Map(machines));
    expect((await stat(path)).ino).toBe(before.ino);
    await relay.setMachines(new Map());
    expect(parseMachineTable(await readFile(path, 'utf8')).machines).toEqual(new Map());
  });
});
