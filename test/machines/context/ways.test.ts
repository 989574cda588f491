/** What each way of contextualization makes for a machine, the disks read back from the image that a guest would see. */

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContextName } from '../../../src/config/types.js';
import { isVacError } from '../../../src/errors.js';
import { machineFacts, mjfPlaces } from '../../../src/machines/context/facts.js';
import {
  CONTEXT_WAYS,
  checkUserDataFits,
  contextDiskPaths,
  contextDomainDisks,
  contextSmbios,
  contextWays,
  makeContextDisks,
} from '../../../src/machines/context/index.js';
import { type DomainDisk, domainXml } from '../../../src/machines/domain-xml.js';
import { StateLayout } from '../../../src/machines/layout.js';
import { domainSchemaProblem } from '../libvirt-schema.js';
import { testRecord } from '../record.js';

const RECORD = testRecord();
const KEY = 'ssh-rsa AAAA root@factory1';
const FACTS = machineFacts(RECORD, { factory: 'factory1.example.com', rootPublicKey: KEY, mounts: null });
const USER_DATA = Buffer.from('#!/bin/sh\n# \xff\n', 'latin1');

let layout: StateLayout;
beforeEach(async () => {
  layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-context-')));
  await mkdir(layout.machine(RECORD.id), { recursive: true });
});
afterEach(() => rm(layout.root, { recursive: true, force: true }));

const ways = (...context: ContextName[]) => contextWays({ context });
const pathOf = (name: ContextName) => layout.inMachine(RECORD.id, `context-${name}.iso`);

interface Disk {
  readonly label: string;
  readonly files: Record<string, string>;
}

/** The image of one way, as isoinfo reads it; bytes as Latin-1. */
async function diskOf(name: ContextName, content: Partial<Parameters<typeof makeContextDisks>[3]> = {}): Promise<Disk> {
  const places = mjfPlaces(null, 'paths');
  await makeContextDisks(layout, RECORD, ways(name), { facts: FACTS, userData: USER_DATA, places, ...content });
  const isoinfo = (...args: string[]) => execFileSync('isoinfo', ['-i', pathOf(name), ...args], { encoding: 'latin1' });
  const files: Record<string, string> = {};
  for (const path of isoinfo('-R', '-f').trim().split('\n')) {
    const isFile = isoinfo('-R', '-l').includes(` ${path.split('/').at(-1)} `);
    const text = isFile ? isoinfo('-R', '-x', path) : '';
    files[path] = text;
  }
  const label = /^Volume id: (.*)$/m.exec(isoinfo('-d'))![1]!;
  // What has something below it is a directory.
  const isDirectory = (path: string) => Object.keys(files).some((other) => other.startsWith(`${path}/`));
  return { label, files: Object.fromEntries(Object.entries(files).filter(([path]) => !isDirectory(path))) };
}

describe('the ConfigDrive', () => {
  it('has the documents of OpenStack and EC2', async () => {
    const { label, files } = await diskOf('configdrive');
    expect(label).toBe('config-2');
    expect(files).toEqual({
      '/ec2/latest/meta-data.json': expect.any(String),
      '/ec2/latest/user-data': USER_DATA.toString('latin1'),
      '/openstack/latest/meta_data.json': expect.any(String),
      '/openstack/latest/user_data': USER_DATA.toString('latin1'),
      '/openstack/latest/vendor_data.json': '{}',
      '/openstack/latest/vendor_data2.json': '{}',
    });
    expect(JSON.parse(files['/openstack/latest/meta_data.json']!)).toEqual({
      uuid: RECORD.uuid,
      name: RECORD.hostname,
      hostname: RECORD.hostname,
      launch_index: 0,
      availability_zone: 'factory1.example.com',
      public_keys: { vac: KEY },
      meta: {
        machinefeatures: 'http://169.254.169.253/machinefeatures',
        jobfeatures: 'http://169.254.169.253/jobfeatures',
        joboutputs: 'http://169.254.169.253/joboutputs',
        machinetype: 'prod',
      },
    });
    expect(JSON.parse(files['/ec2/latest/meta-data.json']!)).toMatchObject({
      'instance-id': RECORD.uuid,
      'local-hostname': RECORD.hostname,
      placement: { 'availability-zone': 'factory1.example.com' },
      'public-keys': { 0: { 'openssh-key': KEY } },
    });
  });

  it('has no user_data and no key where there is none', async () => {
    const facts = { ...FACTS, rootPublicKey: null };
    const { files } = await diskOf('configdrive', { facts, userData: null });
    expect(Object.keys(files).filter((path) => path.includes('user'))).toEqual([]);
    expect(JSON.parse(files['/openstack/latest/meta_data.json']!).public_keys).toEqual({});
    expect(JSON.parse(files['/ec2/latest/meta-data.json']!)).not.toHaveProperty('public-keys');
  });
});

