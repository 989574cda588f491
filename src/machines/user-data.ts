/**
 * user_data: the script or cloud-config that a machine starts with, made from the experiment's template (SPEC 6).
 */

import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { MachinetypeConfig } from '../config/types.js';
import { VacError } from '../errors.js';
import { VERSION } from '../version.js';

/** What is the machine's own in its user_data. */
export interface MachineValues {
  readonly space: string;
  readonly machinetype: string;
  /** The machine's host name. */
  readonly hostname: string;
  /** `Vac <version>`. */
  readonly managerVersion: string;
  /** The factory's host name. */
  readonly managerHostname: string;
  readonly uuid: string;
  readonly machinefeaturesUrl: string;
  readonly jobfeaturesUrl: string;
  readonly joboutputsUrl: string;
}

/** All that can be substituted. */
export interface UserDataValues extends MachineValues {
  /** Where the template was fetched from; null when it is a file. */
  readonly url: string | null;
  /** Null when the root image is a file. */
  readonly rootImageUrl: string | null;
  /** By NAME: values of `user_data_option_NAME`, contents of `user_data_file_NAME`. */
  readonly options: Readonly<Record<string, string | Buffer>>;
}

export interface UserDataTemplate {
  readonly content: Buffer;
  readonly url: string | null;
}

/** The part of a machinetype that its user_data is made from. */
export type UserDataSource = Pick<
  MachinetypeConfig,
  'name' | 'userData' | 'userDataOptions' | 'userDataFiles' | 'rootImage'
>;

/** Limits for a template that comes from a server. */
export const MAX_TEMPLATE_BYTES = 2 ** 20;
const FETCH_TIMEOUT_SECONDS = 30;
const MAX_REDIRECTS = 5;

/** Names as they stand in `##user_data_NAME##`; the second ones are of the predecessor's first years. */
const NAMES: Readonly<Record<string, (values: UserDataValues) => string | null>> = {
  space: ({ space }) => space,
  machinetype: ({ machinetype }) => machinetype,
  vmtype: ({ machinetype }) => machinetype,
  machine_hostname: ({ hostname }) => hostname,
  vm_hostname: ({ hostname }) => hostname,
  manager_version: ({ managerVersion }) => managerVersion,
  vmlm_version: ({ managerVersion }) => managerVersion,
  manager_hostname: ({ managerHostname }) => managerHostname,
  vmlm_hostname: ({ managerHostname }) => managerHostname,
  uuid: ({ uuid }) => uuid,
  machinefeatures_url: ({ machinefeaturesUrl }) => machinefeaturesUrl,
  jobfeatures_url: ({ jobfeaturesUrl }) => jobfeaturesUrl,
  joboutputs_url: ({ joboutputsUrl }) => joboutputsUrl,
  url: ({ url }) => url,
  root_image_url: ({ rootImageUrl }) => rootImageUrl,
};

const PATTERN = /##user_data_([a-z0-9_,]*)##/g;

/**
 * Fills a template in. A pattern without a value is removed.
 *
 * It is one pass from beginning to end: a value is put in as it is, and a pattern in it is neither filled in nor
 * removed. Text is not decoded (templates and files may hold any bytes), and option values are put in as UTF-8.
 */
export function substituteUserData(template: string | Buffer, values: UserDataValues): Buffer {
  // Latin-1 gives each byte one character and back, so that nothing but the patterns is touched.
  const text = toBuffer(template).toString('latin1');
  const filled = text.replace(PATTERN, (_pattern, name: string) => {
    const value = substitution(name, values);
    return value === null ? '' : toBuffer(value).toString('latin1');
  });
  return Buffer.from(filled, 'latin1');
}

function substitution(name: string, values: UserDataValues): string | Buffer | null {
  const option = /^(?:option|file)_(.*)$/.exec(name)?.[1];
  if (option !== undefined) return Object.hasOwn(values.options, option) ? values.options[option]! : null;
  const plain = Object.hasOwn(NAMES, name) ? name : name.replace(/^manager_/, '');
  return Object.hasOwn(NAMES, plain) ? NAMES[plain]!(values) : null;
}

/**
 * The user_data of one machine: its machinetype's template, fetched or read anew, filled in.
 *
 * @returns null when the machinetype has none
 * @throws VacError `user-data-unavailable` when the template, or a file that goes into it, cannot be had
 */
export async function loadUserData(
  type: UserDataSource,
  filesDirectory: string,
  machine: MachineValues,
): Promise<Buffer | null> {
  const template = await loadUserDataTemplate(type, filesDirectory);
  if (template === null) return null;
  const options: Record<string, string | Buffer> = {};
  for (const [name, file] of Object.entries(type.userDataFiles)) {
    options[name] = await readPart(`user_data_file_${name} of machinetype ${type.name}`, file, filesDirectory);
  }
  return substituteUserData(template.content, {
    ...machine,
    url: template.url,
    rootImageUrl: isUrl(type.rootImage) ? type.rootImage : null,
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
  if (isUrl(type.userData)) {
    return { content: await fetchTemplate(what, type.userData, timeoutSeconds), url: type.userData };
  }
  return { content: await readPart(what, type.userData, filesDirectory), url: null };
}

async function readPart(what: string, file: string, filesDirectory: string): Promise<Buffer> {
  const path = isAbsolute(file) ? file : join(filesDirectory, file);
  try {
    return await readFile(path);
  } catch (cause) {
    throw unavailable(
      `${what} cannot be read: ${path}: ${explain(cause)}; put the file there or correct its name`,
      cause,
    );
  }
}

async function fetchTemplate(what: string, url: string, timeoutSeconds: number): Promise<Buffer> {
  const signal = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    const response = await followRedirects(url, signal);
    return await collect(response.body ?? []);
  } catch (cause) {
    const reason = signal.aborted ? `no complete answer within ${timeoutSeconds} s` : explain(cause);
    throw unavailable(`${what} cannot be fetched: ${url}: ${reason}; try the URL by hand from this host`, cause);
  }
}

/** By hand, because fetch itself would follow twenty. */
async function followRedirects(from: string, signal: AbortSignal): Promise<Response> {
  let url = from;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
    const response = await fetch(url, { redirect: 'manual', signal, headers: { 'user-agent': `Vac ${VERSION}` } });
    const location = response.headers.get('location');
    if (response.ok) return response;
    await response.body?.cancel();
    if (response.status < 300 || response.status >= 400 || location === null) {
      throw new Error(`the server answered ${response.status} ${response.statusText}`.trimEnd());
    }
    url = new URL(location, url).href;
    if (!isUrl(url)) throw new Error(`the server redirects to ${url}, which is no http(s) URL`);
  }
  throw new Error(`the server redirects more than ${MAX_REDIRECTS} times`);
}

/** The pieces as one, reading no more than a template may have: the server is not ours. */
async function collect(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_TEMPLATE_BYTES) throw new Error(`it is larger than ${MAX_TEMPLATE_BYTES} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** fetch says "fetch failed" and keeps what happened in its cause. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'no such file';
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return cause.message || ('code' in cause ? String(cause.code) : error.message);
}

function unavailable(message: string, cause: unknown): VacError {
  return new VacError('user-data-unavailable', message, { cause });
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

function toBuffer(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}
