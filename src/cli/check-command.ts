/** `vac check [FACTORY...]`: a plugin of Nagios and Icinga, whose words all go to the standard output. */

import { stat } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { readTextIfThere } from '../host/files.js';
import { StateLayout } from '../machines/layout.js';
import { askSpace } from './ask-space.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import { localStatus } from './local-status.js';
import type { CommandLine } from './parse.js';
import { askerOptions, spaceRequest } from './space-commands.js';
import { socketPath, spaceFacts } from './space-facts.js';
import {
  type CheckResult,
  type CheckThresholds,
  checkFactories,
  checkLocal,
  type LocalCheckFacts,
  parseCounts,
  unknown,
} from './views/check.js';

const DAEMON_MS = 5_000;

/** What was found, and for programs the facts that it was made from. */
interface Checked {
  readonly result: CheckResult;
  readonly facts: Readonly<Record<string, unknown>>;
}

export async function check(line: CommandLine, io: Io): Promise<number> {
  const checked = line.positionals.length === 0 ? await checkedLocally(line, io) : await checkedFactories(line, io);
  return say(checked, line.has('json'), io);
}

/** Says that nothing is known of what was to be checked: monitors take other endings for an alarm, or for health. */
export function checkFailed(error: Error, json: boolean, io: Io): number {
  return say({ result: unknown(error.message), facts: {} }, json, io);
}

function say({ result: { code, lines }, facts }: Checked, json: boolean, io: Io): number {
  const status = (['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const)[code];
  io.print(json ? [jsonText({ code, status, lines, ...facts })] : lines);
  return code;
}

async function checkedLocally(line: CommandLine, io: Io): Promise<Checked> {
  const facts = await localFacts(line.text('state-dir')!, io.view().nowSeconds);
  const result = checkLocal(facts, thresholdsOf(line));
  return { result, facts: { ...facts, counts: parseCounts(facts.counts) } };
}

async function checkedFactories(line: CommandLine, io: Io): Promise<Checked> {
  const thresholds = thresholdsOf(line);
  const notes: string[] = [];
  const facts = await spaceFacts(spaceRequest(line), (text) => notes.push(text));
  const { answers, problems, nowMs } = await askSpace('factory_query', askerOptions(facts, line.positionals));
  const moment = { nowSeconds: io.view().nowSeconds, nowMs, unaskable: problems };
  const { factories, ...result } = checkFactories(answers, { ...moment, thresholds, notes });
  return { result, facts: { space: facts.space, factories } };
}

function thresholdsOf(line: CommandLine): Partial<CheckThresholds> {
  const gigabytes = (name: string): number => line.positiveNumber(name, 'GB')! * 1e9;
  return {
    heartbeatSeconds: line.positiveNumber('heartbeat', 'seconds')!,
    diskWarningBytes: gigabytes('disk-warning'),
    diskCriticalBytes: gigabytes('disk-critical'),
  };
}

/**
 * From the files, so that a monitor needs no root; where it may ask vacd, with what that calls wrong.
 *
 * @throws VacError `file-unusable` where it may not look: then nothing is known, which is no alarm
 */
async function localFacts(stateDir: string, nowSeconds: number): Promise<LocalCheckFacts> {
  const layout = new StateLayout(stateDir);
  const age = async (path: string): Promise<number | null> => {
    const stats = await stat(path).catch((error) => (isMissing(error) ? null : refuse(path, error)));
    return stats === null ? null : nowSeconds - Math.floor(stats.ctimeMs / 1000);
  };
  const text = (path: string): Promise<string | null> => readTextIfThere(path).catch((error) => refuse(path, error));
  const status = await localStatus(socketPath(stateDir), DAEMON_MS);
  return {
    stateDir,
    ...(status === null ? {} : { problems: status.problems }),
    factoryHeartbeatAgeSeconds: await age(layout.factoryHeartbeat()),
    responderHeartbeatAgeSeconds: await age(layout.responderHeartbeat()),
    factoryError: await text(layout.factoryError()),
    counts: await text(layout.counts()),
  };
}

function isMissing({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function refuse(path: string, cause: Error): never {
  throw new VacError('file-unusable', `${path} cannot be looked at: ${cause.message}`, { cause });
}