describe('NoCloud', () => {
  it('is a disk with meta-data, user-data and vendor-data, user_data or not', async () => {
    const { label, files } = await diskOf('nocloud');
    expect(label).toBe('cidata');
    expect(files).toEqual({
      '/meta-data': expect.any(String),
      '/user-data': USER_DATA.toString('latin1'),
      '/vendor-data': '',
    });
    expect(JSON.parse(files['/meta-data']!)).toMatchObject({
      'instance-id': RECORD.uuid,
      'local-hostname': RECORD.hostname,
      'public-keys': { vac: KEY },
    });
    expect((await diskOf('nocloud', { userData: null })).files['/user-data']).toBe('');
  });
});

describe('the ONE context', () => {
  it('is a CD with context.sh to the letter, and the key', async () => {
    const { label, files } = await diskOf('one');
    expect(label).toBe('CONTEXT');
    expect(files).toEqual({
      '/context.sh': [
        `EC2_USER_DATA=${USER_DATA.toString('base64')}`,
        'ONE_CONTEXT_PATH="/var/lib/amiconfig"',
        'MACHINEFEATURES="/etc/machinefeatures"',
        'JOBFEATURES="/etc/jobfeatures"',
        'ROOT_PUBKEY=root.pub',
        '',
      ].join('\n'),
      '/root.pub': `${KEY}\n`,
    });
  });

  it('is sourced by a shell without harm, whatever user_data is', async () => {
    const userData = Buffer.from([...Array(256).keys()]);
    const { files } = await diskOf('one', { userData });
    const script = `set -a\n${files['/context.sh']}\nprintf %s "$EC2_USER_DATA" | base64 -d | od -An -v -tu1`;
    const read = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(read.trim().split(/\s+/).map(Number)).toEqual([...userData]);
  });

  it('tells URLs where they are asked for, and no key where there is none', async () => {
    const places = mjfPlaces('urls', 'paths');
    const { files } = await diskOf('one', { facts: { ...FACTS, rootPublicKey: null }, userData: null, places });
    expect(files).toEqual({
      '/context.sh': [
        'EC2_USER_DATA=',
        'ONE_CONTEXT_PATH="/var/lib/amiconfig"',
        'MACHINEFEATURES="http://169.254.169.253/machinefeatures"',
        'JOBFEATURES="http://169.254.169.253/jobfeatures"',
        '',
      ].join('\n'),
    });
  });

  it('carries as much user_data as fits into a variable that programs inherit, and refuses more', async () => {
    const largest = Buffer.alloc(98_000);
    expect(() => checkUserDataFits('prod', ways('one', 'metadata'), largest)).not.toThrow();
    const { files } = await diskOf('one', { userData: largest });
    const path = join(layout.root, 'context.sh');
    await writeFile(path, files['/context.sh']!);
    const exported = execFileSync('sh', ['-c', `set -a; . ${path}; env | wc -c`], { encoding: 'utf8' });
    expect(Number(exported)).toBeGreaterThan(largest.length);

    const larger = Buffer.alloc(98_001);
    expect(() => checkUserDataFits('prod', ways('metadata', 'configdrive', 'nocloud'), larger)).not.toThrow();
    let refusal: unknown;
    try {
      checkUserDataFits('prod', ways('one', 'metadata'), larger);
    } catch (error) {
      refusal = error;
    }
    expect(isVacError(refusal, 'user-data-unusable') && refusal.message).toBe(
      'user_data of machinetype prod has 98001 bytes, and its context = one carries 98000 at most; make it smaller, or leave one out of context if the image has another way to it',
    );
  });
});

describe('the form of MJF', () => {
  it('is customary unless the machinetype has one, and then it is the same everywhere', () => {
    expect(mjfPlaces(null, 'paths').machinefeatures).toBe('/etc/machinefeatures');
    expect(mjfPlaces(undefined, 'urls').machinefeatures).toBe('http://169.254.169.253/machinefeatures');
    expect(mjfPlaces('paths', 'urls').joboutputs).toBe('/etc/machineoutputs');
    expect(mjfPlaces('urls', 'paths').jobfeatures).toBe('http://169.254.169.253/jobfeatures');
    const facts = (mjfForm?: 'paths' | 'urls') =>
      machineFacts(testRecord(mjfForm && { mjfForm }), { factory: 'f', rootPublicKey: null, mounts: null }).meta;
    expect(facts()).toEqual(facts('urls'));
    expect(facts('paths')).toEqual({
      machinefeatures: '/etc/machinefeatures',
      jobfeatures: '/etc/jobfeatures',
      joboutputs: '/etc/machineoutputs',
      machinetype: 'prod',
    });
  });
});

