import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificate, certificatesIn } from '../../src/host/x509-certificate.js';
import { EC, type IssueOptions, TestAuthority } from './test-authority.js';

let authority: TestAuthority;

beforeAll(async () => {
  authority = await TestAuthority.create();
});

afterAll(() => authority.remove());

async function issued(name: string, options: IssueOptions = {}): Promise<Certificate> {
  const { certificate } = await authority.issue(name, { keyOptions: EC, ...options });
  return certificatesIn(await readFile(certificate, 'utf8'))[0]!;
}

describe('a certificate', () => {
  it('tells its time, its subject, and whether it may sign', async () => {
    const certificate = await issued('plain', { days: 10 });
    expect(certificate).toMatchObject({ kind: 'entity', maySign: true, proxiesLeft: null, selfSigned: false });
    expect(certificate.endTimeSeconds - certificate.startTimeSeconds).toBe(10 * 86_400);
    expect(Math.abs(certificate.startTimeSeconds - Date.now() / 1000)).toBeLessThan(600);
    expect(certificate.subject.includes(Buffer.from('Robot: plain'))).toBe(true);
    expect(certificate.subject.includes(Buffer.from('Test Authority'))).toBe(false);
  });

  it('without a key usage may sign, with one that lacks digitalSignature it may not', async () => {
    expect(await issued('no-usage', { extensions: 'basicConstraints = CA:FALSE\n' })).toMatchObject({ maySign: true });
    expect(await issued('other-usage', { extensions: 'keyUsage = keyAgreement\n' })).toMatchObject({ maySign: false });
    expect(await issued('v1', { extensions: '' })).toMatchObject({ maySign: true, kind: 'entity' });
  });

  it('of an authority is told by its extension', async () => {
    const [root] = certificatesIn(await readFile(authority.root.certificate, 'utf8'));
    expect(root).toMatchObject({ kind: 'authority', selfSigned: true });
  });

  it('that is a proxy is told by its extension, or in the legacy form by its name', async () => {
    const user = await authority.issue('user', { keyOptions: EC, subject: '/DC=com/CN=User' });
    const proxy = (name: string, subject: string, extensions = '') =>
      issued(name, { by: user, subject, extensions: `keyUsage = digitalSignature\n${extensions}` });
    const info = 'proxyCertInfo = critical, language:1.3.6.1.5.5.7.21.1';
    expect(await proxy('p1', '/DC=com/CN=User/CN=1', info)).toMatchObject({ kind: 'rfc-proxy', proxiesLeft: null });
    expect(await proxy('p2', '/DC=com/CN=User/CN=1', `${info}, pathlen:0`)).toMatchObject({ proxiesLeft: 0 });
    expect(await proxy('p3', '/DC=com/CN=User/CN=1', `${info}, pathlen:300`)).toMatchObject({ proxiesLeft: 300 });
    expect(await proxy('p4', '/DC=com/CN=User/CN=proxy')).toMatchObject({ kind: 'legacy-proxy' });
    expect(await proxy('p5', '/DC=com/CN=User/CN=limited proxy')).toMatchObject({ kind: 'legacy-proxy' });
    expect(await proxy('p6', '/DC=com/CN=User/CN=my proxy')).toMatchObject({ kind: 'entity' });
    expect(await proxy('p7', '/DC=com/CN=Other/CN=proxy')).toMatchObject({ kind: 'entity' });
    expect(await proxy('p8', '/DC=com/CN=User/OU=proxy')).toMatchObject({ kind: 'entity' });
  });
});

describe('a PEM text', () => {
  it('gives its certificates in order, and nothing that stands around them', async () => {
    const { certificate, key } = await authority.issue('among', { keyOptions: EC });
    const text = (await Promise.all([key, certificate, authority.root.certificate].map((path) => readFile(path)))).join(
      'Bag Attributes: x\r\n',
    );
    const found = certificatesIn(text);
    expect(found.map(({ kind }) => kind)).toEqual(['entity', 'authority']);
    expect(found.map(({ pem }) => pem).join('')).not.toMatch(/PRIVATE|Bag/);
    expect(found[0]!.pem).toBe(await readFile(certificate, 'utf8'));
    expect(certificatesIn(text.replace(/\r?\n/g, '\r\n'))).toHaveLength(2);
    expect(certificatesIn('')).toEqual([]);
  });

  it('is refused where a certificate in it is damaged', async () => {
    const pem = (await issued('damaged')).pem;
    const [head, first, ...rest] = pem.split('\n');
    expect(() => certificatesIn([head, ...rest].join('\n'))).toThrow();
    expect(() => certificatesIn([head, `A${first}`, ...rest].join('\n'))).toThrow();
  });
});
