import { describe, expect, it } from 'vitest';
import { COMMAND_TABLE, type CommandName, optionsOf } from '../../src/cli/commands.js';
import { type CommandLine, parseCommandLine } from '../../src/cli/parse.js';

function line(...args: string[]): CommandLine & { command: string } {
  const parsed = parseCommandLine(args);
  if (parsed.kind !== 'command') throw new Error(`parsed as ${parsed.kind}`);
  return Object.assign(parsed.line, { command: parsed.command });
}

describe('a command line', () => {
  it('has a command, arguments, and options before and after it', () => {
    const parsed = line('-t', '3', '--json', 'machinetype', '--space=vac02.example.com', 'prod', 'wn01', 'wn02');
    expect(parsed).toMatchObject({ command: 'machinetype', positionals: ['prod', 'wn01', 'wn02'] });
    expect(parsed.has('json')).toBe(true);
    expect(parsed.text('space')).toBe('vac02.example.com');
    expect(parsed.positiveNumber('timeout', 'seconds')).toBe(3);
  });

  it('takes the value of another command’s option for no command', () => {
    expect(line('--by', '18:00', 'drain', 'new', 'kernel').positionals).toEqual(['new', 'kernel']);
  });

  it('gives defaults, the last of several values, or all of them', () => {
    expect(line('machines').text('state-dir')).toBe('/var/lib/vac');
    expect(line('machines').has('state-dir')).toBe(false);
    const parsed = line('machines', '-s', 'a', '-s', 'b', '--config', 'x', '--config', 'y');
    expect(parsed.text('space')).toBe('b');
    expect(parsed.texts('config')).toEqual(['x', 'y']);
    expect(line('machines').texts('config')).toBeUndefined();
  });

  it('takes everything after -- as it is', () => {
    expect(line('drain', '--', '--by', 'hand').positionals).toEqual(['--by', 'hand']);
  });

  it('may ask for help or the version instead', () => {
    expect(parseCommandLine(['--help'])).toEqual({ kind: 'help', command: null });
    expect(parseCommandLine(['machinetype', '-h'])).toEqual({ kind: 'help', command: 'machinetype' });
    expect(parseCommandLine(['drain', '--version'])).toEqual({ kind: 'version' });
    expect(parseCommandLine([])).toEqual({ kind: 'nothing' });
    expect(parseCommandLine(['--no-colour'])).toEqual({ kind: 'nothing' });
  });
});

describe('a wrong command line says what is meant', () => {
  it.each([
    [['machnies'], 'there is no command "machnies": did you mean machines?; vac --help lists them'],
    [['xyzzy-plugh'], 'there is no command "xyzzy-plugh"; vac --help lists them'],
    [['drain', '--unti', '18:00'], 'there is no option "--unti": did you mean --until?; see vac drain --help'],
    [['undrain', '--by', '18:00'], 'there is no option "--by"; see vac undrain --help'],
    [['machines', '-x'], 'there is no option "-x"; see vac machines --help'],
    [['--tiemout', '3'], 'there is no option "--tiemout"'],
    [['machines', '--space', '--json'], '--space needs a value, SPACE; see vac machines --help'],
    [['machines', '-s'], '-s needs a value, SPACE; see vac machines --help'],
    [['machines', '--json=yes'], '--json takes no value ("yes"); see vac machines --help'],
    [
      ['factories', '--sort', 'laod'],
      '--sort "laod": expected one of name, used, load, disk, problems (did you mean load?)',
    ],
    [['machinetype'], 'machinetype needs NAME; usage: vac machinetype NAME [FACTORY...]'],
    [['squid-conf', 'in'], 'squid-conf needs OUT; usage: vac squid-conf IN OUT'],
    [['why', '1', '2'], 'why does not understand "2"; usage: vac why [SLOT|MACHINE|MACHINETYPE]'],
    [['undrain', 'now'], 'undrain does not understand "now"; usage: vac undrain'],
  ])('%j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });

  it.each(['0', '-5', 'soon', 'Infinity', '0x'])('--timeout %j is no number of seconds', (value) => {
    const parsed = line('machines', `--timeout=${value}`);
    expect(() => parsed.positiveNumber('timeout', 'seconds')).toThrow(
      `--timeout "${value}": expected a number of seconds above 0`,
    );
  });

  it.each([
    [['machines', '--space='], '--space needs a value, SPACE; see vac machines --help'],
    [['machines', '--config', ' '], '--config needs a value, FILE; see vac machines --help'],
    [['machines', 'wn01', ''], 'machines: an argument is empty; is a variable not set?'],
  ])('%j: empty words are none', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(expect.objectContaining({ code: 'usage', message }));
  });

  it('does not suggest what is told nobody', () => {
    expect(() => parseCommandLine(['completion-word'])).toThrow(/no command "completion-word"; /);
    expect(() => parseCommandLine(['--no-colr'])).toThrow('did you mean --no-colour?');
    expect(parseCommandLine(['--no-color', 'machines']).kind).toBe('command');
  });
});

describe('the table of commands', () => {
  const names = Object.keys(COMMAND_TABLE) as CommandName[];

  it('means the same by one option in all commands', () => {
    const seen = new Map<string, object>();
    for (const name of names) {
      for (const [option, { type, short, multiple, choices }] of Object.entries(optionsOf(name))) {
        const shape = { type, short, multiple, choices };
        expect(seen.get(option) ?? shape).toEqual(shape);
        seen.set(option, shape);
      }
    }
  });

  it.each(names)('of %s has options whose short forms differ, and only the last argument may repeat', (name) => {
    const shorts = Object.values(optionsOf(name)).flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
    const counts = COMMAND_TABLE[name].arguments.map(({ count }) => count);
    expect(counts.slice(0, -1).every((count) => count === 'one')).toBe(true);
  });

  it.each(names)('has examples of %s that can be parsed', (name) => {
    for (const [example] of COMMAND_TABLE[name].examples) {
      const words = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
      const parsed = parseCommandLine(words.slice(1));
      expect(words[0]).toBe('vac');
      expect(parsed).toMatchObject({ kind: 'command', command: name });
    }
  });
});