describe('firmware tables', () => {
  it('say what cloud-init looks for, of all ways together', () => {
    expect(contextSmbios(ways('configdrive', 'one'))).toEqual({});
    expect(contextSmbios(ways('nocloud-smbios', 'metadata'))).toEqual({
      systemSerial: 'ds=nocloud;s=http://169.254.169.254/nocloud/;dsmode=net',
      chassisAsset: 'OpenStack Compute',
    });
  });
});

describe('context disks of a domain', () => {
  const disk = (device: string, kind?: 'cdrom'): DomainDisk => ({
    path: '/x',
    format: 'raw',
    device,
    serial: device,
    ...(kind && { kind }),
  });
  const all = [...CONTEXT_WAYS.keys()];
  const of = (
    disks: readonly DomainDisk[],
    context: readonly ContextName[],
    machineType: 'pc' | 'q35' = 'q35',
    diskBus: 'auto' | 'scsi' | 'sata' = 'auto',
  ) =>
    contextDomainDisks(layout, RECORD, { machineType, diskBus }, ways(...context), disks).map(
      ({ device, kind, serial, isReadOnly }) => [serial, kind, device, isReadOnly],
    );

  it('are like the root disk on virtio, beyond all others; ONE is a CD', () => {
    expect(of([disk('vda'), disk('vdb'), disk('vdc')], all)).toEqual([
      ['configdrive', 'disk', 'vdd', true],
      ['nocloud', 'disk', 'vde', true],
      ['one', 'cdrom', 'sdf', true],
    ]);
    expect(of([disk('vda'), disk('vdk')], ['nocloud'])).toEqual([['nocloud', 'disk', 'vdl', true]]);
    expect(of([disk('sda'), disk('sdb')], ['nocloud'], 'q35', 'scsi')).toEqual([['nocloud', 'disk', 'sdc', true]]);
  });

  it('are CDs where it is not, on names that no disk has', () => {
    expect(of([disk('sda'), disk('sdb'), disk('sdf')], all)).toEqual([
      ['configdrive', 'cdrom', 'sde', true],
      ['nocloud', 'cdrom', 'sdd', true],
      ['one', 'cdrom', 'sdc', true],
    ]);
    expect(of([disk('hdc', 'cdrom'), disk('vda')], ['one'], 'pc')).toEqual([['one', 'cdrom', 'hdd', true]]);
    expect(of([disk('hdc', 'cdrom'), disk('hda')], ['one', 'nocloud'], 'pc')).toEqual([
      ['nocloud', 'cdrom', 'hdd', true],
      ['one', 'cdrom', 'hdb', true],
    ]);
  });

  it('and firmware tables are valid for libvirt', async () => {
    for (const machineType of ['pc', 'q35'] as const) {
      const disks = [disk('vda'), disk('vdb')];
      const type = { machineType, diskBus: 'auto' } as const;
      const document = domainXml(RECORD, {
        domainType: 'qemu',
        machineType,
        firmware: 'bios',
        networkName: 'n',
        consolePath: '/c',
        nvramPath: '/n',
        disks: [...disks, ...contextDomainDisks(layout, RECORD, type, ways(...all), disks)],
        smbios: contextSmbios(ways(...all)),
        space: 'vac01.example.com',
        factory: 'factory1.example.com',
      });
      expect(await domainSchemaProblem(document)).toBeNull();
      expect(document).toContain("<smbios mode='sysinfo'/>");
      expect(document).toContain(
        "<entry name='serial'>ds=nocloud;s=http://169.254.169.254/nocloud/;dsmode=net</entry>",
      );
      expect(document).toContain("<entry name='asset'>OpenStack Compute</entry>");
      expect(document.match(/<readonly\/>/g)).toHaveLength(3);
    }
  });

  it('are none for ways without', () => {
    expect(of([disk('vda')], ['metadata', 'nocloud-smbios'])).toEqual([]);
  });
});

it('all disks of a machine are known by their paths, so that none is left at its end', async () => {
  const content = { facts: FACTS, userData: USER_DATA, places: mjfPlaces(null, 'paths') };
  await makeContextDisks(layout, RECORD, ways(...CONTEXT_WAYS.keys()), content);
  const made = (await readdir(layout.machine(RECORD.id))).map((name) => layout.inMachine(RECORD.id, name));
  expect(made.sort()).toEqual(contextDiskPaths(layout, RECORD).sort());
});
