/**
 * X.509 proxies (SPEC 6): a certificate of its own key, signed by a certificate that is no authority's, for somebody who
 * may act for its owner, for a while. RFC 3820's form says in an extension that it is one; the legacy form, of Globus
 * Toolkit 2, by its last common name.
 *
 * Keys and signatures are OpenSSL's, through node:crypto, and not of the command `openssl`: so a machine's key is never in
 * a file, an argument list or a pipe, nothing can be left behind, the issuer's name is copied byte by byte (the
 * command writes it anew, maybe in other types of string), and the end is exact to the second (`openssl x509` counts
 * whole days). What is left for us to write is the certificate around them.
 */

import { generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { utcTime } from '../factory/orders.js';
import { type Certificate, COMMON_NAME, KEY_USAGE, PROXY_CERT_INFO } from './x509-certificate.js';
import { type Credential, firstToEnd, unusable } from './x509-credential.js';
import { bitString, contextTag, der, elements, integer, objectIdentifier, sequence, TAG, time } from './x509-der.js';

export interface ProxyOrder {
  readonly legacy: boolean;
  /** Last common name; null: the serial number, as RFC 3820 3.4 advises. The legacy form has its own. */
  readonly commonName: string | null;
  /** Unix seconds. */
  readonly endTimeSeconds: number;
}

export interface ProxyKey {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  /** PKCS #1, which old and new grid software reads. */
  readonly pem: string;
}

const KEY_BITS = 2048;
/** Policy language "limited": whoever holds the proxy may use data, but start no jobs with it. */
const LIMITED = '1.3.6.1.4.1.3536.1.1.1.9';
/** What tells a legacy proxy to be limited. */
const LEGACY_LIMITED = 'limited proxy';
/** Clocks of other hosts may be late by so much. */
const START_EARLIER_SECONDS = 300;
/** The most that X.520 allows. */
const COMMON_NAME_CHARACTERS = 64;

/** By the type of the signing key: the signature's AlgorithmIdentifier (RFC 3279, RFC 5758). */
const ALGORITHMS: Readonly<Record<string, Buffer>> = {
  rsa: sequence(objectIdentifier('1.2.840.113549.1.1.11'), der(0x05)),
  ec: sequence(objectIdentifier('1.2.840.10045.4.3.2')),
};

/**
 * Whether proxies of this form can be made with a credential at all, whatever time it is.
 *
 * @throws VacError `credential-unusable`
 */
export function checkProxyForm({ chain, key, files }: Credential, legacy: boolean): void {
  const [issuer] = chain;
  const refuse = (why: string) => unusable(`${files.certificate} ${why}`);
  if (issuer.kind === 'authority') throw refuse('is the certificate of an authority, which cannot have proxies');
  if (!issuer.maySign) throw refuse('cannot have proxies: its key usage lacks digitalSignature');
  if (issuer.proxiesLeft === 0) throw refuse('is a proxy of which no further one can be made (path length 0)');
  if (issuer.kind === 'legacy-proxy' && !legacy) {
    throw refuse(
      'is a legacy proxy, and so must be those made of it; set legacy_proxy (--legacy), or put another one there',
    );
  }
  if (issuer.kind === 'rfc-proxy' && legacy) {
    throw refuse(
      'is an RFC 3820 proxy, of which no legacy one can be made; leave out legacy_proxy (--legacy), or put another one there',
    );
  }
  if (ALGORITHMS[key.asymmetricKeyType ?? ''] === undefined) {
    throw refuse(`has a key of type ${key.asymmetricKeyType}; only RSA and EC keys are known here`);
  }
}

/**
 * Whether a credential can make such a proxy now; it takes no time, and a key takes some.
 *
 * @throws VacError `credential-unusable`
 */
export function checkProxy(credential: Credential, order: ProxyOrder, nowSeconds: number): void {
  checkProxyForm(credential, order.legacy);
  const { chain, files } = credential;
  const [issuer] = chain;
  const refuse = (why: string) => unusable(`${files.certificate} ${why}`);
  if (issuer.startTimeSeconds > nowSeconds) {
    throw refuse(`is not valid before ${utcTime(issuer.startTimeSeconds)}; is this host's clock right?`);
  }
  const first = firstToEnd(chain);
  const which = first === issuer ? 'it' : `certificate number ${chain.indexOf(first) + 1} in it`;
  const ends = utcTime(first.endTimeSeconds);
  if (first.endTimeSeconds <= nowSeconds) throw refuse(`has expired: ${which} ended at ${ends}; renew it`);
  if (first.endTimeSeconds < order.endTimeSeconds) {
    throw refuse(
      `ends too early: ${which} ends at ${ends}, and the proxy must last until ${utcTime(order.endTimeSeconds)}; renew it`,
    );
  }
}

/**
 * A proxy as PEM: it, its key, the chain. A limited one, of which more may be made (no path length is set): pilots do, for
 * their transfers. Extended key usage is left out, which means that of the issuer.
 *
 * @throws VacError `credential-unusable`, as {@link checkProxy}
 */
export async function makeProxy(
  credential: Credential,
  order: ProxyOrder,
  nowSeconds: number,
  key: ProxyKey,
): Promise<string> {
  checkProxy(credential, order, nowSeconds);
  const algorithm = ALGORITHMS[credential.key.asymmetricKeyType!]!;
  const [issuer] = credential.chain;
  const serial = randomBytes(8);
  // Positive, and never 0.
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const commonName = order.legacy ? LEGACY_LIMITED : (order.commonName ?? String(serial.readBigUInt64BE()));
  const tbs = sequence(
    der(contextTag(0), integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    issuer.subject,
    sequence(
      // Not before the one that signs it: nobody accepts a proxy outside of that one's time.
      time(Math.max(nowSeconds - START_EARLIER_SECONDS, issuer.startTimeSeconds)),
      time(order.endTimeSeconds),
    ),
    withCommonName(issuer, commonName.slice(0, COMMON_NAME_CHARACTERS)),
    key.publicKey,
    der(contextTag(3), sequence(...extensions(order.legacy))),
  );
  const signature = await signed(tbs, credential.key);
  const proxy = pemOf(sequence(tbs, algorithm, bitString(signature)));
  return [proxy, key.pem, ...credential.chain.map(({ pem }) => pem)].join('');
}

/**
 * A key for a proxy: some tenths of a second of a processor. One is made at a time, for it holds a thread of the small
 * pool that all work with files shares.
 */
export function newProxyKey(): Promise<ProxyKey> {
  const made = lastKey.then(async () => {
    const { publicKey, privateKey } = await generate('rsa', {
      modulusLength: KEY_BITS,
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    });
    return { publicKey, pem: privateKey };
  });
  lastKey = made.catch(() => {});
  return made;
}

let lastKey: Promise<unknown> = Promise.resolve();
const generate = promisify(generateKeyPair);

function signed(tbs: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign('sha256', tbs, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}

/** The issuer's name with one common name more (RFC 3820 3.4). */
function withCommonName({ subject }: Certificate, commonName: string): Buffer {
  const value = der(TAG.printableString, Buffer.from(commonName, 'latin1'));
  const names = elements(elements(subject)[0]!.content).map(({ whole }) => whole);
  return sequence(...names, der(TAG.set, sequence(objectIdentifier(COMMON_NAME), value)));
}

function extensions(legacy: boolean): Buffer[] {
  // Signatures, and keys of TLS before 1.3. A verifier takes what the issuer's key usage allows of it.
  const digitalSignatureKeyEncipherment = bitString(Buffer.from([0b1010_0000]), 5);
  const usage = critical(KEY_USAGE, digitalSignatureKeyEncipherment);
  return legacy ? [usage] : [usage, critical(PROXY_CERT_INFO, sequence(sequence(objectIdentifier(LIMITED))))];
}

function critical(id: string, value: Buffer): Buffer {
  return sequence(objectIdentifier(id), der(TAG.boolean, Buffer.from([0xff])), der(TAG.octetString, value));
}

function pemOf(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
