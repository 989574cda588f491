import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isVacError } from '../../src/errors.js';
import { addMimePart, MAX_UNPACKED_BYTES, type MimePart } from '../../src/machines/mime-parts.js';

const PART: MimePart = {
  contentType: 'text/cloud-boothook',
  filename: 'vac-part',
  content: Buffer.from('#cloud-boothook\n#!/bin/sh\necho é\n'),
};
const CORPUS = ['multipart-ucernvm.txt', 'amiconfig.sh', 'cloud-config.yaml', 'include.txt'] as const;
const corpus = (name: string) => readFileSync(new URL(`data/${name}`, import.meta.url));

interface ReadPart {
  readonly type: string;
  readonly name: string | null;
  readonly content: Buffer;
}

/** Many messages as Python's email package reads them, which is what cloud-init uses. */
function readByPython(messages: readonly Buffer[]): ReadPart[][] {
  const program = [
    'import sys, json, base64, email',
    'read = lambda raw: [[p.get_content_type(), p.get_filename(), base64.b64encode(p.get_payload(decode=True)).decode()]',
    '  for p in email.message_from_bytes(raw).walk() if p.get_content_maintype() != "multipart"]',
    'print(json.dumps([read(base64.b64decode(m)) for m in json.load(sys.stdin)]))',
  ].join('\n');
  const input = JSON.stringify(messages.map((message) => message.toString('base64')));
  const answer = JSON.parse(execFileSync('python3', ['-c', program], { input, encoding: 'utf8' }));
  return (answer as [string, string | null, string][][]).map((parts) =>
    parts.map(([type, name, content]) => ({ type, name, content: Buffer.from(content, 'base64') })),
  );
}

const added = { type: PART.contentType, name: PART.filename, content: PART.content };

describe('a part is added', () => {
  it.each([
    ['', null],
    ['#!/bin/sh\nexit 0\n', 'text/x-shellscript'],
    ['#cloud-config\nruncmd: []\n', 'text/cloud-config'],
    ['#cloud-config-archive\n- a\n', 'text/cloud-config-archive'],
    ['#include\nhttps://x.example/\n', 'text/x-include-url'],
    ['#include-once\nhttps://x.example/\n', 'text/x-include-once-url'],
    ['#part-handler\n', 'text/part-handler'],
    ['## template: jinja\n#cloud-config\n', 'text/jinja2'],
    ['[amiconfig]\nplugins=cernvm\n', 'text/plain'],
    ['Content: no header\n', 'text/plain'],
  ])('to %j, which becomes a part of type %s', (text, type) => {
    const message = addMimePart(Buffer.from(text), PART);
    // Where cloud-init looks for it, before it calls Python's parser.
    expect(message.subarray(0, 4096).toString().toLowerCase()).toContain('mime-version:');
    const template = type === null ? [] : [{ type, name: 'user_data', content: Buffer.from(text) }];
    expect(readByPython([message])).toEqual([[added, ...template]]);
  });

  it('to multiparts, whose parts stay as they are', () => {
    const template = corpus('multipart-ucernvm.txt').toString();
    const withHeader = (header: string) => `${header}\n\npreamble --plain\n--plain\n\n#!/bin/sh\n--plain--\n`;
    const messages = [
      template,
      template.replaceAll('\n', '\r\n'),
      addMimePart(Buffer.from('#!/bin/sh\n'), { ...PART, filename: 'first' }).toString(),
      withHeader('Content-Type: multipart/mixed; boundary=plain; charset=utf-8'),
      withHeader('content-type: Multipart/Mixed;\n boundary="plain"'),
      withHeader('Received: by x\nMime-Version: 1.0\nContent-Type: multipart/related;\n\ttype="a/b"; boundary="plain"'),
    ].map((text) => Buffer.from(text));
    const before = readByPython(messages);
    expect(before.map(({ length }) => length)).toEqual([3, 3, 2, 1, 1, 1]);
    const after = readByPython(messages.map((message) => addMimePart(message, PART)));
    expect(after).toEqual(before.map((parts) => [added, ...parts]));
  });

  it('to what is packed, which is packed again', () => {
    for (const name of CORPUS) {
      const message = addMimePart(gzipSync(corpus(name)), PART);
      expect(gunzipSync(message)).toEqual(addMimePart(corpus(name), PART));
    }
  });

  it('the same way each time, and any bytes come out of it as they went in', () => {
    const contents: Buffer[] = [];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const content = Buffer.concat([Buffer.from('#!/bin/sh\n'), bytes]);
        contents.push(content);
        expect(addMimePart(content, PART)).toEqual(addMimePart(content, PART));
      }),
    );
    const read = readByPython(contents.map((content) => addMimePart(content, { ...PART, content })));
    expect(read).toEqual(
      contents.map((content) => [
        { ...added, content },
        { type: 'text/x-shellscript', name: 'user_data', content },
      ]),
    );
  });
});

describe('nothing is added, and it is said why,', () => {
  const refusal = (userData: Buffer) => {
    try {
      addMimePart(userData, PART);
    } catch (error) {
      if (isVacError(error, 'user-data-unusable')) return error.message;
    }
    return null;
  };

  it.each([
    'Content-Type: multipart/mixed\nMIME-Version: 1.0\n\n--x\n\na\n--x--\n',
    'Content-Type: multipart/mixed; boundary="x"\n\nno boundary here: --x\n',
    'Content-Type: multipart/mixed; boundary="x"\n\n',
  ])('to the broken multipart %j', (text) => {
    expect(refusal(Buffer.from(text))).toContain('a MIME multipart whose boundary is missing');
  });

  it('to gzip that is cut off, or grows beyond measure', () => {
    expect(refusal(gzipSync('#!/bin/sh\n').subarray(0, 15))).toContain('gzip that cannot be unpacked (unexpected end');
    const bomb = gzipSync(Buffer.alloc(MAX_UNPACKED_BYTES + 1));
    expect(bomb.length).toBeLessThan(20_000);
    expect(refusal(bomb)).toContain(`more than ${MAX_UNPACKED_BYTES} bytes`);
  });
});
