/**
 * The file that `space_key_file` names: whose it must be, and what is in it. Used by vacd, by `vac` (which signs its
 * questions where it may read the file) and by `vac check-config`. Nothing of a key is ever in a message.
 */

import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { nodeHmac, parseSpaceKeys, type SpaceKey } from '../vacquery/index.js';

/** Sixteen keys with comments take a tenth of it. */
const MAX_BYTES = 65_536;
/** Others may do nothing with it, its group only read it. */
const FORBIDDEN_MODE = 0o037;

export type SpaceKeyFile =
  | { readonly ok: true; readonly keys: readonly SpaceKey[] }
  | {
      readonly ok: false;
      /** A sentence each, with the path, and what to do. */
      readonly problems: readonly string[];
      /** Its reader is not who may read it: nothing need be wrong with the file. */
      readonly isForbidden: boolean;
    };

/** Never rejects. A symbolic link is followed: what it leads to must be root's, as the file itself. */
export async function readSpaceKeyFile(path: string): Promise<SpaceKeyFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return bad(
        `${path}: there is no such file; (umask 077; openssl rand -hex 32 > ${path}) makes one for a new space`,
      );
    }
    if (code === 'EACCES') return { ...bad(`${path} cannot be read: only root may`), isForbidden: true };
    return bad(`${path} cannot be read: ${message}`);
  }
  try {
    const info = await handle.stat();
    if (!info.isFile()) return bad(`${path} is no file`);
    if (info.uid !== 0) return bad(`${path} belongs to user ${info.uid}, who could change it: chown root ${path}`);
    const mode = info.mode & 0o777;
    if ((mode & FORBIDDEN_MODE) !== 0) {
      return bad(`${path} has mode 0${mode.toString(8)}, so others get at the keys: chmod 600 ${path}`);
    }
    if (info.size > MAX_BYTES) return bad(`${path} has ${info.size} bytes, which are no keys`);
    const parsed = parseSpaceKeys(await handle.readFile('utf8'), nodeHmac);
    if (parsed.ok) return parsed;
    return bad(...parsed.problems.map(({ line, message }) => `${path}${line === null ? '' : `:${line}`}: ${message}`));
  } catch (error) {
    return bad(`${path} cannot be read: ${(error as Error).message}`);
  } finally {
    await handle.close();
  }
}

/** Differs whenever the file may have changed; never rejects. */
export async function traceOfFile(path: string): Promise<string> {
  const info = await stat(path, { bigint: true }).catch(() => null);
  return info === null ? 'none' : [info.ino, info.size, info.mtimeNs, info.ctimeNs, info.mode, info.uid].join(' ');
}

function bad(...problems: readonly string[]): SpaceKeyFile & { ok: false } {
  return { ok: false, problems, isForbidden: false };
}
