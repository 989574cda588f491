import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { MACHINETYPE_OPTIONS } from '../../src/config/machinetype-options.js';
import { OPTION_TABLES, type OptionTable } from '../../src/config/options.js';
import { OVERNIGHT_OPTIONS } from '../../src/config/overnight-options.js';
import { VACUUM_PIPE_OPTIONS } from '../../src/config/pipe-options.js';
import { confManPage, REFERENCE_FILES } from '../../src/config/reference.js';
import { SETTINGS_OPTIONS } from '../../src/config/settings-options.js';

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

it('says of every option where it stands what this version does not do, and what waits for a restart', () => {
  const blocks = confManPage().split('\n.TP\n.B ');
  const tables = [
    SETTINGS_OPTIONS,
    MACHINETYPE_OPTIONS,
    VACUUM_PIPE_OPTIONS,
    OVERNIGHT_OPTIONS,
  ] as readonly OptionTable[];
  const options = tables.flatMap((table) => Object.entries(table));
  expect(blocks).toHaveLength(1 + options.length);
  options.forEach(([name, { notYet, atRestart }], index) => {
    const block = blocks[index + 1]!;
    expect(block.split('\n')[0]).toBe(name);
    expect(block.includes('\nNot yet')).toBe(notYet !== undefined);
    expect(block.includes('\nA change takes effect at the next start of vacd.')).toBe(atRestart === true);
  });
});

it('has an example that starts machines', () => {
  const text = confManPage().split('.SH EXAMPLE\n.nf\n')[1]!.split('\n.fi')[0]!;
  const result = loadConfig([{ path: '/etc/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  expect(result).toMatchObject({ ok: true, warnings: [], config: { machinetypes: [{ targetShare: 1 }] } });
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
