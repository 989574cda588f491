import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nameMatches, readCernvmSignature, whyNotSignedBy } from '../../src/host/cernvm-signature.js';
import { FAULTY_BLOCK, type SigningOptions, signedImage } from './signed-image.js';
import { EC, type Issued, TestAuthority } from './test-authority.js';

const DN = '/DC=org/DC=example/OU=computers/CN=signer.example.org';
const CONTENT = Buffer.from('an image, or as good as one'.repeat(1000));
const AUTHORITY = 'basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n';

let authority: TestAuthority;
let stranger: TestAuthority;
let signer: Issued;
/** As a grid site has it. */
let trusted: string;

beforeAll(async () => {
  [authority, stranger] = await Promise.all([TestAuthority.create(), TestAuthority.create()]);
  signer = await authority.issue('signer', { subject: DN });
  trusted = authority.path('certificates');
  await mkdir(trusted);
  await copyFile(authority.root.certificate, `${trusted}/Test-CA.pem`);
});
afterAll(() => Promise.all([authority.remove(), stranger.remove()]));

async function imageBy(by: Issued, options: SigningOptions = {}, change: (image: Buffer) => Buffer = (same) => same) {
  const path = authority.path('image.iso');
  await writeFile(path, change(await signedImage(CONTENT, by, options)));
  return path;
}

describe('a signed image', () => {
  test('tells its version and signer, and is found to be whole and trusted', async () => {
    const signature = await readCernvmSignature(await imageBy(signer), trusted);
    expect(signature).toEqual({ version: '2026.11-1', dn: DN, signatureProblem: null, chainProblem: null });
    expect(whyNotSignedBy(signature, DN)).toBeNull();
  });

  test('is read with the faults that real images have', async () => {
    const signature = await readCernvmSignature(await imageBy(signer, { block: FAULTY_BLOCK }), trusted);
    expect(signature).toMatchObject({ dn: DN, signatureProblem: null, chainProblem: null });
  });

  test('may have no version, and base64 in lines', async () => {
    const lines = (text: string) => (text.match(/.{1,64}/g) ?? []).join('\\n').replaceAll('/', '\\/');
    const block = (certificate: string, signature: string) =>
      `{"certificate":"${lines(certificate)}","signature":"${lines(signature)}"}`;
    const signature = await readCernvmSignature(await imageBy(signer, { block, metadata: '' }), trusted);
    expect(signature).toEqual({ version: null, dn: DN, signatureProblem: null, chainProblem: null });
  });

  test('may bring the authority between its signer and one that is trusted', async () => {
    const between = await authority.issue('between', { subject: '/DC=org/CN=Between', extensions: AUTHORITY });
    const far = await authority.issue('far', { subject: DN, by: between });
    const alone = await readCernvmSignature(await imageBy(far), trusted);
    expect(alone.chainProblem).toContain('unable to get local issuer certificate');
    const signature = await readCernvmSignature(await imageBy(far, { chain: [between.certificate] }), trusted);
    expect(whyNotSignedBy(signature, DN)).toBeNull();
  });
});

