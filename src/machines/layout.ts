/**
 * Where things are in the state directory (SPEC 5), and the names that slots and machines have. One place, so that
 * the journal, the exports, the accounting and the site's monitoring agree.
 */

import { join } from 'node:path';
import type { MachineRecord } from '../factory/types.js';

/** Files of a machine's directory whose presence is the journal of its life (drawing: factory/types.ts). */
export const JOURNAL = {
  /** The intent, with the MachineRecord: written before anything else exists. */
  record: 'machine.json',
  /** The domain XML, written just before libvirt is asked: its time bounds an unrecorded start. */
  domain: 'domain.xml',
  started: 'started',
  heartbeat: 'heartbeat',
  /** The StopRequest, written before libvirt is asked to stop it. */
  stopping: 'stopping',
  /** The MachineSuspension, written before libvirt is asked to suspend it; removed after it was resumed. */
  suspended: 'suspended',
  /** Its suspensions that are over. */
  suspensions: 'suspensions',
  /** The MachineEnd. */
  finished: 'finished',
  /** Logical volumes of it, `group/name` a line: written before they are made. */
  volumes: 'volumes',
  /** Accounted for, exports, disks and slot removed: nothing but history is left. */
  cleared: 'cleared',
} as const;

export class StateLayout {
  constructor(readonly root: string) {}

  readonly machines = (): string => join(this.root, 'machines');
  readonly machine = (id: string): string => join(this.root, 'machines', id);
  readonly inMachine = (id: string, name: string): string => join(this.root, 'machines', id, name);
  readonly machineLog = (id: string): string => join(this.root, 'logs', `${id}.log`);
  readonly slot = (hostname: string): string => join(this.root, 'slots', hostname);
  readonly slots = (): string => join(this.root, 'slots');
  readonly finish = (machinetype: string): string => join(this.root, 'finishes', machinetype);
  readonly finishes = (): string => join(this.root, 'finishes');
  readonly machinetypeFiles = (machinetype: string): string => join(this.root, 'machinetypes', machinetype, 'files');
  readonly apelOutgoing = (): string => join(this.root, 'apel-outgoing');
  readonly apelArchive = (): string => join(this.root, 'apel-archive');
  readonly spaceCensus = (): string => join(this.root, 'space-census');
  readonly spaceCatalogue = (): string => join(this.root, 'space-catalogue.json');
  readonly imageCache = (): string => join(this.root, 'imagecache');
  readonly trail = (): string => join(this.root, 'trail');
  readonly quarantine = (id: string): string => join(this.root, 'quarantine', id);
  readonly tmp = (): string => join(this.root, 'tmp');
  readonly counts = (): string => join(this.root, 'counts');
  readonly factoryHeartbeat = (): string => join(this.root, 'factory-heartbeat');
  readonly responderHeartbeat = (): string => join(this.root, 'responder-heartbeat');
  readonly factoryError = (): string => join(this.root, 'factory-error');
  readonly incarnation = (): string => join(this.root, 'incarnation');
  readonly orders = (): string => join(this.root, 'orders.json');
  readonly lock = (): string => join(this.root, 'lock');

  /** Every directory that must exist before the first machine. */
  readonly directories = (): string[] =>
    [
      'machines',
      'slots',
      'imagecache',
      'pipescache',
      'machinetypes',
      'apel-outgoing',
      'apel-archive',
      'finishes',
      'space-census',
      'tmp',
      'logs',
    ].map((name) => join(this.root, name));
}

/** `<created>_<machinetype>_<hostname>` (SPEC 5). */
export function machineId(createdTimeSeconds: number, machinetype: string, hostname: string): string {
  return `${createdTimeSeconds}_${machinetype}_${hostname}`;
}

/** `<factory short name>-NN.<domain>`, at least two digits (SPEC 1). */
export function slotHostname(factory: string, slot: number): string {
  const [short, ...domain] = factory.split('.');
  return [`${short}-${String(slot).padStart(2, '0')}`, ...domain].join('.');
}

/** The slot of a host name of this factory; null for any other name. */
export function slotOfHostname(factory: string, hostname: string): number | null {
  const [short, ...domain] = factory.split('.');
  const [first, ...rest] = hostname.split('.');
  if (rest.join('.') !== domain.join('.') || !first?.startsWith(`${short}-`)) return null;
  const digits = first.slice(short!.length + 1);
  return /^\d{2,}$/.test(digits) && String(Number(digits)).padStart(2, '0') === digits ? Number(digits) : null;
}

/** The slot that somebody means by a number, or by a host name, short or full and in small letters; null: none. */
export function slotNamed(factory: string, name: string): number | null {
  if (/^\d+$/.test(name)) return Number(name);
  const domain = factory.split('.').slice(1).join('.');
  return slotOfHostname(factory, name) ?? slotOfHostname(factory, `${name}.${domain}`);
}

/** Addresses of the private network that are the factory's own (SPEC 5). */
export const METADATA_IP = '169.254.169.254';
export const GATEWAY_IP = '169.254.169.253';

/**
 * Slot N has 169.254.169.N; where .169 is used up (253 and 254 are the factory's, 255 left out) it goes on in
 * 169.254.170.0/24 and up (SPEC 5).
 */
export function slotIp(slot: number): string {
  const inFirst = 253;
  if (slot < inFirst) return `169.254.169.${slot}`;
  const further = slot - inFirst;
  return `169.254.${170 + Math.floor(further / 255)}.${further % 255}`;
}

/** 56:4D: and the four bytes of the address (SPEC 5). */
export function slotMac(slot: number): string {
  const bytes = slotIp(slot)
    .split('.')
    .map((byte) => Number(byte).toString(16).padStart(2, '0'));
  return ['56', '4d', ...bytes].join(':').toUpperCase();
}

/**
 * The tap device of a slot's machine. Fixed, so that the rules of all slots (machines/network-rules.ts) stand before any
 * machine starts. At most 15 characters as Linux wants, and with no beginning that libvirt keeps for names of its own
 * (vnet, vif, macvtap, macvlan): it would throw the name away.
 */
export function slotDevice(slot: number): string {
  return `${SLOT_DEVICE_PREFIX}${slot}`;
}

/** How every slot's device begins; nothing else on a host may. */
export const SLOT_DEVICE_PREFIX = 'vac-p';

/** The most slots that the private network has addresses for. */
export const MAX_SLOTS = 253 + (255 - 170 + 1) * 255;

/** Files of a machine that its disks are; removed at its end whatever happened. */
export function diskPaths(
  layout: StateLayout,
  record: MachineRecord,
): { root: string; scratch: string; swap: string; nvram: string } {
  const path = (name: string) => layout.inMachine(record.id, name);
  return { root: path('root.qcow2'), scratch: path('scratch.img'), swap: path('swap.img'), nvram: path('nvram.fd') };
}
