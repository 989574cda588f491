/** A program of the test's own for guests, which have a busybox and nothing more: built here, carried in by user_data. */

import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const exec = promisify(execFile);

/**
 * Writes user_data that unpacks a program: a script that ends with the line `#KIT`, and after it the program, static,
 * gzipped, as base64.
 *
 * @param script path of it
 * @param source path of the program's one file of C
 */
export async function writeUserDataWith(path: string, script: string, source: string): Promise<void> {
  const program = `${path}.program`;
  await exec('gcc', ['-Wall', '-O2', '-static', '-s', '-o', program, source]);
  const kit = gzipSync(await readFile(program), { level: 9 }).toString('base64');
  await rm(program);
  await writeFile(path, `${await readFile(script, 'utf8')}${kit}\n`);
}
