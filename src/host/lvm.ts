/**
 * Logical volumes for machines' disks, by the tools of lvm2. A volume is known as a machine's by its tag, for people
 * who look at the group (`lvs -S lv_tags=vac_machine`).
 */

import { VacError } from '../errors.js';
import { CommandError, run } from './exec.js';

/** The predecessor's name for a group that is used without being configured (SPEC 2, volume_group). */
export const USUAL_VOLUME_GROUP = 'vac_volume_group';
/** On every volume that we make. */
const TAG = 'vac_machine';
const TIMEOUT_SECONDS = 60;

/** Of a group that is configured and cannot be found, in words that follow its option. */
export const NO_SUCH_GROUP =
  'this host has no such LVM volume group or thin pool (see vgs and lvs, of lvm2); correct the name, or leave the option out';

export interface VolumeGroup {
  /** `group`, or `group/pool` where volumes are made thin. */
  readonly name: string;
  /** Of the group, or of the thin pool. */
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

export interface Volume {
  readonly group: string;
  readonly name: string;
}

export interface LvmOptions {
  /** For hosts without device mapper, as in tests: volumes exist in the group's metadata alone. Default true. */
  readonly activate?: boolean;
}

export class Lvm {
  readonly #inactive: readonly string[];

  constructor({ activate = true }: LvmOptions = {}) {
    this.#inactive = activate ? [] : ['--driverloaded', 'n'];
  }

  /**
   * A volume group, or a thin pool of it, by name.
   *
   * @returns null when the host has none of this name, or no lvm2
   */
  async find(name: string): Promise<VolumeGroup | null> {
    const [group, pool] = name.split('/');
    const asked =
      pool === undefined
        ? { command: 'vgs', fields: 'vg_size,vg_free', of: group! }
        : { command: 'lvs', fields: 'lv_size,data_percent,lv_layout', of: name };
    const args = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '-o', asked.fields, asked.of];
    const result = await this.#run(asked.command, args, [0, 5]).catch((error: unknown) => {
      if (error instanceof CommandError && error.code === 'command-missing') return null;
      throw error;
    });
    if (result === null || result.exitCode !== 0) return null;
    const row = firstRow(result.stdout);
    if (pool === undefined) return { name, sizeBytes: Number(row.vg_size), freeBytes: Number(row.vg_free) };
    if (!row.lv_layout?.includes('pool')) return null;
    const sizeBytes = Number(row.lv_size);
    return { name, sizeBytes, freeBytes: Math.floor(sizeBytes * (1 - Number(row.data_percent || 0) / 100)) };
  }

  /** A volume of at least so many bytes. @throws VacError `volume-group-full`, `command-…` */
  async create(group: VolumeGroup, name: string, bytes: number): Promise<Volume> {
    const [groupName, pool] = group.name.split('/') as [string, string | undefined];
    const size =
      pool === undefined
        ? ['-L', `${bytes}b`, '-Wn', '-Zn']
        : // A thin pool gives zeros for what was never written.
          ['-V', `${bytes}b`, '--thinpool', pool];
    const active = this.#inactive.length > 0 ? ['-an'] : [];
    try {
      await this.#run('lvcreate', ['-y', '-n', name, '--addtag', TAG, ...active, ...size, groupName]);
    } catch (cause) {
      if (!/insufficient free space/.test((cause as Error).message)) throw cause;
      throw new VacError(
        'volume-group-full',
        `volume group ${groupName} has no room for ${gigabytes(bytes)} GB (${gigabytes(group.freeBytes)} GB are free); lower disk_gb_per_processor or total_processors, or enlarge the group`,
        { cause },
      );
    }
    return { group: groupName, name };
  }

  /** What is not there any more is as good as removed. */
  async remove({ group, name }: Volume): Promise<void> {
    const { exitCode, stderr } = await this.#run('lvremove', ['-f', `${group}/${name}`], [0, 5]);
    if (exitCode === 0 || /Failed to find logical volume|not found/.test(stderr)) return;
    throw new VacError('command-failed', `volume ${group}/${name} cannot be removed: ${stderr.trim()}`);
  }

  #run(command: string, args: readonly string[], allowExitCodes: readonly number[] = [0]) {
    return run(command, [...(command === 'vgs' ? [] : this.#inactive), ...args], {
      timeoutSeconds: TIMEOUT_SECONDS,
      allowExitCodes,
      // lvm tells of every descriptor that it inherits, on stderr, where its errors are looked for.
      env: { ...process.env, LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1' },
    });
  }
}

/** Where an active volume is. */
export function volumePath({ group, name }: Volume): string {
  return `/dev/${group}/${name}`;
}

type Row = Readonly<Record<string, string>>;

/** lvm's JSON: {"report": [{"vg" or "lv": [{…}, …]}]}. */
function rows(json: string): Row[] {
  const { report } = JSON.parse(json) as { report: Record<string, Row[]>[] };
  return report.flatMap((part) => Object.values(part).flat());
}

function firstRow(json: string): Row {
  return rows(json)[0] ?? {};
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
