import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  firstLineHarmless,
  hostileFileTimeMs,
  makeDirs,
  readHostileFile,
  readTextIfThere,
  removeTree,
  streamHostileFile,
  writeFileAtomic,
} from '../../src/host/files.js';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function* pieces(...texts: (string | Error)[]) {
  for (const text of texts) {
    if (text instanceof Error) throw text;
    yield Buffer.from(text);
  }
}

describe('writeFileAtomic', () => {
  it('writes text, bytes and streams, and leaves nothing else behind', async () => {
    await writeFileAtomic(at('text'), 'ä');
    await writeFileAtomic(at('bytes'), Buffer.from([0, 255]));
    await writeFileAtomic(at('stream'), pieces('a', 'b'), { durable: false });
    expect(await readFile(at('text'), 'utf8')).toBe('ä');
    expect([...(await readFile(at('bytes')))]).toEqual([0, 255]);
    expect(await readFile(at('stream'), 'utf8')).toBe('ab');
    expect((await readdir(directory)).sort()).toEqual(['bytes', 'stream', 'text']);
  });

  it('gives the file exactly the mode that was asked for, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await writeFileAtomic(at('default'), '');
      await writeFileAtomic(at('open'), '', { mode: 0o666 });
    } finally {
      process.umask(umask);
    }
    expect((await stat(at('default'))).mode & 0o7777).toBe(0o644);
    expect((await stat(at('open'))).mode & 0o7777).toBe(0o666);
  });

  it.runIf(process.getuid?.() === 0)('gives the file its owner', async () => {
    await writeFileAtomic(at('file'), '', { uid: 65534, gid: 65534 });
    const { uid, gid } = await stat(at('file'));
    expect({ uid, gid }).toEqual({ uid: 65534, gid: 65534 });
  });

  it('replaces a symbolic link and leaves what it names alone', async () => {
    await writeFile(at('secret'), 'secret');
    await symlink(at('secret'), at('file'));
    await writeFileAtomic(at('file'), 'new');
    expect(await readFile(at('file'), 'utf8')).toBe('new');
    expect(await readFile(at('secret'), 'utf8')).toBe('secret');
  });

  it('keeps the old file and no temporary one when the stream fails or the name is a directory', async () => {
    await mkdir(at('tmp'));
    await mkdir(at('taken'));
    await writeFile(at('file'), 'old');
    const broken = pieces('half', new Error('broken off'));
    await expect(writeFileAtomic(at('file'), broken, { tmpDir: at('tmp') })).rejects.toThrow('broken off');
    await expect(writeFileAtomic(at('taken'), 'x', { tmpDir: at('tmp') })).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(await readFile(at('file'), 'utf8')).toBe('old');
    expect(await readdir(at('tmp'))).toEqual([]);
  });

  it('lets writers of one file at the same time each write the whole of it', async () => {
    const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(10_000));
    await Promise.all(texts.map((text) => writeFileAtomic(at('file'), text, { durable: false })));
    expect(texts).toContain(await readFile(at('file'), 'utf8'));
    expect(await readdir(directory)).toEqual(['file']);
  });
});

describe('files that a guest can write', () => {
  it('are read when regular and no larger than allowed', async () => {
    await writeFile(at('file'), '12345');
    await writeFile(at('empty'), '');
    expect(await readHostileFile(at('file'), 5)).toEqual(Buffer.from('12345'));
    expect(await readHostileFile(at('empty'), 5)).toEqual(Buffer.alloc(0));
    expect(await readHostileFile(at('file'), 4)).toBeNull();
  });

  it('are streamed under the same rules', async () => {
    await writeFile(at('file'), '12345');
    const stream = await streamHostileFile(at('file'), 5);
    expect(Buffer.concat(await stream!.toArray()).toString()).toBe('12345');
    expect(await streamHostileFile(at('file'), 4)).toBeNull();
    expect(await streamHostileFile(at('missing'), 4)).toBeNull();
  });

  it('are not followed, waited for or opened when they are anything else', async () => {
    await writeFile(at('file'), 'secret');
    await symlink(at('file'), at('link'));
    await symlink(at('nowhere'), at('dangling'));
    await mkdir(at('directory'));
    execFileSync('mkfifo', [at('fifo')]);
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      const names = ['link', 'dangling', 'directory', 'fifo', 'socket', 'missing', 'file/below', 'x'.repeat(300)];
      for (const name of names) {
        expect(await readHostileFile(at(name), 100), name).toBeNull();
        expect(await streamHostileFile(at(name), 100), name).toBeNull();
        expect(await hostileFileTimeMs(directory, name), name).toBeNull();
      }
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await readHostileFile('/dev/zero', 100)).toBeNull();
  });

  it('have an age by when they were last changed', async () => {
    await writeFile(at('heartbeat'), '');
    await utimes(at('heartbeat'), 1_700_000_000, 1_700_000_000);
    expect(await hostileFileTimeMs(directory, 'heartbeat')).toBe(1_700_000_000_000);
  });

  it('have no age when the name leads elsewhere', async () => {
    await mkdir(at('joboutputs'));
    await writeFile(at('file'), '');
    expect(await hostileFileTimeMs(at('joboutputs'), '../file')).toBeNull();
  });
});

describe('firstLineHarmless', () => {
  it.each([
    ['200 Success\n', '200 Success'],
    ['300 no\twork\r\nmore', '300 no work'],
    ['  600 \x1b[31mred\x1b[0m\x00\x07 ', '600 [31mred[0m'],
    ['700 \u202Edaeh\u200B \u2028x', '700 daeh x'],
    ['', null],
    ['\n300 on the second line', null],
    [' \t\x00 \n', null],
    [`${'é'.repeat(300)}`, 'é'.repeat(200)],
    ['😀'.repeat(300), '😀'.repeat(200)],
  ])('%j becomes %j', (text, expected) => {
    expect(firstLineHarmless(Buffer.from(text))).toBe(expected);
  });

  it('gives null or one short printable line for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), (bytes, maxChars) => {
        const line = firstLineHarmless(Buffer.from(bytes), maxChars);
        if (line === null) return;
        expect(line).toMatch(/^[^\p{C}\p{Zl}\p{Zp}]+$/u);
        expect([...line].length).toBeLessThanOrEqual(maxChars);
        expect(line).toBe(line.trim());
      }),
    );
  });
});

describe('our own files', () => {
  it('are null when they are not there, and only then', async () => {
    await writeFile(at('file'), 'text');
    expect(await readTextIfThere(at('file'))).toBe('text');
    expect(await readTextIfThere(at('missing'))).toBeNull();
    expect(await readTextIfThere(at('file/below'))).toBeNull();
    await expect(readTextIfThere(directory)).rejects.toThrow('EISDIR');
  });

  it('are made and removed as trees, again and again, links not followed', async () => {
    await makeDirs([at('a/b'), at('a/c')]);
    await makeDirs([at('a/b')]);
    await writeFile(at('kept'), '');
    await symlink(at('kept'), at('a/b/link'));
    await chmod(at('a/b'), 0o500);
    await removeTree(at('a'));
    await removeTree(at('a'));
    expect(await readdir(directory)).toEqual(['kept']);
  });
});
