import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ImageCache, type ImageCacheParts } from '../../../src/host/images/cache.js';
import type { ImageWish } from '../../../src/host/images/entry.js';
import { ImageServer, rawImage, type Served, sha256 } from './image-server.js';

let directory: string;
let server: ImageServer;
let nowMs = 0;
let lines: string[];
let caches: ImageCache[];

beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'vac-images-')), 'imagecache');
  mkdirSync(directory);
  server = await ImageServer.start();
  nowMs = 1e6;
  lines = [];
  caches = [];
});

afterEach(async () => {
  for (const cache of caches) await cache.close();
  await server.close();
  await rm(join(directory, '..'), { recursive: true });
});

async function open(changes: Partial<ImageCacheParts> = {}, living: string[] = []): Promise<ImageCache> {
  const log = { info: (line: string) => lines.push(line), warn: (line: string) => lines.push(`warning: ${line}`) };
  const parts = { directory, log, limitBytes: () => null, reserveBytes: 0, nowMs: () => nowMs, ...changes };
  const cache = new ImageCache(parts);
  caches.push(cache);
  await cache.start(new Set(living));
  return cache;
}

function wish(url: string, changes: Partial<ImageWish> = {}): ImageWish {
  return { url, sha256: null, signingDn: null, ...changes };
}

/** The image that a machine was given. */
function imageOf(cache: ImageCache, machine: string): string {
  return sha256(readFileSync(cache.store.inUse(machine)));
}

/** Has a download break off once so many bytes are on the disk. */
async function breakOff(cache: ImageCache, image: ImageWish, served: Served, bytes = 100_000): Promise<void> {
  let cut = () => {};
  const breakWhen = new Promise<void>((resolve) => {
    cut = resolve;
  });
  server.serve(new URL(image.url).pathname, { ...served, breakAfterBytes: bytes, breakWhen });
  const fetching = cache.refresh(image);
  await expect.poll(() => statSync(cache.store.partPath(image.url)).size).toBe(bytes);
  cut();
  await fetching;
}

/** Everything in a URL's directory. */
function filesOf(cache: ImageCache, url: string): string[] {
  const entry = cache.store.entry(url);
  return existsSync(entry) ? readdirSync(entry).sort() : [];
}

function statuses(): number[] {
  return server.asked.map(({ status }) => status);
}

const ETAG = { etag: '"1"', lastModified: 'Sat, 21 Nov 2026 10:00:00 GMT' };

/** An answer of the server that waits until it is let go. */
function held(): { readonly hold: Promise<void>; readonly release: () => void } {
  let release = () => {};
  const hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { hold, release };
}

