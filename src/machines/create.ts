/**
 * Creation of a machine, step by step. Each step may be the last thing a dying vacd does: the directory then tells
 * the next one how far it came, and what was not finished is undone (factory/lifecycle.ts, `recoverStart`).
 */

import { availableParallelism } from 'node:os';
import type { MachinetypeConfig, Settings } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { weighableResources } from '../host/cgroup.js';
import { readTextIfThere } from '../host/files.js';
import type { VolumeGroup } from '../host/lvm.js';
import type { MachineExports } from '../host/nfs.js';
import type { MjfPlaces } from './context/facts.js';
import { contextDomainDisks, contextSmbios, contextWays } from './context/index.js';
import { makeContext, makeUserData } from './contextualize.js';
import { domainXml } from './domain-xml.js';
import { machineFeatures, writeFeatures } from './features.js';
import { lowestWeights } from './gentle.js';
import { diskPaths, type StateLayout } from './layout.js';
import { MODELS } from './models/index.js';
import type { MachineModel, ModelContext } from './models/model.js';
import { MachineProxy } from './proxy.js';
import { sharedImage, withSharedImage } from './shared-image.js';
import type { MachineTools, Step } from './tools.js';
import { domainWeights } from './weights.js';

/** Decimal units, as disk_gb_per_processor counts (SPEC 2). */
const GB = 1_000_000_000;
/** Where no volume group gives a size (SPEC 2, disk_gb_per_processor). */
const DEFAULT_DISK_GB_PER_PROCESSOR = 40;
/** Of a volume group; the rest is for rounding up to its extents, and for what qcow2 adds. */
const USED_PART_OF_GROUP = 0.99;

export interface Creation extends ModelContext {
  readonly tools: MachineTools;
  readonly settings: Settings;
  readonly model: MachineModel;
  readonly proxy: MachineProxy;
}

export function newCreation(
  tools: MachineTools,
  type: MachinetypeConfig,
  settings: Settings,
  record: MachineRecord,
  volumeGroup: VolumeGroup | null = null,
): Creation {
  const model = MODELS.get(record.machineModel);
  if (model === undefined) throw new Error(`machine_model ${record.machineModel} was decided for but is not known`);
  const gbPerProcessor =
    type.diskGbPerProcessor ??
    settings.diskGbPerProcessor ??
    (volumeGroup === null ? DEFAULT_DISK_GB_PER_PROCESSOR : partOfGroup(volumeGroup, settings));
  return {
    tools,
    layout: tools.layout,
    settings,
    type,
    record,
    model,
    volumeGroup,
    volumes: tools.volumes,
    proxy: new MachineProxy(tools.layout, type, record),
    scratchBytes: Math.round(gbPerProcessor * GB) * record.processors,
    swapBytes: type.swapMibPerProcessor * 2 ** 20 * record.processors,
  };
}

/** As the predecessor did: the group is divided among the host's processors. In tenths of a GB. */
function partOfGroup({ sizeBytes }: VolumeGroup, settings: Settings): number {
  const processors = settings.totalProcessors ?? availableParallelism();
  return Math.floor((10 * USED_PART_OF_GROUP * sizeBytes) / GB / processors) / 10;
}

