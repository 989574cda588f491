/** Writes the files that site monitoring reads, one writing at a time; trouble with that is told once, and once its end. */

import { rm } from 'node:fs/promises';
import type { DecisionLog } from '../factory/decision-log.js';
import type { StateLayout } from '../machines/layout.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { whatStopsStarts } from './standing-problems.js';
import { factoryStatus, writeStatusFiles } from './status.js';

export interface StatusFilesParts {
  readonly memory: Memory;
  readonly decisions: DecisionLog;
  readonly layout: StateLayout;
  readonly log: Logger;
}

export class StatusFiles {
  private underWay: Promise<void> | null = null;
  private toldProblem: string | null = null;

  constructor(private readonly parts: StatusFilesParts) {}

  /** Never rejects. While a slow disk holds up one writing, all further ones are that one. */
  write(): Promise<void> {
    this.underWay ??= this.writeAndTell().finally(() => {
      this.underWay = null;
    });
    return this.underWay;
  }

  private async writeAndTell(): Promise<void> {
    const { memory, decisions, layout, log } = this.parts;
    let problem: NodeJS.ErrnoException | null = null;
    try {
      const state = memory.state(Math.floor(Date.now() / 1000), performance.now());
      const [stopped = null] = whatStopsStarts(state, memory.config);
      await writeStatusFiles(layout, factoryStatus(memory, decisions, ''), stopped, (path) =>
        rm(path, { force: true }),
      );
    } catch (error) {
      problem = error as NodeJS.ErrnoException;
    }
    // Messages have names of temporary files in them, which are others each time.
    const kind = problem === null ? null : (problem.code ?? problem.message);
    if (problem !== null && kind !== this.toldProblem) log.error(`status files not written: ${problem.message}`);
    if (problem === null && this.toldProblem !== null) log.info('status files are written again');
    this.toldProblem = kind;
  }
}
