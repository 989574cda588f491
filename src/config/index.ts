/** The public face of the configuration. Its types are in `types.ts`. */
export { withRestartOptionsOf } from './changes.js';
export { checkConfig } from './check-config.js';
export { checkHostFacts } from './host-facts.js';
export { loadConfig } from './load.js';
export { formatProblem, type Problem } from './problem.js';
export { readConfigFiles } from './read.js';
export { watchConfig } from './watch.js';
