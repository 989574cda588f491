/** `vac check [FACTORY...]`: a plugin of Nagios and Icinga, whose words all go to the standard output. */

import { stat } from 'node:fs/promises';
import { readTextIfThere } from '../host/files.js';
import { StateLayout } from '../machines/layout.js';
import { askSpace } from './ask-space.js';
import type { Io } from './io.js';
import { localStatus } from './local-status.js';
import type { CommandLine } from './parse.js';
import { askerOptions, spaceRequest } from './space-commands.js';
import { socketPath, spaceFacts } from './space-facts.js';
import { type CheckThresholds, checkFactories, checkLocal, type LocalCheckFacts } from './views/check.js';

const DAEMON_MS = 2_000;

/** UNKNOWN, as plugins say it: nothing is known of what was to be checked. */
export const CHECK_UNKNOWN = 3;

export async function check(line: CommandLine, io: Io): Promise<number> {
  const thresholds = thresholdsOf(line);
  const { nowSeconds } = io.view();
  if (line.positionals.length === 0) {
    const { code, lines } = checkLocal(await localFacts(line.text('state-dir')!, nowSeconds), thresholds);
    io.print(lines);
    return code;
  }
  const facts = await spaceFacts(spaceRequest(line), (text) => io.complain(text));
  const { answers, nowMs } = await askSpace('factory_query', askerOptions(facts, line.positionals));
  const { code, lines } = checkFactories(answers, { nowSeconds: io.view().nowSeconds, nowMs, thresholds });
  io.print(lines);
  return code;
}

function thresholdsOf(line: CommandLine): Partial<CheckThresholds> {
  const gigabytes = (name: string): number => line.positiveNumber(name, 'GB')! * 1e9;
  return {
    heartbeatSeconds: line.positiveNumber('heartbeat', 'seconds')!,
    diskWarningBytes: gigabytes('disk-warning'),
    diskCriticalBytes: gigabytes('disk-critical'),
  };
}

/** From the files, so that a monitor needs no root; where it may ask vacd, with what that calls wrong. */
async function localFacts(stateDir: string, nowSeconds: number): Promise<LocalCheckFacts> {
  const layout = new StateLayout(stateDir);
  const age = async (path: string): Promise<number | null> => {
    const stats = await stat(path).catch(() => null);
    return stats === null ? null : nowSeconds - Math.floor(stats.ctimeMs / 1000);
  };
  const status = await localStatus(socketPath(stateDir), DAEMON_MS);
  return {
    ...(status === null ? {} : { problems: status.problems }),
    factoryHeartbeatAgeSeconds: await age(layout.factoryHeartbeat()),
    responderHeartbeatAgeSeconds: await age(layout.responderHeartbeat()),
    factoryError: await readTextIfThere(layout.factoryError()),
    counts: await readTextIfThere(layout.counts()),
  };
}
