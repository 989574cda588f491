/** Machine models that the simulated hosts can create: all that a configuration may name. */
export const SUPPORTED_MODELS: ReadonlySet<string> = new Set(['vm-raw', 'cernvm3', 'cernvm4', 'docker', 'singularity']);
