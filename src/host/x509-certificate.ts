/**
 * Certificates in PEM files, as far as proxies and their ends need to know them. OpenSSL (through node:crypto) reads
 * them; what it does not tell is looked up in their DER.
 */

import { X509Certificate } from 'node:crypto';
import { type DerElement, elements, objectIdentifier, TAG } from './x509-der.js';

/** Extension ProxyCertInfo (RFC 3820 3.8). */
export const PROXY_CERT_INFO = '1.3.6.1.5.5.7.1.14';
export const KEY_USAGE = '2.5.29.15';
export const COMMON_NAME = '2.5.4.3';
/** Last common names of legacy proxies (Globus Toolkit 2), which have no extension to tell them by. */
const LEGACY_COMMON_NAMES = ['proxy', 'limited proxy'];

export interface Certificate {
  readonly x509: X509Certificate;
  /** It alone, ending with a newline. */
  readonly pem: string;
  /** Its subject, a Name in DER: whoever it signs for must have these very bytes as issuer. */
  readonly subject: Buffer;
  /** Unix seconds. */
  readonly startTimeSeconds: number;
  readonly endTimeSeconds: number;
  readonly kind: 'authority' | 'entity' | 'rfc-proxy' | 'legacy-proxy';
  /** False: its key usage forbids signatures, and with it proxies (RFC 3820 3.1). */
  readonly maySign: boolean;
  /** Of a proxy: how many more may follow it; null: any number. */
  readonly proxiesLeft: number | null;
  readonly selfSigned: boolean;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** The certificates of a PEM text, in its order; all else in it is passed over. @throws Error when one is damaged */
export function certificatesIn(text: string): Certificate[] {
  return (text.match(CERTIFICATE) ?? []).map((pem) => readCertificate(new X509Certificate(pem)));
}

function readCertificate(x509: X509Certificate): Certificate {
  const [tbs] = elements(elements(x509.raw)[0]!.content);
  const parts = elements(tbs!.content);
  // Certificates of version 1 do not say their version, which all others begin with.
  const serialAt = parts[0]!.tag === TAG.integer ? 0 : 1;
  const issuer = parts[serialAt + 2]!.whole;
  const subject = parts[serialAt + 4]!.whole;
  const extensions = extensionsOf(parts.at(-1)!);
  const proxyInfo = extensions.get(PROXY_CERT_INFO);
  const keyUsage = extensions.get(KEY_USAGE);
  return {
    x509,
    pem: `${x509.toString().trimEnd()}\n`,
    subject,
    startTimeSeconds: Date.parse(x509.validFrom) / 1000,
    endTimeSeconds: Date.parse(x509.validTo) / 1000,
    kind:
      proxyInfo !== undefined
        ? 'rfc-proxy'
        : x509.ca
          ? 'authority'
          : isLegacyProxy(issuer, subject)
            ? 'legacy-proxy'
            : 'entity',
    // digitalSignature is the first bit of the string, after the byte that counts unused ones.
    maySign: keyUsage === undefined || (elements(keyUsage)[0]!.content[1]! & 0x80) !== 0,
    proxiesLeft: proxyInfo === undefined ? null : pathLength(proxyInfo),
    selfSigned: issuer.equals(subject),
  };
}

/** Values of the extensions by OID; none where the last part of the certificate is something else. */
function extensionsOf(last: DerElement): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (last.tag !== 0xa3) return found;
  for (const extension of elements(elements(last.content)[0]!.content)) {
    const [id, ...rest] = elements(extension.content);
    for (const oid of [PROXY_CERT_INFO, KEY_USAGE]) {
      if (id!.whole.equals(objectIdentifier(oid))) found.set(oid, rest.at(-1)!.content);
    }
  }
  return found;
}

/** ProxyCertInfo begins with it, if it has one; else with the policy, a sequence. */
function pathLength(proxyInfo: Buffer): number | null {
  const [first] = elements(elements(proxyInfo)[0]!.content);
  if (first?.tag !== TAG.integer) return null;
  return first.content.reduce((number, byte) => number * 256 + byte, 0);
}

/** Its subject is its issuer's with one common name more, one of those that Globus gave them. */
function isLegacyProxy(issuer: Buffer, subject: Buffer): boolean {
  const [issuerNames, names] = [issuer, subject].map((name) => elements(elements(name)[0]!.content)) as [
    DerElement[],
    DerElement[],
  ];
  const last = names.at(-1);
  if (last === undefined || names.length !== issuerNames.length + 1) return false;
  if (!issuerNames.every((name, index) => name.whole.equals(names[index]!.whole))) return false;
  const [type, value] = elements(elements(last.content)[0]!.content);
  return (
    type!.whole.equals(objectIdentifier(COMMON_NAME)) && LEGACY_COMMON_NAMES.includes(value!.content.toString('latin1'))
  );
}
