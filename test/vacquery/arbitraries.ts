import fc from 'fast-check';
import {
  type FactorySnapshot,
  type FactoryStatus,
  MACHINE_STATES,
  type MachineStatus,
  type MachinetypeStatus,
  type Status,
} from '../../src/vacquery/messages.js';

const hostname = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}(\.[a-z]{2,10}){0,3}$/);
const machinetypeName = fc.stringMatching(/^[a-z0-9-]{1,20}$/);
const time = fc.integer({ min: 0, max: 9_999_999_999 });
const count = fc.integer({ min: 0, max: 1_000_000 });
const amount = fc.oneof(
  fc.constant(0),
  count,
  fc.double({ min: 0, max: 1e6, noNaN: true }).map((value) => value + 0),
);
/** One line that is printable already, in any script. */
const text = fc
  .string({ unit: 'binary', maxLength: 60 })
  .map((value) => value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?').slice(0, 100))
  .map((value) => (/[\uD800-\uDBFF]$/.test(value) ? value.slice(0, -1) : value));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const header = {
  vac_version: maybe(text),
  vacquery_version: text,
  cookie: fc.string({ unit: 'binary', maxLength: 60 }),
  space: hostname,
  site: maybe(text),
  factory: hostname,
  time_sent: time,
};

const machineFacts = {
  machine: hostname,
  state: fc.constantFrom(...MACHINE_STATES),
  machine_model: maybe(fc.constantFrom('cernvm3', 'vm-raw')),
  uuid: maybe(fc.uuid()),
  created_time: maybe(time),
  started_time: maybe(time),
  heartbeat_time: maybe(time),
  num_processors: count,
  cpu_seconds: amount,
  cpu_percentage: amount,
  hs06: amount,
  machinetype: maybe(machinetypeName),
  shutdown_message: maybe(text),
  shutdown_time: maybe(time),
  fqan: maybe(text),
};

const machinetypeFacts = {
  machinetype: machinetypeName,
  bytes_per_processor: maybe(fc.maxSafeNat()),
  running_hs06: amount,
  running_machines: count,
  running_processors: amount,
  num_before_fizzle: count,
  shutdown_message: maybe(text),
  shutdown_time: maybe(time),
  shutdown_machine: maybe(hostname),
  fqan: maybe(text),
  max_wallclock_seconds: maybe(count),
  max_processors: maybe(count),
  target_share: maybe(amount),
  machinegroup: maybe(text),
  decayed_use: maybe(amount),
};

const size = maybe(fc.maxSafeNat());
const factoryFacts = {
  running_processors: amount,
  running_machines: count,
  running_hs06: amount,
  max_processors: amount,
  max_machines: count,
  max_hs06: amount,
  root_disk_avail_kb: size,
  root_disk_avail_inodes: size,
  vac_disk_avail_kb: size,
  vac_disk_avail_inodes: size,
  load_average: maybe(amount),
  kernel_version: maybe(text),
  os_issue: maybe(text),
  boot_time: maybe(time),
  factory_heartbeat_time: maybe(time),
  responder_heartbeat_time: maybe(time),
  mjf_heartbeat_time: maybe(time),
  metadata_heartbeat_time: maybe(time),
  swap_used_kb: size,
  swap_free_kb: size,
  mem_used_kb: size,
  mem_total_kb: size,
};

const plain = { noNullPrototype: true } as const;

export const statusArbitrary: fc.Arbitrary<Status> = fc.oneof(
  fc.record<MachineStatus>(
    {
      message_type: fc.constant('machine_status' as const),
      ...header,
      num_machines: fc.integer({ min: 1, max: 65_536 }),
      ...machineFacts,
    },
    plain,
  ),
  fc.record<MachinetypeStatus>(
    {
      message_type: fc.constant('machinetype_status' as const),
      ...header,
      num_machinetypes: fc.integer({ min: 1, max: 1_024 }),
      ...machinetypeFacts,
    },
    plain,
  ),
  fc.record<FactoryStatus>({ message_type: fc.constant('factory_status' as const), ...header, ...factoryFacts }, plain),
);

export const snapshotArbitrary: fc.Arbitrary<FactorySnapshot> = fc.record(
  {
    space: hostname,
    site: text,
    factory: hostname,
    vacVersion: text,
    facts: fc.record(factoryFacts, plain),
    machines: fc.uniqueArray(fc.record(machineFacts, plain), { maxLength: 8, selector: ({ machine }) => machine }),
    machinetypes: fc.uniqueArray(fc.record(machinetypeFacts, plain), {
      maxLength: 8,
      selector: ({ machinetype }) => machinetype,
    }),
  },
  plain,
);
