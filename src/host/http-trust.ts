/**
 * Whom an https server must be certified by: the authorities of the host's system and, where grid sites keep them,
 * those in /etc/grid-security/certificates (SPEC 6). Certificate revocation lists there are not looked at.
 */

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';

export const GRID_CA_DIRECTORY = '/etc/grid-security/certificates';

/** Of Debian and its like, of Red Hat and its like, of SUSE; the first that is there holds the host's authorities. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
];

/** IGTF's packages hold each authority as NAME.pem and, by its hash, as HASH.0; links make these the same text. */
const CERTIFICATE_FILE = /\.(?:pem|\d)$/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

interface Trust {
  readonly stamp: string;
  readonly context: SecureContext;
}

/** By directory; a context costs some 20 ms, so it is kept until something in the directory or the bundle changes. */
const kept = new Map<string, Trust>();

/** What servers are checked against; `caDirectory` may be missing. */
export async function trustedBy(caDirectory: string = GRID_CA_DIRECTORY): Promise<SecureContext> {
  const bundle = await firstThere([process.env.SSL_CERT_FILE ?? '', ...SYSTEM_BUNDLES]);
  const stamp = `${bundle} ${await changedAt(bundle)} ${await changedAt(caDirectory)}`;
  const known = kept.get(caDirectory);
  if (known?.stamp === stamp) return known.context;
  const ca = [...new Set([...(await systemAuthorities(bundle)), ...(await authoritiesIn(caDirectory))])];
  const trust = { stamp, context: createSecureContext({ ca, minVersion: 'TLSv1.2' }) };
  kept.set(caDirectory, trust);
  return trust.context;
}

/** Certificates (PEM) of the authorities in a directory; none where it is missing. A file that cannot be read is skipped. */
export async function authoritiesIn(caDirectory: string): Promise<string[]> {
  const names = await readdir(caDirectory).catch(() => []);
  const texts = await Promise.all(
    names
      .filter((name) => CERTIFICATE_FILE.test(name))
      .map((name) => readFile(join(caDirectory, name), 'latin1').catch(() => '')),
  );
  return [...new Set(texts.flatMap(certificatesIn))];
}

/** Certificates (PEM) of the authorities of the host's system; Node's own list where the host has none. */
export async function systemAuthorities(bundle?: string): Promise<readonly string[]> {
  const path = bundle ?? (await firstThere([process.env.SSL_CERT_FILE ?? '', ...SYSTEM_BUNDLES]));
  return path === '' ? rootCertificates : certificatesIn(await readFile(path, 'latin1'));
}

function certificatesIn(text: string): string[] {
  return text.match(CERTIFICATE) ?? [];
}

async function firstThere(paths: readonly string[]): Promise<string> {
  for (const path of paths) if (path !== '' && (await changedAt(path)) !== null) return path;
  return '';
}

async function changedAt(path: string): Promise<number | null> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}
