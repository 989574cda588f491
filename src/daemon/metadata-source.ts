/** The metadata service's narrow view of the factory: whose address is this, and what may that machine know and write. */

import { joboutputsLimits } from '../factory/joboutputs-limits.js';
import type { NfsServer } from '../host/nfs.js';
import { machineFacts } from '../machines/context/facts.js';
import { exportsOf } from '../machines/create.js';
import type { StateLayout } from '../machines/layout.js';
import type { HostMachine } from '../metadata/machine-files.js';
import type { Memory } from './memory.js';

export interface MetadataSourceParts {
  readonly memory: Memory;
  readonly nfs: NfsServer;
  readonly layout: StateLayout;
  readonly rootPublicKey: () => string | null;
}

/** @returns whose address it is now; null: no machine's */
export function machineByIp(parts: MetadataSourceParts): (ip: string) => HostMachine | null {
  const { memory, nfs, layout, rootPublicKey } = parts;
  return (ip) => {
    const record = memory.holderOfIp(ip)?.entry.record;
    if (record === undefined) return null;
    const mounts = nfs.name === 'none' ? null : nfs.addressOf(exportsOf(layout, record));
    return {
      ...machineFacts(record, { factory: memory.factory, rootPublicKey: rootPublicKey(), mounts }),
      id: record.id,
      directory: layout.machine(record.id),
      limits: joboutputsLimits(record),
    };
  };
}
