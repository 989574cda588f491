/** Where a machine's user_data comes from: the template, fetched or read anew for each machine, and the files in it. */

import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { MachinetypeConfig } from '../config/types.js';
import { VacError } from '../errors.js';
import { fetchBounded, isHttpUrl } from '../host/http-fetch.js';
import { addMimePart, type MimePart } from './mime-parts.js';
import { type MachineValues, substituteUserData } from './user-data.js';

export interface UserDataTemplate {
  readonly content: Buffer;
  readonly url: string | null;
}

/** The part of a machinetype that its user_data is made from. */
export type UserDataSource = Pick<
  MachinetypeConfig,
  'name' | 'userData' | 'userDataOptions' | 'userDataFiles' | 'rootImage'
>;

/**
 * The most that a machine is given, by whichever way, and the most that is read for it. Clouds give 16 KiB (EC2) or 64
 * (OpenStack), so no image needs more; what is larger is some other file.
 */
export const MAX_USER_DATA_BYTES = 2 ** 20;
const FETCH_TIMEOUT_SECONDS = 30;

/**
 * The user_data of one machine: its machinetype's template, filled in, with `part` added to it.
 *
 * @returns null when the machinetype has none, and nothing is added
 * @throws VacError `user-data-unavailable` when the template, or a file that goes into it, cannot be had;
 * `user-data-unusable` when it is too large, or cannot be added to
 */
export async function loadUserData(
  type: UserDataSource,
  filesDirectory: string,
  machine: MachineValues,
  part: MimePart | null = null,
): Promise<Buffer | null> {
  const template = await loadUserDataTemplate(type, filesDirectory);
  const filled = template === null ? null : await filledIn(type, filesDirectory, machine, template);
  const whole = part === null ? filled : addMimePart(filled, part);
  if (whole !== null && whole.length > MAX_USER_DATA_BYTES) {
    const message = `user_data of machinetype ${type.name} has ${whole.length} bytes with all that goes into it, and a machine is given ${MAX_USER_DATA_BYTES} at most; let the machine fetch what is large by itself`;
    throw new VacError('user-data-unusable', message);
  }
  return whole;
}

async function filledIn(
  type: UserDataSource,
  filesDirectory: string,
  machine: MachineValues,
  template: UserDataTemplate,
): Promise<Buffer> {
  const options: Record<string, string | Buffer> = {};
  for (const [name, file] of Object.entries(type.userDataFiles)) {
    options[name] = await readPart(`user_data_file_${name} of machinetype ${type.name}`, file, filesDirectory);
  }
  return substituteUserData(template.content, {
    ...machine,
    url: template.url,
    rootImageUrl: isHttpUrl(type.rootImage) ? type.rootImage : null,
    // An option given as text wins over a file of the same name.
    options: { ...options, ...type.userDataOptions },
  });
}

/**
 * The template that a machinetype's `user_data` names: a URL, a path, or a file name under its `files/`.
 *
 * @returns null when it names none
 * @throws VacError `user-data-unavailable`
 */
export async function loadUserDataTemplate(
  type: Pick<UserDataSource, 'name' | 'userData'>,
  filesDirectory: string,
  timeoutSeconds = FETCH_TIMEOUT_SECONDS,
): Promise<UserDataTemplate | null> {
  if (type.userData === null) return null;
  const what = `user_data of machinetype ${type.name}`;
  if (isHttpUrl(type.userData)) {
    return { content: await fetchTemplate(what, type.userData, timeoutSeconds), url: type.userData };
  }
  return { content: await readPart(what, type.userData, filesDirectory), url: null };
}

async function readPart(what: string, file: string, filesDirectory: string): Promise<Buffer> {
  const path = isAbsolute(file) ? file : join(filesDirectory, file);
  const refuse = (why: string, cause?: unknown) =>
    unavailable(`${what} cannot be read: ${path}: ${why}; put the file there or correct its name`, cause);
  try {
    const info = await stat(path);
    if (!info.isFile()) throw refuse('it is no file');
    if (info.size > MAX_USER_DATA_BYTES) throw refuse(`it has ${info.size} bytes, more than ${MAX_USER_DATA_BYTES}`);
    return await readFile(path);
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw refuse(code === 'ENOENT' ? 'no such file' : message, cause);
  }
}

async function fetchTemplate(what: string, url: string, timeoutSeconds: number): Promise<Buffer> {
  const refuse = (why: string, cause?: unknown) =>
    unavailable(`${what}: ${why}; try the URL by hand from this host`, cause);
  try {
    const answer = await fetchBounded(url, { timeoutSeconds, maxBytes: MAX_USER_DATA_BYTES });
    if (answer.status === 200) return answer.body;
    throw refuse(`${answer.url} cannot be fetched: the server answered ${answer.status}`);
  } catch (cause) {
    if (cause instanceof VacError && cause.code === 'fetch-failed') throw refuse(cause.message, cause);
    throw cause;
  }
}

function unavailable(message: string, cause?: unknown): VacError {
  return new VacError('user-data-unavailable', message, { cause });
}
