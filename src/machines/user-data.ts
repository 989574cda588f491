/** user_data: the script or cloud-config that a machine starts with, the experiment's template filled in (SPEC 6). Pure. */

import { isGzip } from './mime-parts.js';

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
  /** URLs, or the paths of mounts where the machinetype asks for them (`mjf_form`). */
  readonly machinefeaturesUrl: string;
  readonly jobfeaturesUrl: string;
  readonly joboutputsUrl: string;
  /** A tar.gz as base64, to be unpacked in `/` before services start (boot-files.ts). */
  readonly bootFiles: string;
  /** PEM of the machine's own proxy; null: none was made. */
  readonly x509Proxy: string | Buffer | null;
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

/** Names as they stand in `##user_data_NAME##`; vmtype, vm_… and vmlm_… are of the predecessor's first years. */
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
  // Beyond SPEC 6.
  boot_files: ({ bootFiles }) => bootFiles,
};

const PATTERN = /##user_data_([a-z0-9_,]*)##/g;
/** The substitution that a machine's own proxy takes the place of. */
const PROXY_NAME = 'x509_proxy';

/**
 * Fills a template in, in three passes from beginning to end:
 *
 * 1. options, files and the proxy, so that what they bring may itself hold patterns, as a file with the machine's name may;
 * 2. everything: what the first pass brought included, but not what this one brings;
 * 3. what is left of the pattern is removed, whatever brought it, and be it the `##user_data___##` of a comment.
 *
 * Text is not decoded (templates and files may hold any bytes), and option values are put in as UTF-8. A template that is
 * packed by gzip is returned as it is.
 */
export function substituteUserData(template: string | Buffer, values: UserDataValues): Buffer {
  const bytes = toBuffer(template);
  if (isGzip(bytes)) return bytes;
  // Latin-1 gives each byte one character and back, so that nothing but the patterns is touched.
  const fill = (text: string, lookUp: (name: string, values: UserDataValues) => string | Buffer | null) =>
    text.replace(PATTERN, (pattern, name: string) => {
      const value = lookUp(name, values);
      return value === null ? pattern : toBuffer(value).toString('latin1');
    });
  const withOptions = fill(bytes.toString('latin1'), optionValue);
  const withAll = fill(withOptions, (name) => optionValue(name, values) ?? plainValue(name, values));
  return Buffer.from(withAll.replace(PATTERN, ''), 'latin1');
}

/** `option_NAME`, or `file_NAME`, its old spelling. */
function optionValue(name: string, { options, x509Proxy }: UserDataValues): string | Buffer | null {
  const option = /^(?:option|file)_(.*)$/.exec(name)?.[1];
  if (option === undefined) return null;
  if (option === PROXY_NAME && x509Proxy !== null) return x509Proxy;
  return Object.hasOwn(options, option) ? options[option]! : null;
}

function plainValue(name: string, values: UserDataValues): string | null {
  const plain = Object.hasOwn(NAMES, name) ? name : name.replace(/^manager_/, '');
  return Object.hasOwn(NAMES, plain) ? NAMES[plain]!(values) : null;
}

function toBuffer(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
}
