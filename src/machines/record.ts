/** The recipe of a machine: what of its machinetype and slot is fixed when it is made. */

import { randomUUID } from 'node:crypto';
import type { MachinetypeConfig, Settings } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { machineId, slotHostname, slotIp, slotMac } from './layout.js';

export interface StartOrder {
  readonly slot: number;
  readonly processors: number;
  readonly shutdownTimeSeconds: number;
  readonly nowSeconds: number;
}

/** The recipe of a new machine, fixed from here on. */
export function newRecord(
  factory: string,
  type: MachinetypeConfig,
  settings: Settings,
  order: StartOrder,
  uuid: string = randomUUID(),
): MachineRecord {
  const hostname = slotHostname(factory, order.slot);
  return {
    id: machineId(order.nowSeconds, type.name, hostname),
    uuid,
    slot: order.slot,
    hostname,
    ip: slotIp(order.slot),
    mac: slotMac(order.slot),
    machinetype: type.name,
    machineModel: type.machineModel,
    processors: order.processors,
    memoryMiB: type.mibPerProcessor * order.processors,
    hs06: (settings.hs06PerProcessor ?? 1) * order.processors,
    hs06PerProcessor: settings.hs06PerProcessor,
    createdTimeSeconds: order.nowSeconds,
    firstShutdownTimeSeconds: order.shutdownTimeSeconds,
    graceSeconds: settings.graceSeconds,
    maxWallclockSeconds: type.maxWallclockSeconds,
    fizzleSeconds: type.fizzleSeconds,
    heartbeatFile: type.heartbeatFile,
    heartbeatSeconds: type.heartbeatSeconds,
    machinesDirDays: type.machinesDirDays,
    accountingFqan: type.accountingFqan,
    joboutputsMib: type.joboutputsMib,
    joboutputsFiles: type.joboutputsFiles,
    ...(settings.accountingFormat === 'apel-v0.3' ? {} : { accountingFormat: settings.accountingFormat }),
    ...(settings.hepscore23PerProcessor === null ? {} : { hepscore23PerProcessor: settings.hepscore23PerProcessor }),
    ...(type.mjfForm === null ? {} : { mjfForm: type.mjfForm }),
    ...(type.egressDeny.length === 0 ? {} : { egressDeny: type.egressDeny.join(' ') }),
    ...(type.egressAllow.length === 0 ? {} : { egressAllow: type.egressAllow.join(' ') }),
  };
}
