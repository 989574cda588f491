/** The trail of a daemon's machines, and the log of their connections, composed from their parts. */

import { join } from 'node:path';
import type { Settings } from '../config/types.js';
import { FlowLog } from '../host/flow-log.js';
import { FlowLogFiles } from '../host/flow-log-files.js';
import { FileDigests } from '../host/images/file-digests.js';
import type { StateLayout } from '../machines/layout.js';
import { TrailStore } from '../trail/store.js';
import { Trail } from '../trail/trail.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { OutputsArchive } from './outputs-archive.js';

export function machineTrail(memory: Memory, layout: StateLayout, log: Logger): Trail {
  return new Trail({
    layout,
    store: new TrailStore(layout.trail(), { info: (line) => log.info(line), error: (line) => log.error(line) }),
    digests: new FileDigests(join(layout.root, 'image-digests.json'), (line) => log.warn(line)),
    days: () => memory.config.settings.trailDays,
    pipeUrl: (prefix) => memory.config.vacuumPipes.find((pipe) => pipe.prefix === prefix)?.url ?? null,
    warn: (line) => log.warn(line),
  });
}

/** Null: flow_log is none. */
export function connectionLog(settings: Settings, layout: StateLayout, log: Logger): FlowLog | null {
  const { flowLog, flowLogDays, flowLogMb } = settings;
  if (flowLog === 'none') return null;
  const files = new FlowLogFiles(join(layout.root, 'flows'), { days: flowLogDays, bytes: flowLogMb * 1e6 });
  return new FlowLog({ files, ends: flowLog === 'all', log });
}

export function archiveOfOutputs(memory: Memory, layout: StateLayout, trail: Trail, log: Logger): OutputsArchive {
  return new OutputsArchive({
    layout,
    trail,
    log,
    space: () => memory.config.settings.vacSpace,
    factory: memory.factory,
    // Of a type that is gone from the configuration the general URL counts.
    urlOf: (machinetype) => {
      const type = memory.config.machinetypes.find(({ name }) => name === machinetype);
      return (type ?? memory.config.settings).joboutputsArchiveUrl;
    },
    authFile: () => memory.config.settings.joboutputsArchiveAuthFile,
  });
}
