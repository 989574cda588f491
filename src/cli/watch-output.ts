/** Between `vac watch`, which asks, and where its pictures are shown. */

import type { PollMoment } from './views/factory-problems.js';
import type { WatchFacts } from './views/watch.js';

/** What was answered last, and when: ages are as of then, whenever it is shown again. */
export interface Picture {
  readonly facts: WatchFacts;
  readonly moment: PollMoment;
}

export interface WatchOutput {
  show(picture: Picture): void;
  /** Gives back what it took. */
  close(): void;
}
