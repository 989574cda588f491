import { chmod, copyFile, link, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { run } from '../../src/host/exec.js';
import { certificatesIn } from '../../src/host/x509-certificate.js';
import { StateLayout } from '../../src/machines/layout.js';
import { credentialFiles } from '../../src/machines/proxy.js';
import { type Issued, TestAuthority } from '../host/test-authority.js';
import { recorded } from './recorded-io.js';

const NOW = Math.floor(Date.now() / 1000) + 60;
let authority: TestAuthority;
let own: Issued;

beforeAll(async () => {
  authority = await TestAuthority.create();
  own = await authority.issue('own');
  await chmod(own.key, 0o600);
});
afterAll(() => authority.remove());

const proxyInit = (...args: string[]) =>
  recorded((io) => main(['proxy-init', '--state-dir', authority.directory, ...args], () => io), NOW);
const nameOf = (pem: string) => certificatesIn(pem)[0]!.x509.subject.split('\n').at(-1);

describe('vac proxy-init', () => {
  it('prints a proxy of a certificate and its key, which OpenSSL accepts', async () => {
    const { code, stdout, stderr } = await proxyInit('-c', own.certificate, '-k', own.key);
    expect([code, stderr]).toEqual([0, '']);
    const path = await authority.write('printed.pem', stdout);
    const verified = ['-allow_proxy_certs', '-CAfile', authority.root.certificate, '-untrusted', path, path];
    expect((await run('openssl', ['verify', ...verified])).stdout).toBe(`${path}: OK\n`);
    expect(certificatesIn(stdout)[0]).toMatchObject({ kind: 'rfc-proxy', endTimeSeconds: NOW + 86_400 });
    expect(nameOf(stdout)).toMatch(/^CN=\d{19}$/);
  });

  it('writes it where nobody else can read it, and says for whom and how long', async () => {
    const out = authority.path('out.pem');
    const { code, stdout } = await proxyInit('-c', own.certificate, '-k', own.key, '-o', out, '--hours', '0.5');
    expect(code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const pem = await readFile(out, 'utf8');
    expect(certificatesIn(pem)[0]!.endTimeSeconds).toBe(NOW + 1800);
    expect(stdout).toMatch(/^\S+out\.pem is written: a proxy for \/DC=com\/DC=example\/O=.*\/CN=\d{19} until 20/);
    expect(stdout).not.toContain('KEY');
  });

  it('makes it as machines of a machinetype get it, of either form', async () => {
    const files = credentialFiles(new StateLayout(authority.directory), 'lhcb-prod');
    await mkdir(dirname(files.certificate), { recursive: true });
    await copyFile(own.certificate, files.certificate);
    await copyFile(own.key, files.key);
    expect(nameOf((await proxyInit('--machinetype', 'lhcb-prod')).stdout)).toBe('CN=lhcb-prod');
    expect(nameOf((await proxyInit('--machinetype', 'lhcb-prod', '--legacy')).stdout)).toBe('CN=limited proxy');
    const named = ['-c', own.certificate, '-k', own.key, '--machinetype', 'other'];
    expect(nameOf((await proxyInit(...named)).stdout)).toBe('CN=other');
    expect((await proxyInit('--machinetype', 'other')).stderr).toBe(
      `vac: ${authority.directory}/machinetypes/other/x509cert.pem cannot be read: there is no such file\n`,
    );
  });

  it('makes one of a file that holds certificate and key, as of another proxy', async () => {
    const first = await authority.write('first.pem', (await proxyInit('-c', own.certificate, '-k', own.key)).stdout);
    const { stdout } = await proxyInit('-c', first, '--hours', '12');
    expect(certificatesIn(stdout)).toHaveLength(3);
    expect((await proxyInit('-c', first, '--hours', '30')).stderr).toContain('first.pem ends too early: it ends at ');
  });

  it('tells programs', async () => {
    const [certificate, out] = [['-c', own.certificate, '-k', own.key, '--json'], authority.path('json.pem')];
    const printed = JSON.parse((await proxyInit(...certificate)).stdout);
    expect(printed).toMatchObject({ file: null, endTimeSeconds: NOW + 86_400, legacy: false });
    expect(certificatesIn(printed.proxy)).toHaveLength(2);
    expect(printed.subject.slice(0, 2)).toEqual(['DC=com', 'DC=example']);
    const written = JSON.parse((await proxyInit(...certificate, '-o', out)).stdout);
    expect(written).toMatchObject({ file: out, proxy: null });
  });

  it('warns of a key that others may read, and goes on', async () => {
    await chmod(own.key, 0o644);
    const { code, stderr } = await proxyInit('-c', own.certificate, '-k', own.key);
    await chmod(own.key, 0o600);
    expect([code, stderr]).toEqual([
      0,
      `vac: ${own.key} is a private key that others than its owner may use (mode 0644); chmod 600 it\n`,
    ]);
  });
});

describe('vac proxy-init says what is wrong', () => {
  it.each([
    [[], 'proxy-init needs --cert, or --machinetype; see vac proxy-init --help'],
    [['-k', 'x'], 'proxy-init: --key needs --cert, the certificate of that key'],
    [['--machinetype', '../x'], '--machinetype "../x": expected letters a-z, digits and -'],
    [['-c', 'x', '--hours', '0'], '--hours "0": expected a number of hours above 0, up to 87840'],
  ])('%j', async (args, words) => {
    await authority.write('x', await readFile(own.certificate));
    const named = args.map((arg) => (arg === 'x' ? own.certificate : arg));
    const withKey = named.includes('-c') ? [...named, '-k', own.key] : named;
    expect(await proxyInit(...withKey)).toEqual({ code: 2, stdout: '', stderr: `vac: ${words}\n` });
  });

  it('and never replaces what it needs, by whatever name', async () => {
    await symlink(own.key, authority.path('link'));
    await link(own.certificate, authority.path('hardlink'));
    const before = await Promise.all([own.key, own.certificate].map((path) => readFile(path)));
    for (const out of [own.key, own.certificate, authority.path('link'), authority.path('hardlink')]) {
      const { code, stderr } = await proxyInit('-c', own.certificate, '-k', own.key, '--out', out);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^vac: --out \S+ would replace \S+, which the proxy is made of; name another file\n$/);
    }
    expect(await Promise.all([own.key, own.certificate].map((path) => readFile(path)))).toEqual(before);
  });

  it('where it cannot write', async () => {
    const { code, stderr } = await proxyInit('-c', own.certificate, '-k', own.key, '-o', '/nowhere/proxy');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^vac: \/nowhere\/proxy cannot be written: /);
  });
});
