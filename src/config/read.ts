/** The configuration files from disk. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Problem, problemAt } from './problem.js';
import type { ConfigFile } from './types.js';

/**
 * Where configuration is looked for, in order; of a directory, its `*.conf` files by name. `/run/vac.conf` is for what
 * must be gone after a reboot.
 */
export const DEFAULT_CONFIG_PATHS: readonly string[] = ['/etc/vac.d', '/etc/vac.conf', '/run/vac.conf'];

/** The least that starts machines. */
const EXAMPLE = `
    [settings]
    vac_space = vac01.example.com
    [machinetype example]
    target_share = 1
    machine_model = vm-raw
    root_image = /srv/images/example.qcow2`;

/**
 * Reads the files of these paths (files or directories). Missing ones are fine, unless `missing` is `error`; unreadable
 * ones are errors, and so is it when there is no file at all.
 */
export async function readConfigFiles(
  paths: readonly string[] = DEFAULT_CONFIG_PATHS,
  missing: 'fine' | 'error' = 'fine',
): Promise<{ files: ConfigFile[]; errors: Problem[] }> {
  const files: ConfigFile[] = [];
  const errors: Problem[] = [];
  for (const path of paths) {
    const refuse = (file: string) => (error: unknown) => {
      errors.push(problemAt({ file, line: null }, `cannot be read: ${reasonOf(error)}`));
      return undefined;
    };
    for (const file of (await filesOf(path).catch(refuse(path))) ?? []) {
      const bytes = await readFile(file).catch(nullIfGone).catch(refuse(file));
      if (bytes) files.push({ path: file, text: bytes });
      else if (bytes === null && missing === 'error') {
        errors.push(problemAt({ file, line: null }, 'there is no such file'));
      }
    }
  }
  if (files.length === 0 && errors.length === 0) {
    const file = paths.find((path) => path.endsWith('.conf')) ?? paths[0] ?? '';
    const message = `there is no configuration (looked at ${paths.join(', ')}); write for instance:${EXAMPLE}`;
    errors.push(problemAt({ file, line: null }, message));
  }
  return { files, errors };
}

/** The files that a path stands for: those of a directory by name (in byte order, as Python sorts them), or itself. */
export async function filesOf(path: string): Promise<string[]> {
  const stats = await stat(path).catch(nullIfGone);
  if (stats === null || !stats.isDirectory()) return [path];
  const names = (await readdir(path).catch(nullIfGone)) ?? [];
  return names
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => join(path, name));
}

function nullIfGone(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
  throw error;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'EACCES' ? 'permission denied' : code === 'EISDIR' ? 'it is a directory' : message;
}
