/** The child of vacd without root, which vacd starts by itself: src/guard/part.ts tells of it. */

import { runChild } from './guard/child.js';
import type { Task } from './guard/command.js';
import { MetadataChild } from './metadata/child.js';
import { SpaceChild } from './space/child.js';

await runChild(JSON.parse(process.argv.at(-1)!) as Task, [new MetadataChild(), new SpaceChild()]);
