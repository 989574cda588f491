/** The libvirt domain of a machine (SPEC 5 "Domain"), from its record and its model's disks. Pure. */

import type { MachineRecord } from '../factory/types.js';
import { renderXml, type Xml, xml } from './xml.js';

/** A disk as the machine sees it. */
export interface DomainDisk {
  readonly path: string;
  /** Said outright and never guessed: a raw image must not be able to name a backing file. */
  readonly format: 'raw' | 'qcow2';
  /** Device name; virtio bus if it begins with `vd`, else by its first letters (SPEC 2). */
  readonly device: string;
  /** Up to 20 characters; what /dev/disk/by-id shows in the machine. */
  readonly serial: string;
  readonly bootOrder?: number;
}

export interface DomainOptions {
  /** `kvm` where KVM boots ordinary guests, else `qemu`; `test` on libvirt's in-memory driver. */
  readonly domainType: 'kvm' | 'qemu' | 'test';
  readonly machineType: 'pc' | 'q35';
  readonly firmware: 'bios' | 'uefi';
  readonly networkName: string;
  readonly consolePath: string;
  /** Where UEFI keeps its variables: the machine's own, gone with its disks. */
  readonly nvramPath: string;
  readonly disks: readonly DomainDisk[];
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
      os(options),
      xml('features', {}, xml('acpi'), xml('apic')),
      // host-passthrough is KVM's; under TCG the fullest CPU that QEMU can emulate is the nearest thing.
      options.domainType === 'kvm'
        ? xml('cpu', { mode: 'host-passthrough' })
        : options.domainType === 'qemu'
          ? xml('cpu', { mode: 'maximum' })
          : null,
      xml('clock', { offset: 'utc' }),
      // Transient, and over when it powers off, reboots or crashes: a machine has one life.
      xml('on_poweroff', {}, 'destroy'),
      xml('on_reboot', {}, 'destroy'),
      xml('on_crash', {}, 'destroy'),
      xml(
        'devices',
        {},
        options.disks.map((spec) => disk(spec, options.machineType)),
        xml(
          'interface',
          { type: 'network' },
          xml('mac', { address: record.mac.toLowerCase() }),
          xml('source', { network: options.networkName }),
          xml('model', { type: 'virtio' }),
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
            ]
          : null,
      ),
    ),
  );
}

function os({ domainType, firmware, machineType, nvramPath }: DomainOptions): Xml {
  if (domainType === 'test') return xml('os', {}, xml('type', {}, 'hvm'));
  const type = xml('type', { arch: 'x86_64', machine: machineType }, 'hvm');
  return firmware === 'uefi' ? xml('os', { firmware: 'efi' }, type, xml('nvram', {}, nvramPath)) : xml('os', {}, type);
}

function disk(spec: DomainDisk, machineType: DomainOptions['machineType']): Xml {
  return xml(
    'disk',
    { type: 'file', device: 'disk' },
    // cache unsafe: a machine never outlives its host's crash (SPEC 5).
    xml('driver', { name: 'qemu', type: spec.format, cache: 'unsafe', error_policy: 'enospace', discard: 'unmap' }),
    xml('source', { file: spec.path }),
    xml('target', { dev: spec.device, bus: busOf(spec.device, machineType) }),
    spec.bootOrder === undefined ? null : xml('boot', { order: spec.bootOrder }),
    xml('serial', {}, spec.serial),
  );
}

/** q35 has no IDE; a disk named hda there is on SATA, where guests of today call it sda as on IDE. */
function busOf(device: string, machineType: DomainOptions['machineType']): string {
  if (device.startsWith('vd')) return 'virtio';
  return device.startsWith('hd') && machineType === 'pc' ? 'ide' : 'sata';
}
