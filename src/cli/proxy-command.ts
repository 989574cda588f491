/** `vac proxy-init`: a proxy as machines get them, for trying out whether a certificate is good for its experiment. */

import { stat } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { writeFileAtomic } from '../host/files.js';
import { certificatesIn } from '../host/x509-certificate.js';
import { type CredentialFiles, readCredential } from '../host/x509-credential.js';
import { checkProxy, makeProxy, newProxyKey } from '../host/x509-proxy.js';
import { StateLayout } from '../machines/layout.js';
import { credentialFiles } from '../machines/proxy.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { sayTime } from './time.js';
import { harmless } from './views/text.js';

const MAX_HOURS = 24 * 366 * 10;

export async function proxyInit(line: CommandLine, io: Io): Promise<number> {
  const files = filesOf(line);
  const file = line.text('out') ?? null;
  if (file !== null) await refuseToReplace(file, files);
  const credential = await readCredential(files);
  for (const warning of credential.warnings) io.complain(warning);
  const { nowSeconds } = io.view();
  const order = {
    legacy: line.has('legacy'),
    commonName: line.text('machinetype') ?? null,
    endTimeSeconds: Math.floor(nowSeconds + line.positiveNumber('hours', 'hours', MAX_HOURS)! * 3600),
  };
  checkProxy(credential, order, nowSeconds);
  const pem = await makeProxy(credential, order, nowSeconds, await newProxyKey());
  if (file !== null) await writeFileAtomic(file, pem, { mode: 0o600 }).catch((cause) => refuse(file, cause));
  const subject = certificatesIn(pem)[0]!.x509.subject.split('\n').map(harmless);
  if (line.has('json')) {
    const { endTimeSeconds, legacy } = order;
    io.print([jsonText({ file, subject, endTimeSeconds, legacy, proxy: file === null ? pem : null })]);
  } else if (file === null) io.print(pem.trimEnd().split('\n'));
  else io.print([`${file} is written: a proxy for /${subject.join('/')} until ${sayTime(order.endTimeSeconds)}`]);
  return 0;
}

/** What was named, else the machinetype's; a certificate without a key is in one file with it. */
function filesOf(line: CommandLine): CredentialFiles {
  const [certificate, key, machinetype] = [line.text('cert'), line.text('key'), line.text('machinetype')];
  if (machinetype !== undefined && !/^[a-z0-9-]+$/.test(machinetype)) {
    throw new VacError('usage', `--machinetype "${machinetype}": expected letters a-z, digits and -`);
  }
  if (certificate !== undefined) return { certificate, key: key ?? certificate };
  if (key !== undefined) throw new VacError('usage', 'proxy-init: --key needs --cert, the certificate of that key');
  if (machinetype === undefined) {
    throw new VacError('usage', 'proxy-init needs --cert, or --machinetype; see vac proxy-init --help');
  }
  return credentialFiles(new StateLayout(line.text('state-dir')!), machinetype);
}

/** The certificate, and even more its key, may be the only ones that there are. */
async function refuseToReplace(file: string, { certificate, key }: CredentialFiles): Promise<void> {
  const identity = (path: string) =>
    stat(path).then(
      ({ dev, ino }) => `${dev} ${ino}`,
      () => null,
    );
  const out = await identity(file);
  for (const path of [certificate, key]) {
    if (out !== null && out === (await identity(path))) {
      throw new VacError('usage', `--out ${file} would replace ${path}, which the proxy is made of; name another file`);
    }
  }
}

function refuse(path: string, cause: Error): never {
  throw new VacError('file-unusable', `${path} cannot be written: ${cause.message}`, { cause });
}
