/**
 * The last good copy of each vacuum pipe's document, in `pipescache/` (SPEC 5): what is in force while its server is away,
 * over restarts of vacd too. For root alone: what substitutions a document holds may be secret.
 */

import { join } from 'node:path';
import { type PipeDocument, parsePipeDocument } from '../config/pipe-document.js';
import type { VacuumPipeConfig } from '../config/types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';

export interface PipeCopy {
  /** As configured when it was fetched. */
  readonly url: string;
  /** When the server last gave it, or said that it holds (Unix seconds). */
  readonly checkedTimeSeconds: number;
  /** What the server wants to be asked with for a change; null: it did not say. */
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** As the server sent it. */
  readonly text: string;
  readonly document: PipeDocument;
}

/** The version of the file's form; another one is not understood. */
const VERSION = 1;

export function pipesDirectory(stateDir: string): string {
  return join(stateDir, 'pipescache');
}

/**
 * The copy of this pipe; null when there is none, or only one from another URL: an address that was taken away is trusted
 * no longer. Never rejects: a copy that cannot be used is told of in `problem`, and is as good as none.
 */
export async function readPipeCopy(
  directory: string,
  { prefix, url }: Pick<VacuumPipeConfig, 'prefix' | 'url'>,
): Promise<{ readonly copy: PipeCopy | null; readonly problem: string | null }> {
  const path = pathOf(directory, prefix);
  try {
    const text = await readTextIfThere(path);
    const copy = text === null ? null : parseCopy(text);
    return { copy: copy?.url === url ? copy : null, problem: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EACCES' ? 'permission denied, only root may' : message;
    return { copy: null, problem: `${path} cannot be read: ${reason}` };
  }
}

export async function writePipeCopy(directory: string, prefix: string, copy: PipeCopy): Promise<void> {
  const { document: _, ...kept } = copy;
  await writeFileAtomic(pathOf(directory, prefix), `${JSON.stringify({ version: VERSION, ...kept })}\n`, {
    mode: 0o600,
  });
}

function pathOf(directory: string, prefix: string): string {
  return join(directory, `${prefix}.json`);
}

function parseCopy(text: string): PipeCopy {
  const kept: unknown = JSON.parse(text);
  if (typeof kept !== 'object' || kept === null) throw new Error('it is no JSON object');
  const { version, url, checkedTimeSeconds, etag, lastModified, text: sent } = kept as Record<string, unknown>;
  const isOurs =
    version === VERSION &&
    typeof url === 'string' &&
    Number.isSafeInteger(checkedTimeSeconds) &&
    typeof sent === 'string';
  if (!isOurs) throw new Error('it has another form than vacd gives it');
  const parsed = parsePipeDocument(Buffer.from(sent));
  if (!parsed.ok) throw new Error(`the document in it ${parsed.problem}`);
  return {
    url,
    checkedTimeSeconds: checkedTimeSeconds as number,
    etag: typeof etag === 'string' ? etag : null,
    lastModified: typeof lastModified === 'string' ? lastModified : null,
    text: sent,
    document: parsed.document,
  };
}
