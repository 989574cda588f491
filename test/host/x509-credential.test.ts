import { execFileSync } from 'node:child_process';
import { chmod, readFile, symlink } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/host/exec.js';
import { firstToEnd, MAX_PEM_BYTES, readCertificates, readCredential } from '../../src/host/x509-credential.js';
import { EC, type Issued, TestAuthority } from './test-authority.js';

let authority: TestAuthority;
let pair: Issued;

beforeAll(async () => {
  authority = await TestAuthority.create();
  pair = await authority.issue('pilot', { keyOptions: EC });
});

afterAll(() => authority.remove());

const reading = (certificate: string, key = pair.key) => readCredential({ certificate, key });
const text = (path: string) => readFile(path, 'utf8');

describe('a certificate and its key', () => {
  it('are read, without a word where all is well', async () => {
    await chmod(pair.key, 0o600);
    const { chain, key, warnings, files } = await reading(pair.certificate);
    expect(chain).toHaveLength(1);
    expect(key.asymmetricKeyType).toBe('ec');
    expect(warnings).toEqual([]);
    expect(files).toEqual(pair);
  });

  it('may be links, and one file that holds them both and the chain', async () => {
    await symlink(pair.certificate, authority.path('link.pem'));
    expect((await reading(authority.path('link.pem'))).chain).toHaveLength(1);
    const all = [pair.certificate, pair.key, authority.root.certificate];
    const one = await authority.write('one.pem', (await Promise.all(all.map(text))).join(''));
    const { chain } = await reading(one, one);
    expect(chain.map(({ pem }) => pem)).toEqual(await Promise.all([all[0]!, all[2]!].map(text)));
  });

  it.each([
    ['RSA of PKCS #1', ['rsa', '-traditional'], ['-algorithm', 'RSA']],
    ['EC of SEC 1', ['ec'], EC],
  ])('may have the key in the form of %s', async (name, [command, ...args], keyOptions) => {
    const issued = await authority.issue(`form-${command}`, { keyOptions });
    const converted = authority.path(`form-${command}.converted`);
    await run('openssl', [command!, ...args, '-in', issued.key, '-out', converted]);
    expect(await text(converted)).toContain(`BEGIN ${name.split(' ')[0]} PRIVATE KEY`);
    expect((await reading(issued.certificate, converted)).chain).toHaveLength(1);
  });

  it('are warned of where others than the owner may read the key', async () => {
    for (const [mode, warned] of [
      [0o400, false],
      [0o640, true],
      [0o604, true],
    ] as const) {
      await chmod(pair.key, mode);
      const { warnings } = await reading(pair.certificate);
      expect(warnings).toEqual(
        warned
          ? [
              `${pair.key} is a private key that others than its owner may use (mode 0${mode.toString(8)}); chmod 600 it`,
            ]
          : [],
      );
    }
    await chmod(pair.key, 0o600);
  });
});

describe('what cannot be used is refused in words, with the file’s name, and nothing of a key', () => {
  const refused = async (certificate: string, key?: string) => {
    const error = (await reading(certificate, key).catch((caught) => caught)) as Error;
    expect(error).toMatchObject({ code: 'credential-unusable' });
    return error.message;
  };

  it('missing files', async () => {
    expect(await refused('/none/x509cert.pem')).toBe('/none/x509cert.pem cannot be read: there is no such file');
    expect(await refused(pair.certificate, '/none/x509key.pem')).toBe(
      '/none/x509key.pem cannot be read: there is no such file',
    );
  });

  it('what is no file of a certificate: a directory, a FIFO, /dev/zero, an empty, a huge one, garbage', async () => {
    expect(await refused(authority.directory)).toMatch(/is no regular file$/);
    execFileSync('mkfifo', [authority.path('fifo')]);
    expect(await refused(authority.path('fifo'))).toMatch(/is no regular file$/);
    expect(await refused('/dev/zero')).toBe('/dev/zero is no regular file');
    const huge = await authority.write('huge', Buffer.alloc(MAX_PEM_BYTES + 1, 0x41));
    expect(await refused(huge)).toBe(`${huge} is larger than 1048576 bytes, which no certificate or key is`);
    for (const content of ['', 'garbage', Buffer.from([0, 0xff, 0xfe])]) {
      const path = await authority.write('garbage', content);
      expect(await refused(path)).toBe(`${path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`);
      expect(await refused(pair.certificate, path)).toBe(
        `${path} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)`,
      );
    }
  });

  it('a damaged certificate or key', async () => {
    const damage = async (path: string, name: string) => {
      const [head, , ...rest] = (await text(path)).split('\n');
      return authority.write(name, [head, ...rest].join('\n'));
    };
    const certificate = await damage(pair.certificate, 'damaged.pem');
    expect(await refused(certificate)).toBe(`${certificate} holds a damaged certificate; put a good copy there`);
    const key = await damage(pair.key, 'damaged.key');
    expect(await refused(pair.certificate, key)).toBe(`${key} holds a damaged private key; put a good copy there`);
  });

  it('the key of another certificate', async () => {
    const other = await authority.issue('other', { keyOptions: EC });
    expect(await refused(pair.certificate, other.key)).toBe(
      `${other.key} is not the key of the certificate in ${pair.certificate}; put the pair there`,
    );
  });

  it('a chain that begins with another certificate', async () => {
    const turned = [authority.root.certificate, pair.certificate];
    const path = await authority.write('turned.pem', (await Promise.all(turned.map(text))).join(''));
    expect(await refused(path)).toBe(
      `${path}: the certificate of the key is number 2 in the file; it must be the first, then those that certify it`,
    );
  });

  it.each([
    ['PKCS #8', ['pkcs8', '-topk8']],
    ['the old form', ['ec', '-aes128']],
  ])('an encrypted key of %s', async (_name, [command, ...args]) => {
    const path = authority.path('encrypted.key');
    await run('openssl', [command!, ...args, '-in', pair.key, '-out', path, '-passout', 'pass:secret']);
    expect(await refused(pair.certificate, path)).toContain(
      `${path} holds a key that is encrypted, and nobody is there to type its passphrase; decrypt it: openssl pkey -in ${path}`,
    );
  });
});

describe('the first of a chain to end', () => {
  it('counts those between, but not the authority at its end, and a self-signed one that is alone', async () => {
    const between = await authority.issue('between', {
      days: 20,
      extensions: 'basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign\n',
      keyOptions: EC,
    });
    const user = await authority.issue('below', { days: 30, by: between, keyOptions: EC });
    const brief = await authority.issue('brief', { days: 5, by: between, keyOptions: EC });
    const first = async (...paths: string[]) => {
      const path = await authority.write('chain.pem', (await Promise.all(paths.map(text))).join(''));
      const chain = await readCertificates(path);
      return chain.indexOf(firstToEnd(chain));
    };
    expect(await first(user.certificate, between.certificate, authority.root.certificate)).toBe(1);
    expect(await first(brief.certificate, between.certificate)).toBe(0);
    expect(await first(authority.root.certificate)).toBe(0);
    const old = authority.path('old-root.pem');
    const self = ['req', '-new', '-x509', '-key', authority.root.key, '-subj', '/CN=Old', '-days', '1', '-out', old];
    await run('openssl', self);
    expect(await first(user.certificate, old)).toBe(0);
  });
});
