/** The configuration as the rest of the program sees it: plain, deeply frozen data with units in the names. */
import type { IpNetwork } from './networks.js';
import type { OvernightConfig } from './overnight-types.js';
import type { Problem } from './problem.js';
import type { HostPort } from './values.js';

export type { OvernightConfig, ReturnStep, WindowDay, WindowRange, WindowSchedule } from './overnight-types.js';
export type { HostPort, IpNetwork };

/** One configuration file. `text` may be its bytes, which are then decoded as UTF-8. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string | Uint8Array;
}

export interface Config {
  readonly settings: Settings;
  /** In the order of the files, then those of vacuum pipes once their documents are there (`withPipes`). */
  readonly machinetypes: readonly MachinetypeConfig[];
  readonly vacuumPipes: readonly VacuumPipeConfig[];
  /** The section [overnight]; null: there is none, and this host belongs to the space by day and night. */
  readonly overnight: OvernightConfig | null;
  /** Paths of the files that were read, in that order. */
  readonly files: readonly string[];
  /** Where each option was set, by `originKey(section, option)`. */
  readonly origins: Readonly<Record<string, Origin>>;
}

export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** Key of `Config.origins`, e.g. `[settings] volume_group`. */
export function originKey(section: string, option: string): string {
  return `[${section}] ${option}`;
}

/** What accounting records look like (accounting/formats.ts). */
export type AccountingFormat = 'apel-v0.3' | 'apel-v0.4' | 'cloud-v0.4';

export interface Settings {
  readonly vacSpace: string;
  /** Lower case, `.` replaced by this host's name, each name once. Empty: the factory works alone. */
  readonly factories: readonly string[];
  readonly description: string | null;
  readonly udpTimeoutSeconds: number;
  /** Who may ask this factory, beside the space's factories and this host. */
  readonly queryNetworks: readonly IpNetwork[];
  /** Path; null: nothing is signed. */
  readonly spaceKeyFile: string | null;
  readonly spaceKeyMode: 'mixed' | 'required';
  /** null: as many as the host has. */
  readonly totalProcessors: number | null;
  readonly mibPerProcessor: number;
  readonly swapMibPerProcessor: number;
  /** What a machine may write into its joboutputs. */
  readonly joboutputsMib: number;
  readonly joboutputsFiles: number;
  readonly hs06PerProcessor: number | null;
  /** For accounting alone. */
  readonly hepscore23PerProcessor: number | null;
  /** 0: target shares are of what runs now, no history is kept. */
  readonly shareHalfLifeHours: number;
  /** 1: superslots are off. */
  readonly processorsPerSuperslot: number;
  readonly overloadPerProcessor: number;
  /** 0: not checked. */
  readonly ioPressurePercent: number;
  /** Of a processor of a machine, in hundredths of what any other virtual machine's has. */
  readonly cpuWeight: number;
  /** null: the host's own. */
  readonly ioWeight: number | null;
  readonly maxStartingMachines: number;
  /** Unix time by which all machines must be gone. */
  readonly shutdownTimeSeconds: number | null;
  readonly graceSeconds: number;
  readonly draining: boolean;
  /** Volume group, or group/pool; null: `vac_volume_group` if it is there. */
  readonly volumeGroup: string | null;
  /** GB of 10^9 bytes; null: 40, or what the volume group gives. */
  readonly diskGbPerProcessor: number | null;
  /** GB of 10^9 bytes; null: no limit. */
  readonly imageCacheGb: number | null;
  /** Whose members may use the control socket, beside root; null: nobody. */
  readonly controlGroup: string | null;
  readonly rootPublicKeyPath: string;
  readonly libvirtUri: string;
  readonly nfs: 'auto' | 'kernel' | 'ganesha' | 'none';
  readonly forwardDev: string | null;
  readonly fixNetworking: boolean;
  /** For machinetypes that say nothing of their own. */
  readonly egressDeny: readonly string[];
  readonly egressAllow: readonly string[];
  readonly gocdbSitename: string | null;
  readonly accountingFormat: AccountingFormat;
  /** Whether machines that run on are accounted at the end of each month. */
  readonly accountingPartial: boolean;
  readonly accountingInfrastructure: 'grid' | 'cloud';
  readonly vacmonHostports: readonly HostPort[];
  /** Where /metrics is served; null: nowhere. */
  readonly metricsListen: HostPort | null;
  readonly syslog: HostPort | null;
  /** 0: for ever. */
  readonly syslogDays: number;
  /** 10^6 bytes. */
  readonly syslogMegabytes: number;
  readonly syslogRelp: 'auto' | 'yes' | 'no';
  readonly syslogForward: SyslogForwarding | null;
  /** 0: for ever. */
  readonly trailDays: number;
  readonly flowLog: 'none' | 'new' | 'all';
  readonly flowLogDays: number;
  /** 10^6 bytes. */
  readonly flowLogMb: number;
  readonly joboutputsArchiveUrl: string | null;
  /** Path. */
  readonly joboutputsArchiveAuthFile: string | null;
  /** File name to content. */
  readonly machinefeaturesOptions: Readonly<Record<string, string>>;
  readonly userDataOptions: Readonly<Record<string, string>>;
  /** Paths, or file names under a machinetype's `files/`. */
  readonly userDataFiles: Readonly<Record<string, string>>;
}

