/**
 * Who signed a CernVM image, and whether it is still the image that was signed (SPEC 6).
 *
 * The last 64 KiB of the file are two blocks of JSON, filled up with NUL: what the image is, and the signature, RSA with
 * SHA-256 over all of the file but the last block. The certificate is in the signature block, so all depends on who stands
 * for it: only the authorities of a grid site's directory may, and not those of web servers, which certify everybody.
 */

import { createVerify, X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { CommandError, run } from './exec.js';
import { authoritiesIn, GRID_CA_DIRECTORY } from './http-trust.js';

const BLOCK_BYTES = 32 * 1024;

export interface CernvmSignature {
  /** `ucernvm-version` of the image; null: it says none. */
  readonly version: string | null;
  /** Of the certificate in the image, as Globus writes it: /DC=ch/DC=cern/OU=computers/CN=host.cern.ch */
  readonly dn: string;
  /** Why the image is not what the certificate's key signed; null: it is. */
  readonly signatureProblem: string | null;
  /** Why the certificate is not to be trusted; null: it is. */
  readonly chainProblem: string | null;
}

/**
 * Reads an image's signature and checks it, whoever it is from.
 *
 * @throws VacError `image-missing`, or `image-unusable` when it has none that can be read
 */
export async function readCernvmSignature(
  path: string,
  caDirectory: string = GRID_CA_DIRECTORY,
): Promise<CernvmSignature> {
  const { bytes, metadata, block } = await readBlocks(path);
  const certificates = certificatesOf(path, field(path, block, 'certificate'));
  const signature = Buffer.from(field(path, block, 'signature'), 'base64');
  const [signer, ...others] = certificates as [X509Certificate, ...X509Certificate[]];
  return {
    version: fields(metadata, 'ucernvm-version')[0] ?? null,
    dn: globusName(path, signer),
    signatureProblem: await whyNotSigned(path, bytes - BLOCK_BYTES, signer, signature),
    chainProblem: await whyNotTrusted(signer, others, caDirectory),
  };
}

/** An image that must not be used, or null. */
export function whyNotSignedBy({ dn, signatureProblem, chainProblem }: CernvmSignature, wanted: string): string | null {
  if (signatureProblem !== null) return signatureProblem;
  if (chainProblem !== null) return `the certificate of its signer ${dn} is not trusted: ${chainProblem}`;
  if (!nameMatches(dn, wanted)) return `it is signed by ${dn}, which image_signing_dn = ${wanted} does not match`;
  return null;
}

/**
 * Whether a DN matches image_signing_dn: up to its end, and from the beginning of the DN or of one of its parts. So
 * `/CN=signer.example.org`, as experiments write it, is enough, and `/CN=signer.example.org.evil.example` does not pass.
 */
export function nameMatches(dn: string, wanted: string): boolean {
  return new RegExp(`^(?:.*(?=/)|.*/)?(?:${wanted})$`).test(dn);
}

async function readBlocks(path: string): Promise<{ bytes: number; metadata: string; block: string }> {
  try {
    const file = await open(path, 'r');
    try {
      const info = await file.stat();
      if (!info.isFile() || info.size <= 2 * BLOCK_BYTES) throw unsigned(path, 'it is too short to have one');
      const tail = Buffer.alloc(2 * BLOCK_BYTES);
      await file.read(tail, 0, tail.length, info.size - tail.length);
      const text = (from: number) => tail.toString('latin1', from, from + BLOCK_BYTES).replace(/\0+$/, '');
      return { bytes: info.size, metadata: text(0), block: text(BLOCK_BYTES) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    throw new VacError('image-missing', `image ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Values of a key. The blocks of real images are JSON with commas missing between lines, and some too many, so it is not
 * parsed: what is wanted are plain texts, and a key with its colon occurs nowhere inside another text.
 */
function fields(json: string, name: string): string[] {
  return [...json.matchAll(new RegExp(`"${name}"\\s*:\\s*"([^"]*)"`, 'g'))].map(([, value]) =>
    value!.replace(/\\[nrt]|\s/g, '').replace(/\\/g, ''),
  );
}

/** The only one: of two, nobody could say which was meant. */
function field(path: string, block: string, name: string): string {
  const [value, ...more] = fields(block, name);
  if (value === undefined || value === '') throw unsigned(path, `its last 32 KiB hold no "${name}"`);
  if (more.length > 0) throw unsigned(path, `its last 32 KiB hold more than one "${name}"`);
  return value;
}

/** In base64 of PEM, the signer's first. */
function certificatesOf(path: string, base64: string): X509Certificate[] {
  const bytes = Buffer.from(base64, 'base64');
  const pems = bytes.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  try {
    return (pems ?? [bytes]).map((certificate) => new X509Certificate(certificate));
  } catch (cause) {
    throw unsigned(path, `its certificate cannot be read (${(cause as Error).message})`);
  }
}

/** @throws VacError `image-unusable` where a value could be taken for parts of a name that it is not */
function globusName(path: string, { subject }: X509Certificate): string {
  const parts = subject.split('\n');
  for (const part of parts) {
    if (/\/[A-Za-z0-9.]+=/.test(part)) throw unsigned(path, `the name of its signer is ambiguous: ${part}`);
  }
  return parts.map((part) => `/${part}`).join('');
}

async function whyNotSigned(
  path: string,
  bytes: number,
  signer: X509Certificate,
  signature: Buffer,
): Promise<string | null> {
  if (signer.publicKey.asymmetricKeyType !== 'rsa') return 'the certificate in it has no RSA key';
  const verify = createVerify('RSA-SHA256');
  for await (const piece of createReadStream(path, { end: bytes - 1 })) verify.update(piece as Buffer);
  return verify.verify(signer.publicKey, signature)
    ? null
    : 'it is not as it was signed: it was altered, or the signature was';
}

/** By `openssl verify`, which knows all the rules of chains; nothing of the host's own authorities is used. */
async function whyNotTrusted(
  signer: X509Certificate,
  others: readonly X509Certificate[],
  caDirectory: string,
): Promise<string | null> {
  const authorities = await authoritiesIn(caDirectory);
  if (authorities.length === 0) {
    return `there are no certificates of authorities in ${caDirectory}; install those that your site trusts`;
  }
  const directory = await mkdtemp(join(tmpdir(), 'vac-signer-'));
  try {
    const path = async (name: string, pems: readonly string[]) => {
      await writeFile(join(directory, name), pems.join('\n'));
      return join(directory, name);
    };
    const args = ['verify', '-no-CApath', '-CAfile', await path('authorities', authorities)];
    if (others.length > 0) args.push('-untrusted', await path('others', others.map(String)));
    const env = { PATH: process.env.PATH, LC_ALL: 'C', SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: '/dev/null' };
    await run('openssl', [...args, await path('signer', [signer.toString()])], { env, timeoutSeconds: 30 });
    return null;
  } catch (cause) {
    if (!(cause instanceof CommandError) || cause.code !== 'command-failed') throw cause;
    const [, why = 'openssl verify refuses it'] = /depth lookup: ?(.+)/.exec(cause.details.stderr) ?? [];
    return why.trim();
  } finally {
    await rm(directory, { recursive: true });
  }
}

function unsigned(path: string, why: string): VacError {
  return new VacError('image-unusable', `image ${path} has no CernVM signature that can be read: ${why}`);
}
