import { createPrivateKey } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/host/exec.js';
import { certificatesIn } from '../../src/host/x509-certificate.js';
import { type Credential, readCredential } from '../../src/host/x509-credential.js';
import { checkProxy, makeProxy, newProxyKey, type ProxyKey, type ProxyOrder } from '../../src/host/x509-proxy.js';
import { EC, type Issued, type IssueOptions, TestAuthority } from './test-authority.js';

const DAY = 86_400;
/** Certificates that the tests make on their way have begun by then. */
const NOW = Math.floor(Date.now() / 1000) + 120;
const ORDER: ProxyOrder = { legacy: false, commonName: 'lhcb-prod', endTimeSeconds: NOW + DAY };

let authority: TestAuthority;
let pair: Issued;
let pilot: Credential;
let proxyKey: ProxyKey;

beforeAll(async () => {
  authority = await TestAuthority.create();
  pair = await authority.issue('pilot');
  pilot = await readCredential(pair);
  proxyKey = await newProxyKey();
});

afterAll(() => authority.remove());

const made = (order: Partial<ProxyOrder> = {}, credential = pilot, nowSeconds = NOW) =>
  makeProxy(credential, { ...ORDER, ...order }, nowSeconds, proxyKey);

async function openssl(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('openssl', args, { allowExitCodes: [0, 1, 2] });
  return stdout + stderr;
}

async function shown(pem: string, ...what: string[]): Promise<string> {
  return openssl('x509', '-in', await authority.write('shown.pem', pem), '-noout', ...what);
}

/** What OpenSSL says of a proxy that somebody brings with it who wants to be let in. */
async function verdict(pem: string, ...options: string[]): Promise<string> {
  const path = await authority.write('verified.pem', pem);
  const [first] = certificatesIn(pem);
  const proxy = await authority.write('alone.pem', first!.pem);
  const trusting = ['-CAfile', authority.root.certificate, '-untrusted', path];
  const said = await openssl('verify', '-purpose', 'sslclient', ...trusting, ...options, proxy);
  return said.replaceAll(`${authority.directory}/`, '').trim();
}

async function credentialOf(name: string, options: IssueOptions, ...chain: string[]): Promise<Credential> {
  const { certificate, key } = await authority.issue(name, { keyOptions: EC, ...options });
  const texts = await Promise.all([certificate, ...chain].map((path) => readFile(path, 'utf8')));
  await writeFile(certificate, texts.join(''));
  return readCredential({ certificate, key });
}

