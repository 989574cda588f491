import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { querySigner } from '../../src/cli/query-signer.js';
import { Authenticator, encode, makeQuery, nodeHmac, parseSpaceKeys } from '../../src/vacquery/index.js';
import { CHECKOUT } from './isolated-host.js';
import { recorded } from './recorded-io.js';

const FACTORY = 'wn01.example.com';
/** Of nobody. */
const KEY = '0123456789abcdef'.repeat(4);

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-keys-'));
  file = join(directory, 'space.key');
  await writeFile(file, `${KEY}\n`, { mode: 0o600 });
});
afterEach(() => rm(directory, { recursive: true }));

const seconds = () => Date.now() / 1000;
function factoryWith(key: string) {
  const parsed = parseSpaceKeys(key, nodeHmac);
  if (!parsed.ok) throw new Error('no key');
  const options = { mode: 'required' as const, hmac: nodeHmac, audience: FACTORY, rng: Math.random };
  return new Authenticator({ ...options, keys: parsed.keys, unixSeconds: seconds() - 100 });
}
const datagram = () => {
  const encoded = encode(makeQuery('factory_query', 'vac01.example.com', 'c', 'Vac test'));
  if (!encoded.ok) throw new Error(encoded.reason);
  return encoded.datagram;
};

describe('vac in a space with keys', () => {
  it('signs for each factory, each time anew', async () => {
    const signer = (await querySigner({ file, mode: 'mixed' }, 'monitor.example.com', () => {}))!;
    const factory = factoryWith(KEY);
    for (let times = 0; times < 2; times += 1) {
      const query = signer.sign(datagram(), FACTORY);
      expect(factory.check(query, 'somebody', seconds())).toEqual({ ok: true, isSigned: true });
    }
    const other = signer.sign(datagram(), 'wn02.example.com');
    expect(factory.check(other, 'somebody', seconds())).toMatchObject({ reason: 'bad-signature' });
  });

  it.each([
    'mixed',
    'required',
  ] as const)('(%s) believes what is signed, by a slow clock too, and nothing that is signed wrongly', async (mode) => {
    const signer = (await querySigner({ file, mode }, 'monitor.example.com', () => {}))!;
    expect(signer.refusalOf(factoryWith(KEY).sign(datagram(), '', seconds()), FACTORY)).toBeNull();
    expect(signer.refusalOf(factoryWith(KEY).sign(datagram(), '', seconds() - 50), FACTORY)).toBeNull();
    expect(signer.refusalOf(factoryWith(KEY).sign(datagram(), '', seconds() - 70), FACTORY)).toBe('clock-skew');
    const wrong = factoryWith(KEY.replaceAll('0', '1')).sign(datagram(), '', seconds());
    expect(signer.refusalOf(wrong, FACTORY)).toBe('unknown-key');
    expect(signer.refusalOf(datagram(), FACTORY)).toBe(mode === 'mixed' ? null : 'unsigned');
  });

  it('says in a line why nobody vouches for the answers, as to those who are not root', async () => {
    await chmod(directory, 0o755);
    const script = `const { querySigner } = await import('./src/cli/query-signer.ts');
      process.seteuid(65534);
      const signer = await querySigner({ file: ${JSON.stringify(file)}, mode: 'required' }, 'x', (text) => console.log(text));
      console.log(signer);`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: CHECKOUT });
    expect(stdout).toBe(`the answers are not verified: ${file} cannot be read: only root may\nnull\n`);
  });
});

describe('vac check-config', () => {
  const check = async (...more: string[]) => {
    const config = join(directory, 'vac.conf');
    await writeFile(config, `[settings]\nvac_space = vac01.example.com\nspace_key_file = ${file}\n`);
    const { code, stdout } = await recorded((io) => main(['check-config', config, ...more], () => io));
    return { code, stdout: stdout.replaceAll(directory, '') };
  };

  it('finds a key file that cannot be used, where it is named', async () => {
    await chmod(file, 0o644);
    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toContain(
      'error: /vac.conf:3: [settings] space_key_file = "/space.key": /space.key has mode 0644, so others get at the keys: chmod 600 /space.key',
    );
    expect(stdout).not.toContain(KEY);
    expect(JSON.parse((await check('--json')).stdout)).toMatchObject({
      errors: [{ line: 3, option: 'space_key_file' }],
    });
  });

  it('has nothing to say of a good one', async () => {
    const { code, stdout } = await check();
    expect(code).toBe(0);
    expect(stdout).not.toContain('space_key');
  });
});
