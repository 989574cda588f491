import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VISIBLE_COMMANDS } from '../../src/cli/commands.js';
import { zshCompletion } from '../../src/cli/completion-zsh.js';
import { CHECKOUT } from './isolated-host.js';

const BASH = `${CHECKOUT}etc/completion/vac.bash`;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vac-complete-'));
  mkdirSync(join(directory, 'some where'));
  writeFileSync(
    join(directory, 'vac.conf'),
    [
      '[settings]',
      'vac_space = vac01.example.com',
      'factories = wn01.example.com wn02.example.com hv1.example.com',
      ...['lhcb-prod', 'lhcb-user', 'atlas'].flatMap((name) => [
        `[machinetype ${name}]`,
        'target_share = 1',
        'machine_model = vm-raw',
        'root_image = /srv/image.qcow2',
      ]),
      '',
    ].join('\n'),
  );
  const vac = join(directory, 'vac');
  const tsx = import.meta.resolve('tsx');
  writeFileSync(vac, `#!/bin/sh\nexec '${process.execPath}' --import '${tsx}' '${CHECKOUT}src/vac.ts' "$@"\n`);
  chmodSync(vac, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What bash offers for the last of these words, as its readline would ask: by the function, with the words in place. */
function offered(...words: string[]): string[] {
  const script = `
    . "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _vac vac "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\\n' "\${COMPREPLY[@]}"
  `;
  const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` };
  const text = execFileSync('bash', ['-c', script, 'bash', BASH, 'vac', ...words], {
    encoding: 'utf8',
    env,
    cwd: directory,
  });
  return text.split('\n').filter((line) => line !== '');
}

describe('completion for bash', () => {
  it('is sound', () => {
    expect(spawnSync('bash', ['-n', BASH], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  it('offers commands', () => {
    expect(offered('')).toEqual(VISIBLE_COMMANDS.map(([name]) => name));
    expect(offered('machinet')).toEqual(['machinetypes', 'machinetype']);
    expect(offered('--json', '-t', '5', 'dra')).toEqual(['drain']);
  });

  it('offers options of the command, before it those of all, and none that is told nobody', () => {
    expect(offered('drain', '--')).toEqual(expect.arrayContaining(['--by', '--until', '--json', '--state-dir']));
    expect(offered('drain', '--')).not.toContain('--space');
    expect(offered('--no')).toEqual(['--no-colour']);
    expect(offered('machines', 'wn01', '--ti')).toEqual(['--timeout']);
  });

  it('offers values of options: those that there are, files, or none', () => {
    expect(offered('factories', '--sort', '')).toEqual(['name', 'used', 'load', 'disk', 'problems']);
    expect(offered('factories', '--sort', '=', 'l')).toEqual(['load']);
    expect(offered('--config', 'vac.')).toEqual(['vac.conf']);
    expect(offered('--state-dir', 'so')).toEqual(['some where']);
    expect(offered('drain', '--by', '')).toEqual([]);
  });

  it('offers what the configuration knows', () => {
    const config = ['--config', join(directory, 'vac.conf')];
    expect(offered(...config, 'machines', 'wn')).toEqual(['wn01', 'wn02']);
    expect(offered('machines', 'wn01', ...config, 'h')).toEqual(['hv1']);
    expect(offered(...config, 'machinetype', 'lhcb')).toEqual(['lhcb-prod', 'lhcb-user']);
    expect(offered(...config, 'machinetype', 'lhcb-prod', 'wn01', 'hv')).toEqual(['hv1']);
    expect(offered(...config, 'why', 'a')).toEqual(['atlas']);
  });

  it('offers nothing, and says nothing, where nothing can be found out', () => {
    expect(offered('--config', '/nowhere', 'machinetype', '')).toEqual([]);
    expect(offered('stop', '--state-dir', directory, '')).toEqual([]);
    expect(offered('undrain', '')).toEqual([]);
    expect(offered('no-such-command', '')).toEqual([]);
  });

  it('works where keys are pressed', async () => {
    const shell = spawn('script', ['-qefc', 'bash --norc --noprofile -i', '/dev/null'], {
      cwd: directory,
      env: { ...process.env, PATH: `${directory}:${process.env.PATH}`, PS1: '> ', INPUTRC: '/dev/null' },
    });
    let screen = '';
    const shows = (text: string) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (screen.includes(text)) resolve();
        };
        shell.stdout.on('data', look);
        look();
      });
    shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      screen += text;
    });
    const closed = new Promise((resolve) => shell.on('close', resolve));
    try {
      shell.stdin.write(`. ${BASH}; echo re""ady\n`);
      await shows('ready');
      shell.stdin.write('vac machinetype --config vac.conf at\t');
      await shows('vac.conf atlas ');
    } finally {
      // Whatever stands on the line now is taken back.
      shell.stdin.write('\u0015exit\n');
      await closed;
    }
  });
});

const hasZsh = spawnSync('zsh', ['--version']).status === 0;

describe('completion for zsh', () => {
  it.skipIf(!hasZsh)(`is sound${hasZsh ? '' : ' (NOT checked: there is no zsh on this host)'}`, () => {
    const zsh = spawnSync('zsh', ['-n', `${CHECKOUT}etc/completion/_vac`], { encoding: 'utf8' });
    expect(zsh).toMatchObject({ status: 0, stderr: '' });
  });

  it('has every command, and explanations that are one word to the shell', () => {
    const text = zshCompletion();
    for (const [name] of VISIBLE_COMMANDS) expect(text).toContain(`'${name}:`);
    expect(text).toMatch(/^#compdef vac\n/);
    expect(text).toContain(
      "'--state-dir=[State directory of this host'\\''s vacd, where its socket is]:DIR:_directories'".slice(1),
    );
  });
});
