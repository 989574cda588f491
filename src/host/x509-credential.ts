/**
 * A certificate with its key, from the PEM files that an administrator put on the host. What is wrong with them is said in
 * words for people; nothing of a key is ever part of a message.
 */

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { type Certificate, certificatesIn } from './x509-certificate.js';

export interface CredentialFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Credential {
  readonly files: CredentialFiles;
  /** The certificate whose key this is, then those of its file that certify it. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly key: KeyObject;
  /** What is not as it should be, but works: a line each. */
  readonly warnings: readonly string[];
}

/** Certificates with long chains have some kilobytes: a larger file is another one. */
export const MAX_PEM_BYTES = 2 ** 20;

const PRIVATE_KEY = /-----BEGIN ((?:[A-Z0-9]+ )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/;

/**
 * Reads a certificate and its key, and checks that they belong together.
 *
 * @throws VacError `credential-unusable`
 */
export async function readCredential(files: CredentialFiles): Promise<Credential> {
  const chain = await readCertificates(files.certificate);
  const { text, mode } = await readPem(files.key);
  const key = privateKeyIn(files.key, text);
  const owner = chain.findIndex(({ x509 }) => x509.checkPrivateKey(key));
  if (owner === -1) {
    throw unusable(`${files.key} is not the key of the certificate in ${files.certificate}; put the pair there`);
  }
  if (owner > 0) {
    throw unusable(
      `${files.certificate}: the certificate of the key is number ${owner + 1} in the file; it must be the first, then those that certify it`,
    );
  }
  const warnings =
    (mode & 0o077) === 0
      ? []
      : [`${files.key} is a private key that others than its owner may use (mode ${octal(mode)}); chmod 600 it`];
  return { files, chain, key, warnings };
}

/** The certificates of a PEM file, at least one. Links are followed. @throws VacError `credential-unusable` */
export async function readCertificates(path: string): Promise<[Certificate, ...Certificate[]]> {
  const { text } = await readPem(path);
  let certificates: Certificate[];
  try {
    certificates = certificatesIn(text);
  } catch (cause) {
    throw unusable(`${path} holds a damaged certificate; put a good copy there`, cause);
  }
  const [first, ...others] = certificates;
  if (first === undefined) throw unusable(`${path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`);
  return [first, ...others];
}

/**
 * The first of these certificates to end. A self-signed one, if it is not the only one, is left out: it is an authority's
 * that whoever verifies the chain has of his own.
 */
export function firstToEnd(chain: readonly [Certificate, ...Certificate[]]): Certificate {
  return chain
    .slice(1)
    .filter(({ selfSigned }) => !selfSigned)
    .reduce((first, next) => (next.endTimeSeconds < first.endTimeSeconds ? next : first), chain[0]);
}

function privateKeyIn(path: string, text: string): KeyObject {
  const [pem, kind] = PRIVATE_KEY.exec(text) ?? [];
  if (pem === undefined) throw unusable(`${path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)`);
  if (kind === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(pem)) {
    throw unusable(
      `${path} holds a key that is encrypted, and nobody is there to type its passphrase; decrypt it: openssl pkey -in ${path} -out NEW, with umask 077`,
    );
  }
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unusable(`${path} holds a damaged private key; put a good copy there`, cause);
  }
}

/** A regular file's text and mode; a FIFO is not waited for. */
export async function readPem(path: string): Promise<{ text: string; mode: number }> {
  let handle: Awaited<ReturnType<typeof open>> | null = null;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = await handle.stat();
    if (!info.isFile()) throw unusable(`${path} is no regular file`);
    // One byte more than allowed: it may be growing.
    const buffer = Buffer.alloc(Math.min(info.size, MAX_PEM_BYTES) + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (info.size > MAX_PEM_BYTES || bytesRead > MAX_PEM_BYTES) {
      throw unusable(`${path} is larger than ${MAX_PEM_BYTES} bytes, which no certificate or key is`);
    }
    return { text: buffer.toString('latin1', 0, bytesRead), mode: info.mode & 0o777 };
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw unusable(`${path} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : message}`, cause);
  } finally {
    await handle?.close();
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** For whatever makes a certificate, or its key, of no use. */
export function unusable(message: string, cause?: unknown): VacError {
  return new VacError('credential-unusable', message, { cause });
}
