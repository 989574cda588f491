import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { OPTION_TABLES } from '../../src/config/options.js';
import { confManPage, REFERENCE_FILES } from '../../src/config/reference.js';

const COMMITTED = new URL('../../etc/man/', import.meta.url);

it.each(
  Object.entries(REFERENCE_FILES),
)('%s is as generated (if not: npx tsx src/config/reference.ts etc/man)', (name, generate) => {
  expect(readFileSync(new URL(name, COMMITTED), 'utf8')).toBe(generate());
});

it('describes every option in both', () => {
  for (const generate of Object.values(REFERENCE_FILES)) {
    const text = generate();
    for (const name of Object.values(OPTION_TABLES).flatMap(Object.keys)) expect(text).toContain(name);
  }
});

const hasGroff = spawnSync('groff', ['--version']).status === 0;

it.skipIf(!hasGroff)(
  `the manual page is sound roff${hasGroff ? '' : ' (NOT checked: there is no groff on this host)'}`,
  () => {
    // Long lines without overstriking, so that names can be found in the text.
    const args = ['-man', '-Tascii', '-ww', '-rLL=2000n', '-P-cbou'];
    const groff = spawnSync('groff', args, { input: confManPage(), encoding: 'utf8' });
    expect(groff.stderr).toBe('');
    for (const name of Object.values(OPTION_TABLES).flatMap(Object.keys))
      expect(groff.stdout).toMatch(`\n       ${name}`);
  },
);
