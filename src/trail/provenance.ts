/**
 * What a machine was made from, taken down while it is made: images are replaced, pipes change, templates are fetched
 * anew for each machine, so nobody could tell it later.
 */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { MachinetypeConfig, Settings } from '../config/types.js';
import type { MachineRecord } from '../factory/types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { redacted } from '../host/http-errors.js';
import { isHttpUrl } from '../host/http-fetch.js';
import type { ImageTraits } from '../host/images/root-images.js';
import { outgoingAddress } from '../host/outgoing-address.js';
import type { Certificate } from '../host/x509-certificate.js';
import type { StateLayout } from '../machines/layout.js';
import { VERSION } from '../version.js';
import type { CertificateTrail, ImageTrail, Provenance, UserDataTrail } from './record.js';

const PROVENANCE = 'provenance.json';

export interface Origin {
  readonly layout: StateLayout;
  readonly settings: Settings;
  readonly factory: string;
  readonly type: MachinetypeConfig;
  readonly record: MachineRecord;
  readonly image: ImageTraits | null;
  /** What the machine's proxy is made of, the proxy first. */
  readonly certificates: readonly Certificate[];
  /** The URL of a vacuum pipe, by its prefix; null: there is none of this name. */
  readonly pipeUrl: (prefix: string) => string | null;
  readonly nowSeconds: number;
}

/** Gathers it, and puts it into the machine's directory. */
export async function noteProvenance(origin: Origin): Promise<Provenance> {
  const { layout, settings, factory, type, record, image } = origin;
  const provenance: Provenance = {
    vacVersion: VERSION,
    space: settings.vacSpace,
    factory,
    machinegroup: type.machinegroup,
    pipe: pipeOf(origin),
    image: image === null ? null : imageTrail(image),
    userData: await userDataTrail(origin),
    certificates: origin.certificates.map(certificateTrail),
    nat: await outgoingAddress(settings.forwardDev),
  };
  // Its loss in a crash of the host costs nothing: the record in the trail, which comes next, has it too.
  await writeFileAtomic(layout.inMachine(record.id, PROVENANCE), `${JSON.stringify(provenance, null, 1)}\n`, {
    mode: 0o600,
    durable: false,
  });
  return provenance;
}

/** Null: it was made by an older vacd, or did not come so far. */
export async function readProvenance(layout: StateLayout, id: string): Promise<Provenance | null> {
  const text = await readTextIfThere(layout.inMachine(id, PROVENANCE));
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Provenance | null;
    return typeof value?.vacVersion === 'string' ? value : null;
  } catch {
    return null;
  }
}

function pipeOf({ type, pipeUrl }: Origin): Provenance['pipe'] {
  if (type.directoryName === type.name) return null;
  const url = pipeUrl(type.directoryName);
  return { prefix: type.directoryName, url: url === null ? null : redacted(url) };
}

function imageTrail({ source, ...traits }: ImageTraits): ImageTrail {
  return { source: redacted(source), ...traits };
}

async function userDataTrail({ layout, record, type, nowSeconds }: Origin): Promise<UserDataTrail | null> {
  const data = await readFile(layout.inMachine(record.id, 'user_data')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (data === null) return null;
  const files = layout.machinetypeFiles(type.directoryName);
  return {
    source: type.userData === null ? null : sourceOf(type.userData, files),
    fetchedTimeSeconds: nowSeconds,
    sha256: createHash('sha256').update(data).digest('hex'),
    bytes: data.length,
  };
}

function sourceOf(text: string, filesDirectory: string): string {
  if (isHttpUrl(text)) return redacted(text);
  return isAbsolute(text) ? text : join(filesDirectory, text);
}

function certificateTrail({ x509, endTimeSeconds }: Certificate): CertificateTrail {
  return {
    // One line, as people compare it: OpenSSL gives a part a line.
    subject: `/${x509.subject.split('\n').join('/')}`,
    serial: x509.serialNumber,
    sha256: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    endTimeSeconds,
  };
}
