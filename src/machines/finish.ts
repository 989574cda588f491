/**
 * What is owed to a machine that has ended, step by step: its accounting first, then everything that it held. Every
 * step may be repeated, so a vacd that died in the middle begins again with the first.
 */

import { apelRecord, isAccountable, recordFileName } from '../accounting/record.js';
import { spoolRecord } from '../accounting/spool.js';
import type { Settings } from '../config/types.js';
import type { MachineEnd, MachineRecord } from '../factory/types.js';
import { removeDisks } from '../host/disks.js';
import { removeIsos } from '../host/iso.js';
import { contextDiskPaths } from './context/index.js';
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
  { name: 'slot-freed', run: ({ tools, record }) => tools.journal.freeSlot(record) },
  { name: 'cleared', run: ({ tools, record }) => tools.journal.cleared(record) },
];

async function account({ tools, settings, record, startedTimeSeconds, end, listen }: Clearing): Promise<void> {
  if (startedTimeSeconds === null || !isAccountable(record, startedTimeSeconds, end)) return;
  const text = apelRecord(record, startedTimeSeconds, end, {
    gocdbSitename: settings.gocdbSitename,
    space: settings.vacSpace,
    factory: tools.factory,
  });
  // Without a registered site name or a benchmark the record is of no use to the receiver (SPEC 2, 10).
  const outgoing = settings.gocdbSitename !== null && record.hs06PerProcessor !== null;
  await spoolRecord(
    tools.layout,
    tools.layout.machine(record.id),
    text,
    recordFileName(end.timeSeconds, record.uuid),
    { outgoing },
    (name) => listen(record.id, name, 'begin', 0),
  );
}