describe('an image by URL', () => {
  test('is yet to be fetched, then ready, and a machine’s own', async () => {
    const content = rawImage(1);
    const image = wish(server.serve('/a.img', { content, ...ETAG }));
    const cache = await open();
    expect(cache.stateOf(image)).toMatchObject({ phase: 'fetching', busy: false, doing: 'is yet to be fetched' });
    await cache.refresh(image);
    expect(cache.stateOf(image)).toMatchObject({ phase: 'ready', busy: false });
    await cache.take(image, 'machine1');
    expect(imageOf(cache, 'machine1')).toBe(sha256(content));
    expect(lines.at(-1)).toMatch(/^the image http:.*\/a\.img is here: 300 kB in [\d.]+ s, checked by length$/);
  });

  test('is fetched once for 64 who want it at one time, and then not asked for by the next 64', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1), ...ETAG }));
    const cache = await open();
    await Promise.all(Array.from({ length: 64 }, () => cache.refresh(image)));
    await Promise.all(Array.from({ length: 64 }, (_, index) => cache.take(image, `machine${index}`)));
    await Promise.all(Array.from({ length: 64 }, () => cache.refresh(image)));
    expect(statuses()).toEqual([200]);
  });

  test('is asked for again after a minute, and not sent again', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1), ...ETAG }));
    const cache = await open();
    await cache.refresh(image);
    nowMs += 59_999;
    expect(cache.stateOf(image).phase).toBe('ready');
    nowMs += 1;
    expect(cache.stateOf(image)).toMatchObject({ phase: 'checking', busy: false });
    const checking = cache.refresh(image);
    expect(cache.stateOf(image)).toMatchObject({ phase: 'checking', busy: true });
    await checking;
    expect(cache.stateOf(image).phase).toBe('ready');
    expect(server.asked[1]).toMatchObject({ status: 304, conditions: ['if-none-match', 'if-modified-since'] });
  });

  test('is not fetched again from a server that sends all whatever it is asked', async () => {
    for (const validators of [{ etag: '"1"' }, { lastModified: ETAG.lastModified }]) {
      const content = rawImage(1);
      const image = wish(server.serve('/a.img', { content, ...validators, status: 200 }));
      const cache = await open();
      await cache.refresh(image);
      const before = filesOf(cache, image.url);
      nowMs += 60_000;
      await cache.refresh(image);
      expect(filesOf(cache, image.url)).toEqual(before);
      await cache.close();
      await cache.store.remove(image.url);
    }
  });

  test('of a server that says nothing to compare by is fetched once an hour', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1) }));
    const cache = await open();
    await cache.refresh(image);
    nowMs += 3_599_999;
    expect(cache.stateOf(image).phase).toBe('ready');
    nowMs += 1;
    await cache.refresh(image);
    expect(statuses()).toEqual([200, 200]);
  });

  test('that changed is for the next machines; those that run keep theirs, over a restart too', async () => {
    const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const image = wish(url);
    const first = await open();
    await first.refresh(image);
    await first.take(image, 'old');
    server.serve('/a.img', { content: rawImage(2), etag: '"2"' });
    nowMs += 60_000;
    await first.refresh(image);
    await first.take(image, 'new');
    expect(filesOf(first, url)).toHaveLength(2);
    await first.close();
    const second = await open({}, ['old', 'new']);
    expect([imageOf(second, 'old'), imageOf(second, 'new')]).toEqual([sha256(rawImage(1)), sha256(rawImage(2))]);
    await second.store.release('old');
    expect(filesOf(second, url)).toHaveLength(2);
    expect(statSync(second.store.inUse('new')).nlink).toBe(2);
  });

  test('whose name would lead elsewhere leads nowhere', async () => {
    const url = `${server.url}/../../etc/passwd\0x/%2e%2e/`;
    const cache = await open();
    await cache.refresh(wish(url));
    expect(cache.store.entry(url)).toMatch(/\/imagecache\/[0-9a-f]{64}$/);
    expect(readdirSync(join(directory, '..'))).toEqual(['imagecache']);
  });

  test('whose URL has a password keeps it to itself', async () => {
    const image = wish(`${server.url.replace('//', '//me:secret@')}/a.img`);
    const cache = await open();
    await breakOff(cache, image, { content: rawImage(1), ...ETAG });
    const modes = () =>
      filesOf(cache, image.url)
        .filter((name) => name.endsWith('.json'))
        .map((name) => statSync(join(cache.store.entry(image.url), name)).mode & 0o777);
    expect(modes()).toEqual([0o600, 0o600]);
    nowMs += 10_000;
    await cache.refresh(image);
    expect(cache.stateOf(image).phase).toBe('ready');
    expect(modes()).toEqual([0o600]);
    expect(lines.join()).not.toContain('secret');
  });

  test('tells how far it has come', async () => {
    const { hold, release } = held();
    const image = wish(server.serve('/a.img', { content: rawImage(1), ...ETAG, hold }));
    const cache = await open();
    const fetching = cache.refresh(image);
    await expect.poll(() => cache.stateOf(image).doing).toBe('is being fetched: 0 % of 300 kB');
    expect(cache.stateOf(image)).toMatchObject({ phase: 'fetching', busy: true });
    nowMs += 30_000;
    release();
    await fetching;
    expect(lines.filter((line) => /^fetching the image .* % of 300 kB$/.test(line))).toHaveLength(1);
  });
});

