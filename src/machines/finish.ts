/**
 * What is owed to a machine that has ended, step by step: its accounting first, then everything that it held. Every
 * step may be repeated, so a vacd that died in the middle begins again with the first.
 */

import { accountEnd, accountMonths } from '../accounting/account.js';
import type { AccountingSite } from '../accounting/formats.js';
import { pointsOf } from '../accounting/use.js';
import { readUse } from '../accounting/use-file.js';
import type { Settings } from '../config/types.js';
import type { MachineEnd, MachineRecord } from '../factory/types.js';
import { removeDisks } from '../host/disks.js';
import { removeIsos } from '../host/iso.js';
import { contextDiskPaths } from './context/index.js';
import type { JournalEntry } from './journal.js';
import { diskPaths } from './layout.js';
import type { MachineTools, Step, StepListener } from './tools.js';

export interface Clearing {
  readonly tools: MachineTools;
  readonly settings: Settings;
  readonly record: MachineRecord;
  readonly startedTimeSeconds: number | null;
  readonly end: MachineEnd;
  /** Told of the steps within the accounting step too. */
  readonly listen: StepListener;
}

export const CLEAR_STEPS: readonly Step<Clearing>[] = [
  { name: 'accounting', run: account },
  {
    name: 'last-end',
    async run({ tools, record, end, startedTimeSeconds }) {
      if (startedTimeSeconds === null) return;
      await tools.journal.keepLastEnd(record, end, Math.floor(Date.now() / 1000));
    },
  },
  { name: 'exports-removed', run: ({ tools, record }) => tools.nfs.remove(record.id) },
  { name: 'logs-released', run: ({ tools, record }) => tools.logs.release(record.ip, record.id) },
  {
    name: 'disks-removed',
    async run({ tools, record }) {
      await removeDisks(Object.values(diskPaths(tools.layout, record)));
      await removeIsos(contextDiskPaths(tools.layout, record));
      await tools.volumes.removeAllOf(tools.layout.machine(record.id));
      await tools.images.release(record.id);
    },
  },
  // After the exports, so that nobody writes there any more; after the disks, whose space it may need.
  { name: 'directories-kept', run: ({ tools, record }) => tools.directories.keep(record) },
  // Its exports are gone, so what it left stays as it is.
  {
    name: 'trail-signed',
    run: ({ tools, record, startedTimeSeconds, end }) => tools.trail.ended({ record, startedTimeSeconds, end }),
  },
  { name: 'archive-ordered', run: async ({ tools, record }) => tools.outputsArchive?.order(record) },
  { name: 'slot-freed', run: ({ tools, record }) => tools.journal.freeSlot(record) },
  { name: 'cleared', run: ({ tools, record }) => tools.journal.cleared(record) },
];

async function account({ tools, settings, record, startedTimeSeconds, end, listen }: Clearing): Promise<void> {
  if (startedTimeSeconds === null) return;
  const use = await readUse(tools.layout.machine(record.id));
  await accountEnd(
    {
      layout: tools.layout,
      record,
      site: accountingSite(tools.factory, settings),
      life: { startedTimeSeconds, points: pointsOf(use) },
      onStep: (name) => listen(record.id, name, 'begin', 0),
    },
    end,
    { byMonth: settings.accountingPartial, nowSeconds: Math.floor(Date.now() / 1000) },
  );
}

/**
 * Accounts for a machine that runs on until the end of a month (Unix seconds, UTC). May be repeated.
 *
 * @returns until when it is accounted now
 */
export async function accountMonth(
  { record, startedTimeSeconds, use }: JournalEntry,
  untilSeconds: number,
  tools: MachineTools,
  listen: StepListener,
): Promise<number | null> {
  if (startedTimeSeconds === null) throw new Error(`a month of ${record.id}, which has not started`);
  return await accountMonths(
    {
      layout: tools.layout,
      record,
      site: accountingSite(tools.factory, tools.settings()),
      life: { startedTimeSeconds, points: pointsOf(use ?? null) },
      onStep: (name) => listen(record.id, name, 'begin', 0),
    },
    untilSeconds,
  );
}

/** Whose usage the records of this factory's machines are. */
export function accountingSite(factory: string, settings: Settings): AccountingSite {
  return {
    gocdbSitename: settings.gocdbSitename,
    space: settings.vacSpace,
    factory,
    infrastructure: settings.accountingInfrastructure,
  };
}
