/**
 * All options of the configuration, in one table: the loader, the messages, the manual page and the option reference
 * are made from it. To add an option, add it here, to `types.ts`, and where its section is read (`settings.ts`,
 * `machinetype.ts`, `pipe.ts` or `overnight.ts`), then regenerate the reference (`reference.ts`).
 */
import { OVERNIGHT_OPTIONS } from './overnight-options.js';
import {
  boolean,
  contextList,
  cpuMode,
  decimal,
  device,
  egressList,
  factoryList,
  fileName,
  fqan,
  fqdn,
  hostPortList,
  hostPortOrEmpty,
  httpUrl,
  imageLocation,
  integer,
  ipNetworkList,
  libvirtUri,
  line,
  networkInterface,
  oneOf,
  path,
  pathList,
  pathOrFileName,
  regex,
  repositoryList,
  sha256,
  siteName,
  syslogCollector,
  syslogWay,
  text,
  unixTime,
  urlOrPath,
  userGroup,
  type ValueType,
  volumeGroup,
} from './values.js';

/**
 * One option. Exactly one of `default`, `whenUnset` and `required` says what holds without it. With `whenUnset`, an
 * empty value is the same as none, so a later file can take an option back.
 */
export interface Option<T = unknown> {
  readonly type: ValueType<T>;
  readonly unit?: string;
  /** The default as an administrator would write it; may be the empty text. */
  readonly default?: string;
  /** In words, what holds when the option is not given; its value is then null. */
  readonly whenUnset?: string;
  readonly required?: true;
  /** One or two sentences. */
  readonly help: string;
  /** A vacuum pipe's document may set it. */
  readonly pipe?: true;
  /** Deprecated spellings; accepted with a warning. One spelling may stand for several options. */
  readonly old?: readonly string[];
  /** Read and checked, but not acted on by this version. The reference says so, and a warning wherever it is set. */
  readonly notYet?: NotYet;
  /** A change takes effect only at the next start of vacd (see `withRestartOptionsOf`). */
  readonly atRestart?: true;
}

export interface NotYet {
  /** What happens instead, and the way out if there is one: completes "not yet supported: ". */
  readonly instead: string;
  /** The values that are meant, in words and as their text; the default may be one. Absent: all but the default. */
  readonly values?: { readonly inWords: string; readonly pattern: RegExp };
}

/** Options by name. A name that ends in `_XXX` stands for any number of options, XXX being letters a-z, digits and _. */
export type OptionTable = Readonly<Record<string, Option>>;

const SECONDS_PER_YEAR = 366 * 86_400;
const PROCESSORS_MAX = 1024;
/** A slot for each processor, and no more slots than the machines' private network has addresses for (`MAX_SLOTS`). */
const TOTAL_PROCESSORS_MAX = 22_183;
const NO_CONTAINERS = { instead: 'this version makes no containers' };
const STARTS_NONE = 'starts no machines of this type';
const userDataOption = {
  type: text,
  whenUnset: 'no substitution',
  help: 'Text that replaces ##user_data_option_XXX## in user_data.',
} as const;
const userDataFile = {
  type: pathOrFileName,
  whenUnset: 'no substitution',
  help: "File whose content replaces ##user_data_option_XXX## in user_data; a file name is looked up in the machinetype's files/.",
} as const;

