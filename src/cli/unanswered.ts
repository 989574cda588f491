/** The one line that says which factories are missing from what was printed, and why as far as that is known. */

import type { PeerAnswer } from '../vacquery/index.js';
import type { Answers } from './ask-space.js';
import { inOrder } from './views/answers.js';
import { listed, shortener } from './views/text.js';

/** More names than these are a list for `vac factories`. */
const NAMED = 5;

/**
 * @param timeoutSeconds how long they had
 * @returns null when all answered in full
 */
export function unanswered({ answers, problems }: Answers, timeoutSeconds: number): string | null {
  const missing = inOrder(answers).filter(({ outcome }) => outcome !== 'complete');
  if (missing.length === 0) return null;
  const short = shortener(answers.map(({ factory }) => factory));
  const names = missing.map((answer) => {
    const why = problems.get(answer.factory) ?? reasonOf(answer);
    return `${short(answer.factory)}${why === null ? '' : ` (${why})`}`;
  });
  const factories = answers.length === 1 ? 'factory' : 'factories';
  const inFull = missing.every(({ outcome }) => outcome === 'partial') ? ' in full' : '';
  return `${missing.length} of ${answers.length} ${factories} did not answer${inFull} within ${timeoutSeconds} s: ${listed(names, NAMED)}`;
}

/** What is known of why an answer is missing; null: it is just silent. */
function reasonOf({ outcome, statuses, expected, claimedFactory, strayAddress, refused }: PeerAnswer): string | null {
  if (outcome === 'partial') return `${statuses.length} of ${expected ?? '?'} datagrams arrived`;
  if (claimedFactory !== null) return `its host calls itself ${claimedFactory}`;
  if (strayAddress !== null) return `an answer came from ${strayAddress}, which is none of its addresses`;
  const [refusal] = refused.keys();
  return refusal === undefined ? null : `its answers are refused: ${refusal}`;
}
