/**
 * A `[machinetype NAME]` section as `MachinetypeConfig`. The code that expands vacuum pipes builds a `RawSection` from a
 * pipe's entry and reads it here too, so both obey the same rules.
 */
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { Problem } from './problem.js';
import { readValues, type SectionValues } from './section-values.js';
import type { RawSection } from './sections.js';
import type { MachinetypeConfig, Settings } from './types.js';

export interface MachinetypeReading {
  /** To be used only when there are no errors: bad options hold stand-ins. */
  readonly machinetype: MachinetypeConfig;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

type Section = SectionValues<typeof MACHINETYPE_OPTIONS>;

/**
 * Reads one machinetype, which inherits from the settings. `directoryName` is that of its directory under
 * `machinetypes/`: its own name, or the prefix of the pipe that made it.
 */
export function readMachinetype(
  section: RawSection,
  settings: Settings,
  directoryName: string = section.name,
): MachinetypeReading {
  const read = readValues(section, MACHINETYPE_OPTIONS);
  const { values, errors, warnings } = read;
  const swapMibPerProcessor = values.swap_mb_per_processor ?? settings.swapMibPerProcessor;
  const swapDevice = values.swap_device ?? freeDevice([values.root_device, values.scratch_device], values.disk_bus);
  checkLimits(read, settings);
  checkHeartbeat(read);
  read.advise(
    values.early_syslog === null || settings.syslog !== null,
    ['early_syslog'],
    'has no effect, because syslog is empty in [settings]',
  );
  read.advise(
    values.mjf_form !== 'paths' || settings.nfs !== 'none',
    ['mjf_form'],
    'machines are told paths of NFS mounts, but nothing can be mounted with nfs = none in [settings]',
  );
  checkProxy(read);
  checkDevices(read, swapMibPerProcessor > 0 ? swapDevice : null);
  read.demand(
    !values.root_image.startsWith('docker://') || ['docker', 'singularity'].includes(values.machine_model),
    ['root_image', 'machine_model'],
    'a docker:// image needs machine_model docker or singularity',
  );

  const machinetype: MachinetypeConfig = {
    name: section.name,
    directoryName,
    machinegroup: values.machinegroup ?? values.accounting_fqan ?? section.name,
    targetShare: values.target_share,
    machineModel: values.machine_model,
    rootImage: values.root_image,
    rootDevice: values.root_device,
    scratchDevice: values.scratch_device,
    swapDevice,
    userData: values.user_data,
    minProcessors: values.min_processors,
    maxProcessors: values.max_processors,
    maxWallclockSeconds: values.max_wallclock_seconds,
    minWallclockSeconds: values.min_wallclock_seconds ?? values.max_wallclock_seconds,
    fizzleSeconds: values.fizzle_seconds,
    backoffSeconds: values.backoff_seconds,
    heartbeatFile: values.heartbeat_file,
    heartbeatSeconds: values.heartbeat_seconds,
    machinesDirDays: values.machines_dir_days,
    joboutputsArchiveUrl: values.joboutputs_archive_url ?? settings.joboutputsArchiveUrl,
    diskGbPerProcessor: values.disk_gb_per_processor ?? settings.diskGbPerProcessor,
    rootDiskGb: values.root_disk_gb,
    mibPerProcessor: values.mb_per_processor ?? settings.mibPerProcessor,
    totalProcessors: values.total_processors,
    egressDeny: values.egress_deny ?? settings.egressDeny,
    egressAllow: values.egress_allow ?? settings.egressAllow,
    swapMibPerProcessor,
    joboutputsMib: values.joboutputs_mb ?? settings.joboutputsMib,
    joboutputsFiles: values.joboutputs_files ?? settings.joboutputsFiles,
    accountingFqan: values.accounting_fqan,
    imageSigningDn: values.image_signing_dn,
    rootImageSha256: values.root_image_sha256,
    userDataProxy: values.user_data_proxy,
    legacyProxy: values.legacy_proxy,
    context: values.context ?? (isCernvm(values.machine_model) ? ['metadata', 'one'] : ['metadata']),
    earlySyslog: values.early_syslog,
    mjfForm: values.mjf_form,
    diskBus: values.disk_bus,
    cpuMode: values.cpu_mode,
    machineType: values.machine_type ?? (isCernvm(values.machine_model) ? 'pc' : 'q35'),
    firmware: values.firmware,
    ...mergeUserData(settings, values.user_data_option_XXX, values.user_data_file_XXX),
    cvmfsRepositories: values.cvmfs_repositories,
    containerCommand: values.container_command,
    tmpBinds: values.tmp_binds,
  };
  return { machinetype, errors, warnings };
}

function checkLimits({ values, demand, advise }: Section, settings: Settings): void {
  const { min_processors: min, max_processors: max } = values;
  demand(
    min <= max,
    ['min_processors', 'max_processors'],
    `min_processors is ${min} but max_processors only ${max}; raise max_processors or lower min_processors`,
  );
  const { totalProcessors: total, processorsPerSuperslot: perSuperslot } = settings;
  advise(
    total === null || min <= total,
    ['min_processors'],
    `no machine of this type can start here: it needs ${min} processors, and total_processors is ${total}`,
  );
  advise(
    perSuperslot === 1 || min <= perSuperslot,
    ['min_processors'],
    `no machine of this type can start here: it needs ${min} processors, and processors_per_superslot is ${perSuperslot}`,
  );
  const { min_wallclock_seconds: minSeconds, max_wallclock_seconds: maxSeconds, fizzle_seconds: fizzle } = values;
  demand(
    minSeconds === null || minSeconds <= maxSeconds,
    ['min_wallclock_seconds', 'max_wallclock_seconds'],
    `min_wallclock_seconds is ${minSeconds} but max_wallclock_seconds only ${maxSeconds}`,
  );
  advise(
    fizzle < maxSeconds,
    ['fizzle_seconds', 'max_wallclock_seconds'],
    `every machine will count as one that found no work: fizzle_seconds (${fizzle}) is not below max_wallclock_seconds (${maxSeconds})`,
  );
}

function checkHeartbeat({ values, demand }: Section): void {
  demand(
    values.heartbeat_seconds === 0 || values.heartbeat_file !== null,
    ['heartbeat_seconds', 'heartbeat_file'],
    'needs heartbeat_file, the name of the file in joboutputs whose age it limits',
  );
}

function checkProxy({ values, advise }: Section): void {
  advise(
    !values.user_data_proxy || values.user_data !== null,
    ['user_data_proxy'],
    'no machine gets its proxy: there is no user_data for it to go into',
  );
  advise(
    !values.legacy_proxy || values.user_data_proxy,
    ['legacy_proxy'],
    'no proxy is made: that takes user_data_proxy = true as well',
  );
}

/** Device names of each bus; libvirt would count a name of another one as it likes. */
const DEVICE_PREFIX = { auto: '', virtio: 'vd', scsi: 'sd', sata: 'sd', ide: 'hd' } as const;

/** CernVM models have one disk only besides swap, so there scratch_device may say what it likes. */
function checkDevices({ values, demand }: Section, swapDevice: string | null): void {
  const { root_device: root, scratch_device: scratch, machine_model: model, disk_bus: bus } = values;
  const hasScratch = !isCernvm(model);
  demand(
    !hasScratch || root !== scratch,
    ['scratch_device', 'root_device'],
    `root_device and scratch_device are both ${root}; give each disk a device of its own`,
  );
  demand(
    swapDevice !== root && (!hasScratch || swapDevice !== scratch),
    ['swap_device', 'root_device', 'scratch_device'],
    `swap_device is ${swapDevice}, which is another disk already; give each disk a device of its own`,
  );
  const devices = [root, ...(hasScratch ? [scratch] : []), ...(swapDevice === null ? [] : [swapDevice])];
  const unfit = devices.find((device) => !device.startsWith(DEVICE_PREFIX[bus]));
  demand(
    unfit === undefined,
    ['disk_bus', 'root_device', 'scratch_device', 'swap_device'],
    `disk_bus = ${bus} needs devices named ${DEVICE_PREFIX[bus]}a, ${DEVICE_PREFIX[bus]}b and so on, and there is ${unfit}`,
  );
  demand(
    bus !== 'ide' || (values.machine_type ?? (isCernvm(model) ? 'pc' : 'q35')) === 'pc',
    ['disk_bus', 'machine_type'],
    'disk_bus = ide needs machine_type = pc: q35 has no IDE',
  );
  demand(
    values.root_disk_gb === null || !isCernvm(model),
    ['root_disk_gb'],
    `machine_model ${model} has no root disk; disk_gb_per_processor is the size of its disk`,
  );
}

/** Boots an ISO, as CernVM's images are. */
function isCernvm(model: string): boolean {
  return model === 'cernvm3' || model === 'cernvm4';
}

/** The first of vdc, vdd, … (of the disks' own kind) that is not taken. */
function freeDevice(taken: readonly string[], bus: keyof typeof DEVICE_PREFIX): string {
  const prefix = DEVICE_PREFIX[bus] || 'vd';
  return ['c', 'd', 'e'].map((letter) => prefix + letter).find((device) => !taken.includes(device)) as string;
}

/** The settings' substitutions, then the machinetype's own; of one name its own wins, be it an option or a file. */
function mergeUserData(
  settings: Settings,
  options: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>>,
): Pick<MachinetypeConfig, 'userDataOptions' | 'userDataFiles'> {
  const inherited = (record: Readonly<Record<string, string>>) =>
    Object.entries(record).filter(([name]) => !Object.hasOwn(options, name) && !Object.hasOwn(files, name));
  return {
    userDataOptions: Object.fromEntries([...inherited(settings.userDataOptions), ...Object.entries(options)]),
    userDataFiles: Object.fromEntries([...inherited(settings.userDataFiles), ...Object.entries(files)]),
  };
}
