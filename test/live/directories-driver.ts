/** As nfs-driver.ts, of vacd's machines' directories: `make`, `keep` and so on, each of one record, with their mounts. */

import { createInterface } from 'node:readline';
import { GuestDirectories } from '../../src/machines/guest-directories.js';
import { StateLayout } from '../../src/machines/layout.js';

const [stateDir] = process.argv.slice(2) as [string];
const said: string[] = [];
const say = (message: string) => void said.push(message);
const target = new GuestDirectories({
  layout: new StateLayout(stateDir),
  guestOwner: { uid: 65534, gid: 65534 },
  nfs: 'ganesha',
  log: { info: say, warn: say },
}) as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line) as { call: string; args: unknown[] };
  const begun = performance.now();
  const answer = await target[call]!(...args).then(
    () => ({ result: said, milliseconds: performance.now() - begun }),
    (error: Error) => ({ error: error.message }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
