/** The child of vacd without root, which vacd starts by itself: src/guard/part.ts tells of it. */

import { runChild } from './guard/child.js';
import type { Task } from './guard/command.js';

await runChild(JSON.parse(process.argv.at(-1)!) as Task, {
  http: async () => new (await import('./metadata/child.js')).MetadataChild(),
  metrics: async () => new (await import('./metrics/child.js')).MetricsChild(),
  vacquery: async () => new (await import('./space/child.js')).SpaceChild(),
});
