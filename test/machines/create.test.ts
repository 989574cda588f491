import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MachinetypeConfig, Settings } from '../../src/config/types.js';
import { VacError } from '../../src/errors.js';
import { CREATE_STEPS, exportsOf, newCreation } from '../../src/machines/create.js';
import { diskPaths, type StateLayout } from '../../src/machines/layout.js';
import { newRecord } from '../../src/machines/record.js';
import { type MachineTools, runSteps, StepError } from '../../src/machines/tools.js';
import { machineTools, makeStateDirectory, removeStateDirectory, writeRawImage } from '../daemon/test-factory.js';
import { FACTORY, machinetype, settings as someSettings } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';

const NOW_SECONDS = 1_700_000_000;
const ORDER = { slot: 3, processors: 4, shutdownTimeSeconds: NOW_SECONDS + 86_400, nowSeconds: NOW_SECONDS };
const STEPS = CREATE_STEPS.map(({ name }) => name);

let layout: StateLayout;
let hypervisor: FakeHypervisor;
let settings: Settings;

beforeEach(async () => {
  layout = await makeStateDirectory();
  hypervisor = new FakeHypervisor();
  settings = someSettings();
  const files = layout.machinetypeFiles('prod');
  await mkdir(files, { recursive: true });
  await writeRawImage(join(files, 'root.img'));
});

afterEach(() => removeStateDirectory(layout));

function tools(changes: Partial<MachineTools> = {}): MachineTools {
  return machineTools(layout, hypervisor, () => settings, changes);
}

/** A type whose disks take no time to make. */
function type(changes: Partial<MachinetypeConfig> = {}): MachinetypeConfig {
  return machinetype('prod', { diskGbPerProcessor: 0, swapMibPerProcessor: 0, ...changes });
}

function creation(changes: Partial<MachinetypeConfig> = {}, using = tools()) {
  const of = type(changes);
  return newCreation(using, of, settings, newRecord(FACTORY, of, settings, ORDER));
}

async function create(of: ReturnType<typeof creation>, listen: Parameters<typeof runSteps>[3] = () => {}) {
  await runSteps(CREATE_STEPS, of, of.record.id, listen);
  return of.record;
}

