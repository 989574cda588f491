/** Why what a factory sent is not believed, in a sentence about it that says what to do. */

import type { AuthRefusal } from './auth.js';

/** @param skewSeconds its clock less ours; null: not known */
export function authRefusalText(reason: AuthRefusal, skewSeconds: number | null): string {
  switch (reason) {
    case 'unsigned':
      return "what it sends is not signed, and not believed: give it the space's key";
    case 'unknown-key':
      return 'it signs with a key that this host does not have, and is not believed: compare the key files';
    case 'clock-skew': {
      const wrong =
        skewSeconds === null ? 'too far from' : `${Math.abs(skewSeconds)} s ${skewSeconds > 0 ? 'ahead of' : 'behind'}`;
      return `its clock is ${wrong} this host's: what it signs is not believed, set the clock that is wrong`;
    }
    case 'bad-signature':
    case 'replayed':
      return 'datagrams with wrong signatures come from its address: they are not believed';
  }
}

const REASONS: ReadonlySet<string> = new Set<AuthRefusal>([
  'unsigned',
  'unknown-key',
  'bad-signature',
  'clock-skew',
  'replayed',
]);

export function isAuthRefusal(reason: string): reason is AuthRefusal {
  return REASONS.has(reason);
}
