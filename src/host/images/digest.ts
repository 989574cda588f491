/**
 * What a server says of an image's content, to check that what came is what it has: Repr-Digest (RFC 9530), Digest
 * (RFC 3230, as storage of the grid sends it) and Content-MD5 (RFC 2616). It guards against faults on the way, not against
 * the server: that is what root_image_sha256 is for.
 */

export interface ServerDigest {
  /** As node:crypto names it. */
  readonly algorithm: 'sha512' | 'sha256' | 'md5';
  readonly value: Buffer;
  /** The header that it is from, for people. */
  readonly header: string;
}

const ALGORITHMS = [
  { names: ['sha-512'], algorithm: 'sha512', bytes: 64 },
  { names: ['sha-256'], algorithm: 'sha256', bytes: 32 },
  { names: ['md5'], algorithm: 'md5', bytes: 16 },
] as const;

/**
 * The strongest that an answer gives of the whole image; null: none, or none that is known.
 *
 * @param isWhole false for a part of it (status 206), of which some headers tell the digest of the part
 */
export function serverDigest(headers: ReadonlyMap<string, string>, isWhole: boolean): ServerDigest | null {
  const given = [
    ...pairs('Repr-Digest', headers.get('repr-digest'), /^:(.*):$/),
    ...pairs('Digest', headers.get('digest'), /^(.*)$/),
    ...(isWhole ? pairs('Content-Digest', headers.get('content-digest'), /^:(.*):$/) : []),
    ...(isWhole ? pairs('Content-MD5', withName('md5', headers.get('content-md5')), /^(.*)$/) : []),
  ];
  for (const { names, algorithm, bytes } of ALGORITHMS) {
    for (const { name, text, header } of given) {
      const value = Buffer.from(text, 'base64');
      if ((names as readonly string[]).includes(name) && value.length === bytes) return { algorithm, value, header };
    }
  }
  return null;
}

function withName(name: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${name}=${text}`;
}

/** `name=value` pairs with commas between them; base64 has no commas. */
function pairs(header: string, text: string | undefined, form: RegExp) {
  return (text ?? '').split(',').flatMap((pair) => {
    const equals = pair.indexOf('=');
    const value = form.exec(pair.slice(equals + 1).trim())?.[1];
    if (equals < 0 || value === undefined) return [];
    return [{ header, name: pair.slice(0, equals).trim().toLowerCase(), text: value }];
  });
}
