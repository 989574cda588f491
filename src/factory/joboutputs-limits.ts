/** What a machine may write into its joboutputs: one place for the file system, the watch and the HTTP server. Pure. */

import type { MachineRecord } from './types.js';

export interface JoboutputsLimits {
  readonly bytes: number;
  /** Files and directories. */
  readonly files: number;
}

/** Of machines whose record is older than the options. */
const FORMERLY: JoboutputsLimits = { bytes: 100 * 2 ** 20, files: 1000 };

export function joboutputsLimits({ joboutputsMib, joboutputsFiles }: MachineRecord): JoboutputsLimits {
  return {
    bytes: joboutputsMib === undefined ? FORMERLY.bytes : joboutputsMib * 2 ** 20,
    files: joboutputsFiles ?? FORMERLY.files,
  };
}
