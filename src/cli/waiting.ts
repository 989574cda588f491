/** A line on the terminal that tells whom a command waits for, once that takes longer than a moment. */

import type { AskerOptions } from './ask-space.js';
import type { Io } from './io.js';
import { listed, shortener } from './views/text.js';

const MOMENT_MS = 1_000;
const NAMED = 3;

export class Waiting {
  private readonly missing: Set<string>;
  private readonly timer: NodeJS.Timeout;
  private shown = false;

  constructor(
    private readonly options: Pick<AskerOptions, 'factories' | 'timeoutSeconds'>,
    private readonly io: Io,
  ) {
    this.missing = new Set(options.factories);
    this.timer = setInterval(() => this.show(), MOMENT_MS);
  }

  readonly answered = (factory: string): void => {
    this.missing.delete(factory);
  };

  end(): void {
    clearInterval(this.timer);
    if (this.shown) this.io.passing(null);
  }

  private show(): void {
    const { factories, timeoutSeconds } = this.options;
    const names = [...this.missing].map(shortener(factories));
    const answered = factories.length - names.length;
    this.shown = true;
    this.io.passing(
      `${answered} of ${factories.length} answered; waiting up to ${timeoutSeconds} s for ${listed(names, NAMED)}`,
    );
  }
}
