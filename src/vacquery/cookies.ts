/** Cookies that nobody can guess who does not see the query. */

import { createHash, randomBytes } from 'node:crypto';

/** For one poll: SHA-256 hex of (random salt + FQDN), as deployed clients make them (64 characters). */
export function saltedCookies(salt: Uint8Array = randomBytes(32)): (factory: string) => string {
  return (factory) => createHash('sha256').update(salt).update(factory).digest('hex');
}