/** `[settings]`: the factory itself. */
export const SETTINGS_OPTIONS = {
  vac_space: {
    type: fqdn,
    required: true,
    help: 'Name of the space that this factory belongs to, like that of a compute element. It need not be in DNS.',
  },
  factories: {
    type: factoryList,
    default: '',
    help: 'Names of all factories of the space, this one included; "." is this host. Empty: the factory works alone.',
  },
  description: {
    type: text,
    whenUnset: 'none',
    help: 'Free text for monitoring.',
    notYet: { instead: 'this version shows it nowhere' },
  },
  draining: { type: boolean, default: 'no', help: 'Start no new machines; those that run go on to their end.' },
  shutdown_time: {
    type: unixTime,
    whenUnset: 'no end',
    help: "Time by which all machines of this host must be gone. It only ever shortens a machine's life.",
  },
  grace_seconds: {
    type: integer(0, 7 * 86_400),
    unit: 'seconds',
    default: '600',
    help: 'Notice promised to machines (grace_secs) before their shutdown time when it is moved earlier.',
  },
  total_processors: {
    type: integer(1, TOTAL_PROCESSORS_MAX),
    unit: 'processors',
    whenUnset: 'all processors of the host',
    help: 'Limit on the processors given to machines. More than the host has is an error.',
    old: ['cpu_total'],
  },
  processors_per_superslot: {
    type: integer(1, PROCESSORS_MAX),
    unit: 'processors',
    default: '1',
    help: 'Processors kept together and freed at one time, so that multiprocessor machines can start; 1 turns superslots off.',
    old: ['cpu_per_machine', 'vcpu_per_machine'],
  },
  overload_per_processor: {
    type: decimal(0.01, 1000),
    default: '1.25',
    help: 'No new machine starts while the highest load average exceeds this for each running processor.',
    old: ['overload_per_cpu'],
  },
  io_pressure_percent: {
    type: decimal(0, 100),
    unit: '%',
    default: '60',
    help: 'No new machine starts while tasks of the host waited for disks for more than this share of the last ten seconds ("some avg10" of /proc/pressure/io); 0 turns the check off.',
  },
  cpu_weight: {
    type: integer(1, 1000),
    default: '100',
    help: "Weight of each processor of a machine where the host's processors are short; 100 is that of one of any other virtual machine.",
  },
  io_weight: {
    type: integer(100, 1000),
    whenUnset: "the host's own",
    help: "Weight of a machine where the host's disks are short. Without effect, and said so, where disks have no weights (neither BFQ nor iocost).",
  },
  max_starting_machines: {
    type: integer(1, PROCESSORS_MAX),
    unit: 'machines',
    default: '8',
    help: 'How many machines may be under creation at once.',
  },
  mb_per_processor: {
    type: integer(1, 4_194_304),
    unit: 'MiB',
    default: '2048',
    help: 'Memory of a machine for each of its processors.',
    old: ['mb_per_cpu'],
  },
  swap_mb_per_processor: {
    type: integer(0, 4_194_304),
    unit: 'MiB',
    default: '1024',
    help: "Size of a machine's swap disk for each of its processors; 0 = no swap disk.",
  },
  joboutputs_mb: {
    type: integer(1, 1_048_576),
    unit: 'MiB',
    default: '200',
    help: 'What a machine may write into its joboutputs. Taken from the disk of the state directory while it lives.',
  },
  joboutputs_files: {
    type: integer(16, 1_048_576),
    default: '2000',
    help: 'How many files and directories a machine may have in its joboutputs.',
  },
  volume_group: {
    type: volumeGroup,
    whenUnset: 'vac_volume_group if the host has one, else files in the state directory',
    help: "LVM volume group in which machines' scratch disks (with CernVM models: their one disk) are made.",
  },
  disk_gb_per_processor: {
    type: decimal(0.1, 1_000_000),
    unit: 'GB of 10^9 bytes',
    whenUnset: '40; in a volume group its size, divided by total_processors',
    help: "Size of a machine's scratch disk for each of its processors; as a file it grows only as the machine writes to it.",
    old: ['disk_gb_per_cpu', 'scratch_gb'],
  },
  hs06_per_processor: {
    type: decimal(0.001, 100_000),
    unit: 'HS06 or HEPscore23',
    whenUnset: '1.0 in target shares; no hs06 files, and without hepscore23_per_processor no outgoing accounting',
    help: 'Benchmark power of one processor.',
    old: ['hs06_per_cpu'],
  },
  hepscore23_per_processor: {
    type: decimal(0.001, 100_000),
    unit: 'HEPscore23',
    whenUnset: 'accounting records tell HS06 alone',
    help: 'HEPscore23 of one processor, for accounting records: a record with room for one benchmark then gives this one, apel-v0.4 gives both. Target shares and machines are told hs06_per_processor all the same.',
  },
  share_half_life_hours: {
    type: decimal(0, 10_000),
    unit: 'hours',
    default: '0',
    help: 'With 0 target shares are of what runs now; else, in the long term, of what ran, use this long ago counting half: a machinetype that often has no work catches up when it has some. Take some times max_wallclock_seconds, as 72 or 168, and the same on all factories of the space.',
    atRestart: true,
  },
  image_cache_gb: {
    type: decimal(0.001, 1_000_000),
    unit: 'GB of 10^9 bytes',
    whenUnset: 'no limit but the disk; images that were not used for 30 days are removed',
    help: 'Limit on the images that are kept of URLs: the least recently used go first, and none that a machine runs on. A new version needs room beside the old one.',
  },
  control_group: {
    type: userGroup,
    whenUnset: 'only root',
    help: "Group of this host's users who may ask and command vacd with vac, beside root: drain it, and stop machines.",
  },
  root_public_key: {
    type: path,
    default: '/root/.ssh/id_rsa.pub',
    help: 'Public SSH key offered to machines for their root account, if the file exists.',
    atRestart: true,
    old: ['rootpublickey'],
  },
  libvirt_uri: {
    type: libvirtUri,
    default: 'qemu:///system',
    help: 'The hypervisor, as libvirt names it.',
    atRestart: true,
  },
  nfs: {
    type: oneOf('auto', 'kernel', 'ganesha', 'none'),
    default: 'auto',
    help: 'Which NFS server exports machine/job features to machines; auto takes the one that this host has.',
    atRestart: true,
  },
  fix_networking: {
    type: boolean,
    default: 'true',
    help: "Repair the machines' private network when it cannot be made as it is.",
  },
  egress_deny: {
    type: egressList,
    default: '',
    help: 'Where machines may not send: IPv4 networks and addresses, as 10.0.0.0/8 or 192.0.2.7:3128 (TCP and UDP), for machinetypes that have no egress_deny of their own. The narrowest that fits, here or in egress_allow, decides.',
  },
  egress_allow: {
    type: egressList,
    default: '',
    help: 'Where alone machines may send, for machinetypes that have no egress_allow of their own; empty: wherever egress_deny does not forbid it. 0.0.0.0/0 is the rest.',
  },
  forward_dev: {
    type: networkInterface,
    whenUnset: 'any interface',
    help: "Machines' traffic to the outside goes (with NAT) through this network interface only.",
  },
  udp_timeout_seconds: {
    type: decimal(0.1, 300),
    unit: 'seconds',
    default: '10.0',
    help: "How long a poll of the space's factories waits in all.",
  },
  query_networks: {
    type: ipNetworkList,
    default: '',
    help: "Networks whose hosts may ask this factory by VacQuery (vac, monitors), beside the space's factories and this host itself. The machines' network, 169.254.0.0/16, never may.",
  },
  space_key_file: {
    type: path,
    whenUnset: 'nothing is signed',
    help: "File with the space's secret keys, one to a line (`openssl rand -hex 32` makes one): the first signs what factories tell each other, all are believed. Owned by root, not readable by others; taken into use within a minute of its change.",
  },
  space_key_mode: {
    type: oneOf('mixed', 'required'),
    default: 'mixed',
    help: 'What is believed with a space_key_file: mixed also what is not signed, from the addresses of factories, while the key is given to all of them; required only what is signed.',
  },
  vacmon_hostport: {
    type: hostPortList,
    default: '',
    help: 'VacMon services that status datagrams are sent to each minute, and when a machine ends; the conventional port is 8884.',
  },
  metrics_listen: {
    type: hostPortOrEmpty,
    default: '127.0.0.1:10195',
    help: "Where Prometheus can fetch /metrics; with the address 0.0.0.0 on every address of the host but those of the machines' network, empty = nowhere.",
  },
  gocdb_sitename: {
    type: siteName,
    whenUnset: 'accounting records are archived but not sent',
    help: 'Site name in accounting records.',
  },
  accounting_format: {
    type: oneOf('apel-v0.3', 'apel-v0.4', 'cloud-v0.4'),
    default: 'apel-v0.3',
    help: 'What is written for a machine that has ended: an APEL individual job record (v0.3, or v0.4 with all benchmarks), or a cloud usage record. Machines keep the format that they were created with.',
  },
  accounting_partial: {
    type: boolean,
    default: 'no',
    help: 'Also write a record at the end of each month (UTC) for every machine that runs on, so that its use counts in the months in which it happened.',
  },
  accounting_infrastructure: {
    type: oneOf('grid', 'cloud'),
    default: 'grid',
    help: "InfrastructureType of individual job records. Receivers take both; EGI's accounting portal shows grid beside the site's other jobs.",
  },
  trail_days: {
    type: integer(0, 36_500),
    unit: 'days',
    default: '180',
    help: 'Keep the trail of machines (vac trace: who each was, its addresses, image and end) for this long; 0 = for ever.',
  },
  flow_log: {
    type: oneOf('none', 'new', 'all'),
    default: 'none',
    help: "Log the connections that machines make to the outside, with their ports after address translation, for vac trace: new when each begins, all also when it ends. Needs the program conntrack. Such a log tells of people's work: see etc/tracing.md.",
    atRestart: true,
  },
  flow_log_days: {
    type: integer(1, 3_650),
    unit: 'days',
    default: '90',
    help: 'Keep the log of connections for this long.',
    atRestart: true,
  },
  flow_log_mb: {
    type: integer(1, 1_000_000),
    unit: 'MB of 10^6 bytes',
    default: '1000',
    help: 'The most that the log of connections may take; the oldest files go first.',
    atRestart: true,
  },
  joboutputs_archive_url: {
    type: httpUrl,
    whenUnset: 'outputs stay on the host, for machines_dir_days',
    help: 'Where the joboutputs of machines that have ended are put, by HTTP PUT to URL/<space>/<factory>/<machine>/<file> (WebDAV, or storage that takes PUT). Tried again until machines_dir_days are over.',
  },
  joboutputs_archive_auth_file: {
    type: path,
    whenUnset: 'nothing is sent for authorization',
    help: 'File with the value of the Authorization header for joboutputs_archive_url, on one line, as `Bearer TOKEN`, or user:password. Owned by root, not readable by others.',
  },
  syslog: {
    type: hostPortOrEmpty,
    default: '169.254.169.254:514',
    help: 'Where machines send their syslog messages by UDP or TCP, as machinefeatures/syslog says; empty = no syslog receiver.',
    atRestart: true,
  },
  syslog_days: {
    type: integer(0, 3650),
    default: '90',
    unit: 'days',
    help: "Keep a machine's syslog in logs/ this long after its last line, also when its directory is gone; 0 = for ever.",
    atRestart: true,
  },
  syslog_mb: {
    type: integer(1, 100_000),
    default: '50',
    unit: 'MB',
    help: "Size (10^6 bytes) at which a machine's log on this host is closed. Its further lines are counted, and go on to syslog_forward.",
    atRestart: true,
  },
  syslog_relp: {
    type: oneOf('auto', 'yes', 'no'),
    default: 'auto',
    help: 'Whether machines can send syslog by RELP too, at the address of syslog and port 20514, by which no line is lost; needs the package rsyslog-relp on the host. auto = where that is installed.',
    atRestart: true,
  },
  syslog_forward: {
    type: syslogCollector,
    whenUnset: "machines' syslog stays on this host",
    help: "The site's collector of machines' syslog, in the form of RFC 5424: tcp://HOST:PORT, tls://HOST:PORT, relp://HOST:PORT or relps://HOST:PORT (RELP over TLS). While it is away lines wait on this host.",
    atRestart: true,
  },
  syslog_forward_ca: {
    type: path,
    whenUnset: "the CAs of this host's system",
    help: "PEM file with the CAs that may sign the collector's certificate (tls, relps).",
  },
  syslog_forward_cert: {
    type: path,
    whenUnset: 'the collector is shown no certificate',
    help: "PEM file with this host's certificate for the collector (tls, relps).",
  },
  syslog_forward_key: {
    type: path,
    whenUnset: 'the file of syslog_forward_cert holds the key too',
    help: 'PEM file with the key of syslog_forward_cert.',
  },
  syslog_forward_peer: {
    type: fqdn,
    whenUnset: 'the host of syslog_forward',
    help: "Name that the collector's certificate must be for (tls, relps).",
  },
  syslog_forward_mb: {
    type: integer(1, 1_000_000),
    default: '1000',
    unit: 'MB',
    help: 'Lines (10^6 bytes) that wait on this host for the collector at most; beyond that the oldest are dropped, and counted.',
  },
  machinefeatures_option_XXX: {
    type: text,
    whenUnset: 'no such file',
    help: 'Content of an extra file XXX in machinefeatures.',
  },
  user_data_option_XXX: {
    ...userDataOption,
    help: `${userDataOption.help} For all machinetypes; an option of the machinetype's own wins.`,
  },
  user_data_file_XXX: {
    ...userDataFile,
    help: `${userDataFile.help} For all machinetypes; an option of the machinetype's own wins.`,
  },
} satisfies OptionTable;

