/** The `[settings]` section as `Settings`. */
import { isMachinesAddress } from './addresses.js';
import type { Problem } from './problem.js';
import { readValues } from './section-values.js';
import type { RawSection } from './sections.js';
import { SETTINGS_OPTIONS } from './settings-options.js';
import { syslogForwarding } from './syslog-forwarding.js';
import type { Settings } from './types.js';

export interface SettingsReading {
  /** To be used only when there are no errors: bad options hold stand-ins. */
  readonly settings: Settings;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

/** Reads `[settings]`. `hostFqdn` is this host's name, which `.` in `factories` stands for. */
export function readSettings(section: RawSection, hostFqdn: string): SettingsReading {
  const read = readValues(section, SETTINGS_OPTIONS);
  const { values, errors, warnings, demand, advise } = read;
  const host = hostFqdn.toLowerCase();
  const factories = [...new Set(values.factories.map((name) => (name === '.' ? host : name)))];

  advise(
    factories.length === 0 || factories.includes(host),
    ['factories'],
    `does not name this host, ${host}; other factories of the space will not know about its machines`,
  );
  const { processors_per_superslot: perSuperslot, total_processors: total } = values;
  advise(
    total === null || perSuperslot <= total,
    ['processors_per_superslot', 'total_processors'],
    `no superslot can ever be filled: processors_per_superslot is ${perSuperslot}, and total_processors is ${total}`,
  );
  advise(
    total === null || perSuperslot > total || total % perSuperslot === 0,
    ['total_processors', 'processors_per_superslot'],
    `total_processors is no multiple of processors_per_superslot: ${(total ?? 0) % perSuperslot} of ${total} processors are in no complete superslot`,
  );
  advise(
    values.gocdb_sitename === null || values.hs06_per_processor !== null || values.hepscore23_per_processor !== null,
    ['gocdb_sitename', 'hs06_per_processor'],
    'accounting records are only archived, not sent, until hs06_per_processor or hepscore23_per_processor is set too',
  );
  demand(
    values.metrics_listen === null || !isMachinesAddress(values.metrics_listen.host),
    ['metrics_listen'],
    "is in 169.254.0.0/16, the machines' network, and machines must not read it; give another address of this host, or 127.0.0.1",
  );

  advise(
    values.space_key_file !== null || values.space_key_mode === 'mixed',
    ['space_key_mode', 'space_key_file'],
    'space_key_mode has no effect without space_key_file: nothing is signed, and what is not signed is believed',
  );

  advise(
    values.joboutputs_archive_auth_file === null || values.joboutputs_archive_url?.startsWith('http:') !== true,
    ['joboutputs_archive_url', 'joboutputs_archive_auth_file'],
    'the secret of joboutputs_archive_auth_file goes over the network in clear: use https',
  );

  const settings: Settings = {
    vacSpace: values.vac_space,
    factories,
    description: values.description,
    udpTimeoutSeconds: values.udp_timeout_seconds,
    queryNetworks: values.query_networks,
    spaceKeyFile: values.space_key_file,
    spaceKeyMode: values.space_key_mode,
    totalProcessors: total,
    mibPerProcessor: values.mb_per_processor,
    swapMibPerProcessor: values.swap_mb_per_processor,
    joboutputsMib: values.joboutputs_mb,
    joboutputsFiles: values.joboutputs_files,
    hs06PerProcessor: values.hs06_per_processor,
    hepscore23PerProcessor: values.hepscore23_per_processor,
    shareHalfLifeHours: values.share_half_life_hours,
    processorsPerSuperslot: perSuperslot,
    overloadPerProcessor: values.overload_per_processor,
    ioPressurePercent: values.io_pressure_percent,
    cpuWeight: values.cpu_weight,
    ioWeight: values.io_weight,
    maxStartingMachines: values.max_starting_machines,
    shutdownTimeSeconds: values.shutdown_time,
    graceSeconds: values.grace_seconds,
    draining: values.draining,
    volumeGroup: values.volume_group,
    diskGbPerProcessor: values.disk_gb_per_processor,
    imageCacheGb: values.image_cache_gb,
    controlGroup: values.control_group,
    rootPublicKeyPath: values.root_public_key,
    libvirtUri: values.libvirt_uri,
    nfs: values.nfs,
    forwardDev: values.forward_dev,
    fixNetworking: values.fix_networking,
    egressDeny: values.egress_deny,
    egressAllow: values.egress_allow,
    gocdbSitename: values.gocdb_sitename,
    accountingFormat: values.accounting_format,
    accountingPartial: values.accounting_partial,
    accountingInfrastructure: values.accounting_infrastructure,
    vacmonHostports: values.vacmon_hostport,
    metricsListen: values.metrics_listen,
    syslog: values.syslog,
    syslogDays: values.syslog_days,
    syslogMegabytes: values.syslog_mb,
    syslogRelp: values.syslog_relp,
    syslogForward: syslogForwarding(read),
    trailDays: values.trail_days,
    flowLog: values.flow_log,
    flowLogDays: values.flow_log_days,
    flowLogMb: values.flow_log_mb,
    joboutputsArchiveUrl: values.joboutputs_archive_url,
    joboutputsArchiveAuthFile: values.joboutputs_archive_auth_file,
    machinefeaturesOptions: values.machinefeatures_option_XXX,
    userDataOptions: values.user_data_option_XXX,
    userDataFiles: values.user_data_file_XXX,
  };
  return { settings, errors, warnings };
}
