/** The metadata server's narrow view of the factory: whose address is this, and what may that machine know. */

import type { NfsServer } from '../host/nfs.js';
import { exportsOf } from '../machines/create.js';
import { GATEWAY_IP, type StateLayout } from '../machines/layout.js';
import type { MetadataSource } from '../metadata/handler.js';
import type { Memory } from './memory.js';

export interface MetadataSourceParts {
  readonly memory: Memory;
  readonly nfs: NfsServer;
  readonly layout: StateLayout;
  readonly rootPublicKey: () => string | null;
}

export function metadataSource({ memory, nfs, layout, rootPublicKey }: MetadataSourceParts): MetadataSource {
  return {
    machineByIp(ip) {
      const record = memory.holderOfIp(ip)?.entry.record;
      if (record === undefined) return null;
      const mounts = nfs.name === 'none' ? null : nfs.addressOf(exportsOf(layout, record));
      return {
        id: record.id,
        uuid: record.uuid,
        hostname: record.hostname,
        ip: record.ip,
        factory: memory.factory,
        machinetype: record.machinetype,
        directory: layout.machine(record.id),
        rootPublicKey: rootPublicKey(),
        meta: {
          machinefeatures: `http://${GATEWAY_IP}/machinefeatures`,
          jobfeatures: `http://${GATEWAY_IP}/jobfeatures`,
          joboutputs: `http://${GATEWAY_IP}/joboutputs`,
          machinetype: record.machinetype,
          // Beyond SPEC 5: where the same three can be mounted.
          ...(mounts === null
            ? {}
            : {
                machinefeatures_nfs: mounts.machinefeatures,
                jobfeatures_nfs: mounts.jobfeatures,
                joboutputs_nfs: mounts.joboutputs,
              }),
        },
      };
    },
  };
}