describe('while the server is away', () => {
  test('the copy serves, with a warning, and the server is asked less and less', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1), ...ETAG }));
    const { port } = server;
    const cache = await open();
    await cache.refresh(image);
    await server.close();
    nowMs += 60_000;
    const waits: number[] = [];
    for (let tries = 0; tries < 6; tries += 1) {
      await cache.refresh(image);
      expect(cache.stateOf(image).phase).toBe('ready');
      const since = nowMs;
      while (cache.stateOf(image).phase === 'ready') nowMs += 1000;
      waits.push((nowMs - since) / 1000);
    }
    expect(waits).toEqual([60, 120, 240, 480, 600, 600]);
    expect(lines.filter((line) => line.startsWith('warning'))).toEqual([
      `warning: ${image.url} cannot be fetched: nothing listens there (connection refused); the copy that is here serves meanwhile, next try in 60 s`,
    ]);
    expect((await cache.store.read(image.url))?.trouble?.message).toContain('nothing listens there');
    server = await ImageServer.start(port);
    server.serve('/a.img', { content: rawImage(1), ...ETAG });
    await cache.refresh(image);
    expect(lines.at(-1)).toBe(`the image ${image.url} is up to date again`);
    expect((await cache.store.read(image.url))?.trouble).toBeNull();
  });

  test('an image that never came keeps machines from starting, and says why', async () => {
    const image = wish(`${server.url}/none.img`);
    const cache = await open();
    const waits: number[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      await cache.refresh(image);
      waits.push(cache.stateOf(image).retryInSeconds);
      nowMs += cache.stateOf(image).retryInSeconds * 1000;
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600]);
    await cache.refresh(image);
    expect(cache.stateOf(image)).toMatchObject({
      phase: 'unavailable',
      doing: `cannot be used: ${image.url} cannot be fetched: the server answers 404 Not Found; next try in 600 s`,
    });
    await expect(cache.take(image, 'machine')).rejects.toMatchObject({ code: 'image-missing' });
    cache.retryNow();
    expect(cache.stateOf(image)).toMatchObject({ phase: 'fetching', retryInSeconds: 0 });
  });
});

