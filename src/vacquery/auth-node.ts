/** HMAC-SHA-256 by Node's crypto, for `Authenticator` and `parseSpaceKeys`. */

import { createHmac } from 'node:crypto';
import type { Hmac } from './auth-keys.js';

export const nodeHmac: Hmac = (key, bytes) => createHmac('sha256', key).update(bytes).digest();