describe('an image does not pass', () => {
  const why = async (path: string, wanted = DN, directory = trusted) =>
    whyNotSignedBy(await readCernvmSignature(path, directory), wanted);

  test.each([0, 20_000, CONTENT.length + 10])('with one byte changed at %i', async (at) => {
    const path = await imageBy(signer, {}, (image) => {
      image[at] = image[at]! ^ 1;
      return image;
    });
    expect(await why(path)).toContain('it was altered');
  });

  test('with the signature of another', async () => {
    const other = await authority.issue('other', { subject: DN });
    const signature = async (by: Issued) => (await signedImage(CONTENT, by)).subarray(-32 * 1024).toString('latin1');
    const theirs = /"signature":"([^"]*)"/.exec(await signature(other))![1]!;
    const block = (certificate: string) => JSON.stringify({ certificate, signature: theirs });
    expect(await why(await imageBy(signer, { block }))).toContain('it was altered');
  });

  test('of a signer with another name', async () => {
    const other = await authority.issue('other', { subject: `${DN}.evil.example` });
    expect(await why(await imageBy(other), '/CN=signer.example.org')).toBe(
      `it is signed by ${DN}.evil.example, which image_signing_dn = /CN=signer.example.org does not match`,
    );
  });

  test('of a signer whose authority is not trusted, though of the right name', async () => {
    const other = await stranger.issue('signer', { subject: DN });
    expect(await why(await imageBy(other))).toContain(`the certificate of its signer ${DN} is not trusted: `);
  });

  test('of a signer who is none’s but a signer’s', async () => {
    const own = await authority.issue('own', { subject: DN, by: signer });
    expect(await why(await imageBy(own, { chain: [signer.certificate] }))).toContain('is not trusted');
  });

  test('whose certificate has ended', async () => {
    const ended = await authority.issue('ended', { subject: DN, days: -1 });
    expect(await why(await imageBy(ended))).toContain('certificate has expired');
  });

  test('where no authorities are', async () => {
    expect(await why(await imageBy(signer), DN, '/nonexistent')).toContain(
      'no certificates of authorities in /nonexist',
    );
  });

  test('with a key that is not RSA', async () => {
    const curved = await authority.issue('curved', { subject: DN, keyOptions: EC });
    expect(await why(await imageBy(curved))).toContain('no RSA key');
  });

  test('of a signer whose name could be read as another', async () => {
    const forged = await authority.issue('forged', { subject: '/O=x\\/CN=signer.example.org' });
    await expect(why(await imageBy(forged))).rejects.toThrow('the name of its signer is ambiguous');
  });

  test.each([
    ['no block', () => '', 'hold no "certificate"'],
    ['no signature', (certificate: string) => `{"certificate":"${certificate}"}`, 'hold no "signature"'],
    [
      'two signatures',
      (c: string, s: string) => `{"certificate":"${c}","signature":"${s}","signature":"${s}"}`,
      'more than one "signature"',
    ],
    [
      'something else for a certificate',
      (_: string, s: string) => `{"certificate":"eHh4","signature":"${s}"}`,
      'cannot be read',
    ],
  ])('with %s', async (_what, block, words) => {
    const path = await imageBy(signer, { block });
    await expect(readCernvmSignature(path, trusted)).rejects.toMatchObject({
      code: 'image-unusable',
      message: expect.stringContaining(words),
    });
  });

  test('that is too short, or not there', async () => {
    const path = await imageBy(signer, {}, (image) => image.subarray(-64 * 1024));
    await expect(readCernvmSignature(path, trusted)).rejects.toThrow('it is too short to have one');
    await expect(readCernvmSignature('/nonexistent', trusted)).rejects.toMatchObject({ code: 'image-missing' });
  });

  test('whatever its last 64 KiB are', async () => {
    const path = authority.path('fuzzed.iso');
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.string(), async (bytes, text) => {
        const tail = Buffer.alloc(65 * 1024);
        tail.set(bytes, 1024);
        tail.write(`"certificate":"${text}","signature":"${text}"`, 33 * 1024);
        await writeFile(path, tail);
        await expect(readCernvmSignature(path, trusted)).rejects.toMatchObject({ code: 'image-unusable' });
      }),
      { numRuns: 50 },
    );
  });
});

describe('image_signing_dn', () => {
  test.each([
    [DN, true],
    ['/CN=signer.example.org', true],
    ['CN=signer.example.org', true],
    ['/CN=signer[0-9]*.example.org', true],
    ['/CN=other|/CN=signer.example.org', true],
    [`^${DN}$`, true],
    ['.*', true],
    ['/CN=signer.example', false],
    ['signer.example.org', false],
    ['N=signer.example.org', false],
    ['/OU=computers', false],
    [`${DN}/CN=x`, false],
  ])('%s matches: %s', (wanted, expected) => expect(nameMatches(DN, wanted)).toBe(expected));
});
