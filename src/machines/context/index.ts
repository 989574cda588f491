/** The ways of contextualization by their name in the option `context`, and what they come to for one machine. */

import type { ContextName, MachinetypeConfig } from '../../config/types.js';
import { VacError } from '../../errors.js';
import type { MachineRecord } from '../../factory/types.js';
import { makeIso } from '../../host/iso.js';
import type { DomainDisk, Smbios } from '../domain-xml.js';
import type { StateLayout } from '../layout.js';
import { configDrive } from './config-drive.js';
import { metadata } from './metadata.js';
import { nocloud, nocloudSmbios } from './nocloud.js';
import { one } from './one.js';
import type { ContextContent, ContextWay } from './way.js';

export const CONTEXT_WAYS: ReadonlyMap<ContextName, ContextWay> = new Map(
  [metadata, configDrive, nocloud, nocloudSmbios, one].map((way) => [way.name, way]),
);

/** Those of a machinetype, in the order of the table, whatever order they were written in. */
export function contextWays({ context }: Pick<MachinetypeConfig, 'context'>): ContextWay[] {
  return [...CONTEXT_WAYS.values()].filter(({ name }) => context.includes(name));
}

/** Files that the context disks of a machine may be; removed at its end with its other disks. */
export function contextDiskPaths(layout: StateLayout, record: MachineRecord): string[] {
  return [...CONTEXT_WAYS.values()].filter(({ disk }) => disk !== undefined).map((way) => isoPath(layout, record, way));
}

/** Makes the context disks of a machine; those that are there are made anew. */
export async function makeContextDisks(
  layout: StateLayout,
  record: MachineRecord,
  ways: readonly ContextWay[],
  content: ContextContent,
): Promise<void> {
  for (const way of ways) {
    if (way.disk !== undefined) await makeIso(isoPath(layout, record, way), way.disk(content));
  }
}

/** @throws VacError `user-data-unusable` when some way cannot carry so much */
export function checkUserDataFits(machinetype: string, ways: readonly ContextWay[], userData: Buffer | null): void {
  for (const { name, maxUserDataBytes } of ways) {
    if (userData === null || maxUserDataBytes === undefined || userData.length <= maxUserDataBytes) continue;
    throw new VacError(
      'user-data-unusable',
      `user_data of machinetype ${machinetype} has ${userData.length} bytes, and its context = ${name} carries ${maxUserDataBytes} at most; make it smaller, or leave ${name} out of context if the image has another way to it`,
    );
  }
}

/** What the firmware tables of a machine say for all its ways together. */
export function contextSmbios(ways: readonly ContextWay[]): Smbios {
  return Object.assign({}, ...ways.map(({ smbios }) => smbios ?? {}));
}

/**
 * The context disks as the machine sees them, to be put after `disks`, all its others: guests count disks as they come,
 * and scratch must stay where the machinetype says.
 *
 * Like the root disk where that is virtio's: a guest that boots from it has its driver, whereas kernels made for clouds
 * often lack that of the chipset's CD drives.
 */
export function contextDomainDisks(
  layout: StateLayout,
  record: MachineRecord,
  type: Pick<MachinetypeConfig, 'machineType' | 'diskBus'>,
  ways: readonly ContextWay[],
  disks: readonly DomainDisk[],
): DomainDisk[] {
  const root = disks.find(({ kind = 'disk' }) => kind === 'disk')?.device ?? '';
  const isVirtio = ['scsi', 'virtio'].includes(type.diskBus) || (type.diskBus === 'auto' && root.startsWith('vd'));
  const all = [...disks];
  for (const way of ways) {
    if (way.disk === undefined) continue;
    const isCd = way.cdOnly === true || !isVirtio;
    const names = isCd ? CD_DEVICES[type.machineType] : namesAfter(root.slice(0, 2), all);
    const device = names.find((name) => !all.some((other) => other.device === name));
    if (device === undefined)
      throw new Error(
        `no device is left for the context disk ${way.name}; leave ${way.name} out of context, or give the machine's disks another disk_bus`,
      );
    all.push({
      path: isoPath(layout, record, way),
      format: 'raw',
      kind: isCd ? 'cdrom' : 'disk',
      isReadOnly: true,
      device,
      serial: way.name,
    });
  }
  return all.slice(disks.length);
}

/** From the end, to leave the names before to disks. */
const CD_DEVICES = { pc: ['hdd', 'hdc', 'hdb', 'hda'], q35: ['sdf', 'sde', 'sdd', 'sdc', 'sdb'] } as const;

/** Device names with a prefix beyond those that are taken: on SCSI their order is that of the disks. */
function namesAfter(prefix: string, disks: readonly DomainDisk[]): string[] {
  const names = [...'abcdefghijklmnopqrstuvwxyz'].map((letter) => prefix + letter);
  return names.slice(Math.max(...disks.map(({ device }) => names.indexOf(device))) + 1);
}

function isoPath(layout: StateLayout, record: MachineRecord, { name }: ContextWay): string {
  return layout.inMachine(record.id, `context-${name}.iso`);
}
