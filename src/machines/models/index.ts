/** The machine models that this program can create, by their name in machine_model. */

import { cernvm3, cernvm4 } from './cernvm.js';
import { cloud } from './cloud.js';
import type { MachineModel } from './model.js';
import { vmRaw } from './vm-raw.js';

export const MODELS: ReadonlyMap<string, MachineModel> = new Map(
  [vmRaw, cernvm3, cernvm4, cloud].map((model) => [model.name, model]),
);
