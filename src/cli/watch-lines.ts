/** The pictures of `vac watch --json`: an object each, on a line of its own, with messages as they are on the wire. */

import type { PeerAnswer } from '../vacquery/index.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { Picture, WatchOutput } from './watch-output.js';
import { wireMessages } from './wire.js';

export class WatchLines implements WatchOutput {
  constructor(private readonly io: Io) {}

  show({ facts, moment }: Picture): void {
    const { space, factories, machinetypes, local } = facts;
    const missing = namesOf([...factories, ...machinetypes].filter(({ outcome }) => outcome !== 'complete'));
    const parts = {
      time: jsonText(moment.nowSeconds),
      space: jsonText(space),
      factories: list(wireMessages(factories, ({ factory }) => factory)),
      machinetypes: list(wireMessages(machinetypes, ({ machinetype }) => machinetype)),
      missing: jsonText(missing),
      local: jsonText(local),
    };
    this.io.print([
      `{${Object.entries(parts)
        .map(([key, text]) => `"${key}": ${text}`)
        .join(', ')}}`,
    ]);
  }

  close(): void {}
}

function list(messages: readonly string[]): string {
  return `[${messages.join(', ')}]`;
}

function namesOf(answers: readonly PeerAnswer[]): string[] {
  return [...new Set(answers.map(({ factory }) => factory))].sort();
}
