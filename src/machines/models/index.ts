/** The machine models that this program can create, by their name in machine_model. */

import type { MachineModel } from './model.js';
import { vmRaw } from './vm-raw.js';

export const MODELS: ReadonlyMap<string, MachineModel> = new Map([vmRaw].map((model) => [model.name, model]));
