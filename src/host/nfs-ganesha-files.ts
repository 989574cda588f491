/**
 * What nfs-ganesha reads: its own configuration, that of its private message bus, and one file of EXPORT blocks for
 * each machine. All text here is made by pure functions. Options: ganesha-core-config(8), ganesha-export-config(8).
 */

import {
  EXPORTED_DIRECTORIES,
  exportedDirectories,
  type MachineExports,
  MOUNT_PORT,
  NFS_PORT,
  type NfsOptions,
} from './nfs-exports.js';

export interface GaneshaPaths {
  readonly directory: string;
  readonly config: string;
  /** Nothing but export files may be here: ganesha reads whatever it finds, hidden files too. */
  readonly exports: string;
  readonly recovery: string;
  readonly busConfig: string;
  readonly busSocket: string;
}

export function ganeshaPaths(stateDir: string): GaneshaPaths {
  const directory = `${stateDir}/nfs`;
  return {
    directory,
    config: `${directory}/ganesha.conf`,
    exports: `${directory}/exports`,
    recovery: `${directory}/recovery`,
    busConfig: `${directory}/bus.conf`,
    busSocket: `${directory}/bus`,
  };
}

export function renderGaneshaConfig(paths: GaneshaPaths, address: string, withVersion3: boolean): string {
  return `# Written by vacd; changes are lost.
NFS_CORE_PARAM {
  Protocols = ${withVersion3 ? '3,4' : '4'};
  # One path serves both versions, and lets one directory have two paths.
  mount_path_pseudo = true;
  Bind_addr = ${address};
  NFS_Port = ${NFS_PORT};
  MNT_Port = ${MOUNT_PORT};
  # Small clients ask mountd by UDP.
  Enable_UDP = ${withVersion3 ? 'Mount' : 'false'};
  Enable_NLM = false;
  Enable_RQUOTA = false;
  # No signal on the bus each second.
  heartbeat_freq = 0;
}
NFSv4 {
  # Machines share no files, so nobody waits for locks to be reclaimed after a restart.
  Graceless = true;
  RecoveryBackend = fs;
  RecoveryRoot = "${paths.recovery}";
}
NFS_KRB5 {
  Active_krb5 = false;
}
%dir "${paths.exports}"
`;
}

/** A message bus for root alone: neither the host's bus nor another ganesha's name on it is touched. */
export function renderBusConfig(paths: GaneshaPaths): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=${paths.busSocket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <deny user="*"/>
    <allow user="root"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
`;
}

/** A machine's exports, and the first of the consecutive Export_Ids that they have for as long as they exist. */
export interface ExportFile {
  readonly firstExportId: number;
  readonly exports: MachineExports;
}

/** One EXPORT block: a directory under one of its paths. */
export interface ExportBlock {
  readonly exportId: number;
  readonly path: string;
  readonly pseudo: string;
  readonly writable: boolean;
}

/** Each directory has two paths: its real one, and that of the 2015 images (SPEC 5), where outputs had another name. */
export const EXPORT_IDS_PER_MACHINE = 2 * EXPORTED_DIRECTORIES.length;

export function exportBlocks({ firstExportId, exports }: ExportFile): ExportBlock[] {
  const { directory, hostname, machinetype, uuid } = exports;
  const shared = `/var/lib/vac/machines/${hostname}/${machinetype}/${uuid}/shared`;
  return exportedDirectories(exports).flatMap(({ name, path, writable }, index) => {
    const exportId = firstExportId + 2 * index;
    const oldName = name === 'joboutputs' ? 'machineoutputs' : name;
    return [
      { exportId, path, pseudo: `${directory}/${name}`, writable },
      { exportId: exportId + 1, path, pseudo: `${shared}/${oldName}`, writable },
    ];
  });
}

/** What all blocks of a file have in common, so that one message to ganesha adds them all. */
export const ALL_BLOCKS = 'EXPORT(Access_Type=None)';

const HEADER = '# vacd ';

export function renderExportFile(file: ExportFile, guestOwner: NfsOptions['guestOwner']): string {
  const blocks = exportBlocks(file).map(
    ({ exportId, path, pseudo, writable }) => `EXPORT {
  Export_Id = ${exportId};
  # A guest's kernel takes equal ids for one file system, and would mix read-only and read-write mounts.
  Filesystem_Id = ${VAC_FILESYSTEM_MAJOR}.${exportId};
  Path = "${path}";
  Pseudo = "${pseudo}";
  Access_Type = None;
  Squash = all_squash;
  SecType = sys;
  # vacd changes these files itself: a guest must see that soon.
  Attr_Expiration_Time = 0;
  FSAL { Name = VFS; }
  CLIENT {
    Clients = ${file.exports.clientIp};
    Access_Type = ${writable ? 'RW' : 'RO'};
    Squash = all_squash;
    Anonymous_Uid = ${guestOwner.uid};
    Anonymous_Gid = ${guestOwner.gid};
  }
}
`,
  );
  return `${HEADER}${JSON.stringify(file)}\n${blocks.join('')}`;
}

/** Any number that the pseudo file system (152) does not use. */
const VAC_FILESYSTEM_MAJOR = 5641;

/** Reads back what {@link renderExportFile} wrote; null for anything else, such as a file that a power cut left torn. */
export function parseExportFile(text: string): ExportFile | null {
  const [header] = text.split('\n', 1);
  if (!header?.startsWith(HEADER)) return null;
  try {
    const { firstExportId, exports } = JSON.parse(header.slice(HEADER.length)) as Partial<ExportFile>;
    const fields = ['machineId', 'uuid', 'hostname', 'machinetype', 'clientIp', 'directory'] as const;
    if (!Number.isInteger(firstExportId) || !fields.every((field) => typeof exports?.[field] === 'string')) return null;
    return { firstExportId: firstExportId!, exports: exports! };
  } catch {
    return null;
  }
}

/** Export_Ids are 16 bits; 0 is the root of the pseudo file system. */
const MAX_EXPORT_ID = 0xffff;

/**
 * The first of enough consecutive free Export_Ids, searched from `after` on and around, so that an id rests as long as
 * possible before it is used again: a guest may still hold file handles that name it. Null when all are taken.
 */
export function allotExportIds(used: ReadonlySet<number>, after: number): number | null {
  const places = Math.floor(MAX_EXPORT_ID / EXPORT_IDS_PER_MACHINE);
  const from = Math.ceil(after / EXPORT_IDS_PER_MACHINE);
  for (let step = 0; step < places; step++) {
    const first = ((from + step) % places) * EXPORT_IDS_PER_MACHINE + 1;
    const ids = Array.from({ length: EXPORT_IDS_PER_MACHINE }, (_, index) => first + index);
    if (!ids.some((id) => used.has(id))) return first;
  }
  return null;
}

/** An export as ganesha tells of it. */
export interface ShownExport {
  readonly exportId: number;
  readonly pseudo: string;
}

/** Reads dbus-send's print of the answer to ShowExports, without the root of the pseudo file system. */
export function parseShowExports(text: string): ShownExport[] {
  return [...text.matchAll(/uint16 (\d+)\s+string "([^"]*)"/g)]
    .map((match) => ({ exportId: Number(match[1]), pseudo: match[2]! }))
    .filter(({ exportId }) => exportId !== 0);
}
