/** `vac trace` on a state directory as a vacd leaves it: what an officer asks, and what is answered. */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli/parse.js';
import { traceCommand } from '../../src/cli/trace-command.js';
import { flowLine } from '../../src/host/flow-log-lines.js';
import { type StateLayout, slotIp, slotMac } from '../../src/machines/layout.js';
import type { Provenance } from '../../src/trail/record.js';
import { TrailStore } from '../../src/trail/store.js';
import { makeStateDirectory } from '../daemon/test-factory.js';
import { testRecord } from '../machines/record.js';
import { recorded } from './recorded-io.js';

const T = 1_700_000_000;
const PUBLIC = '192.0.2.10';

let layout: StateLayout;
let store: TrailStore;

beforeEach(async () => {
  layout = await makeStateDirectory();
  store = new TrailStore(layout.trail(), { info() {}, error() {} }, () => T + 90_000);
  await add({ slot: 3, created: T, ended: T + 3600, message: '200 Success\u001b[2J' });
  await add({ slot: 3, created: T + 7200, ended: null });
  await add({ slot: 4, created: T, ended: T + 9000 });
});
afterEach(() => rm(layout.root, { recursive: true }));

function machineOf(slot: number, created: number) {
  const hostname = `factory1-0${slot}.example.com`;
  return testRecord({
    slot,
    hostname,
    ip: slotIp(slot),
    mac: slotMac(slot),
    createdTimeSeconds: created,
    id: `${created}_prod_${hostname}`,
    uuid: `00000000-0000-4000-8000-${String(slot).padStart(2, '0')}${created}`,
  });
}

async function add(given: { slot: number; created: number; ended: number | null; message?: string }): Promise<void> {
  const { slot, created, ended, message = '200 Success' } = given;
  const machine = machineOf(slot, created);
  const provenance: Provenance = {
    vacVersion: '4.0',
    space: 'vac01.example.com',
    factory: 'factory1.example.com',
    machinegroup: 'lhcb',
    pipe: { prefix: 'lhcb', url: 'https://pipes.example.org/lhcb' },
    image: {
      source: 'https://images.example.org/root.img',
      sha256: 'a'.repeat(64),
      bytes: 7,
      signer: '/CN=signer',
      fetchedTimeSeconds: T - 5,
      checkedTimeSeconds: T,
      fileKey: null,
    },
    userData: { source: 'https://pipes.example.org/ud', fetchedTimeSeconds: T, sha256: 'b'.repeat(64), bytes: 9 },
    certificates: [{ subject: '/CN=prod', serial: '0F', sha256: 'c'.repeat(64), endTimeSeconds: T + 9 }],
    nat: { device: 'eth0', address: PUBLIC },
  };
  const { id, uuid } = machine;
  await store.append({ kind: 'created', timeSeconds: created, id, uuid, machine, provenance });
  if (ended === null) {
    await mkdir(layout.machine(id), { recursive: true });
    await writeFile(layout.inMachine(id, 'started'), String(created + 2));
    return;
  }
  await store.append({
    kind: 'ended',
    timeSeconds: ended,
    id,
    uuid,
    machine,
    provenance,
    startedTimeSeconds: created + 2,
    stopTimeSeconds: null,
    end: { timeSeconds: ended, message, cpuSeconds: 77, reason: 'it shut down by itself' },
    left: {
      directory: layout.machine(id),
      files: [{ name: 'job.log', bytes: 3, sha256: 'd'.repeat(64) }],
      notListed: 2,
      log: { name: 'log', bytes: 12, sha256: null },
      console: null,
      accounting: ['20231114/22133500000000'],
    },
  });
}

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const parsed = parseCommandLine(['trace', '--state-dir', layout.root, ...args]);
  if (parsed.kind !== 'command') throw new Error('no command');
  const { line } = parsed;
  const { code, stdout } = await recorded((io) => traceCommand(line, io), T + 90_000);
  return { code, text: stdout };
}

