/**
 * Signing by `vac`, in a space that has keys: factories sign their answers to a question that is signed. Who may not read
 * the key file, as only root may, asks all the same, and is told that nobody vouches for the answers.
 */

import { readSpaceKeyFile } from '../daemon/space-key-file.js';
import { Authenticator, nodeHmac, type QuerySigner } from '../vacquery/index.js';

export interface KeySettings {
  readonly file: string;
  readonly mode: 'mixed' | 'required';
}

/**
 * @param note told in a line why answers are not verified
 * @returns null where the file cannot be used
 */
export async function querySigner(
  { file, mode }: KeySettings,
  ownFactory: string,
  note: (text: string) => void,
): Promise<QuerySigner | null> {
  const read = await readSpaceKeyFile(file);
  if (!read.ok) {
    note(`the answers are not verified: ${read.problems.join('; ')}`);
    return null;
  }
  const now = () => Date.now() / 1000;
  const authenticator = new Authenticator({
    mode,
    keys: read.keys,
    hmac: nodeHmac,
    audience: ownFactory,
    unixSeconds: now(),
    rng: Math.random,
  });
  return {
    sign: (query, factory) => authenticator.sign(query, factory, now()),
    refusalOf: (answer, factory) => {
      const verdict = authenticator.check(answer, factory, now(), true);
      // An answer has the cookie of its question: it is none of another time, however slow the factory's clock is.
      return verdict.ok || verdict.reason === 'replayed' ? null : verdict.reason;
    },
  };
}
