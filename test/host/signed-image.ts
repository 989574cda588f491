/** Images signed in the way of CernVM. */

import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Issued } from './test-authority.js';

const BLOCK_BYTES = 32 * 1024;

export interface SigningOptions {
  /** Of the signature block, before NULs fill it up. */
  readonly block?: (certificate: string, signature: string) => string;
  readonly metadata?: string;
  /** More certificates after the signer's. */
  readonly chain?: readonly string[];
}

/** As real images have it: commas are missing, and there is one too many. */
export const FAULTY_BLOCK = (certificate: string, signature: string): string => `{
  "howto-verify": [
    "tail -c $((64*1024)) <image>"
    "openssl dgst -sha256 -verify pubkey -signature <signature>"
    "see https://example.org/signer"
  ]
  "certificate": "${certificate}"
  "signature": "${signature}",
}
`;

export async function signedImage(content: Buffer, signer: Issued, options: SigningOptions = {}): Promise<Buffer> {
  const { metadata = '{\n  "ucernvm-version": "2026.11-1",\n}\n', block = plainBlock, chain = [] } = options;
  const signed = Buffer.concat([content, filled(metadata)]);
  const signature = createSign('RSA-SHA256')
    .update(signed)
    .sign(await readFile(signer.key));
  const pems = await Promise.all([signer.certificate, ...chain].map((path) => readFile(path)));
  const certificate = Buffer.concat(pems).toString('base64');
  return Buffer.concat([signed, filled(block(certificate, signature.toString('base64')))]);
}

function plainBlock(certificate: string, signature: string): string {
  return JSON.stringify({ certificate, signature });
}

function filled(text: string): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(text);
  return block;
}