describe('what a server sends that is not the image', () => {
  const GOOD = rawImage(1);
  const BAD: Readonly<
    Record<string, { served: Parameters<ImageServer['serve']>[1]; why: string; of?: Partial<ImageWish> }>
  > = {
    'a web page': {
      served: { content: Buffer.from('<html>'), headers: { 'content-type': 'text/html; charset=utf-8' } },
      why: 'the server sends a web page instead of an image',
    },
    'a web page that does not say so': {
      served: { content: Buffer.from('<html>') },
      why: 'is neither qcow2 nor a raw disk',
    },
    'another checksum than its own': {
      served: {
        content: rawImage(2),
        headers: { 'repr-digest': `sha-256=:${createHash('sha256').digest('base64')}:` },
      },
      why: "than the server's Repr-Digest says",
    },
    'another than root_image_sha256': {
      served: { content: rawImage(2) },
      of: { sha256: sha256(GOOD) },
      why: 'and not that of root_image_sha256',
    },
    'a qcow2 on a file of ours': { served: { content: backedQcow2() }, why: 'refers to another file (/etc/shadow)' },
    'an unsigned image where one must be signed': {
      served: { content: rawImage(2) },
      of: { signingDn: '/CN=x' },
      why: 'has no CernVM signature',
    },
    'an error': {
      served: { content: Buffer.from('oh'), status: 500 },
      why: 'the server answers 500 Internal Server Error',
    },
  };

  function backedQcow2(): Buffer {
    const made = join(tmpdir(), `vac-backed-${process.pid}.qcow2`);
    execFileSync('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', made, '1M']);
    const content = readFileSync(made);
    execFileSync('rm', [made]);
    return content;
  }

  test.each(Object.keys(BAD))('%s: the old copy stays and serves, nothing else does, and it says why', async (name) => {
    const { served, why, of = {} } = BAD[name]!;
    const url = server.serve('/a.img', { content: GOOD, ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    const before = filesOf(cache, url);
    server.serve('/a.img', { etag: '"2"', ...served });
    nowMs += 60_000;
    await cache.refresh(wish(url, of));
    expect(filesOf(cache, url)).toEqual(before);
    expect((await cache.store.read(url))?.trouble?.message).toContain(why);
    expect(lines.at(-1)).toContain(why);
    await cache.take(wish(url), 'machine');
    expect(imageOf(cache, 'machine')).toBe(sha256(GOOD));
  });

  test.each(Object.keys(BAD))('%s, as the first: nothing starts, no file stays', async (name) => {
    const { served, why, of = {} } = BAD[name]!;
    const image = wish(server.serve('/a.img', { etag: '"2"', ...served }), of);
    const cache = await open();
    await cache.refresh(image);
    expect(filesOf(cache, image.url)).toEqual(['image.json']);
    expect(cache.stateOf(image)).toMatchObject({ phase: 'unavailable', busy: false });
    expect(cache.stateOf(image).doing).toContain(why);
  });

  test('is fetched again more and more rarely', async () => {
    const image = wish(server.serve('/a.img', { content: Buffer.from('junk') }));
    const cache = await open();
    for (let tries = 0; tries < 12; tries += 1) {
      await cache.refresh(image);
      nowMs += cache.stateOf(image).retryInSeconds * 1000;
    }
    await cache.refresh(image);
    expect(cache.stateOf(image).retryInSeconds).toBe(3600);
  });
});

describe('a checksum', () => {
  test('of the server or the configuration that fits is told', async () => {
    const content = rawImage(3);
    const md5 = createHash('md5').update(content).digest('base64');
    const url = server.serve('/a.img', { content, ...ETAG, headers: { 'content-md5': md5 } });
    const cache = await open();
    await cache.refresh(wish(url));
    expect((await cache.store.read(url))?.copy).toMatchObject({
      checkedBy: 'Content-MD5 md5',
      sha256: sha256(content),
    });
    expect(cache.stateOf(wish(url, { sha256: sha256(content) })).phase).toBe('ready');
  });

  test('that is asked for later keeps the copy that has another from being used', async () => {
    const url = server.serve('/a.img', { content: rawImage(3), ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    const other = wish(url, { sha256: sha256(rawImage(4)) });
    await cache.refresh(other);
    expect(cache.stateOf(other)).toMatchObject({ phase: 'unavailable' });
    expect(cache.stateOf(wish(url)).phase).toBe('ready');
    await expect(cache.take(other, 'machine')).rejects.toMatchObject({ code: 'image-missing' });
  });
});

test('what one machinetype refuses is for another that does not, at once and later', async () => {
  const content = rawImage(1);
  const any = wish(server.serve('/a.img', { content, ...ETAG }));
  const other = { ...any, sha256: sha256(rawImage(2)) };
  const cache = await open();
  await Promise.all([cache.refresh(other), cache.refresh(any)]);
  expect(cache.stateOf(any)).toMatchObject({ phase: 'ready' });
  expect(cache.stateOf(other)).toMatchObject({ phase: 'unavailable', doing: expect.stringContaining('SHA-256') });
  await cache.take(any, 'machine1');
  expect(imageOf(cache, 'machine1')).toBe(sha256(content));
  // Nor does it keep the other from what is newer.
  server.serve('/a.img', { content: rawImage(3), etag: '"3"' });
  nowMs += 3_700_000;
  await Promise.all([cache.refresh(other), cache.refresh(any)]);
  await cache.take(any, 'machine2');
  expect(imageOf(cache, 'machine2')).toBe(sha256(rawImage(3)));
});

describe('a download that broke off', () => {
  async function broken(validators: object, served = rawImage(1)): Promise<{ cache: ImageCache; image: ImageWish }> {
    const image = wish(`${server.url}/a.img`);
    const cache = await open();
    await breakOff(cache, image, { content: served, ...validators });
    expect(cache.stateOf(image).doing).toContain('the connection ended after 100000 bytes of 300000');
    nowMs += 10_000;
    return { cache, image };
  }

  test.each([{ etag: '"1"' }, { lastModified: ETAG.lastModified }])('is resumed by %j', async (validators) => {
    const { cache, image } = await broken(validators);
    await cache.refresh(image);
    expect(server.asked[1]).toMatchObject({ status: 206, range: 'bytes=100000-', conditions: ['if-range'] });
    await cache.take(image, 'machine');
    expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(1)));
    expect(filesOf(cache, image.url)).toHaveLength(2);
    expect((await cache.store.read(image.url))?.copy?.sha256).toBe(sha256(rawImage(1)));
  });

  test('before its first byte is begun anew', async () => {
    const { cache, image } = await broken(ETAG);
    writeFileSync(cache.store.partPath(image.url), '');
    await cache.refresh(image);
    expect(server.asked[1]).toMatchObject({ status: 200, range: undefined });
    expect(cache.stateOf(image).phase).toBe('ready');
  });

  test('is resumed by the next vacd', async () => {
    const { cache, image } = await broken(ETAG);
    await cache.close();
    const next = await open();
    await next.refresh(image);
    expect(statuses()).toEqual([200, 206]);
    expect(next.stateOf(image).phase).toBe('ready');
  });

  test('because vacd ended is kept, and resumed', async () => {
    const { hold, release } = held();
    const image = wish(server.serve('/a.img', { content: rawImage(1), ...ETAG, hold }));
    const cache = await open();
    const fetching = cache.refresh(image);
    await expect.poll(() => cache.stateOf(image).doing).toContain('% of');
    await expect.poll(() => statSync(cache.store.partPath(image.url)).size).toBe(1000);
    await cache.close();
    await fetching;
    release();
    server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const next = await open();
    await next.refresh(image);
    expect(server.asked.at(-1)).toMatchObject({ status: 206, range: 'bytes=1000-' });
    expect(next.stateOf(image).phase).toBe('ready');
  });

  test('is begun anew when the image has changed since', async () => {
    const { cache, image } = await broken(ETAG);
    server.serve('/a.img', { content: rawImage(2), etag: '"2"' });
    await cache.refresh(image);
    expect(statuses()).toEqual([200, 200]);
    await cache.take(image, 'machine');
    expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(2)));
  });

  test('is begun anew when the server sends another part, of another image, or refuses', async () => {
    for (const served of [
      { status: 206, headers: { 'content-range': 'bytes 5-299999/300000' } },
      { status: 206, etag: '"2"', headers: { 'content-range': 'bytes 100000-299999/300000' } },
      { status: 206, headers: { 'content-range': 'bytes 100000-399999/400000' } },
      { status: 416 },
    ]) {
      const { cache, image } = await broken({ etag: '"1"' });
      const answers = server.asked.length;
      server.serveOnce('/a.img', { content: rawImage(1), etag: '"1"', ...served });
      await cache.refresh(image);
      expect(server.asked.slice(answers).map(({ status }) => status)).toEqual([served.status, 200]);
      await cache.take(image, 'machine');
      expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(1)));
      await cache.close();
      await cache.store.remove(image.url);
    }
  });

  test('without anything to resume by leaves nothing', async () => {
    const { cache, image } = await broken({});
    expect(filesOf(cache, image.url)).toEqual(['image.json']);
  });

  test('of a weak ETag is not resumed by it', async () => {
    const { cache, image } = await broken({ etag: 'W/"1"' });
    expect(filesOf(cache, image.url)).toEqual(['image.json']);
    await cache.refresh(image);
    expect(statuses()).toEqual([200, 200]);
  });

  test('whose server went back to the copy that is here is given up', async () => {
    const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    nowMs += 60_000;
    await breakOff(cache, wish(url), { content: rawImage(2), etag: '"2"' });
    expect(filesOf(cache, url)).toContain('part');
    server.serve('/a.img', { content: rawImage(1), ...ETAG });
    nowMs += 60_000;
    await cache.refresh(wish(url));
    expect(filesOf(cache, url)).not.toContain('part');
    expect(cache.stateOf(wish(url)).phase).toBe('ready');
  });
});