describe('a proxy of RFC 3820', () => {
  it('is one that OpenSSL accepts, and only where proxies are allowed', async () => {
    const pem = await made();
    expect(await verdict(pem, '-allow_proxy_certs')).toBe('alone.pem: OK');
    expect(await verdict(pem)).toContain('proxy certificates not allowed');
  });

  it('is limited, of any path length, for signatures and key encipherment, and nothing else', async () => {
    const text = await shown(await made(), '-ext', 'proxyCertInfo,keyUsage');
    expect(text.trim().split(/\s*\n\s*/)).toEqual([
      'X509v3 Key Usage: critical',
      'Digital Signature, Key Encipherment',
      'Proxy Certificate Information: critical',
      'Path Length Constraint: infinite',
      'Policy Language: 1.3.6.1.4.1.3536.1.1.1.9',
    ]);
    expect((await shown(await made(), '-text')).match(/^ {12}\S.*:/gm)?.slice(-2)).toEqual([
      '            X509v3 Key Usage:',
      '            Proxy Certificate Information:',
    ]);
  });

  it('has the name of its owner and the machinetype’s after it', async () => {
    const names = await shown(await made(), '-subject', '-issuer', '-nameopt', 'RFC2253');
    expect(names).toBe(
      'subject=CN=lhcb-prod,CN=Robot: pilot,O=Some\\, Grid,DC=example,DC=com\nissuer=CN=Robot: pilot,O=Some\\, Grid,DC=example,DC=com\n',
    );
  });

  it('has a name of no more than 64 characters, and without one its serial number', async () => {
    const commonName = async (order: Partial<ProxyOrder>) =>
      /subject=CN=([^,]*)/.exec(await shown(await made(order), '-subject', '-nameopt', 'RFC2253'))?.[1];
    expect(await commonName({ commonName: 'a'.repeat(70) })).toBe('a'.repeat(64));
    const pem = await made({ commonName: null });
    const [proxy] = certificatesIn(pem);
    expect(await shown(pem, '-subject', '-nameopt', 'RFC2253')).toContain(
      `subject=CN=${BigInt(`0x${proxy!.x509.serialNumber}`)},`,
    );
  });

  it('ends to the second when it is told to, and begins some minutes ago, but not before its issuer', async () => {
    const later = pilot.chain[0].startTimeSeconds + 1000;
    const [proxy] = certificatesIn(await made({ endTimeSeconds: NOW + 12_345 }, pilot, later));
    expect(proxy).toMatchObject({ startTimeSeconds: later - 300, endTimeSeconds: NOW + 12_345 });
    const [early] = certificatesIn(await made({}, pilot, pilot.chain[0].startTimeSeconds + 10));
    expect(early!.startTimeSeconds).toBe(pilot.chain[0].startTimeSeconds);
  });

  it('lasts beyond 2049, as its certificate does', async () => {
    const credential = await credentialOf('long', { days: 30_000 });
    const endTimeSeconds = Date.UTC(2060, 1, 29) / 1000;
    const pem = await made({ endTimeSeconds }, credential);
    expect(certificatesIn(pem)[0]!.endTimeSeconds).toBe(endTimeSeconds);
    expect(await shown(pem, '-enddate')).toBe('notAfter=Feb 29 00:00:00 2060 GMT\n');
  });

  it('is followed by its key, of 2048 bits, and the chain; and the key of its issuer is not among them', async () => {
    const pem = await made();
    expect(pem.match(/^-----.*$/gm)).toEqual([
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
      '-----BEGIN RSA PRIVATE KEY-----',
      '-----END RSA PRIVATE KEY-----',
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
    ]);
    const key = createPrivateKey(pem);
    expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65_537n });
    const [proxy, issuer, ...more] = certificatesIn(pem);
    expect(proxy!.x509.checkPrivateKey(key)).toBe(true);
    expect(issuer!.pem).toBe(await readFile(pair.certificate, 'utf8'));
    expect(more).toEqual([]);
  });

  it('never gives the owner’s key away, though it stands in the file of the certificate', async () => {
    const [certificate, key] = await Promise.all([pair.certificate, pair.key].map((path) => readFile(path, 'utf8')));
    const one = await authority.write('one.pem', `${key}${certificate}${key}`);
    const pem = await made({}, await readCredential({ certificate: one, key: one }));
    expect(pem.match(/PRIVATE KEY-----$/gm)).toHaveLength(2);
    expect(pem).not.toContain(key!.split('\n')[2]);
  });

  it('has a serial number of its own each time', async () => {
    const pems = await Promise.all(Array.from({ length: 20 }, () => made()));
    const serials = pems.map((pem) => certificatesIn(pem)[0]!.x509.serialNumber);
    expect(new Set(serials).size).toBe(20);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{15}$/);
  });

  it('can be made with an EC key, of a certificate that another one certifies, and of a proxy', async () => {
    const between = await authority.issue('between', {
      extensions: 'basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n',
      keyOptions: EC,
    });
    const user = await credentialOf('user', { by: between }, between.certificate);
    const pem = await made({}, user);
    expect(certificatesIn(pem)).toHaveLength(3);
    expect(await verdict(pem, '-allow_proxy_certs')).toBe('alone.pem: OK');
    const path = await authority.write('proxy.pem', pem);
    const further = await made({ commonName: 'again' }, await readCredential({ certificate: path, key: path }));
    expect(certificatesIn(further)).toHaveLength(4);
    expect(await verdict(further, '-allow_proxy_certs')).toBe('alone.pem: OK');
  });

  it('names its issuer byte by byte, whatever types of string and however many names it has', async () => {
    const config = await authority.write(
      'odd.cnf',
      '[req]\nprompt = no\nstring_mask = default\ndistinguished_name = dn\n[dn]\nO = Printed\n1.2.3.4 = odd\n0.OU = a\n+1.OU = b\nCN = Caf\xe9\n',
    );
    const odd = { certificate: authority.path('odd.pem'), key: pair.key };
    await run('openssl', ['req', '-new', '-key', pair.key, '-config', config, '-out', authority.path('odd.csr')]);
    const signer = ['-CA', authority.root.certificate, '-CAkey', authority.root.key, '-CAcreateserial'];
    await run('openssl', ['x509', '-req', '-in', authority.path('odd.csr'), ...signer, '-out', odd.certificate]);
    const pem = await made({}, await readCredential(odd));
    const [proxy, issuer] = certificatesIn(pem);
    expect(proxy!.x509.raw.includes(issuer!.subject)).toBe(true);
    expect(await verdict(pem, '-allow_proxy_certs')).toBe('alone.pem: OK');
  });
});

describe('a legacy proxy', () => {
  it('is told by its last name, has no extension for it, and is signed by its owner', async () => {
    const pem = await made({ legacy: true });
    const [proxy, issuer] = certificatesIn(pem);
    expect(proxy).toMatchObject({ kind: 'legacy-proxy', endTimeSeconds: ORDER.endTimeSeconds, maySign: true });
    expect(await shown(pem, '-subject', '-nameopt', 'RFC2253')).toBe(
      'subject=CN=limited proxy,CN=Robot: pilot,O=Some\\, Grid,DC=example,DC=com\n',
    );
    expect(await shown(pem, '-text')).not.toContain('Proxy Certificate Information');
    expect(proxy!.x509.issuer).toBe(issuer!.x509.subject);
    expect(proxy!.x509.verify(pilot.chain[0].x509.publicKey)).toBe(true);
    expect(pem.match(/^-----BEGIN.*$/gm)).toHaveLength(3);
  });

  it('can be made of a legacy proxy, and neither form of the other', async () => {
    const credential = async (legacy: boolean) => {
      const path = await authority.write(`legacy-${legacy}.pem`, await made({ legacy }));
      return readCredential({ certificate: path, key: path });
    };
    const [old, rfc] = [await credential(true), await credential(false)];
    expect(certificatesIn(await made({ legacy: true }, old))[0]).toMatchObject({ kind: 'legacy-proxy' });
    await expect(made({ legacy: false }, old)).rejects.toThrow(
      'legacy-true.pem is a legacy proxy, and so must be those made of it; set legacy_proxy (--legacy), or put another one there',
    );
    await expect(made({ legacy: true }, rfc)).rejects.toThrow(
      'legacy-false.pem is an RFC 3820 proxy, of which no legacy one can be made; leave out legacy_proxy (--legacy), or put another one there',
    );
  });
});

