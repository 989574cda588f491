/** A notification on the desktop of somebody who is logged in (org.freedesktop.Notifications), sent as that user. */

import { run } from '../exec.js';

const SECONDS = 5;
/** How long it stays on the screen. */
const SHOWN_MS = 10_000;
const SERVICE = 'org.freedesktop.Notifications';

/**
 * Best effort: a desktop without a session bus, or without a notification service, shows nothing.
 *
 * @param runtime where users have their session buses; for tests
 * @throws CommandError
 */
export async function notify(
  user: string,
  uid: number,
  title: string,
  text: string,
  runtime = '/run/user',
): Promise<void> {
  const address = `--address=unix:path=${runtime}/${uid}/bus`;
  const call = ['call', SERVICE, '/org/freedesktop/Notifications', SERVICE, 'Notify', 'susssasa{sv}i'];
  const message = ['vac', '0', '', title, text, '0', '0', String(SHOWN_MS)];
  await run('runuser', ['-u', user, '--', 'busctl', address, ...call, ...message], { timeoutSeconds: SECONDS });
}
