/** What the views of a poll have in common: who answered, and in which order they are shown. */

import type { PeerAnswer, Status } from '../../vacquery/index.js';
import { naturally, shortener } from './text.js';

/** In the natural order of factories' names. */
export function inOrder<S extends Status>(answers: readonly PeerAnswer<S>[]): PeerAnswer<S>[] {
  return [...answers].sort((a, b) => naturally(a.factory, b.factory));
}

/** Factories' names without their domain, where all have the same. */
export function factoryNames(answers: readonly PeerAnswer[]): (factory: string) => string {
  return shortener(answers.map(({ factory }) => factory));
}

/** How many factories answered, of how many; a sentence's end. */
export function heardOf(answers: readonly PeerAnswer[]): string {
  const heard = answers.filter(({ outcome }) => outcome !== 'none').length;
  return `${heard} of ${answers.length} ${answers.length === 1 ? 'factory' : 'factories'}`;
}
