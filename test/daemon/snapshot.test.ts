import { readFile, statfs } from 'node:fs/promises';
import { release, totalmem, uptime } from 'node:os';
import { describe, expect, test } from 'vitest';
import {
  countOrNull,
  factorySnapshot,
  machineStatusOf,
  prettyName,
  readHostStatus,
} from '../../src/daemon/snapshot.js';
import { decode, encode } from '../../src/vacquery/index.js';
import { end } from '../factory/builders.js';
import { nowSeconds, TestFactory } from './test-factory.js';

describe('what the host tells', () => {
  test('is in the units of the protocol', async () => {
    const disks = () => Promise.all([statfs('/'), statfs('/tmp')]);
    // Others write there meanwhile.
    const before = await disks();
    const host = await readHostStatus('/tmp');
    const after = await disks();
    const isAbout = (value: number | null, expected: readonly number[], tolerance: number) => {
      expect(value).toBeGreaterThanOrEqual(Math.min(...expected) - tolerance);
      expect(value).toBeLessThanOrEqual(Math.max(...expected) + tolerance);
    };
    for (const [index, kb] of [host.root_disk_avail_kb, host.vac_disk_avail_kb].entries()) {
      isAbout(
        kb,
        [before[index]!, after[index]!].map(({ bavail, bsize }) => (bavail * bsize) / 1024),
        200_000,
      );
    }
    for (const [index, inodes] of [host.root_disk_avail_inodes, host.vac_disk_avail_inodes].entries()) {
      isAbout(inodes, [before[index]!.ffree, after[index]!.ffree], 20_000);
    }
    isAbout(host.boot_time, [Date.now() / 1000 - uptime()], 30);
    expect(host.mem_total_kb).toBe(totalmem() / 1024);
    expect(host.mem_used_kb).toBeGreaterThan(0);
    expect(host.mem_used_kb).toBeLessThan(host.mem_total_kb!);
    expect(host.kernel_version).toBe(release());
    expect(host.load_average).toBeGreaterThanOrEqual(0);
    const swapKb = Number(/^SwapTotal:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]);
    expect(host.swap_used_kb! + host.swap_free_kb!).toBe(swapKb);
    const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
    expect(host.os_issue).toBe(prettyName(text) || release());
  });

  test('is nothing where a number is none that can be told', () => {
    expect([0, 7, 2 ** 53 - 1].map(countOrNull)).toEqual([0, 7, 2 ** 53 - 1]);
    expect([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1.5].map(countOrNull)).toEqual([null, null, null, null]);
  });

  test.each([
    ['NAME=x\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION=1\n', 'Debian GNU/Linux 12 (bookworm)'],
    ["PRETTY_NAME='AlmaLinux 9.4'\n", 'AlmaLinux 9.4'],
    ['PRETTY_NAME=Arch', 'Arch'],
    ['PRETTY_NAME="a \\"b\\" \\$c"\n', 'a "b" $c'],
    ['PRETTY_NAME=""\n', ''],
    ['# PRETTY_NAME="x"\nXPRETTY_NAME="y"\n', null],
    ['PRETTY_NAME="torn', null],
    ['', null],
  ])('the name of its system in %j is %j', (text, name) => {
    expect(prettyName(text)).toBe(name);
  });
});

describe('the slots', () => {
  test('are as many as there are, with those of machines above a lowered number', async () => {
    const factory = await TestFactory.create({ slots: 2 });
    const { memory } = factory;
    const names = async () => factorySnapshot(memory, await readHostStatus('/tmp'), nowSeconds()).machines;
    try {
      const above = await factory.addMachine({ slot: 5 });
      const status = machineStatusOf(memory, above.entry.record.id, nowSeconds())!;
      expect((await names()).map(({ machine, uuid }) => [machine.split('.')[0], uuid])).toEqual([
        ...[0, 1, 2, 3, 4].map((slot) => [`factory1-0${slot}`, null]),
        ['factory1-05', above.entry.record.uuid],
      ]);
      expect(status.num_machines).toBe(6);
      memory.update(above, { phase: 'ended', end: end() });
      memory.setCleared(above);
      expect(await names()).toHaveLength(2);
    } finally {
      await factory.dispose();
    }
  });

  test('that are idle show their last machine, whatever the others had since', async () => {
    const factory = await TestFactory.create({ slots: 2 });
    const { memory } = factory;
    try {
      const idle = await factory.addMachine({ slot: 1 }, { phase: 'ended', end: end() }, false);
      memory.setCleared(idle);
      for (const ago of [30, 20, 10]) {
        const changes = { slot: 0, createdTimeSeconds: nowSeconds() - ago };
        memory.setCleared(await factory.addMachine(changes, { phase: 'ended', end: end() }, false));
      }
      const { machines } = factorySnapshot(memory, await readHostStatus('/tmp'), nowSeconds());
      expect(machines[1]).toMatchObject({ uuid: idle.entry.record.uuid, state: 'Shut down' });
    } finally {
      await factory.dispose();
    }
  });
});

describe('one machine by itself', () => {
  test('is a status that can be sent, with the number of slots', async () => {
    const factory = await TestFactory.create({ slots: 3 });
    try {
      const machine = await factory.addMachine({ slot: 2 }, { phase: 'ended', end: end({ message: '300 none' }) });
      const { id, hostname } = machine.entry.record;
      const status = machineStatusOf(factory.memory, id, 1_795_237_353)!;
      expect(status).toMatchObject({
        num_machines: 3,
        machine: hostname,
        state: 'Shut down',
        shutdown_message: '300 none',
      });
      const encoded = encode(status);
      expect(encoded.ok && decode(encoded.datagram)).toEqual({ ok: true, message: status });
      expect(machineStatusOf(factory.memory, 'no such', 1)).toBeNull();
    } finally {
      await factory.dispose();
    }
  });
});

describe('the use history of a machinetype', () => {
  test('is told where one is kept, in whole HS06 × seconds that readers take', async () => {
    const factory = await TestFactory.create({ machinetypes: [{ name: 'prod' }, { name: 'vast' }, { name: 'fresh' }] });
    const told = async () => {
      const snapshot = factorySnapshot(factory.memory, await readHostStatus('/tmp'), nowSeconds());
      return snapshot.machinetypes.map(({ decayed_use: use }) => use);
    };
    try {
      expect(await told()).toEqual([null, null, null]);
      factory.memory.ownUses = () => new Map(Object.entries({ prod: 1234.56, vast: 1e19 }));
      expect(await told()).toEqual([1235, 1e12, 0]);
    } finally {
      await factory.dispose();
    }
  });
});
