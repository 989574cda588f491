/** The trail of a daemon's machines, composed from its parts. */

import { join } from 'node:path';
import { FileDigests } from '../host/images/file-digests.js';
import type { StateLayout } from '../machines/layout.js';
import { TrailStore } from '../trail/store.js';
import { Trail } from '../trail/trail.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';

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
