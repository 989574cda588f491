/** The libvirt domain of a machine (SPEC 5 "Domain"), from its record and its model's disks. Pure. */

import type { MachinetypeConfig } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { AGENT_CHANNEL, type Gentleness, gentleTuning } from './gentle.js';
import { slotDevice } from './layout.js';
import type { DomainWeights } from './weights.js';
import { renderXml, type Xml, xml } from './xml.js';

/** A disk as the machine sees it. */
export interface DomainDisk {
  /** A file, or under /dev a block device. */
  readonly path: string;
  /** `cdrom`: read-only, on the chipset's own bus. Default `disk`. */
  readonly kind?: 'disk' | 'cdrom';
  /** Said outright and never guessed: a raw image must not be able to name a backing file. */
  readonly format: 'raw' | 'qcow2';
  /** Device name; virtio bus if it begins with `vd`, else by its first letters (SPEC 2), unless `diskBus` says. */
  readonly device: string;
  /** Up to 20 characters; what /dev/disk/by-id shows in the machine. */
  readonly serial: string;
  /** A CD is in any case. */
  readonly isReadOnly?: boolean;
  /** Of other machines too: libvirt must not make it QEMU's own (shared-image.ts). */
  readonly isShared?: boolean;
  /** What this is an overlay of; of other machines too. Stands alone. */
  readonly backing?: { readonly path: string; readonly format: 'raw' | 'qcow2' };
  readonly bootOrder?: number;
}

/** What the firmware tables say beside the usual. */
export interface Smbios {
  /** Serial number of the system. */
  readonly systemSerial?: string;
  /** Asset tag of the chassis. */
  readonly chassisAsset?: string;
}

export interface DomainOptions {
  /** `kvm` where KVM boots ordinary guests, else `qemu`; `test` on libvirt's in-memory driver. */
  readonly domainType: 'kvm' | 'qemu' | 'test';
  readonly machineType: 'pc' | 'q35';
  readonly firmware: 'bios' | 'uefi';
  /** Default `auto`. */
  readonly diskBus?: MachinetypeConfig['diskBus'];
  /** null or left out: the host's own, as far as it can be given. */
  readonly cpuMode?: string | null;
  readonly networkName: string;
  readonly consolePath: string;
  /** Where UEFI keeps its variables: the machine's own, gone with its disks. */
  readonly nvramPath: string;
  readonly disks: readonly DomainDisk[];
  readonly smbios?: Smbios;
  /** Left out: as libvirt has them. */
  readonly weights?: DomainWeights;
  /** null or left out: machines take what they get. */
  readonly gentle?: Gentleness | null;
  readonly space: string;
  readonly factory: string;
}

/** Namespace of the element by which a domain says which factory it belongs to. */
export const VAC_NAMESPACE = 'urn:vac:machine:1';

/** VNC listens on 127.0.0.1 at this port + slot (SPEC 5). */
const FIRST_VNC_PORT = 5900;

export function domainXml(record: MachineRecord, options: DomainOptions): string {
  const real = options.domainType !== 'test';
  const vncPort = FIRST_VNC_PORT + record.slot;
  return renderXml(
    xml(
      'domain',
      { type: options.domainType },
      xml('name', {}, record.hostname),
      xml('uuid', {}, record.uuid),
      xml(
        'metadata',
        {},
        xml('vac:machine', {
          'xmlns:vac': VAC_NAMESPACE,
          id: record.id,
          machinetype: record.machinetype,
          space: options.space,
          factory: options.factory,
        }),
      ),
      xml('memory', { unit: 'MiB' }, String(record.memoryMiB)),
      xml('vcpu', {}, String(record.processors)),
      // Disks on virtio are served by a thread of their own, and not by the one that emulates all the rest.
      real ? xml('iothreads', {}, '1') : null,
      tuning(record, options),
      sysinfo(options),
      os(options),
      xml('features', {}, xml('acpi'), xml('apic')),
      real ? cpu(options) : null,
      xml('clock', { offset: 'utc' }),
      // Transient, and over when it powers off, reboots or crashes: a machine has one life.
      xml('on_poweroff', {}, 'destroy'),
      xml('on_reboot', {}, 'destroy'),
      xml('on_crash', {}, 'destroy'),
      xml(
        'devices',
        {},
        options.disks.some((spec) => busOf(spec, options) === 'scsi')
          ? xml('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' }, xml('driver', { iothread: 1 }))
          : null,
        options.disks.map((spec) => disk(spec, options)),
        xml(
          'interface',
          { type: 'network' },
          xml('mac', { address: record.mac.toLowerCase() }),
          xml('source', { network: options.networkName }),
          // By this name the host's rules know whose port it is.
          xml('target', { dev: slotDevice(record.slot) }),
          xml('model', { type: 'virtio' }),
          // The bridge passes nothing between two such ports, whatever rules the host has.
          xml('port', { isolated: 'yes' }),
        ),
        real
          ? [
              // virtlogd limits and rotates this file, so a machine that floods its console fills no disk.
              xml('serial', { type: 'file' }, xml('source', { path: options.consolePath }), xml('target', { port: 0 })),
              xml(
                'console',
                { type: 'file' },
                xml('source', { path: options.consolePath }),
                xml('target', { type: 'serial', port: 0 }),
              ),
              xml('graphics', { type: 'vnc', listen: '127.0.0.1', port: vncPort, autoport: 'no' }),
              xml('video', {}, xml('model', { type: 'vga' })),
              xml('rng', { model: 'virtio' }, xml('backend', { model: 'random' }, '/dev/urandom')),
              xml('memballoon', { model: 'virtio' }),
              (options.gentle ?? null) === null ? null : AGENT_CHANNEL,
            ]
          : null,
      ),
    ),
  );
}

