import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { serverDigest } from '../../../src/host/images/digest.js';

const CONTENT = 'an image';
const digest = (algorithm: string) => createHash(algorithm).update(CONTENT).digest('base64');
const of = (headers: Record<string, string>, isWhole = true) => {
  const found = serverDigest(new Map(Object.entries(headers)), isWhole);
  return found === null ? null : `${found.header} ${found.algorithm} ${found.value.toString('base64')}`;
};

describe('what a server says of an image', () => {
  test.each([
    ['repr-digest', `sha-256=:${digest('sha256')}:`, `Repr-Digest sha256 ${digest('sha256')}`],
    ['repr-digest', `md5=:${digest('md5')}:, sha-512=:${digest('sha512')}:`, `Repr-Digest sha512 ${digest('sha512')}`],
    ['digest', `SHA-256=${digest('sha256')},adler32=03da0195`, `Digest sha256 ${digest('sha256')}`],
    ['digest', `md5=${digest('md5')}`, `Digest md5 ${digest('md5')}`],
    ['content-digest', `sha-256=:${digest('sha256')}:`, `Content-Digest sha256 ${digest('sha256')}`],
    ['content-md5', digest('md5'), `Content-MD5 md5 ${digest('md5')}`],
  ])('in %s: %s', (header, value, expected) => expect(of({ [header]: value })).toBe(expected));

  test.each([
    ['repr-digest', 'sha-256=:short:'],
    ['repr-digest', digest('sha256')],
    ['digest', 'adler32=03da0195'],
    ['content-md5', 'none'],
    ['etag', '"1"'],
  ])('is nothing in %s: %s', (header, value) => expect(of({ [header]: value })).toBeNull());

  test('of a part is of the whole only where the header is', () => {
    expect(of({ 'content-md5': digest('md5'), 'content-digest': `sha-256=:${digest('sha256')}:` }, false)).toBeNull();
    expect(of({ 'repr-digest': `sha-256=:${digest('sha256')}:` }, false)).not.toBeNull();
  });
});
