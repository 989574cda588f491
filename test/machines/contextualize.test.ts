/** user_data and context as steps of a creation: what lies in the machine's directory, and what its domain is told. */

import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MachinetypeConfig } from '../../src/config/types.js';
import { CREATE_STEPS, newCreation } from '../../src/machines/create.js';
import { CLEAR_STEPS } from '../../src/machines/finish.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { newRecord } from '../../src/machines/record.js';
import { runSteps, StepError } from '../../src/machines/tools.js';
import { machineTools, makeStateDirectory, removeStateDirectory, writeRawImage } from '../daemon/test-factory.js';
import { FACTORY, machinetype, settings as someSettings } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';

const NOW_SECONDS = 1_700_000_000;
const ORDER = { processors: 1, shutdownTimeSeconds: NOW_SECONDS + 86_400, nowSeconds: NOW_SECONDS };

let layout: StateLayout;
/** Each machine has one of its own. */
let slot = 0;
beforeEach(async () => {
  layout = await makeStateDirectory();
  const files = layout.machinetypeFiles('prod');
  await mkdir(files, { recursive: true });
  await writeRawImage(join(files, 'root.img'));
  await writeFile(join(files, 'user_data'), '#!/bin/sh\n# ##user_data_machinefeatures_url## ##user_data_uuid##\n');
});
afterEach(() => removeStateDirectory(layout));

function creationOf(changes: Partial<MachinetypeConfig>, rootPublicKey: string | null = null) {
  const settings = someSettings({ syslog: { host: '169.254.169.254', port: 514 } });
  const type = machinetype('prod', {
    diskGbPerProcessor: 0,
    swapMibPerProcessor: 0,
    userData: 'user_data',
    ...changes,
  });
  const tools = machineTools(layout, new FakeHypervisor(), () => settings, { rootPublicKey: () => rootPublicKey });
  return newCreation(tools, type, settings, newRecord(FACTORY, type, settings, { ...ORDER, slot: slot++ }));
}

async function create(changes: Partial<MachinetypeConfig>, rootPublicKey: string | null = null) {
  const creation = creationOf(changes, rootPublicKey);
  await runSteps(CREATE_STEPS, creation, creation.record.id, () => {});
  const { record } = creation;
  const text = (name: string) => readFile(layout.inMachine(record.id, name), 'latin1');
  const isos = async () => (await readdir(layout.machine(record.id))).filter((name) => name.includes('.iso'));
  return { creation, record, text, isos };
}

describe('contextualization', () => {
  it('makes the disks that are asked for, root’s alone, with user_data as HTTP gives it', async () => {
    const { record, text, isos } = await create({ context: ['one', 'nocloud', 'metadata'] }, 'ssh-rsa KEY');
    expect((await isos()).sort()).toEqual(['context-nocloud.iso', 'context-one.iso']);
    for (const name of await isos()) expect((await stat(layout.inMachine(record.id, name))).mode & 0o777).toBe(0o600);
    const userData = await text('user_data');
    expect(userData).toBe(`#!/bin/sh\n# http://169.254.169.253/machinefeatures ${record.uuid}\n`);
    expect(await text('context-nocloud.iso')).toContain(userData);
    const one = await text('context-one.iso');
    expect(one).toContain(Buffer.from(userData).toString('base64'));
    expect(one).toContain('ROOT_PUBKEY=root.pub');
    expect(one).toContain('ssh-rsa KEY');
    for (const name of await isos()) expect(await text('domain.xml')).toContain(name);
  });

  it('makes none for ways without, and none is left when a machine is over', async () => {
    expect(await (await create({ context: ['metadata', 'nocloud-smbios'] })).isos()).toEqual([]);
    const { creation, record, isos } = await create({ context: ['configdrive'] });
    // As of a vacd that died while it made another.
    await mkdir(layout.inMachine(record.id, 'context-nocloud.iso.tmp/tree'), { recursive: true });
    const { tools, settings } = creation;
    const end = { timeSeconds: NOW_SECONDS, message: null, cpuSeconds: 0, reason: 'test' };
    const clearing = { tools, settings, record, startedTimeSeconds: null, end, listen: () => {} };
    await runSteps(CLEAR_STEPS, clearing, record.id, () => {});
    expect(await isos()).toEqual([]);
  });

  it('tells the form of MJF that the machinetype has, everywhere and for good', async () => {
    const { record, text } = await create({ mjfForm: 'paths', context: ['configdrive'] });
    expect(record.mjfForm).toBe('paths');
    expect(JSON.parse(await text('machine.json'))).toMatchObject({ mjfForm: 'paths' });
    expect(await text('user_data')).toContain('# /etc/machinefeatures ');
    expect(await text('context-configdrive.iso')).toContain('"joboutputs":"/etc/machineoutputs"');
    expect((await create({ mjfForm: null })).record).not.toHaveProperty('mjfForm');
  });

  it('adds early syslog to a template, and is all of user_data where there is no template', async () => {
    const { text } = await create({ earlySyslog: 'udp' });
    expect(await text('user_data')).toMatch(
      /^Content-Type: multipart\/mixed(.|\n)*text\/cloud-boothook(.|\n)*x-shellscript/,
    );
    const { text: alone, isos } = await create({ earlySyslog: 'udp', userData: null, context: ['nocloud'] });
    expect(await alone('user_data')).toContain('text/cloud-boothook');
    expect(await alone('context-nocloud.iso')).toContain(await alone('user_data'));
    expect(await isos()).toEqual(['context-nocloud.iso']);
  });

  it('refuses user_data that one of the ways cannot carry', async () => {
    await writeFile(join(layout.machinetypeFiles('prod'), 'user_data'), Buffer.alloc(200_000, 'x'));
    await create({ context: ['metadata', 'configdrive'] });
    const failed = await create({ context: ['metadata', 'one'] }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StepError);
    expect(failed).toMatchObject({ step: 'user-data', cause: { code: 'user-data-unusable' } });
    expect((failed as Error).message).toContain('its context = one carries 98000 at most');
  });
});
