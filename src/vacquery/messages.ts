/**
 * VacQuery 01.03 messages. Properties have the names of the wire, so that a reader of a packet dump finds them here.
 *
 * Where the wire has two keys for one thing (`num_cpus` and `num_processors`, `total_hs06` and `max_hs06`, …) a message
 * has one property with the newer name: the codec writes both keys and reads either. All times are Unix seconds;
 * null means unknown.
 */

/** What a sender of this version writes as `vacquery_version`. */
export const VACQUERY_VERSION = 'VacQuery 01.03';

/** Where factories listen. */
export const VACQUERY_PORT = 995;

/** The cookie of status messages that nobody asked for, as VacMon services get them. */
export const UNASKED_COOKIE = '0';

export type QueryType = 'machines_query' | 'machinetypes_query' | 'factory_query';
export type StatusType = 'machine_status' | 'machinetype_status' | 'factory_status';

/** What older clients send as well as `message_type`, or instead of it. */
export type QueryMethod = 'machines' | 'machinetypes' | 'factories';

export const METHOD_OF: Readonly<Record<QueryType, QueryMethod>> = {
  machines_query: 'machines',
  machinetypes_query: 'machinetypes',
  factory_query: 'factories',
};

export const STATUS_TYPE_OF = {
  machines_query: 'machine_status',
  machinetypes_query: 'machinetype_status',
  factory_query: 'factory_status',
} as const satisfies Record<QueryType, StatusType>;

export const MACHINE_STATES = ['Starting', 'Running', 'Shut down', 'Paused', 'Unknown'] as const;
export type MachineState = (typeof MACHINE_STATES)[number];

export interface Query {
  readonly message_type: QueryType;
  /** Null: not sent. */
  readonly method: QueryMethod | null;
  readonly space: string;
  /** Any string of the asker's, echoed in each reply. */
  readonly cookie: string;
  /** "Vac <version> <client>"; null: not sent. */
  readonly vac_version: string | null;
  /** Null: not sent. */
  readonly vacquery_version: string | null;
}

/** What every reply begins with. */
export interface ReplyHeader {
  /** On the wire also `daemon_version`; null: neither was sent. */
  readonly vac_version: string | null;
  readonly vacquery_version: string;
  readonly cookie: string;
  readonly space: string;
  /** Null: not sent. */
  readonly site: string | null;
  readonly factory: string;
  readonly time_sent: number;
}

/** One slot of a factory. A slot that has had no machine yet: "Shut down", all numbers 0, all else null. */
export interface MachineStatus extends ReplyHeader {
  readonly message_type: 'machine_status';
  /** How many of these to expect from the factory. */
  readonly num_machines: number;
  readonly machine: string;
  readonly state: MachineState;
  readonly machine_model: string | null;
  readonly uuid: string | null;
  readonly created_time: number | null;
  readonly started_time: number | null;
  /** When the factory last saw it run. */
  readonly heartbeat_time: number | null;
  readonly num_processors: number;
  readonly cpu_seconds: number;
  readonly cpu_percentage: number;
  readonly hs06: number;
  readonly machinetype: string | null;
  readonly shutdown_message: string | null;
  readonly shutdown_time: number | null;
  /** Null: not sent. */
  readonly fqan: string | null;
}

/** One machinetype of a factory; starting machines count as running. */
export interface MachinetypeStatus extends ReplyHeader {
  readonly message_type: 'machinetype_status';
  /** How many of these to expect from the factory. */
  readonly num_machinetypes: number;
  readonly machinetype: string;
  readonly bytes_per_processor: number | null;
  readonly running_hs06: number;
  readonly running_machines: number;
  readonly running_processors: number;
  readonly num_before_fizzle: number;
  /** These three are of the most recently created machine of the type that has finished. */
  readonly shutdown_message: string | null;
  readonly shutdown_time: number | null;
  readonly shutdown_machine: string | null;
  /** Null: not sent. */
  readonly fqan: string | null;
  readonly max_wallclock_seconds: number | null;
  readonly max_processors: number | null;
  /** As this factory is configured; the predecessor does not tell. Null: not sent. */
  readonly target_share: number | null;
  /** Null: not sent. */
  readonly machinegroup: string | null;
  /** HS06 × seconds of the factory's machines, the past decayed; null: not sent, no history is kept. */
  readonly decayed_use: number | null;
}

export interface FactoryStatus extends ReplyHeader {
  readonly message_type: 'factory_status';
  readonly running_processors: number;
  readonly running_machines: number;
  readonly running_hs06: number;
  readonly max_processors: number;
  readonly max_machines: number;
  readonly max_hs06: number;
  readonly root_disk_avail_kb: number | null;
  readonly root_disk_avail_inodes: number | null;
  /** Free where the state directory is; on the wire also `daemon_disk_*`. */
  readonly vac_disk_avail_kb: number | null;
  readonly vac_disk_avail_inodes: number | null;
  /** Of the last 15 minutes. */
  readonly load_average: number | null;
  readonly kernel_version: string | null;
  readonly os_issue: string | null;
  readonly boot_time: number | null;
  readonly factory_heartbeat_time: number | null;
  readonly responder_heartbeat_time: number | null;
  readonly mjf_heartbeat_time: number | null;
  readonly metadata_heartbeat_time: number | null;
  readonly swap_used_kb: number | null;
  readonly swap_free_kb: number | null;
  readonly mem_used_kb: number | null;
  readonly mem_total_kb: number | null;
}

export type Status = MachineStatus | MachinetypeStatus | FactoryStatus;
export type Message = Query | Status;
export type MessageType = Message['message_type'];

/** The status messages that answer a query. */
export type StatusOf<Q extends QueryType> = Extract<Status, { message_type: (typeof STATUS_TYPE_OF)[Q] }>;

/** What a status says beyond the header and the count, which the responder fills in. */
type Facts<S extends Status> = Readonly<
  Omit<S, keyof ReplyHeader | 'message_type' | 'num_machines' | 'num_machinetypes'>
>;

/** A factory's whole status at one moment, from which every query is answered. */
export interface FactorySnapshot {
  readonly space: string;
  /** gocdb_sitename, else the space name without its first label. */
  readonly site: string;
  /** FQDN. */
  readonly factory: string;
  /** "Vac <version> <program>". */
  readonly vacVersion: string;
  readonly facts: Facts<FactoryStatus>;
  /** One for each slot. */
  readonly machines: readonly Facts<MachineStatus>[];
  readonly machinetypes: readonly Facts<MachinetypeStatus>[];
}

/** A query as this version sends it: `method` too, for factories that know nothing else. */
export function makeQuery(type: QueryType, space: string, cookie: string, vacVersion: string): Query {
  return {
    message_type: type,
    method: METHOD_OF[type],
    space,
    cookie,
    vac_version: vacVersion,
    vacquery_version: VACQUERY_VERSION,
  };
}

/** What a slot that has no machine and had none says of itself. */
export function emptySlot(machine: string): Facts<MachineStatus> {
  return {
    machine,
    state: 'Shut down',
    machine_model: null,
    uuid: null,
    created_time: null,
    started_time: null,
    heartbeat_time: null,
    num_processors: 0,
    cpu_seconds: 0,
    cpu_percentage: 0,
    hs06: 0,
    machinetype: null,
    shutdown_message: null,
    shutdown_time: null,
    fqan: null,
  };
}
