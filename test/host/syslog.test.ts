import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
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
  let datagramsSent: number;
  const ip = '169.254.169.1';
  const machine: LoggedMachine = { id: '1_prod_h', uuid: 'u', machinetype: 'prod', hostname: 'h' };
  const table = async () =>
    parseMachineTable(await readFile(join(stateDir, 'syslog', 'machines.json'), 'utf8')).machines;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'vac-syslog-'));
    await mkdir(join(stateDir, 'logs'));
    datagramsSent = 0;
    relay = relayAt('127.0.0.1');
  });

  const relayAt = (address: string) =>
    new SyslogRelay({
      stateDir,
      address,
      port: 5514,
      relp: 'no',
      forwarding: null,
      factory: 'factory1.example.com',
      space: 'vac01.example.com',
      days: 90,
      maxMegabytes: 50,
      datagramsSent: async () => new Map([[ip, datagramsSent]]),
      info: () => {},
      warn: () => {},
    });

  afterEach(async () => {
    await rm(stateDir, { recursive: true });
  });

  test('none is started that could only wait for an address that the host does not have', async () => {
    await expect(relayAt('192.0.2.1').ensureRunning()).rejects.toMatchObject({
      code: 'syslog-unavailable',
      message: expect.stringMatching(/^rsyslogd cannot listen on 192\.0\.2\.1: no interface .* network up\?$/),
    });
  });

  test('the table is written for its start, and left alone while nothing changes', async () => {
    const path = join(stateDir, 'syslog', 'machines.json');
    const machines = new Map([[ip, machine]]);
    await relay.setMachines(machines);
    expect(await table()).toEqual(machines);
    const before = await stat(path);
    await relay.setMachines(new Map(machines));
    expect((await stat(path)).ino).toBe(before.ino);
    await relay.setMachines(new Map());
    expect(await table()).toEqual(new Map());
  });

  test('the table is that of the moment when it was asked for', async () => {
    const machines = new Map([[ip, machine]]);
    const told = relay.setMachines(machines);
    machines.delete(ip);
    await told;
    expect([...(await table()).keys()]).toEqual([ip]);
  });

  test('lines that a machine lost by UDP are said when it ends, also when all is looked at just then', async () => {
    const log = () => readFile(join(stateDir, 'logs', `${machine.id}.log`), 'utf8');
    await relay.setMachines(new Map([[ip, machine]]));
    datagramsSent = 5;
    await Promise.all([relay.keep(), relay.setMachines(new Map())]);
    expect(await log()).toContain('vacd: 5 lines lost that were sent by UDP');
    expect(relay.lostLines().udp).toBe(5);
  });
});
