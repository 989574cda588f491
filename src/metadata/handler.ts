/**
 * What machines may ask over HTTP (SPEC 5), without a socket: EC2, OpenStack and NoCloud metadata, machine/job features
 * and joboutputs. A machine is known by its address and sees only itself; for anybody else there is nothing here.
 *
 * All that is asked of the rest of the program is MetadataSource, so that this can run in a process without privilege.
 */

import { readHostileFile } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { ec2Metadata, nocloudMetadata, OPENSTACK_VERSIONS, openstackMetadata } from '../machines/context/documents.js';
import type { MachineFacts } from '../machines/context/facts.js';
import { FILE_NAME, getJoboutput, listFiles, putJoboutput, refused } from './joboutputs.js';
import { file, json, listing, type MetadataRequest, type MetadataResponse, NOT_FOUND, text } from './response.js';

/** What a machine is told of itself. */
export interface MetadataMachine extends MachineFacts {
  readonly id: string;
  /** With machinefeatures/, jobfeatures/, joboutputs/ and user_data in it. */
  readonly directory: string;
}

export interface MetadataSource {
  /** The machine that has this address now. */
  machineByIp(ip: string): MetadataMachine | null;
}

const MAX_USER_DATA_BYTES = 16 * 2 ** 20;
const MAX_FEATURE_BYTES = 65_536;
const DATE = /^\d{4}-\d\d-\d\d$/;

/**
 * Answers one request. No path, name or file that a machine can make leads to an exception; it may throw for faults of
 * the host, and when the client goes away in the middle of its upload.
 */
export async function handle(
  request: MetadataRequest,
  source: MetadataSource,
  guestOwner: GuestOwner,
): Promise<MetadataResponse> {
  const machine = source.machineByIp(request.clientIp);
  if (machine === null) return NOT_FOUND;
  const path = pathSegments(request.target);
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return path === null ? NOT_FOUND : get(path, machine);
    case 'PUT':
      if (path === null) return refused('bad name');
      // cloud-init tries PUT /latest/api/token and takes 403 for "go away", but 404 for "no tokens here".
      return path[0] === 'joboutputs' ? putJoboutput(machine, path.slice(1), request.body, guestOwner) : NOT_FOUND;
    default:
      return text('method not allowed\n', 405);
  }
}

async function get([first, ...rest]: readonly string[], machine: MetadataMachine): Promise<MetadataResponse> {
  switch (first) {
    case undefined:
      return listing(['1.0', '2009-04-04', 'latest']);
    case 'machinefeatures':
    case 'jobfeatures':
      return getFeature(`${machine.directory}/${first}`, rest);
    case 'joboutputs':
      return getJoboutput(machine, rest);
    case 'openstack':
      return getOpenstack(rest, machine);
    case 'nocloud':
      return getNocloud(rest, machine);
    default:
      return first === 'latest' || first === '1.0' || DATE.test(first) ? getEc2(rest, machine) : NOT_FOUND;
  }
}

async function getEc2(path: readonly string[], machine: MetadataMachine): Promise<MetadataResponse> {
  const [first, ...rest] = path;
  if (first === undefined) return listing(['meta-data/', 'user-data']);
  if (first === 'meta-data') {
    const content = ec2Metadata(machine).get(rest.join('/'));
    return content === undefined ? NOT_FOUND : text(content);
  }
  return first === 'user-data' && rest.length === 0 ? userData(machine) : NOT_FOUND;
}

async function getOpenstack(path: readonly string[], machine: MetadataMachine): Promise<MetadataResponse> {
  const [version, name] = path;
  if (version === undefined) return listing(OPENSTACK_VERSIONS);
  if (path.length > 2 || (version !== 'latest' && !DATE.test(version))) return NOT_FOUND;
  switch (name) {
    case undefined:
      return listing(['meta_data.json', 'user_data', 'vendor_data.json', 'vendor_data2.json']);
    case 'user_data':
    case 'user-data':
      return userData(machine);
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
async function getNocloud(path: readonly string[], machine: MetadataMachine): Promise<MetadataResponse> {
  if (path.length > 1) return NOT_FOUND;
  switch (path[0]) {
    case undefined:
      return listing(['meta-data', 'user-data', 'vendor-data']);
    case 'meta-data':
      return text(nocloudMetadata(machine));
    case 'user-data': {
      const answer = await userData(machine);
      return answer === NOT_FOUND ? text('') : answer;
    }
    case 'vendor-data':
      return text('');
    default:
      return NOT_FOUND;
  }
}

async function getFeature(directory: string, path: readonly string[]): Promise<MetadataResponse> {
  const [key] = path;
  if (key === undefined) return listing(await listFiles(directory));
  if (path.length > 1 || !FILE_NAME.test(key)) return NOT_FOUND;
  return file(await readHostileFile(`${directory}/${key}`, MAX_FEATURE_BYTES));
}

async function userData(machine: MetadataMachine): Promise<MetadataResponse> {
  return file(await readHostileFile(`${machine.directory}/user_data`, MAX_USER_DATA_BYTES));
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
