import { copyFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { type Copy, ImageStore } from '../../src/host/images/store.js';
import { signedImage } from '../host/signed-image.js';
import { type Issued, TestAuthority } from '../host/test-authority.js';
import { recorded } from './recorded-io.js';

const NOW = 1_800_000_000;

describe('vac images', () => {
  let state: string;
  let store: ImageStore;

  beforeEach(async () => {
    state = await mkdtemp(join(tmpdir(), 'vac-images-'));
    store = new ImageStore(join(state, 'imagecache'));
    await mkdir(store.directory);
  });
  afterEach(() => rm(state, { recursive: true }));

  const images = (...more: string[]) =>
    recorded((io) => main(['images', '--state-dir', state, ...more], () => io), NOW);

  async function keep(url: string, facts: { trouble?: string; machines?: string[] } = {}): Promise<Copy> {
    const copy: Copy = {
      file: '0123456789abcdef.img',
      bytes: 1_200_000,
      sha256: 'ab'.repeat(32),
      etag: '"1"',
      lastModified: null,
      fetchedTimeSeconds: NOW - 7200,
      checkedBy: 'length',
    };
    const { trouble, machines = [] } = facts;
    await store.write({
      url,
      copy,
      checkedTimeSeconds: NOW - 30,
      usedTimeSeconds: NOW - 20,
      trouble: trouble === undefined ? null : { message: trouble, timeSeconds: NOW - 60 },
    });
    await writeFile(store.copyPath(url, copy), Buffer.alloc(copy.bytes));
    for (const machine of machines) await store.hold(url, copy, machine);
    return copy;
  }

  async function part(url: string, bytes: number, ageSeconds: number): Promise<void> {
    await store.write({ url, copy: null, checkedTimeSeconds: null, usedTimeSeconds: null, trouble: null });
    await (await store.openPart(url)).close();
    await writeFile(store.partPath(url), Buffer.alloc(bytes));
    await store.writePart({ url, etag: '"2"', lastModified: null, totalBytes: 1000 });
    const time = Date.now() / 1000 - ageSeconds;
    await utimes(store.partPath(url), time, time);
  }

  it('lists them, with their state, who uses them, and what is wrong', async () => {
    await keep('https://repo.example.org/a.img', { machines: ['m1', 'm2'] });
    await keep('https://me:secret@repo.example.org/b.img', { trouble: 'nobody answers' });
    await part('https://repo.example.org/c.img', 420, 0);
    await part('https://repo.example.org/d.img', 500, 600);
    const { code, stdout } = await images();
    expect(stdout).toBe(
      [
        'IMAGE                             SIZE  FETCHED  CHECKED  STATE               MACHINES  BY',
        'https://repo.example.org/a.img  1.2 MB     2h00      30s  fresh                      2  length',
        'https://repo.example.org/b.img  1.2 MB     2h00      30s  stale                      0  length',
        'https://repo.example.org/c.img       -        -        -  fetching 42 %              0',
        'https://repo.example.org/d.img       -        -        -  broken off at 50 %         0',
        '1m ago: nobody answers',
        '',
      ].join('\n'),
    );
    expect(code).toBe(0);
  });

  it('tells of older copies that machines keep', async () => {
    const url = 'https://repo.example.org/a.img';
    const copy = await keep(url, { machines: ['m1', 'm2'] });
    await rm(store.copyPath(url, copy));
    await keep(url);
    expect((await images()).stdout).toContain('\n2 machines on 1 older copy (1.2 MB)\n');
    expect(JSON.parse((await images('--json')).stdout)).toMatchObject({
      images: [{ url, state: 'fresh', bytes: 1_200_000, machines: 0, part: null, trouble: null }],
      older: { copies: 1, machines: 2, bytes: 1_200_000 },
    });
  });

  it('says so when there are none, and when there is no cache', async () => {
    expect((await images()).stdout).toBe('no images by URL are here\n');
    await rm(store.directory, { recursive: true });
    expect(await images()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^vac: there is no image cache .*: no vacd has run with this state directory\n$/),
    });
  });
});

describe('vac cernvm-signature', () => {
  let authority: TestAuthority;
  let signer: Issued;
  const DN = '/DC=org/CN=signer.example.org';

  beforeAll(async () => {
    authority = await TestAuthority.create();
    signer = await authority.issue('signer', { subject: DN });
    await mkdir(authority.path('certificates'));
    await copyFile(authority.root.certificate, authority.path('certificates/ca.pem'));
    const image = await signedImage(Buffer.from('an image'), signer);
    await writeFile(authority.path('good.iso'), image);
    image[0] = 0;
    await writeFile(authority.path('bad.iso'), image);
  });
  afterAll(() => authority.remove());

  const signature = (name: string, ...more: string[]) => {
    const args = ['cernvm-signature', authority.path(name), '--ca-dir', authority.path('certificates'), ...more];
    return recorded((io) => main(args, () => io));
  };

  it('prints version, signer and what was found', async () => {
    expect(await signature('good.iso')).toEqual({
      code: 0,
      stdout: `version:   2026.11-1\nsigner:    ${DN}\nsignature: good\nchain:     trusted\n`,
      stderr: '',
    });
    const bad = await signature('bad.iso');
    expect(bad).toMatchObject({ code: 1, stdout: expect.stringContaining('signature: it is not as it was signed') });
  });

  it('compares the DN, as a machinetype would', async () => {
    expect(await signature('good.iso', '--dn', '/CN=signer.example.org')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('DN:        matches\n'),
    });
    expect(await signature('good.iso', '--dn', '/CN=other')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('DN:        does not match /CN=other\n'),
    });
  });

  it('tells programs the same', async () => {
    expect(JSON.parse((await signature('good.iso', '--json')).stdout)).toEqual({
      good: true,
      problem: null,
      version: '2026.11-1',
      dn: DN,
      signatureProblem: null,
      chainProblem: null,
    });
    expect(JSON.parse((await signature('bad.iso', '--json')).stdout)).toMatchObject({ good: false });
  });

  it('refuses a DN that is no regular expression', async () => {
    expect(await signature('good.iso', '--dn', '(')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--dn ('),
    });
  });

  it('fails where there is no image, or no signature', async () => {
    await writeFile(authority.path('none.iso'), Buffer.alloc(100_000));
    expect(await signature('none.iso')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no CernVM signature'),
    });
    expect(await signature('nowhere.iso')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be read'),
    });
  });
});
