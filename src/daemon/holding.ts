/** What quarantine does to a machine: halting it, cutting its network, keeping its memory, letting it go on. */

import { chmod, mkdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isVacError } from '../errors.js';
import { MIN_STATE_FREE_BYTES } from '../factory/limits.js';
import { quarantineFiles, quarantineSuspension } from '../factory/quarantine.js';
import { hashFileAt } from '../host/file-hash.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';
import type { PerformerParts } from './perform.js';

const MIB = 2 ** 20;
/** A dump has more than the memory: the video card's, and headers. */
const MORE_THAN_MEMORY = 1.05;

export function isHeldMachine(memory: Memory, id: string): boolean {
  return memory.quarantines.get(id)?.release === null;
}

export async function holdMachine(machine: MachineMemory, parts: PerformerParts): Promise<void> {
  const { memory, tools, log } = parts;
  const { record, suspension } = machine.entry;
  const order = memory.quarantines.get(record.id);
  if (order === undefined) return;
  const mark = quarantineSuspension(order);
  if (suspension !== null && suspension.by !== 'quarantine') {
    const pastSuspensions = await tools.journal.resumed(record, suspension, nowSeconds());
    memory.update(machine, { pastSuspensions });
  }
  memory.update(machine, { suspension: mark });
  // The order is written already: should this fail, only how long it was halted is not accounted.
  await tools.journal.suspended(record, mark).catch((error: Error) => {
    log.error(`${record.hostname}: that it is halted could not be written down: ${error.message}`);
  });
  await tools.hypervisor.suspendDomain(record.uuid);
  log.warn({ machine: record.id }, `${record.hostname}: halted for quarantine`);
  await cutOrRestore(parts);
  await parts.relist();
}

/** Level-triggered like the rest: where this fails, the service finds it in its next look, and says so. */
async function cutOrRestore({ services, log }: PerformerParts): Promise<void> {
  await services.firewall.ensure().catch((error: Error) => {
    log.error(`the network of machines in quarantine is not as it should be yet: ${error.message}`);
  });
}

/** Its memory as an ELF file, with its digest. What cannot be kept is told, and not tried again. */
export async function keepMemory(machine: MachineMemory, parts: PerformerParts): Promise<void> {
  const { memory, tools, log } = parts;
  const { record } = machine.entry;
  const order = memory.quarantines.get(record.id);
  if (order === undefined) return;
  const path = join(tools.layout.quarantine(record.id), quarantineFiles(order).memory);
  const words = await dump(parts, record.uuid, record.memoryMiB * MIB, path).catch((error: Error) => {
    if (isVacError(error, 'hypervisor-unreachable')) throw error;
    return `its memory could NOT be kept: ${error.message}`;
  });
  log.warn({ machine: record.id }, `${record.hostname}: ${words}`);
  await parts.onMemoryKept?.(record.id, words);
}

async function dump(parts: PerformerParts, uuid: string, bytes: number, path: string): Promise<string> {
  const directory = join(path, '..');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const part = `${path}.part`;
  await rm(part, { force: true });
  const disk = await statfs(directory);
  const free = disk.bavail * disk.bsize - MIN_STATE_FREE_BYTES;
  const needed = Math.ceil(bytes * MORE_THAN_MEMORY);
  if (free < needed) {
    const gb = (size: number) => (Math.max(0, size) / 1e9).toFixed(1);
    return `its memory could NOT be kept: ${gb(needed)} GB are needed in ${directory}, and ${gb(free)} GB are free there; it stays halted with its memory in QEMU: make room, then vac quarantine it again`;
  }
  try {
    await parts.tools.hypervisor.dumpMemory(uuid, part);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  await chmod(part, 0o600);
  const kept = await hashFileAt(part);
  await rename(part, path);
  return `its memory is kept in ${path} (${kept!.bytes} bytes, sha256 ${kept!.sha256})`;
}

export async function releaseMachine(machine: MachineMemory, parts: PerformerParts): Promise<void> {
  const { memory, tools, log } = parts;
  const { record, suspension } = machine.entry;
  // Its network comes first: it goes on as if nothing had been.
  memory.update(machine, { suspension: null });
  await cutOrRestore(parts);
  try {
    if (machine.domain?.state === 'paused') await tools.hypervisor.resumeDomain(record.uuid);
    if (suspension !== null) {
      const pastSuspensions = await tools.journal.resumed(record, suspension, nowSeconds());
      memory.update(machine, { pastSuspensions });
    }
  } catch (error) {
    memory.update(machine, { suspension });
    throw error;
  }
  log.info({ machine: record.id }, `${record.hostname}: goes on after its quarantine`);
  await parts.relist();
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