export const CREATE_STEPS: readonly Step<Creation>[] = [
  { name: 'intent', run: ({ tools, record }) => tools.journal.open(record) },
  { name: 'slot', run: ({ tools, record }) => tools.journal.takeSlot(record) },
  // Early, for its key is made beside the steps up to user-data.
  { name: 'proxy', run: ({ proxy }) => proxy.begin() },
  {
    name: 'image',
    run: ({ tools, layout, type, record }) =>
      tools.images.take(type, layout.machinetypeFiles(type.directoryName), record.id),
  },
  {
    name: 'disks',
    run: (creation) => creation.model.makeDisks(creation, imagePathOf(creation)),
  },
  { name: 'directories', run: ({ tools, record }) => tools.directories.make(record) },
  { name: 'features', run: makeFeatures },
  { name: 'user-data', run: makeUserData },
  { name: 'context', run: (creation) => makeContext(creation, mountsOf(creation)) },
  { name: 'logs', run: ({ tools, record }) => tools.logs.assign(record) },
  { name: 'exports', run: (creation) => creation.tools.nfs.add(exportsOf(creation.layout, creation.record)) },
  {
    name: 'domain-xml',
    async run({ tools, record, ...creation }) {
      const { domainType, emulatorUid } = await tools.hypervisorFacts();
      const imagePath = imagePathOf({ ...creation, tools, record });
      const image = await sharedImage(imagePath, emulatorUid);
      const disks = creation.model
        .disks({ ...creation, record }, imagePath)
        .map((disk) => withSharedImage(disk, image));
      const ways = contextWays(creation.type);
      const gentle = tools.gentleness?.() ?? null;
      const weights = gentle === null ? creation.settings : lowestWeights(creation.settings);
      const xml = domainXml(record, {
        domainType,
        machineType: creation.type.machineType,
        firmware: creation.type.firmware,
        diskBus: creation.type.diskBus,
        cpuMode: creation.type.cpuMode,
        networkName: tools.networkName,
        nvramPath: diskPaths(tools.layout, record).nvram,
        consolePath: tools.layout.inMachine(record.id, 'console.log'),
        disks: [...disks, ...contextDomainDisks(tools.layout, record, creation.type, ways, disks)],
        smbios: contextSmbios(ways),
        weights: domainWeights(await weighableResources(), weights, record.processors),
        gentle,
        space: creation.settings.vacSpace,
        factory: tools.factory,
      });
      await tools.journal.writeDomain(record, xml);
    },
  },
  // The last thing before it may run: nothing ever sent a packet that is not in the trail.
  { name: 'trail', run: noteInTrail },
  { name: 'containment', run: ({ tools }) => tools.contain() },
  {
    name: 'libvirt',
    async run({ tools, record, layout }) {
      const xml = await readTextIfThere(layout.inMachine(record.id, 'domain.xml'));
      const suspension = tools.heldFromStart?.(record) ?? null;
      if (suspension !== null) await tools.journal.suspended(record, suspension);
      await tools.hypervisor.createDomain(xml ?? '', { paused: suspension !== null });
    },
  },
  { name: 'started', run: ({ tools, record }) => tools.journal.started(record, Math.floor(Date.now() / 1000)) },
];

function imagePathOf({ tools, layout, type, record }: Pick<Creation, 'tools' | 'layout' | 'type' | 'record'>): string {
  return tools.images.pathFor(type, layout.machinetypeFiles(type.directoryName), record.id);
}

/** Where a machine mounts what it is given by NFS; null where there is no NFS. */
function mountsOf({ tools, layout, record }: Creation): MjfPlaces | null {
  return tools.nfs.name === 'none' ? null : tools.nfs.addressOf(exportsOf(layout, record));
}

/** What a machine is given by NFS. */
export function exportsOf(layout: StateLayout, record: MachineRecord): MachineExports {
  return {
    machineId: record.id,
    uuid: record.uuid,
    hostname: record.hostname,
    machinetype: record.machinetype,
    clientIp: record.ip,
    directory: layout.machine(record.id),
  };
}

async function noteInTrail({ tools, layout, type, record, settings, proxy }: Creation): Promise<void> {
  const image = await tools.images.traits(type, layout.machinetypeFiles(type.directoryName), record.id);
  const certificates = proxy.certificates();
  await tools.trail.created({ factory: tools.factory, settings, type, record, image, certificates });
}

async function makeFeatures({ tools, layout, record, settings, scratchBytes, swapBytes }: Creation): Promise<void> {
  await writeFeatures(
    layout.machine(record.id),
    machineFeatures(record, {
      shutdownTimeSeconds: record.firstShutdownTimeSeconds,
      nowSeconds: Math.floor(Date.now() / 1000),
      space: settings.vacSpace,
      factory: tools.factory,
      scratchBytes,
      swapBytes,
      syslog: settings.syslog,
      machinefeaturesOptions: settings.machinefeaturesOptions,
    }),
  );
}
