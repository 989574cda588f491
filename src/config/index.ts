/** The public face of the configuration. Its types are in `types.ts`. */
export { withRestartOptionsOf } from './changes.js';
export { type CheckedConfig, type CheckedPipes, checkConfig, checkedConfigLines } from './check-config.js';
export { checkHostFacts } from './host-facts.js';
export { loadConfig, loadSettings } from './load.js';
export { formatProblem, type Problem } from './problem.js';
export { readConfigFiles } from './read.js';
export { watchConfig } from './watch.js';
