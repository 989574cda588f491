import type { MachineRecord } from '../../src/factory/types.js';

/** A machine's record for tests that only care about some of its fields. */
export function testRecord(changes: Partial<MachineRecord> = {}): MachineRecord {
  return {
    id: '1700000000_prod_factory1-03.example.com',
    uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
    slot: 3,
    hostname: 'factory1-03.example.com',
    ip: '169.254.169.3',
    mac: '56:4D:A9:FE:A9:03',
    machinetype: 'prod',
    machineModel: 'vm-raw',
    processors: 4,
    memoryMiB: 8192,
    hs06: 41.2,
    hs06PerProcessor: 10.3,
    createdTimeSeconds: 1_700_000_000,
    firstShutdownTimeSeconds: 1_700_086_400,
    graceSeconds: 600,
    maxWallclockSeconds: 86_400,
    fizzleSeconds: 600,
    heartbeatFile: null,
    heartbeatSeconds: 0,
    machinesDirDays: 3,
    accountingFqan: '/lhcb/Role=NULL/Capability=NULL',
    ...changes,
  };
}
