/** Machine models that the simulated hosts can create: all that a configuration may name. */

import type { MachinetypeConfig } from '../config/types.js';

/** An object, so that the compiler misses one that is new. */
const MODELS: Readonly<Record<MachinetypeConfig['machineModel'], true>> = {
  'vm-raw': true,
  cernvm3: true,
  cernvm4: true,
  cloud: true,
  docker: true,
  singularity: true,
};

export const SUPPORTED_MODELS: ReadonlySet<string> = new Set(Object.keys(MODELS));