describe('room', () => {
  async function three(cache: ImageCache): Promise<ImageWish[]> {
    const images = [1, 2, 3].map((seed) =>
      wish(server.serve(`/${seed}.img`, { content: rawImage(seed), etag: `"${seed}"` })),
    );
    for (const [index, image] of images.entries()) {
      await cache.refresh(image);
      const facts = (await cache.store.read(image.url))!;
      await cache.store.write({ ...facts, usedTimeSeconds: 2e9 + index });
    }
    return images;
  }

  test('is made by what was not used for the longest time, and not by what a machine runs on', async () => {
    const cache = await open({ limitBytes: () => 1_000_000 });
    const images = await three(cache);
    await cache.take(images[0]!, 'machine');
    const fourth = wish(server.serve('/4.img', { content: rawImage(4), etag: '"4"' }));
    await cache.refresh(fourth);
    expect(cache.stateOf(fourth).phase).toBe('ready');
    expect(images.map(({ url }) => filesOf(cache, url).length)).toEqual([2, 0, 2]);
    expect(lines.filter((line) => line.includes('removed'))).toEqual([
      `the image ${images[1]!.url} is removed from the cache to make room`,
    ]);
    expect(cache.stateOf(images[1]!)).toMatchObject({ phase: 'fetching' });
  });

  test('that machines leave none of keeps an image away, and says so', async () => {
    const cache = await open({ limitBytes: () => 1_000_000 });
    const images = await three(cache);
    for (const [index, image] of images.entries()) await cache.take(image, `machine${index}`);
    const fourth = wish(server.serve('/4.img', { content: rawImage(4), etag: '"4"' }));
    await cache.refresh(fourth);
    expect(cache.stateOf(fourth).doing).toContain('200 kB more than image_cache_gb leaves beside what machines use');
    expect(images.map(({ url }) => filesOf(cache, url).length)).toEqual([2, 2, 2]);
  });

  test('counts an older copy that a machine runs on', async () => {
    const cache = await open({ limitBytes: () => 800_000 });
    const url = server.serve('/a.img', { content: rawImage(1), etag: '"1"' });
    await cache.refresh(wish(url));
    await cache.take(wish(url), 'machine');
    server.serve('/a.img', { content: rawImage(2), etag: '"2"' });
    nowMs += 60_000;
    await cache.refresh(wish(url));
    const other = wish(server.serve('/b.img', { content: rawImage(3), etag: '"3"' }));
    await cache.refresh(other);
    expect(cache.stateOf(other).phase).toBe('ready');
    expect(filesOf(cache, url)).toEqual([]);
    expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(1)));
  });

  test('is not made by the copy that is to be replaced: it serves until then', async () => {
    const cache = await open({ limitBytes: () => 500_000 });
    const url = server.serve('/a.img', { content: rawImage(1), etag: '"1"' });
    await cache.refresh(wish(url));
    server.serve('/a.img', { content: rawImage(2), etag: '"2"' });
    nowMs += 60_000;
    await cache.refresh(wish(url));
    expect(lines.at(-1)).toContain('100 kB more than image_cache_gb leaves');
    await cache.take(wish(url), 'machine');
    expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(1)));
  });

  test('is not taken by images larger than the cache', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1), etag: '"1"' }));
    const cache = await open({ limitBytes: () => 100_000 });
    await cache.refresh(image);
    expect(cache.stateOf(image).doing).toContain('is larger than 100000 bytes');
  });

  test('on the disk that is not there is missed before anything is fetched', async () => {
    const image = wish(server.serve('/a.img', { content: rawImage(1), etag: '"1"' }));
    const cache = await open({ reserveBytes: 2 ** 60 });
    await cache.refresh(image);
    expect(cache.stateOf(image).doing).toContain('the disk of the state directory lacks');
    expect(filesOf(cache, image.url)).toEqual(['image.json']);
  });

  test('on the disk that ends in the middle costs nothing but the new image', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=700k', 'tmpfs', directory]);
    try {
      const url = server.serve('/a.img', { content: rawImage(1), etag: '"1"' });
      const cache = await open();
      await cache.refresh(wish(url));
      // Announced by nobody: it shows only as it comes.
      server.serve('/a.img', {
        content: rawImage(2, 600_000),
        etag: '"2"',
        isChunked: true,
      });
      nowMs += 60_000;
      await cache.refresh(wish(url));
      expect(lines.at(-1)).toContain('the disk of the state directory is full; the copy that is here serves');
      expect(filesOf(cache, url)).toHaveLength(2);
      await cache.take(wish(url), 'machine');
      expect(imageOf(cache, 'machine')).toBe(sha256(rawImage(1)));
      await cache.close();
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  test('is not kept by what no machine was made from for a month', async () => {
    const cache = await open();
    const [old, recent] = await three(cache);
    for (const { url } of [old!]) {
      const facts = (await cache.store.read(url))!;
      await cache.store.write({ ...facts, usedTimeSeconds: 1, copy: { ...facts.copy!, fetchedTimeSeconds: 1 } });
    }
    const next = await open();
    expect(filesOf(next, old!.url)).toEqual([]);
    expect(filesOf(next, recent!.url)).toHaveLength(2);
  });
});

