/** The public face of the configuration. */
export { CHECK_CONFIG_USAGE, checkConfig } from './check-config.js';
export { checkHostFacts, type HostFacts } from './host-facts.js';
export { loadConfig } from './load.js';
export { type MachinetypeReading, readMachinetype } from './machinetype.js';
export { formatProblem, type Problem, problemAt } from './problem.js';
export { DEFAULT_CONFIG_PATHS, readConfigFiles } from './read.js';
export type { RawOption, RawSection } from './sections.js';
export { pipeOptionNames, resolveName } from './spelling.js';
export * from './types.js';
export { type ConfigWatch, type WatchOptions, watchConfig } from './watch.js';