/** `[machinetype NAME]`: a recipe for machines. */
export const MACHINETYPE_OPTIONS = {
  target_share: {
    type: decimal(0, 1e9),
    default: '0',
    help: 'Share of the space relative to that of the other machinetypes; shares need not add up to anything, and 0 starts no machines.',
    pipe: true,
  },
  machine_model: {
    type: oneOf('vm-raw', 'cernvm3', 'cernvm4', 'cloud', 'docker', 'singularity'),
    default: 'cernvm3',
    help: 'How the machine is made from its image: vm-raw boots an ordinary disk image, with a scratch disk beside it; cloud the same, with room on its root disk for what cloud-init installs; cernvm3 and cernvm4 boot an ISO, with one large empty disk.',
    pipe: true,
    notYet: {
      instead: `this version ${STARTS_NONE}; give it a disk image and machine_model = vm-raw`,
      values: { inWords: 'docker and singularity', pattern: /^(docker|singularity)$/ },
    },
    old: ['vm_model'],
  },
  root_image: {
    type: imageLocation,
    required: true,
    help: "The image: an http or https URL, a path (or file: URL), or a file name under the machinetype's files/. One by URL is fetched once, compared with the server's before machines start, and kept while the server is away. A machinetype that a vacuum pipe makes may leave it to the pipe.",
    pipe: true,
  },
  root_image_sha256: {
    type: sha256,
    whenUnset: 'any content; what a server says of its checksum is checked',
    help: 'SHA-256 that the image must have, as sha256sum prints it; another one does not start.',
  },
  image_signing_dn: {
    type: regex,
    whenUnset: 'the signature is not checked',
    help: "Regular expression that the DN of the image's signer must match, in the form /DC=org/DC=example/CN=signer.example.org: up to the end of the DN, and from the beginning of one of its parts. The image must be signed in the way of CernVM, by a certificate of an authority in /etc/grid-security/certificates; one that fails does not start.",
    pipe: true,
    old: ['cernvm_signing_dn'],
  },
  user_data: {
    type: urlOrPath,
    whenUnset: 'none',
    help: "Template of the machine's user_data: a URL, a path, or a file name under the machinetype's files/.",
    pipe: true,
  },
  user_data_option_XXX: { ...userDataOption, pipe: true },
  user_data_file_XXX: { ...userDataFile, pipe: true },
  user_data_proxy: {
    type: boolean,
    default: 'false',
    help: "Make an X.509 proxy for each machine, which replaces ##user_data_option_x509_proxy## in user_data, from x509cert.pem and x509key.pem in the machinetype's directory.",
    pipe: true,
  },
  legacy_proxy: {
    type: boolean,
    default: 'false',
    help: 'Make the proxy of user_data_proxy in the legacy form instead of that of RFC 3820.',
    pipe: true,
  },
  min_processors: {
    type: integer(1, PROCESSORS_MAX),
    unit: 'processors',
    default: '1',
    help: 'The fewest processors that a machine is started with.',
    pipe: true,
    old: ['cpu_per_machine', 'vcpu_per_machine'],
  },
  max_processors: {
    type: integer(1, PROCESSORS_MAX),
    unit: 'processors',
    default: '1',
    help: 'The most processors that a machine is given.',
    pipe: true,
    old: ['cpu_per_machine', 'vcpu_per_machine'],
  },
  max_wallclock_seconds: {
    type: integer(1, SECONDS_PER_YEAR),
    unit: 'seconds',
    default: '86400',
    help: 'Life limit: the machine is destroyed at its end.',
    pipe: true,
  },
  min_wallclock_seconds: {
    type: integer(1, SECONDS_PER_YEAR),
    unit: 'seconds',
    whenUnset: 'max_wallclock_seconds',
    help: 'Start no machine that would have less time than this before the shutdown time.',
    pipe: true,
  },
  fizzle_seconds: {
    type: integer(0, SECONDS_PER_YEAR),
    unit: 'seconds',
    default: '600',
    help: 'A machine that ends earlier than this found no work, unless it says otherwise.',
    pipe: true,
  },
  backoff_seconds: {
    type: integer(0, SECONDS_PER_YEAR),
    unit: 'seconds',
    default: '10',
    help: 'After a machine of this type found no work anywhere in the space, start no other for this long.',
    pipe: true,
  },
  heartbeat_file: {
    type: fileName,
    whenUnset: 'no heartbeat is expected',
    help: 'File in joboutputs that must exist once fizzle_seconds have passed, or the machine is destroyed.',
    pipe: true,
  },
  heartbeat_seconds: {
    type: integer(0, SECONDS_PER_YEAR),
    unit: 'seconds',
    default: '0',
    help: 'Destroy the machine when heartbeat_file is older than this; 0 = its age does not matter.',
    pipe: true,
  },
  accounting_fqan: {
    type: fqan,
    whenUnset: 'none',
    help: 'VOMS FQAN that the usage is accounted to.',
    pipe: true,
  },
  machinegroup: {
    type: line,
    whenUnset: "accounting_fqan, else the machinetype's own name",
    help: 'Machinetypes of one group are balanced against other groups as one, and then among themselves.',
  },
  machines_dir_days: {
    type: decimal(0, 36_500),
    unit: 'days',
    default: '3',
    help: "Keep a finished machine's directory for this long; 0 = for ever.",
    old: ['machineoutputs_days'],
  },
  joboutputs_archive_url: {
    type: httpUrl,
    whenUnset: 'as in [settings]',
    help: 'Where the joboutputs of machines of this type are put when they have ended.',
  },
  disk_gb_per_processor: {
    type: decimal(0.1, 1_000_000),
    unit: 'GB of 10^9 bytes',
    whenUnset: 'as in [settings]',
    help: "Size of the machine's scratch disk for each of its processors.",
    pipe: true,
    old: ['disk_gb_per_cpu', 'scratch_gb'],
  },
  root_disk_gb: {
    type: decimal(0.001, 1_000_000),
    unit: 'GB of 10^9 bytes',
    whenUnset: "the image's own size; at least 20 with machine_model = cloud",
    help: "Size of the machine's root disk, no less than its image; it grows only as the machine writes to it. Not with CernVM models, which have no root disk.",
  },
  mb_per_processor: {
    type: integer(1, 4_194_304),
    unit: 'MiB',
    whenUnset: 'as in [settings]',
    help: 'Memory of the machine for each of its processors.',
    old: ['mb_per_cpu'],
  },
  total_processors: {
    type: integer(0, TOTAL_PROCESSORS_MAX),
    unit: 'processors',
    whenUnset: 'as many as the shares give it',
    help: 'Limit on the processors that machines of this type have on this host at one time.',
  },
  egress_deny: {
    type: egressList,
    whenUnset: 'as in [settings]',
    help: 'Where machines of this type may not send: IPv4 networks and addresses, with a port if need be. Those that run keep what they were started with.',
  },
  egress_allow: {
    type: egressList,
    whenUnset: 'as in [settings]',
    help: 'Where alone machines of this type may send. The narrowest that fits, here or in egress_deny, decides.',
  },
  swap_mb_per_processor: {
    type: integer(0, 4_194_304),
    unit: 'MiB',
    whenUnset: 'as in [settings]',
    help: "Size of the machine's swap disk for each of its processors; 0 = no swap disk.",
  },
  joboutputs_mb: {
    type: integer(1, 1_048_576),
    unit: 'MiB',
    whenUnset: 'as in [settings]',
    help: 'What the machine may write into its joboutputs.',
  },
  joboutputs_files: {
    type: integer(16, 1_048_576),
    whenUnset: 'as in [settings]',
    help: 'How many files and directories the machine may have in its joboutputs.',
  },
  root_device: {
    type: device,
    default: 'vda',
    help: 'Device that the machine sees its root disk as; on the virtio bus if it begins with vd.',
    pipe: true,
  },
  scratch_device: {
    type: device,
    default: 'vdb',
    help: 'Device that the machine sees its scratch disk as.',
    pipe: true,
  },
  swap_device: {
    type: device,
    whenUnset: 'vdc, or the next that is neither root_device nor scratch_device',
    help: 'Device that the machine sees its swap disk as.',
  },
  disk_bus: {
    type: oneOf('auto', 'virtio', 'scsi', 'sata', 'ide'),
    default: 'auto',
    help: "How disks are attached. auto goes by each device's name: virtio for vda, IDE for hda where the chipset has it, else SATA. The others hold for all disks, whose names must fit: vd with virtio, hd with ide, sd with the rest; scsi is virtio's.",
  },
  cpu_mode: {
    type: cpuMode,
    whenUnset: 'host-passthrough, as far as the host can do it',
    help: "The machine's processor: host-passthrough, host-model, maximum, or a model that libvirt knows (virsh cpu-models x86_64). Without KVM the first two are emulated as maximum.",
  },
  machine_type: {
    type: oneOf('pc', 'q35'),
    whenUnset: 'q35; pc with machine_model cernvm3 and cernvm4, as those images know it',
    help: 'Chipset of the virtual machine.',
  },
  firmware: {
    type: oneOf('bios', 'uefi'),
    default: 'bios',
    help: 'Firmware that boots the virtual machine; uefi needs the package ovmf on the host.',
  },
  context: {
    type: contextList,
    whenUnset: 'metadata; with machine_model cernvm3 and cernvm4 one as well',
    help: 'Ways in which the machine learns its name, keys and user_data, one or several: metadata (HTTP, marked so that cloud-init looks there), configdrive and nocloud (a disk for cloud-init), nocloud-smbios (a URL in the serial number), one (a CD for older images). HTTP answers in any case.',
  },
  early_syslog: {
    type: syslogWay,
    default: 'no',
    help: 'Add a part to user_data by which cloud-init makes the machine send its syslog from its first messages on: by UDP (yes, udp), tcp, or relp (without loss; the image needs rsyslog-relp). Templates for other images can unpack ##user_data_boot_files## instead.',
  },
  mjf_form: {
    type: oneOf('paths', 'urls'),
    whenUnset: 'URLs in metadata and user_data, paths on the CD of context = one',
    help: 'Form in which the machine is told where its machine/job features are, everywhere: the paths at which images mount them by NFS, or http:// URLs.',
  },
  cvmfs_repositories: {
    type: repositoryList,
    default: '',
    help: 'CernVM-FS repositories that a container sees.',
    pipe: true,
    notYet: NO_CONTAINERS,
  },
  container_command: {
    type: line,
    default: '/user_data',
    help: 'Command that a container runs.',
    pipe: true,
    notYet: NO_CONTAINERS,
  },
  tmp_binds: {
    type: pathList,
    default: '',
    help: 'Paths in a container that lead to temporary directories of its own.',
    pipe: true,
    notYet: NO_CONTAINERS,
  },
} satisfies OptionTable;

/** `[vacuum_pipe PREFIX]`: besides these it takes all options of a machinetype, for each machinetype that it makes. */
export const VACUUM_PIPE_OPTIONS = {
  vacuum_pipe_url: {
    type: httpUrl,
    required: true,
    help: 'URL of the JSON document that describes the machinetypes.',
  },
  target_share: {
    ...MACHINETYPE_OPTIONS.target_share,
    help: "Share of all the pipe's machinetypes together, split in proportion to the target_share that each has in the document.",
  },
} satisfies OptionTable;

/** The tables by kind of section. */
export const OPTION_TABLES = {
  settings: SETTINGS_OPTIONS as OptionTable,
  machinetype: MACHINETYPE_OPTIONS as OptionTable,
  vacuum_pipe: { ...MACHINETYPE_OPTIONS, ...VACUUM_PIPE_OPTIONS } as OptionTable,
  overnight: OVERNIGHT_OPTIONS as OptionTable,
} as const;

export type SectionKind = keyof typeof OPTION_TABLES;
