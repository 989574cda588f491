import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RootImages } from '../../../src/host/images/root-images.js';
import type { RootImage } from '../../../src/host/images/source.js';
import { signedImage } from '../signed-image.js';
import { type Issued, TestAuthority } from '../test-authority.js';
import { ImageServer, rawImage, sha256 } from './image-server.js';

const DN = '/DC=org/DC=example/CN=signer.example.org';

let authority: TestAuthority;
let signer: Issued;
let stranger: Issued;
let directory: string;
let server: ImageServer;
let images: RootImages;
let nowMs = 1e6;

beforeAll(async () => {
  authority = await TestAuthority.create();
  signer = await authority.issue('signer', { subject: DN });
  stranger = await authority.issue('stranger', { subject: '/DC=org/CN=stranger' });
  await mkdir(authority.path('certificates'));
  await copyFile(authority.root.certificate, authority.path('certificates/ca.pem'));
});
afterAll(() => authority.remove());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-root-images-'));
  server = await ImageServer.start();
  images = new RootImages({
    directory: join(directory, 'imagecache'),
    log: { info() {}, warn() {} },
    limitBytes: () => null,
    reserveBytes: 0,
    nowMs: () => nowMs,
    caDirectory: authority.path('certificates'),
  });
  await mkdir(join(directory, 'imagecache'));
  await images.cache.start(new Set());
});
afterEach(async () => {
  await images.cache.close();
  await server.close();
  await rm(directory, { recursive: true });
});

function of(rootImage: string, changes: Partial<RootImage> = {}): RootImage {
  return { rootImage, rootImageSha256: null, imageSigningDn: null, ...changes };
}

describe('an image that is a file', () => {
  const path = () => join(directory, 'an image.img');
  const take = (image: RootImage) => images.take(image, directory, 'machine');

  test('is where its path, its file: URL or its name under files/ says', () => {
    const paths = [path(), `file://${directory}/an%20image.img`, 'an image.img'];
    expect(paths.map((each) => images.pathFor(of(each), directory, 'machine'))).toEqual([path(), path(), path()]);
    expect(images.states([{ name: 'a', ...of(path()) }]).size).toBe(0);
  });

  test('must have the SHA-256 that it should, each time', async () => {
    const image = of(path(), { rootImageSha256: sha256(rawImage(1)) });
    await writeFile(path(), rawImage(1));
    await take(image);
    await writeFile(path(), rawImage(2));
    await expect(take(image)).rejects.toMatchObject({
      code: 'image-unusable',
      message: expect.stringContaining(`${path()} cannot be used: it has the SHA-256 ${sha256(rawImage(2))}`),
    });
    await rm(path());
    await expect(take(image)).rejects.toMatchObject({ code: 'image-missing' });
  });

  test('must be signed by whom it should', async () => {
    const image = of('an image.img', { imageSigningDn: '/CN=signer.example.org' });
    await writeFile(path(), await signedImage(rawImage(1), signer));
    await take(image);
    await writeFile(path(), await signedImage(rawImage(1), stranger));
    await expect(take(image)).rejects.toThrow('it is signed by /DC=org/CN=stranger');
    await writeFile(path(), rawImage(1));
    await expect(take(image)).rejects.toThrow('has no CernVM signature');
  });
});

describe('an image by URL', () => {
  const signed = (url: string) => of(url, { imageSigningDn: '/CN=signer.example.org' });
  const state = (image: RootImage) => images.states([{ name: 'a', ...image }]).get('a');

  test('that must be signed is ready when it is', async () => {
    const content = await signedImage(rawImage(1), signer);
    const image = signed(server.serve('/a.img', { content, etag: '"1"' }));
    await images.refresh(image);
    expect(state(image)).toMatchObject({ phase: 'ready' });
    await images.take(image, directory, 'machine');
    expect(sha256(await readFile(images.pathFor(image, directory, 'machine')))).toBe(sha256(content));
    await images.release('machine');
    await expect(readFile(images.pathFor(image, directory, 'machine'))).rejects.toThrow('ENOENT');
  });

  test('of another signer does not replace a good one', async () => {
    const content = await signedImage(rawImage(1), signer);
    const image = signed(server.serve('/a.img', { content, etag: '"1"' }));
    await images.refresh(image);
    server.serve('/a.img', { content: await signedImage(rawImage(2), stranger), etag: '"2"' });
    nowMs += 60_000;
    await images.refresh(image);
    expect(state(image)).toMatchObject({ phase: 'ready' });
    await images.take(image, directory, 'machine');
    expect(sha256(await readFile(images.pathFor(image, directory, 'machine')))).toBe(sha256(content));
    expect((await images.cache.store.read(image.rootImage))?.trouble?.message).toContain('/DC=org/CN=stranger');
  });

  test('of another signer is not used', async () => {
    const url = server.serve('/a.img', { content: await signedImage(rawImage(1), stranger), etag: '"1"' });
    await images.refresh(signed(url));
    expect(state(signed(url))).toMatchObject({
      phase: 'unavailable',
      doing: expect.stringContaining('it is signed by /DC=org/CN=stranger'),
    });
    await expect(images.take(signed(url), directory, 'machine')).rejects.toMatchObject({ code: 'image-missing' });
  });

  test('that is signed by whom nobody stood for is good once an authority does', async () => {
    const trusted = join(directory, 'certificates');
    images = new RootImages({ ...images.parts, caDirectory: trusted });
    const content = await signedImage(rawImage(1), signer);
    const image = signed(server.serve('/a.img', { content, etag: '"1"' }));
    await images.refresh(of(image.rootImage));
    await images.refresh(image);
    expect(state(image)?.doing).toContain('is not trusted');
    await mkdir(trusted);
    await copyFile(authority.root.certificate, join(trusted, 'ca.pem'));
    nowMs += 60_000;
    await images.refresh(image);
    expect(state(image)).toMatchObject({ phase: 'ready' });
  });

  test('that is here, and must be signed from now on, is looked at', async () => {
    const url = server.serve('/a.img', { content: await signedImage(rawImage(1), stranger), etag: '"1"' });
    await images.refresh(of(url));
    expect(state(signed(url))).toMatchObject({ phase: 'checking' });
    await images.refresh(signed(url));
    expect(state(signed(url))).toMatchObject({ phase: 'unavailable' });
    expect(state(of(url))).toMatchObject({ phase: 'ready' });
    expect(server.asked).toHaveLength(1);
  });
});