describe('what a vacd that was killed left', () => {
  test('is removed where nobody needs it, and kept where a machine does', async () => {
    const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    await cache.take(wish(url), 'living');
    await cache.take(wish(url), 'over');
    const kept = filesOf(cache, url);
    const entry = cache.store.entry(url);
    for (const name of ['0123456789abcdef.img', '.image.json.0123456789ab.tmp']) writeFileSync(join(entry, name), 'x');
    const next = await open({}, ['living']);
    expect(filesOf(next, url)).toEqual(kept);
    expect(readdirSync(join(directory, 'in-use'))).toEqual(['living']);
  });

  test('of a download is kept for a week', async () => {
    const url = `${server.url}/a.img`;
    const cache = await open();
    await breakOff(cache, wish(url), { content: rawImage(1), ...ETAG });
    await open();
    expect(filesOf(cache, url)).toContain('part');
    utimesSync(cache.store.partPath(url), 0, 0);
    await open();
    expect(filesOf(cache, url)).toEqual(['image.json']);
  });

  test.each(['{', '{"version":9}', '[]', 'null'])('as image.json %s is as if there were nothing', async (text) => {
    const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    writeFileSync(join(cache.store.entry(url), 'image.json'), text);
    const next = await open();
    expect(next.stateOf(wish(url))).toMatchObject({ phase: 'fetching', doing: 'is yet to be fetched' });
    await next.refresh(wish(url));
    expect(next.stateOf(wish(url)).phase).toBe('ready');
    expect(filesOf(next, url)).toHaveLength(2);
  });

  test('as a copy that was cut off is none', async () => {
    const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
    const cache = await open();
    await cache.refresh(wish(url));
    const { copy } = (await cache.store.read(url))!;
    writeFileSync(cache.store.copyPath(url, copy!), 'torn');
    expect((await open()).stateOf(wish(url)).phase).toBe('fetching');
  });
});

test('a copy that somebody removes under way is fetched again', async () => {
  const url = server.serve('/a.img', { content: rawImage(1), ...ETAG });
  const cache = await open();
  await cache.refresh(wish(url));
  await cache.store.remove(url);
  await expect(cache.take(wish(url), 'machine')).rejects.toMatchObject({ code: 'image-missing' });
  expect(cache.stateOf(wish(url))).toMatchObject({ phase: 'fetching' });
});
