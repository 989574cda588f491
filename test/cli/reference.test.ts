import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  COMMAND_TABLE,
  commandOptions,
  GLOBAL_OPTIONS,
  type OptionSpec,
  VISIBLE_COMMANDS,
} from '../../src/cli/commands.js';
import { commandHelp, vacHelp } from '../../src/cli/help.js';
import { vacdManPage, vacManPage } from '../../src/cli/man.js';
import { CLI_REFERENCE_FILES } from '../../src/cli/reference.js';
import { VACD_OPTIONS, vacdHelp } from '../../src/cli/vacd-command.js';

const COMMITTED = new URL('../../etc/', import.meta.url);
const PAGES = { 'vac(1)': vacManPage, 'vacd(8)': vacdManPage };

it.each(
  Object.entries(CLI_REFERENCE_FILES),
)('%s is as generated (if not: npx tsx src/cli/reference.ts etc)', (name, generate) => {
  expect(readFileSync(new URL(name, COMMITTED), 'utf8')).toBe(generate());
});

const visible = (options: Readonly<Record<string, OptionSpec>>) =>
  Object.entries(options).flatMap(([name, { hidden }]) => (hidden ? [] : [`--${name}`]));

describe('the help', () => {
  const all = VISIBLE_COMMANDS.map(([name]) => name);

  it('of vac names every command, and every option that all of them take', () => {
    const text = vacHelp(80).join('\n');
    for (const name of all) expect(text).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    for (const option of visible(GLOBAL_OPTIONS)) expect(text).toContain(option);
    expect(text).not.toContain('completion-words');
    expect(text).not.toContain('no-color ');
  });

  it.each(all)('of %s has its options, examples and exit codes', (name) => {
    const text = commandHelp(name, 80).join('\n');
    for (const option of visible(commandOptions(name))) expect(text).toContain(option);
    for (const [example] of COMMAND_TABLE[name].examples) expect(text).toContain(example);
    for (const [code] of COMMAND_TABLE[name].exitCodes) expect(text).toMatch(new RegExp(`^ {2}${code} `, 'm'));
    expect(text).toMatch(name === 'check' ? /^ {2}3 {2}/m : /^ {2}2 {2,}the command line is wrong$/m);
  });

  it('says of factories to ask only what holds', () => {
    for (const [name, { arguments: words, asks }] of VISIBLE_COMMANDS) {
      const text = commandHelp(name, Number.POSITIVE_INFINITY).join(' ');
      expect(text.includes('all factories of the space are asked')).toBe(asks === 'all');
      if (asks === 'all') expect(words.map((word) => word.name)).toContain('FACTORY');
    }
  });

  it.each([
    40,
    80,
    200,
    Number.POSITIVE_INFINITY,
  ])('is no wider than %d columns, nor than can be read well', (columns) => {
    const pages = [vacHelp(columns), vacdHelp(columns), ...all.map((name) => commandHelp(name, columns))];
    const longest = Math.max(...pages.flat().map((line) => line.length));
    // No word is cut off.
    expect(pages.flat().filter((line) => line.includes('…'))).toEqual([]);
    // Names of commands and options are not broken.
    expect(longest).toBeLessThanOrEqual(columns === 40 ? 66 : Math.min(columns, 100));
  });
});

const hasGroff = spawnSync('groff', ['--version']).status === 0;

describe.skipIf(!hasGroff)(`manual pages${hasGroff ? '' : ' (NOT checked: there is no groff on this host)'}`, () => {
  /** Long lines without overstriking, so that names can be found in the text. */
  const formatted = (page: string) => {
    const groff = spawnSync('groff', ['-man', '-Tascii', '-ww', '-rLL=2000n', '-P-cbou'], {
      input: page,
      encoding: 'utf8',
    });
    return { text: groff.stdout, complaints: groff.stderr };
  };

  it.each(Object.entries(PAGES))('%s is sound roff', (_, generate) => {
    expect(formatted(generate()).complaints).toBe('');
  });

  it('vac(1) has every command with its own options and examples, as it is typed', () => {
    const { text } = formatted(vacManPage());
    for (const [name, { options, examples }] of VISIBLE_COMMANDS) {
      expect(text).toMatch(new RegExp(`^ +vac ${name}`, 'm'));
      for (const option of visible(options)) expect(text).toContain(option);
      for (const [example] of examples) expect(text).toContain(example);
    }
  });

  it('vacd(8) has every option', () => {
    const { text } = formatted(vacdManPage());
    for (const option of visible(VACD_OPTIONS)) expect(text).toContain(option);
  });
});
