/**
 * What machines may ask over HTTP (SPEC 5), without a socket: EC2, OpenStack and NoCloud metadata, machine/job features
 * and joboutputs. A machine is known by its address and sees only itself; for anybody else there is nothing here.
 *
 * All that is asked of the rest of the program is MetadataSource: this runs in a process without privilege.
 */

import { ec2Metadata, nocloudMetadata, OPENSTACK_VERSIONS, openstackMetadata } from '../machines/context/documents.js';
import { MAX_PUT_BYTES } from './limits.js';
import { file, json, listing, type MetadataRequest, type MetadataResponse, NOT_FOUND, text } from './response.js';
import {
  FILE_NAME,
  type GuestDirectory,
  type MetadataMachine,
  type MetadataSource,
  type PutOutcome,
} from './source.js';

const DATE = /^\d{4}-\d\d-\d\d$/;
const PUT_ANSWERS: Readonly<Record<PutOutcome, MetadataResponse>> = {
  created: text('created\n', 201),
  'bad-name': text('bad name\n', 403),
  directory: text('name is taken by a directory\n', 403),
  full: text('joboutputs is full\n', 507),
  'too-large': text('too large\n', 413),
};

/**
 * Answers one request. No path, name or file that a machine can make leads to an exception; it may throw for faults of
 * the host, and when the client goes away in the middle of its upload.
 */
export async function handle(request: MetadataRequest, source: MetadataSource): Promise<MetadataResponse> {
  const machine = await source.machineByIp(request.clientIp);
  if (machine === null) return NOT_FOUND;
  const path = pathSegments(request.target);
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return path === null ? NOT_FOUND : get(path, machine, source);
    case 'PUT':
      if (path === null) return PUT_ANSWERS['bad-name'];
      // cloud-init tries PUT /latest/api/token and takes 403 for "go away", but 404 for "no tokens here".
      return path[0] === 'joboutputs' ? put(path.slice(1), machine, source, request) : NOT_FOUND;
    default:
      return text('method not allowed\n', 405);
  }
}

async function get(
  [first, ...rest]: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
): Promise<MetadataResponse> {
  switch (first) {
    case undefined:
      return listing(['1.0', '2009-04-04', 'latest']);
    case 'machinefeatures':
    case 'jobfeatures':
    case 'joboutputs':
      return getFile(first, rest, machine, source);
    case 'openstack':
      return getOpenstack(rest, machine, source);
    case 'nocloud':
      return getNocloud(rest, machine, source);
    default:
      return first === 'latest' || first === '1.0' || DATE.test(first) ? getEc2(rest, machine, source) : NOT_FOUND;
  }
}

/** 201 when the whole of it is there, new or in place of an older file; 403 for a name that cannot be (SPEC 5). */
async function put(
  [name, ...more]: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
  { announcedBytes, body }: MetadataRequest,
): Promise<MetadataResponse> {
  // Not read first: the client is told while it has hardly begun.
  if (announcedBytes !== null && announcedBytes > MAX_PUT_BYTES) return PUT_ANSWERS['too-large'];
  const isName = name !== undefined && more.length === 0 && FILE_NAME.test(name);
  return PUT_ANSWERS[isName ? await source.put(machine, name, body) : 'bad-name'];
}

/** A directory's listing, or one file of it. */
async function getFile(
  directory: GuestDirectory,
  [name, ...more]: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
): Promise<MetadataResponse> {
  if (name === undefined) return listing(await source.list(machine, directory));
  if (more.length > 0 || !FILE_NAME.test(name)) return NOT_FOUND;
  return file(await source.read(machine, directory, name));
}

async function getEc2(
  path: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
): Promise<MetadataResponse> {
  const [first, ...rest] = path;
  if (first === undefined) return listing(['meta-data/', 'user-data']);
  if (first === 'meta-data') {
    const content = ec2Metadata(machine).get(rest.join('/'));
    return content === undefined ? NOT_FOUND : text(content);
  }
  return first === 'user-data' && rest.length === 0 ? userData(machine, source) : NOT_FOUND;
}

async function getOpenstack(
  path: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
): Promise<MetadataResponse> {
  const [version, name] = path;
  if (version === undefined) return listing(OPENSTACK_VERSIONS);
  if (path.length > 2 || (version !== 'latest' && !DATE.test(version))) return NOT_FOUND;
  switch (name) {
    case undefined:
      return listing(['meta_data.json', 'user_data', 'vendor_data.json', 'vendor_data2.json']);
    case 'user_data':
    case 'user-data':
      return userData(machine, source);
    case 'meta_data.json':
    case 'meta-data.json':
      return json(openstackMetadata(machine));
    case 'vendor_data.json':
    case 'vendor_data2.json':
      return json({});
    // No network_data.json: without one, cloud-init configures the first interface by DHCP, which is what there is.
    default:
      return NOT_FOUND;
  }
}

/** NoCloud by URL (`nocloud-smbios`); cloud-init takes a missing user-data for a fault, not for none. */
async function getNocloud(
  path: readonly string[],
  machine: MetadataMachine,
  source: MetadataSource,
): Promise<MetadataResponse> {
  if (path.length > 1) return NOT_FOUND;
  switch (path[0]) {
    case undefined:
      return listing(['meta-data', 'user-data', 'vendor-data']);
    case 'meta-data':
      return text(nocloudMetadata(machine));
    case 'user-data': {
      const answer = await userData(machine, source);
      return answer === NOT_FOUND ? text('') : answer;
    }
    case 'vendor-data':
      return text('');
    default:
      return NOT_FOUND;
  }
}

async function userData(machine: MetadataMachine, source: MetadataSource): Promise<MetadataResponse> {
  return file(await source.read(machine, 'user_data', ''));
}

/**
 * The parts of a request's path, each decoded once. Empty ones do not count: clients join a URL that ends in `/` and a
 * name with another. Null for what can mean no file here.
 */
function pathSegments(target: string): string[] | null {
  if (!target.startsWith('/')) return null;
  const segments: string[] = [];
  for (const encoded of target.replace(/\?.*$/s, '').split('/')) {
    if (encoded === '') continue;
    try {
      segments.push(decodeURIComponent(encoded));
    } catch {
      return null;
    }
  }
  const unfit = segments.some((segment) => segment === '.' || segment === '..' || /[/\\\0]/.test(segment));
  return unfit ? null : segments;
}