describe('no proxy is made', () => {
  const refused = (credential: Credential, order: Partial<ProxyOrder> = {}, nowSeconds = NOW) => {
    try {
      checkProxy(credential, { ...ORDER, ...order }, nowSeconds);
    } catch (error) {
      expect(error).toMatchObject({ code: 'credential-unusable' });
      return (error as Error).message.replace(`${authority.directory}/`, '');
    }
    return null;
  };
  const utc = (timeSeconds: number) =>
    `${new Date(timeSeconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

  it('that would outlast its certificate, by a second', () => {
    const [{ endTimeSeconds }] = pilot.chain;
    expect(refused(pilot, { endTimeSeconds })).toBeNull();
    expect(refused(pilot, { endTimeSeconds: endTimeSeconds + 1 })).toBe(
      `pilot.pem ends too early: it ends at ${utc(endTimeSeconds)}, and the proxy must last until ${utc(endTimeSeconds + 1)}; renew it`,
    );
  });

  it('of a certificate that has expired, or is not valid yet', () => {
    const [{ startTimeSeconds, endTimeSeconds }] = pilot.chain;
    expect(refused(pilot, { endTimeSeconds: endTimeSeconds + 60 }, endTimeSeconds)).toBe(
      `pilot.pem has expired: it ended at ${utc(endTimeSeconds)}; renew it`,
    );
    expect(refused(pilot, {}, startTimeSeconds)).toBeNull();
    expect(refused(pilot, {}, startTimeSeconds - 1)).toBe(
      `pilot.pem is not valid before ${utc(startTimeSeconds)}; is this host's clock right?`,
    );
  });

  it('of a chain of which another certificate ends first', async () => {
    const between = await authority.issue('brief', {
      days: 3,
      extensions: 'basicConstraints = critical, CA:TRUE\n',
      keyOptions: EC,
    });
    const credential = await credentialOf('under-brief', { by: between }, between.certificate);
    const ends = utc(credential.chain[1]!.endTimeSeconds);
    expect(refused(credential)).toBeNull();
    expect(refused(credential, { endTimeSeconds: NOW + 10 * DAY })).toBe(
      `under-brief.pem ends too early: certificate number 2 in it ends at ${ends}, and the proxy must last until ${utc(NOW + 10 * DAY)}; renew it`,
    );
  });

  it('of an authority, by what may not sign, by a proxy that is the last, or with a key of another type', async () => {
    const authoritys = await readCredential(authority.root);
    expect(refused(authoritys)).toBe('ca.pem is the certificate of an authority, which cannot have proxies');
    const mute = await credentialOf('mute', { extensions: 'keyUsage = keyAgreement\n' });
    expect(refused(mute)).toBe('mute.pem cannot have proxies: its key usage lacks digitalSignature');
    const last = await credentialOf('last', {
      by: pair,
      subject: '/DC=com/DC=example/O=Some, Grid/CN=Robot: pilot/CN=1',
      extensions: 'proxyCertInfo = critical, language:1.3.6.1.5.5.7.21.1, pathlen:0\n',
    });
    expect(refused(last)).toBe('last.pem is a proxy of which no further one can be made (path length 0)');
    const other = await credentialOf('ed', { keyOptions: ['-algorithm', 'ED25519'] });
    expect(refused(other)).toBe('ed.pem has a key of type ed25519; only RSA and EC keys are known here');
  });

  it('and nothing is signed', async () => {
    await expect(made({ endTimeSeconds: NOW + 10_000 * DAY })).rejects.toMatchObject({ code: 'credential-unusable' });
  });
});

describe('keys', () => {
  it('are others each time, and made one after the other', async () => {
    const order: number[] = [];
    const keys = await Promise.all(
      [0, 1, 2].map(async (number) => {
        const key = await newProxyKey();
        order.push(number);
        return key.pem;
      }),
    );
    expect(new Set(keys).size).toBe(3);
    expect(order).toEqual([0, 1, 2]);
  });

  it('leave no file behind, nor any in between', async () => {
    const before = await readdir(authority.directory);
    await made();
    expect(await readdir(authority.directory)).toEqual(before);
  });
});
