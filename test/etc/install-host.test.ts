import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VERSION } from '../../src/version.js';

const checkout = join(import.meta.dirname, '../..');
const ACCOUNTING_UNITS = ['sync', 'send'].flatMap((what) => [`vac-apel-${what}.service`, `vac-apel-${what}.timer`]);

describe('install-host', { timeout: 120_000 }, () => {
  let host: string;
  /** What an administrator has written before. */
  const configuration = readFileSync(join(checkout, 'etc/vac.conf.example'), 'utf8').replace('vac01', 'vac02');

  beforeAll(() => {
    // Spaces, and a checkout behind a symlink: neither may matter.
    host = join(mkdtempSync(join(tmpdir(), 'vac-install-')), 'a host');
    mkdirSync(join(host, 'etc/systemd/system'), { recursive: true });
    writeFileSync(join(host, 'etc/systemd/system/vacd.service'), '# the site’s own\n');
    symlinkSync(checkout, `${host} checkout`);
  });
  afterAll(() => rmSync(join(host, '..'), { recursive: true, force: true }));

  function install(): string {
    const env = { ...process.env, DESTDIR: host };
    return execFileSync('bash', ['-c', 'bash "$0" 2>&1', `${host} checkout/etc/install-host.sh`], {
      env,
      encoding: 'utf8',
    });
  }

  /** Runs an installed command where the program is in its place, with the PATH that a service may have. */
  function run(command: string, ...args: string[]): string {
    const inPlace =
      'mount --bind "$0/usr/local/lib" /usr/local/lib && cd / && PATH=/bin:/usr/sbin && exec "$0/usr/local/bin/$@"';
    return execFileSync('unshare', ['--mount', 'bash', '-c', inPlace, host, command, ...args], { encoding: 'utf8' });
  }

  it('installs a program that runs, and an example of a configuration', () => {
    expect(install()).toContain(`wrote ${host}/etc/vac.conf from the example`);
    expect(run('vacd', '--version')).toBe(`${VERSION}\n`);
    expect(run('vac', 'check-config', join(host, 'etc/vac.conf'))).toContain('configuration is good');
    expect(readFileSync(join(host, 'usr/local/bin/vacd'), 'utf8')).toContain(`exec "${process.execPath}"`);
    const share = join(host, 'usr/local/share');
    for (const page of ['man1/vac.1', 'man5/vac.conf.5', 'man8/vacd.8']) {
      expect(readFileSync(join(share, 'man', page), 'utf8')).toMatch(/^\.TH /m);
    }
    expect(readFileSync(join(share, 'bash-completion/completions/vac'), 'utf8')).toContain('complete -F _vac vac');
    expect(readFileSync(join(share, 'zsh/site-functions/_vac'), 'utf8')).toMatch(/^#compdef vac\n/);
    for (const name of ['vacd.service', ...ACCOUNTING_UNITS]) {
      const unit = readFileSync(join(host, 'usr/local/lib/systemd/system', name), 'utf8');
      expect(unit).toBe(readFileSync(join(checkout, 'systemd', name), 'utf8'));
    }
  });

  it('lays out what desktops need as examples, and puts none of it in force', () => {
    const desktop = join(host, 'usr/local/share/doc/vac/overnight');
    const example = readFileSync(join(desktop, 'etc/vac.d/overnight.conf'), 'utf8');
    expect(example).toBe(readFileSync(join(checkout, 'etc/vac.d/overnight.conf'), 'utf8'));
    for (const unit of ['machine.slice', 'vacd.service']) {
      const name = `${unit}.d/overnight.conf`;
      const dropIn = readFileSync(join(desktop, 'etc/systemd/system', name), 'utf8');
      expect(dropIn).toBe(readFileSync(join(checkout, 'systemd', name), 'utf8'));
      expect(existsSync(join(host, 'usr/local/lib/systemd/system', name))).toBe(false);
      expect(existsSync(join(host, 'etc/systemd/system', name))).toBe(false);
    }
    expect(existsSync(join(host, 'etc/vac.d/overnight.conf'))).toBe(false);
  });

  it('leaves configuration that is there as it is, and replaces the whole program', () => {
    const program = join(host, 'usr/local/lib/vac');
    writeFileSync(join(host, 'etc/vac.conf'), configuration);
    writeFileSync(join(program, 'dist/of-an-older-version.js'), '');

    expect(install()).toContain('etc/systemd/system/vacd.service goes before the unit');

    expect(readFileSync(join(host, 'etc/vac.conf'), 'utf8')).toBe(configuration);
    expect(readFileSync(join(host, 'etc/systemd/system/vacd.service'), 'utf8')).toBe('# the site’s own\n');
    expect(existsSync(join(program, 'dist/of-an-older-version.js'))).toBe(false);
    expect(['.old', '.new'].filter((suffix) => existsSync(program + suffix))).toEqual([]);
    expect(run('vac', 'check-config', join(host, 'etc/vac.conf'))).toContain('in space vac02.example.com');
  });

  it('brings the packages that the program needs, and none of those for development', () => {
    const packages = join(host, 'usr/local/lib/vac/node_modules');
    const { dependencies, devDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
    const isThere = (name: string) => existsSync(join(packages, name, 'package.json'));
    expect(Object.keys(dependencies).filter((name) => !isThere(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter(isThere)).toEqual([]);
  });
});
