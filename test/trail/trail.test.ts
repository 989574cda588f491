import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MachineEnd } from '../../src/factory/types.js';
import { CREATE_STEPS, newCreation } from '../../src/machines/create.js';
import { CLEAR_STEPS } from '../../src/machines/finish.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { type MachineTools, runSteps } from '../../src/machines/tools.js';
import { readTrail } from '../../src/trail/read.js';
import type { CreatedRecord, EndedRecord } from '../../src/trail/record.js';
import type { Trail } from '../../src/trail/trail.js';
import { machineTools, makeStateDirectory, testTrail, writeRawImage } from '../daemon/test-factory.js';
import { machinetype, settings } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';
import { testRecord } from '../machines/record.js';

const END: MachineEnd = { timeSeconds: 1_700_050_000, message: '200 Success', cpuSeconds: 99.6, reason: 'by itself' };
const SETTINGS = settings({ gocdbSitename: 'SITE-A' });

let layout: StateLayout;
let tools: MachineTools;
let trail: Trail;

beforeEach(async () => {
  layout = await makeStateDirectory();
  trail = testTrail(layout);
  tools = machineTools(layout, new FakeHypervisor(), () => SETTINGS, { trail });
  await writeRawImage(`${layout.root}/image.raw`);
  await writeFile(`${layout.root}/user_data`, 'hello ##user_data_uuid##');
});
afterEach(async () => {
  await trail.close();
  await rm(layout.root, { recursive: true });
});

function creation() {
  const type = machinetype('prod', {
    rootImage: `${layout.root}/image.raw`,
    userData: `${layout.root}/user_data`,
    diskGbPerProcessor: 0,
    swapMibPerProcessor: 0,
    machinegroup: 'lhcb',
  });
  return newCreation(tools, type, SETTINGS, testRecord());
}

async function create(listen: (id: string, step: string, moment: string) => void = () => {}): Promise<void> {
  const made = creation();
  await runSteps(CREATE_STEPS, made, made.record.id, listen);
}

async function clear(listen: (id: string, step: string, moment: string) => void = () => {}): Promise<void> {
  const record = testRecord();
  const clearing = { tools, settings: SETTINGS, record, startedTimeSeconds: 1_700_000_005, end: END, listen };
  await tools.journal.finished(record, END);
  await runSteps(CLEAR_STEPS, clearing as never, record.id, listen);
}

async function records() {
  return (await readTrail(layout.trail(), () => true)).map(({ seq: _, prev: __, form: ___, ...entry }) => entry);
}

describe('the trail of a machine', () => {
  test('is written before libvirt is asked for it', async () => {
    await expect(
      create((_id, step, moment) => {
        if (step === 'libvirt' && moment === 'begin') throw new Error('died');
      }),
    ).rejects.toThrow('died');
    expect(await records()).toMatchObject([{ kind: 'created', uuid: testRecord().uuid }]);
  });

  test('tells what it was made from', async () => {
    await create();
    const [created] = (await records()) as CreatedRecord[];
    expect(created).toMatchObject({
      machine: { hostname: 'factory1-03.example.com', ip: '169.254.169.3', mac: '56:4D:A9:FE:A9:03' },
      provenance: {
        space: 'vac01.example.com',
        machinegroup: 'lhcb',
        pipe: null,
        certificates: [],
        image: { source: `${layout.root}/image.raw`, bytes: 2 ** 20, signer: null },
        userData: { source: `${layout.root}/user_data`, bytes: `hello ${testRecord().uuid}`.length },
      },
    });
    expect(created!.provenance!.vacVersion).toMatch(/^\d/);
  });

  test("and, when it has ended, its image's digest, its end and what it left", async () => {
    await create();
    const outputs = layout.inMachine(testRecord().id, 'joboutputs');
    await writeFile(`${outputs}/job.log`, 'abc');
    await writeFile(`${outputs}/evil\u001b[2J\nname`, '');
    await symlink('/etc/passwd', `${outputs}/link`);
    await mkdir(`${outputs}/directory`);
    await writeFile(layout.machineLog(testRecord().id), 'a line\n');
    await tools.journal.stopping(testRecord(), {
      reason: 'r',
      message: 'm',
      overrides: false,
      politely: true,
      requestedTimeSeconds: 1_700_049_000,
    });
    await tools.trail.note(testRecord(), 'quarantined', 'ann', 'it scans', 1_700_049_500);
    // In the background: nobody waits for it.
    await trailDigests();
    await clear();
    const ended = (await records()).find(({ kind }) => kind === 'ended') as EndedRecord;
    expect(ended).toMatchObject({
      startedTimeSeconds: 1_700_000_005,
      stopTimeSeconds: 1_700_049_000,
      end: END,
      provenance: { image: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      left: {
        files: expect.arrayContaining([
          { name: 'job.log', bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' },
        ]),
        log: { bytes: 7 },
      },
    });
    expect(JSON.stringify(ended.left)).not.toMatch(/passwd|\\u001b|\\n/);
  });

  test('is whole after a crash at any step, and each of its records is there once', async () => {
    await create();
    for (const { name } of CLEAR_STEPS) {
      for (const when of ['begin', 'end']) {
        // The next vacd has a trail of its own, which finds out from the files what is there.
        trail = testTrail(layout);
        await trail.start([testRecord()]);
        tools = machineTools(layout, new FakeHypervisor(), () => SETTINGS, { trail });
        await clear((_id, step, moment) => {
          if (step === name && moment === when) throw new Error('died');
        }).catch(() => {});
        await trail.close();
      }
    }
    trail = testTrail(layout);
    await trail.start([testRecord()]);
    expect((await records()).map(({ kind }) => kind)).toEqual(['created', 'ended']);
  });

  test('a start without a trail is no start', async () => {
    await writeFile(join(layout.root, 'trail'), 'in the way');
    await expect(create()).rejects.toThrow('trail: ');
    expect(await readdir(layout.machines())).toHaveLength(1);
    expect(await readFile(layout.inMachine(testRecord().id, 'machine.json'), 'utf8')).toContain('uuid');
  });
});

/** Waits for the digests that are under way. */
async function trailDigests(): Promise<void> {
  await (trail as unknown as { parts: { digests: { settled(): Promise<void> } } }).parts.digests.settled();
}