export interface SyslogCollector extends HostPort {
  /** relps: RELP over TLS. */
  readonly protocol: 'tcp' | 'tls' | 'relp' | 'relps';
}

/** How machines' syslog gets to the site's collector. */
export interface SyslogForwarding {
  readonly collector: SyslogCollector;
  /** PEM files; null: the system's CAs, no certificate, the key is in the certificate's file. */
  readonly caPath: string | null;
  readonly certPath: string | null;
  readonly keyPath: string | null;
  /** Name in the collector's certificate; null: the collector's host. */
  readonly peer: string | null;
  /** Waiting lines, in 10^6 bytes. */
  readonly maxMegabytes: number;
}

/** The ways in which a machine may learn who it is (machines/context/). */
export type ContextName = 'metadata' | 'configdrive' | 'nocloud' | 'nocloud-smbios' | 'one';

export interface MachinetypeConfig {
  readonly name: string;
  /** Name of the directory under `machinetypes/` with its `files/`: its own, or the prefix of the pipe that made it. */
  readonly directoryName: string;
  readonly machinegroup: string;
  readonly targetShare: number;
  readonly machineModel: 'vm-raw' | 'cernvm3' | 'cernvm4' | 'cloud' | 'docker' | 'singularity';
  readonly rootImage: string;
  readonly rootDevice: string;
  readonly scratchDevice: string;
  readonly swapDevice: string;
  readonly userData: string | null;
  readonly minProcessors: number;
  readonly maxProcessors: number;
  readonly maxWallclockSeconds: number;
  readonly minWallclockSeconds: number;
  readonly fizzleSeconds: number;
  readonly backoffSeconds: number;
  readonly heartbeatFile: string | null;
  /** 0: the age of the heartbeat file does not matter. */
  readonly heartbeatSeconds: number;
  /** 0: for ever. */
  readonly machinesDirDays: number;
  /** Own, else that of the settings; null: outputs are not sent anywhere. */
  readonly joboutputsArchiveUrl: string | null;
  /** Own, else that of the settings; null as there. */
  readonly diskGbPerProcessor: number | null;
  /** GB of 10^9 bytes; null: the model's own rule. */
  readonly rootDiskGb: number | null;
  readonly mibPerProcessor: number;
  /** Limit on this host; null: none. */
  readonly totalProcessors: number | null;
  /** Where its machines may not, and may, send (machines/egress.ts): their own, else those of the settings. */
  readonly egressDeny: readonly string[];
  readonly egressAllow: readonly string[];
  readonly swapMibPerProcessor: number;
  /** What a machine may write into its joboutputs. */
  readonly joboutputsMib: number;
  readonly joboutputsFiles: number;
  readonly accountingFqan: string | null;
  readonly imageSigningDn: string | null;
  /** Hexadecimal, in small letters. */
  readonly rootImageSha256: string | null;
  readonly userDataProxy: boolean;
  readonly legacyProxy: boolean;
  /** At least one. */
  readonly context: readonly ContextName[];
  /** By what user_data makes the machine send its syslog from its first messages on; null: by nothing. */
  readonly earlySyslog: 'udp' | 'tcp' | 'relp' | null;
  /** null: in each place the customary form. */
  readonly mjfForm: 'paths' | 'urls' | null;
  readonly diskBus: 'auto' | 'virtio' | 'scsi' | 'sata' | 'ide';
  /** null: the host's own, as far as it can be given. */
  readonly cpuMode: string | null;
  readonly machineType: 'pc' | 'q35';
  readonly firmware: 'bios' | 'uefi';
  /** Those of the settings, then its own. */
  readonly userDataOptions: Readonly<Record<string, string>>;
  readonly userDataFiles: Readonly<Record<string, string>>;
  readonly cvmfsRepositories: readonly string[];
  readonly containerCommand: string;
  readonly tmpBinds: readonly string[];
}

/** A vacuum pipe as configured here; fetching and expanding it into machinetypes happens elsewhere. */
export interface VacuumPipeConfig {
  readonly prefix: string;
  readonly url: string;
  /** Split over the pipe's machinetypes in proportion to their own. */
  readonly targetShare: number;
  /** Machinetype options (names of the table, checked values as text) for each machinetype of the pipe. */
  readonly options: Readonly<Record<string, string>>;
  /** By machinetype name: options that local `[machinetype PREFIX-suffix]` sections set, which win over the pipe's. */
  readonly localOptions: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly errors: readonly Problem[]; readonly warnings: readonly Problem[] };

/** Freezes data all the way down, and returns it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
