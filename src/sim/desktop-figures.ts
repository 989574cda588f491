/** What comes of a week of one desktop, or of many. */

export interface DesktopFigures {
  /** Machines that computed. */
  machineHours: number;
  /** Of that, jobs that were done. */
  jobHours: number;
  /** Of that, jobs that were killed before they were done. */
  lostHours: number;
  suspendedHours: number;
  starts: number;
  suspensions: number;
  /** Machines that were stopped or destroyed for the owner, or at the window's end. */
  kills: number;
  /** Seconds in which at least one machine computed while the owner used keys or mouse, here or by ssh. */
  sharedSeconds: number;
  /** Of these, those that are more than a second after he had come back. */
  sharedBeyondFirstSeconds: number;
  /** The same while programs of his computed and he did not; told apart, as they are measured and not felt. */
  sharedWithProgramsSeconds: number;
  /** While he sat there without a key for minutes. */
  besideReaderHours: number;
}

export function noFigures(): DesktopFigures {
  return {
    machineHours: 0,
    jobHours: 0,
    lostHours: 0,
    suspendedHours: 0,
    starts: 0,
    suspensions: 0,
    kills: 0,
    sharedSeconds: 0,
    sharedBeyondFirstSeconds: 0,
    sharedWithProgramsSeconds: 0,
    besideReaderHours: 0,
  };
}