describe('vac trace', () => {
  test('names the machine that had an address at a time, with all that an officer asks next', async () => {
    const { code, text } = await run('--at', String(T + 60), '--ip', '169.254.169.3');
    expect(code).toBe(0);
    expect(text).toContain(`uuid          ${machineOf(3, T).uuid}`);
    expect(text).toContain('"200 Success?[2J" (it shut down by itself)');
    for (const part of [
      'a'.repeat(64),
      'b'.repeat(64),
      '/CN=signer',
      'serial 0F',
      'apel-archive/20231114/',
      'job.log',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/for +lhcb/);
    expect(text).not.toContain('as well');
  });

  test('tells of one that runs how to halt it', async () => {
    const { text } = await run('--at', String(T + 80_000), '--ip', '169.254.169.3');
    expect(text).toContain('(slot 3, runs)');
    expect(text).toContain('vac quarantine factory1-03 --by YOU REASON');
  });

  test('says who came before and after when nobody had it', async () => {
    const { code, text } = await run('--at', String(T + 5000), '--ip', '169.254.169.3');
    expect(code).toBe(1);
    expect(text).toContain(`before: factory1-03.example.com  prod  ${machineOf(3, T).uuid}`);
    expect(text).toContain(`after:  factory1-03.example.com  prod  ${machineOf(3, T + 7200).uuid}`);
  });

  test('finds by name, slot, uuid and directory', async () => {
    const { uuid, id } = machineOf(4, T);
    for (const args of [
      ['--machine', 'factory1-04'],
      ['--machine', '4'],
      ['--machine', id],
      ['--uuid', uuid],
    ]) {
      expect((await run(...args)).text).toContain(uuid);
    }
    expect((await run('--machine', 'factory1-09')).code).toBe(1);
  });

  test('from the outside view all that lived then fit, until the log of connections tells', async () => {
    const question = ['--at', String(T + 60), '--ip', PUBLIC, '--port', '40112'];
    const without = await run(...question);
    expect(without.text).toContain('1 other fits'.replace('fits', 'fit'));
    expect(without.text).toContain('flow_log is none');
    await mkdir(join(layout.root, 'flows'));
    const flow = {
      timeSeconds: T + 61,
      event: 'new',
      protocol: 'tcp',
      from: '169.254.169.4',
      fromPort: 59666,
      to: '198.51.100.7',
      toPort: 25,
      as: PUBLIC,
      asPort: 40112,
    } as const;
    const day = new Date(T * 1000).toISOString().slice(0, 10).replaceAll('-', '');
    const gap = `${T + 62}.000 left-out 12 of 169.254.169.3, which opens connections faster than is logged`;
    await writeFile(join(layout.root, 'flows', `${day}T000000.log`), `${flowLine(flow)}\n${gap}\n`);
    const { text } = await run(...question);
    expect(text).toContain(machineOf(4, T).uuid);
    expect(text).not.toContain('as well');
    expect(text).toContain('new tcp :59666 > 198.51.100.7:25 as 192.0.2.10:40112');
    expect(text).toContain('left out 12');
    expect((await run('--at', String(T + 60), '--to', '198.51.100.7:26')).text).toContain('has no such connection');
    expect((await run('--to', '198.51.100.7')).text).toContain(machineOf(4, T).uuid);
  });

  test('says when more connections fit than are looked at', async () => {
    await mkdir(join(layout.root, 'flows'));
    const line = `${T + 61}.000 new tcp 169.254.169.4:59666 > 198.51.100.7:25 as ${PUBLIC}:40112\n`;
    await writeFile(join(layout.root, 'flows', '20200101T000000.log'), line.repeat(100_001));
    expect((await run('--to', '198.51.100.7')).text).toContain('give --at');
  });

  test('gives programs the records', async () => {
    const { machines } = JSON.parse((await run('--machine', '4', '--json')).text);
    expect(machines).toMatchObject([{ ended: { end: { cpuSeconds: 77 } } }]);
  });

  test('needs something to go by, and says what is wrong with it', async () => {
    await expect(run()).rejects.toThrow('--at TIME --ip ADDRESS');
    await expect(run('--ip', 'x')).rejects.toThrow('expected an IPv4 address');
    await expect(run('--port', '70000')).rejects.toThrow('1 to 65535');
    await expect(run('--at', String(T + 1e6))).rejects.toThrow('is to come');
  });

  test('--verify takes a trail that is gone for none that is whole', async () => {
    await rm(layout.trail(), { recursive: true });
    expect(await run('--verify')).toMatchObject({ code: 1, text: expect.stringContaining('was taken away') });
  });

  test('--verify ends with 1 when something was changed', async () => {
    expect(await run('--verify')).toMatchObject({ code: 0, text: expect.stringContaining('whole') });
    await rm(join(layout.trail(), 'head.json'));
    expect((await run('--verify')).code).toBe(1);
  });
});
