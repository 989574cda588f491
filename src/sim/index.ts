/** The space simulator: from what was asked for to figures. */

export { type DesktopsReport, simulateDesktops } from './desktops.js';
export { desktopsRequest } from './desktops-request.js';
export type { RunProgress, RunResult } from './engine.js';
export { runJob } from './engine.js';
export type { Measures, Sample } from './measures.js';
export { SIMULATE_OPTIONS, type SimulateOptionName, type SimulateValues } from './options.js';
export { type Request, requestOf } from './request.js';
export { figuresOf, type SimulateOptions, type SimulationFigures, type SimulationReport, simulate } from './run.js';
export { sharesSvg } from './svg.js';