describe('the recipe of a new machine', () => {
  test('has the slot’s names and addresses, and the sizes of its processors', () => {
    const record = newRecord(FACTORY, type({ mibPerProcessor: 3000 }), someSettings({ hs06PerProcessor: 10.3 }), ORDER);
    expect(record).toMatchObject({
      id: '1700000000_prod_factory1-03.example.com',
      slot: 3,
      hostname: 'factory1-03.example.com',
      ip: '169.254.169.3',
      mac: '56:4D:A9:FE:A9:03',
      processors: 4,
      memoryMiB: 12_000,
      hs06: 41.2,
      hs06PerProcessor: 10.3,
      createdTimeSeconds: NOW_SECONDS,
      firstShutdownTimeSeconds: NOW_SECONDS + 86_400,
    });
    expect(record.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('counts a processor as 1 where the site has no benchmark, and says that it has none', () => {
    expect(newRecord(FACTORY, type(), settings, ORDER)).toMatchObject({ hs06: 4, hs06PerProcessor: null });
  });

  test('no two are of one uuid', () => {
    const uuids = Array.from({ length: 100 }, () => newRecord(FACTORY, type(), settings, ORDER).uuid);
    expect(new Set(uuids).size).toBe(100);
  });
});

describe('the sizes of its disks', () => {
  const sizes = (of: Partial<MachinetypeConfig>, by: Partial<Settings> = {}) => {
    const made = machinetype('prod', of);
    const { scratchBytes, swapBytes } = newCreation(
      tools(),
      made,
      someSettings(by),
      newRecord(FACTORY, made, settings, ORDER),
    );
    return { scratchBytes, swapBytes };
  };

  test('are decimal GB and MiB for each processor; the type outranks the settings, and these the usual 40 GB', () => {
    expect(sizes({ swapMibPerProcessor: 512 })).toEqual({ scratchBytes: 160e9, swapBytes: 4 * 512 * 2 ** 20 });
    expect(sizes({}, { diskGbPerProcessor: 5 }).scratchBytes).toBe(20e9);
    expect(sizes({ diskGbPerProcessor: 2.5 }, { diskGbPerProcessor: 5 }).scratchBytes).toBe(10e9);
    expect(sizes({ diskGbPerProcessor: 0, swapMibPerProcessor: 0 })).toEqual({ scratchBytes: 0, swapBytes: 0 });
  });

  test('are the processors’ part of the volume group, where there is one and nobody says a size', () => {
    const made = machinetype('prod');
    const group = { name: 'vg0', sizeBytes: 1e12, freeBytes: 1e12 };
    const sized = (by: Partial<Settings>) =>
      newCreation(tools(), made, someSettings(by), newRecord(FACTORY, made, settings, ORDER), group).scratchBytes;
    // A hundredth of the group is left for rounding up.
    expect(sized({ totalProcessors: 10 })).toBe(4 * 99e9);
    expect(sized({ totalProcessors: 10, diskGbPerProcessor: 5 })).toBe(20e9);
  });

  test('of a model that is not known is an error of ours', () => {
    const made = type({ machineModel: 'docker' });
    expect(() => newCreation(tools(), made, settings, newRecord(FACTORY, made, settings, ORDER))).toThrow('docker');
  });
});

describe('creation', () => {
  test('makes disks, features and the domain, and tells libvirt last', async () => {
    const of = newCreation(
      tools(),
      machinetype('prod', { diskGbPerProcessor: 0.01, swapMibPerProcessor: 1 }),
      settings,
      newRecord(FACTORY, type(), settings, ORDER),
    );
    const record = await create(of);
    const paths = diskPaths(layout, record);
    expect((await stat(paths.scratch)).size).toBe(40_000_000);
    expect((await stat(paths.swap)).size).toBe(4 * 2 ** 20);
    expect(await readFile(layout.inMachine(record.id, 'machinefeatures/total_cpu'), 'utf8')).toBe('4');
    expect(await readFile(layout.inMachine(record.id, 'jobfeatures/shutdowntime_job'), 'utf8')).toBe(
      String(ORDER.shutdownTimeSeconds),
    );
    const xml = await readFile(layout.inMachine(record.id, 'domain.xml'), 'utf8');
    for (const path of [paths.root, paths.scratch, paths.swap]) expect(xml).toContain(path);
    expect([...hypervisor.domains.values()]).toMatchObject([{ uuid: record.uuid, name: record.hostname }]);
  });

  test('gives joboutputs to the guest’s user, and nothing else', async () => {
    const record = await create(creation({}, tools({ guestOwner: { uid: 4711, gid: 4712 } })));
    const owner = async (name: string) => {
      const { uid, gid, mode } = await stat(layout.inMachine(record.id, name));
      return { uid, gid, mode: mode & 0o777 };
    };
    expect(await owner('joboutputs')).toEqual({ uid: 4711, gid: 4712, mode: 0o755 });
    const own = { uid: process.geteuid!(), gid: process.getegid!() };
    for (const name of ['', 'machinefeatures', 'jobfeatures', 'machine.json', 'domain.xml']) {
      expect(await owner(name)).toMatchObject(own);
    }
  });

  test('fills user_data in, for root’s eyes only; without one there is no file', async () => {
    const files = layout.machinetypeFiles('prod');
    await writeFile(join(files, 'template'), '#!/bin/sh\n# ##user_data_machine_hostname## ##user_data_uuid##\n');
    const record = await create(creation({ userData: 'template' }));
    const path = layout.inMachine(record.id, 'user_data');
    expect(await readFile(path, 'utf8')).toBe(`#!/bin/sh\n# factory1-03.example.com ${record.uuid}\n`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const { id } = newRecord(FACTORY, type(), settings, { ...ORDER, slot: 4 });
    const other = type();
    await create(newCreation(tools(), other, settings, newRecord(FACTORY, other, settings, { ...ORDER, slot: 4 })));
    expect(await readdir(layout.machine(id))).not.toContain('user_data');
  });

  test('spares the owner of a desktop', async () => {
    const emulator = { domainType: 'qemu', domainTypeReason: 'x', emulatorUid: null, emulatorGid: null } as const;
    const using = (gentle: { cpuPart: number | null } | null) =>
      tools({ hypervisorFacts: async () => emulator, gentleness: () => gentle });
    const domain = async (slot: number, gentle: { cpuPart: number | null } | null) => {
      const record = newRecord(FACTORY, type(), settings, { ...ORDER, slot });
      await create(newCreation(using(gentle), type(), settings, record));
      return readFile(layout.inMachine(record.id, 'domain.xml'), 'utf8');
    };
    expect(await domain(3, { cpuPart: null })).toContain("<vcpusched vcpus='0-3' scheduler='idle'/>");
    expect(await domain(4, null)).not.toContain('idle');
  });

  test('has its address, its log and its exports before its domain, so that nothing is missing when it boots', async () => {
    const order: string[] = [];
    const using = tools({
      logs: {
        async assign({ ip, id }) {
          order.push(`log ${ip} ${id}`);
        },
        async release() {},
        async restore() {},
      },
    });
    vi.spyOn(using.nfs, 'add').mockImplementation(async (...exported: unknown[]) => {
      order.push(`export ${JSON.stringify(exported[0])}`);
    });
    vi.spyOn(hypervisor, 'createDomain').mockImplementation(async () => {
      order.push('domain');
    });
    const record = await create(creation({}, using));
    expect(order).toEqual([
      `log ${record.ip} ${record.id}`,
      `export ${JSON.stringify(exportsOf(layout, record))}`,
      'domain',
    ]);
    expect(exportsOf(layout, record)).toMatchObject({ clientIp: record.ip, directory: layout.machine(record.id) });
  });
});

describe('steps', () => {
  test('are told as they begin and end, in their order', async () => {
    const told: string[] = [];
    await create(creation(), (id, step, moment) => {
      told.push(`${id} ${step} ${moment}`);
    });
    const id = '1700000000_prod_factory1-03.example.com';
    expect(told).toEqual(STEPS.flatMap((step) => [`${id} ${step} begin`, `${id} ${step} end`]));
  });

  test('the first that fails is named, and is the last', async () => {
    const told: string[] = [];
    const failed = await create(creation({ rootImage: 'not-there.img' }), (_id, step, moment) => {
      told.push(`${step} ${moment}`);
    }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StepError);
    expect(failed).toMatchObject({ step: 'disks', cause: { code: 'image-missing' } });
    expect((failed as Error).message).toMatch(/^disks: image .*not-there\.img cannot be read/);
    expect(told.at(-1)).toBe('disks begin');
  });

  test('a refusal of libvirt’s keeps its code', async () => {
    hypervisor.failNext('createDomain', new VacError('hypervisor-refused', 'no such bridge'));
    await expect(create(creation())).rejects.toMatchObject({
      message: 'libvirt: no such bridge',
      cause: { code: 'hypervisor-refused' },
    });
  });

  test('what libvirt’s kind of machine is asked only when it is needed, so that a deaf libvirt costs no disks’ loss', async () => {
    hypervisor.failNext('facts', new VacError('hypervisor-unreachable', 'nobody there'));
    await expect(create(creation())).rejects.toMatchObject({ step: 'domain-xml' });
    expect(hypervisor.calls).toEqual(['facts']);
  });
});