function tuning({ processors }: MachineRecord, { domainType, weights, gentle = null }: DomainOptions): Xml[] {
  if (domainType === 'test') return [];
  const { cpuShares = null, ioWeight = null } = weights ?? {};
  const cpu = [
    ...(cpuShares === null ? [] : [xml('shares', {}, String(cpuShares))]),
    ...(gentle === null ? [] : gentleTuning(gentle, processors, cpuShares !== null)),
  ];
  return [
    ...(ioWeight === null ? [] : [xml('blkiotune', {}, xml('weight', {}, String(ioWeight)))]),
    ...(cpu.length === 0 ? [] : [xml('cputune', {}, cpu)]),
  ];
}

function os(options: DomainOptions): Xml {
  const { domainType, firmware, machineType, nvramPath } = options;
  if (domainType === 'test') return xml('os', {}, xml('type', {}, 'hvm'));
  const type = xml('type', { arch: 'x86_64', machine: machineType }, 'hvm');
  const smbios = sysinfo(options) === null ? null : xml('smbios', { mode: 'sysinfo' });
  return firmware === 'uefi'
    ? xml('os', { firmware: 'efi' }, type, xml('nvram', {}, nvramPath), smbios)
    : xml('os', {}, type, smbios);
}

function sysinfo({ domainType, smbios = {} }: DomainOptions): Xml | null {
  const { systemSerial, chassisAsset } = smbios;
  if (domainType === 'test' || (systemSerial === undefined && chassisAsset === undefined)) return null;
  const entry = (name: string, value: string) => xml('entry', { name }, value);
  return xml(
    'sysinfo',
    { type: 'smbios' },
    systemSerial === undefined ? null : xml('system', {}, entry('serial', systemSerial)),
    chassisAsset === undefined ? null : xml('chassis', {}, entry('asset', chassisAsset)),
  );
}

/** host-passthrough is KVM's; under TCG the fullest CPU that QEMU can emulate is the nearest thing. */
function cpu({ domainType, cpuMode }: DomainOptions): Xml {
  const mode = cpuMode ?? 'host-passthrough';
  if (mode === 'maximum') return xml('cpu', { mode });
  if (mode === 'host-passthrough' || mode === 'host-model') {
    return xml('cpu', { mode: domainType === 'kvm' ? mode : 'maximum' });
  }
  return xml('cpu', { mode: 'custom', match: 'exact' }, xml('model', { fallback: 'forbid' }, mode));
}

function disk(spec: DomainDisk, options: DomainOptions): Xml {
  const { path, format, device, serial, bootOrder, backing, kind = 'disk' } = spec;
  const bus = busOf(spec, options);
  const isBlock = path.startsWith('/dev/');
  const driver = { name: 'qemu', type: format, cache: 'unsafe', error_policy: 'enospace' };
  return xml(
    'disk',
    { type: isBlock ? 'block' : 'file', device: kind },
    // cache unsafe: a machine never outlives its host's crash (SPEC 5).
    kind === 'cdrom'
      ? xml('driver', { name: 'qemu', type: format, cache: 'unsafe' })
      : xml('driver', {
          ...driver,
          discard: 'unmap',
          ...(bus === 'virtio' && options.domainType !== 'test' ? { iothread: 1 } : {}),
        }),
    xml('source', isBlock ? { dev: path } : { file: path }, spec.isShared ? KEEPS_OWNER : null),
    backing === undefined ? null : backingStore(backing),
    xml('target', { dev: device, bus }),
    bootOrder === undefined ? null : xml('boot', { order: bootOrder }),
    kind === 'cdrom' || spec.isReadOnly ? xml('readonly') : null,
    xml('serial', {}, serial),
  );
}

/** Without it libvirt gives each file of a domain to QEMU's user. */
const KEEPS_OWNER = xml('seclabel', { model: 'dac', relabel: 'no' });

/** Said outright, so that libvirt reads no chain out of the files; the empty element ends it. */
function backingStore({ path, format }: NonNullable<DomainDisk['backing']>): Xml {
  const isBlock = path.startsWith('/dev/');
  return xml(
    'backingStore',
    { type: isBlock ? 'block' : 'file' },
    xml('format', { type: format }),
    xml('source', isBlock ? { dev: path } : { file: path }, KEEPS_OWNER),
    xml('backingStore'),
  );
}

type Bus = 'virtio' | 'scsi' | 'sata' | 'ide';

/** q35 has no IDE; a disk named hda there is on SATA, where guests of today call it sda as on IDE. */
function busOf({ device, kind }: DomainDisk, { machineType, diskBus = 'auto' }: DomainOptions): Bus {
  if (kind === 'cdrom') return machineType === 'pc' ? 'ide' : 'sata';
  if (diskBus !== 'auto') return diskBus;
  if (device.startsWith('vd')) return 'virtio';
  return device.startsWith('hd') && machineType === 'pc' ? 'ide' : 'sata';
}
