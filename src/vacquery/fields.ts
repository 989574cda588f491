/** Which keys each message has, in the order in which deployed factories write them. */

import * as kinds from './kinds.js';
import type { FactoryStatus, MachineStatus, MachinetypeStatus, MessageType, Query, ReplyHeader } from './messages.js';

/**
 * `required`: refused without it. `nullable`: must be there, may be null. `expected`: always sent, null if unknown; a
 * message without it is read as if it were null, because some versions do not send it. `optional`: left out when null.
 */
export type Presence = 'required' | 'nullable' | 'expected' | 'optional';

export interface Field {
  /** Name on the wire. */
  readonly key: string;
  /** Name in the message; another than `key` for a second spelling of the same thing. */
  readonly property: string;
  readonly kind: kinds.Kind;
  readonly presence: Presence;
}

type FieldOf<M> = Field & { readonly property: keyof M & string };

/** Makers of fields whose property names the compiler checks against the message. */
function fieldsOf<M>() {
  return {
    field: (property: keyof M & string, kind: kinds.Kind, presence: Presence = 'required'): FieldOf<M> => ({
      key: property,
      property,
      kind,
      presence,
    }),
    /** A deprecated or newer key for a property that has one already; written whenever that one is. */
    alias: (key: string, property: keyof M & string, kind: kinds.Kind): FieldOf<M> => ({
      key,
      property,
      kind,
      presence: 'optional',
    }),
  };
}

const query = fieldsOf<Query>();
const QUERY: readonly FieldOf<Query>[] = [
  query.field('vac_version', kinds.text, 'optional'),
  query.field('vacquery_version', kinds.text, 'optional'),
  query.field('space', kinds.hostname),
  query.field('cookie', kinds.cookie),
  query.field('method', kinds.method, 'optional'),
];

const header = fieldsOf<ReplyHeader>();
const HEADER: readonly FieldOf<ReplyHeader>[] = [
  header.field('vac_version', kinds.text, 'optional'),
  header.alias('daemon_version', 'vac_version', kinds.text),
  header.field('vacquery_version', kinds.text),
  header.field('cookie', kinds.cookie),
  header.field('space', kinds.hostname),
  header.field('factory', kinds.hostname),
];
const TIME_SENT = header.field('time_sent', kinds.time);
const SITE = header.field('site', kinds.text, 'optional');

const machine = fieldsOf<MachineStatus>();
const MACHINE_STATUS: readonly FieldOf<MachineStatus>[] = [
  ...HEADER,
  machine.field('num_machines', kinds.machineCount),
  TIME_SENT,
  machine.field('machine', kinds.hostname),
  machine.field('state', kinds.state),
  machine.field('machine_model', kinds.word, 'expected'),
  machine.field('uuid', kinds.word, 'expected'),
  machine.field('created_time', kinds.time, 'expected'),
  machine.field('started_time', kinds.time, 'expected'),
  machine.field('heartbeat_time', kinds.time, 'expected'),
  machine.alias('num_cpus', 'num_processors', kinds.count),
  machine.field('num_processors', kinds.count),
  machine.field('cpu_seconds', kinds.amount),
  machine.field('cpu_percentage', kinds.floatUnlessZero),
  machine.field('hs06', kinds.float),
  machine.field('machinetype', kinds.machinetypeName, 'expected'),
  machine.field('shutdown_message', kinds.text, 'expected'),
  machine.field('shutdown_time', kinds.time, 'expected'),
  SITE,
  machine.field('fqan', kinds.text, 'optional'),
];

const machinetype = fieldsOf<MachinetypeStatus>();
const MACHINETYPE_STATUS: readonly FieldOf<MachinetypeStatus>[] = [
  ...HEADER,
  machinetype.field('num_machinetypes', kinds.machinetypeCount),
  TIME_SENT,
  machinetype.field('machinetype', kinds.machinetypeName),
  machinetype.field('bytes_per_processor', kinds.size, 'expected'),
  machinetype.field('running_hs06', kinds.float),
  machinetype.field('running_machines', kinds.count),
  machinetype.alias('running_cpus', 'running_processors', kinds.floatUnlessZero),
  machinetype.field('running_processors', kinds.floatUnlessZero),
  machinetype.field('num_before_fizzle', kinds.count),
  // Without these two a type that aborts everywhere would look as if nothing had ever gone wrong with it.
  machinetype.field('shutdown_message', kinds.text, 'nullable'),
  machinetype.field('shutdown_time', kinds.time, 'nullable'),
  machinetype.field('shutdown_machine', kinds.hostname, 'expected'),
  SITE,
  machinetype.field('fqan', kinds.text, 'optional'),
  machinetype.field('max_wallclock_seconds', kinds.size, 'expected'),
  machinetype.field('max_processors', kinds.count, 'expected'),
  // Ours, after all that the predecessor sends; a group is a name, or an FQAN.
  machinetype.field('target_share', kinds.float, 'optional'),
  machinetype.field('machinegroup', kinds.text, 'optional'),
  machinetype.field('decayed_use', kinds.float, 'optional'),
];

const factory = fieldsOf<FactoryStatus>();
const FACTORY_STATUS: readonly FieldOf<FactoryStatus>[] = [
  ...HEADER,
  TIME_SENT,
  factory.alias('running_cpus', 'running_processors', kinds.amount),
  factory.field('running_processors', kinds.amount),
  factory.field('running_machines', kinds.count),
  factory.field('running_hs06', kinds.float),
  factory.alias('max_cpus', 'max_processors', kinds.amount),
  factory.field('max_processors', kinds.amount),
  factory.field('max_machines', kinds.count),
  factory.field('max_hs06', kinds.float),
  factory.alias('total_cpus', 'max_processors', kinds.amount),
  factory.alias('total_machines', 'max_machines', kinds.count),
  factory.alias('total_hs06', 'max_hs06', kinds.float),
  factory.field('root_disk_avail_kb', kinds.size, 'expected'),
  factory.field('root_disk_avail_inodes', kinds.size, 'expected'),
  factory.field('vac_disk_avail_kb', kinds.size, 'expected'),
  factory.alias('daemon_disk_avail_kb', 'vac_disk_avail_kb', kinds.size),
  factory.field('vac_disk_avail_inodes', kinds.size, 'expected'),
  factory.alias('daemon_disk_avail_inodes', 'vac_disk_avail_inodes', kinds.size),
  factory.field('load_average', kinds.float, 'expected'),
  factory.field('kernel_version', kinds.text, 'expected'),
  factory.field('os_issue', kinds.text, 'expected'),
  factory.field('boot_time', kinds.time, 'expected'),
  factory.field('factory_heartbeat_time', kinds.time, 'expected'),
  factory.field('responder_heartbeat_time', kinds.time, 'expected'),
  factory.field('mjf_heartbeat_time', kinds.time, 'expected'),
  factory.field('metadata_heartbeat_time', kinds.time, 'expected'),
  factory.field('swap_used_kb', kinds.size, 'expected'),
  factory.field('swap_free_kb', kinds.size, 'expected'),
  factory.field('mem_used_kb', kinds.size, 'expected'),
  factory.field('mem_total_kb', kinds.size, 'expected'),
  SITE,
];

export const FIELDS: Readonly<Record<MessageType, readonly Field[]>> = {
  machines_query: QUERY,
  machinetypes_query: QUERY,
  factory_query: QUERY,
  machine_status: MACHINE_STATUS,
  machinetype_status: MACHINETYPE_STATUS,
  factory_status: FACTORY_STATUS,
};
