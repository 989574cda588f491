/** A notification on a session bus of a user's own, with python3-dbusmock's notification service on it. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { notify } from '../../../src/host/sessions/notify.js';

/** A user that every host has, and that is not root. */
const USER = 'nobody';

let runtime: string;
let uid: number;
const children: ChildProcess[] = [];

beforeEach(async () => {
  uid = Number(execFileSync('id', ['-u', USER], { encoding: 'utf8' }));
  runtime = await mkdtemp(join(tmpdir(), 'vac-notify-'));
  await chmod(runtime, 0o755);
  await mkdir(join(runtime, String(uid)), { mode: 0o700 });
  await chown(join(runtime, String(uid)), uid, uid);
});

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  await rm(runtime, { recursive: true });
});

/** As that user; with a callback for each line it says. */
function spawnAsUser(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  said: (line: string) => void,
) {
  const child = spawn(command, args, {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, ...env },
  });
  children.push(child);
  createInterface({ input: child.stdout! }).on('line', said);
}

async function withNotifications(): Promise<string[]> {
  const address = `unix:path=${runtime}/${uid}/bus`;
  await new Promise<void>((resolve) =>
    spawnAsUser(
      'dbus-daemon',
      ['--session', '--nofork', '--nopidfile', `--address=${address}`, '--print-address'],
      {},
      () => resolve(),
    ),
  );
  const lines: string[] = [];
  spawnAsUser(
    '/usr/bin/python3',
    ['-u', '-m', 'dbusmock', '--template', 'notification_daemon'],
    { DBUS_SESSION_BUS_ADDRESS: address },
    (line) => lines.push(line),
  );
  return lines;
}

test('reaches the user who sits there, as a program of his own would', async () => {
  const lines = await withNotifications();
  await expect
    .poll(() =>
      notify(USER, uid, 'Welcome back', 'Machines made room.', runtime).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  // More than one where the answer to the first came too late.
  await expect.poll(() => lines.filter((line) => line.includes(' Notify '))).not.toHaveLength(0);
  expect(lines.find((line) => line.includes(' Notify '))).toMatch(/"vac" 0 "" "Welcome back" "Machines made room\."/);
});

test('without a session bus it fails, soon', async () => {
  await expect(notify(USER, uid, 'Welcome back', 'x', runtime)).rejects.toThrow();
});
