/** A certificate authority of the test's own, made with the command `openssl`, and what it certifies. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/host/exec.js';

export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

export interface IssueOptions {
  readonly days?: number;
  readonly subject?: string;
  /** Lines of an extension section of openssl's configuration. */
  readonly extensions?: string;
  /** Arguments of `openssl genpkey`. */
  readonly keyOptions?: readonly string[];
  /** Default: the authority itself. */
  readonly by?: Issued;
}

const RSA = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'];
export const EC = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const ENTITY = 'keyUsage = critical, digitalSignature, keyEncipherment\nbasicConstraints = critical, CA:FALSE\n';

export class TestAuthority {
  private constructor(
    readonly directory: string,
    readonly root: Issued,
  ) {}

  static async create(): Promise<TestAuthority> {
    const directory = await mkdtemp(join(tmpdir(), 'vac-x509-'));
    const root = { certificate: join(directory, 'ca.pem'), key: join(directory, 'ca.key') };
    await run('openssl', ['genpkey', ...EC, '-out', root.key]);
    const subject = '/DC=com/DC=example/CN=Test Authority';
    const request = ['req', '-new', '-x509', '-key', root.key, '-subj', subject, '-days', '3650', '-out'];
    await run('openssl', [...request, root.certificate]);
    return new TestAuthority(directory, root);
  }

  async issue(name: string, options: IssueOptions = {}): Promise<Issued> {
    const { days = 365, extensions = ENTITY, keyOptions = RSA, by = this.root } = options;
    const { subject = `/DC=com/DC=example/O=Some, Grid/CN=Robot: ${name}` } = options;
    const path = (suffix: string) => join(this.directory, `${name}.${suffix}`);
    const issued = { certificate: path('pem'), key: path('key') };
    await run('openssl', ['genpkey', ...keyOptions, '-out', issued.key]);
    await run('openssl', ['req', '-new', '-key', issued.key, '-subj', subject, '-out', path('csr')]);
    await writeFile(path('ext'), extensions);
    const signer = ['-CA', by.certificate, '-CAkey', by.key, '-CAcreateserial', '-extfile', path('ext')];
    await run('openssl', [
      'x509',
      '-req',
      '-in',
      path('csr'),
      ...signer,
      '-days',
      String(days),
      '-out',
      issued.certificate,
    ]);
    return issued;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Writes a file of only ours. */
  async write(name: string, text: string | Uint8Array): Promise<string> {
    await writeFile(this.path(name), text, { mode: 0o600 });
    return this.path(name);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true });
  }
}
