/** What the core knows of machines that this factory has suspended on purpose (`suspended`: factory/types.ts). */

import type { PastSuspensions } from './types.js';

/** Of a machine that was never suspended. */
export const NO_SUSPENSIONS: PastSuspensions = { count: 0, seconds: 0 };
