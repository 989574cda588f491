/** Who gives an order, as reasons and records name them. */

import { userInfo } from 'node:os';

/** The user's name, or that of who became root by sudo; a claim, which decides nothing. */
export function callerName(): string {
  const { username } = userInfo();
  const sudoer = process.env.SUDO_USER;
  return username === 'root' && sudoer !== undefined && sudoer !== '' ? sudoer : username;
}
