/** `vac images` and `vac cernvm-signature`: root images on this host. */

import { join } from 'node:path';
import { regex } from '../config/values.js';
import { VacError } from '../errors.js';
import { readCernvmSignature, whyNotSignedBy } from '../host/cernvm-signature.js';
import { listImages } from '../host/images/list.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { imagesView } from './views/images.js';
import { harmless } from './views/text.js';

export async function imagesCommand(line: CommandLine, io: Io): Promise<number> {
  const list = await listImages(join(line.text('state-dir')!, 'imagecache'), Date.now());
  io.print(line.has('json') ? [jsonText(list)] : imagesView(list, io.view()));
  return 0;
}

/** Exit code 0: whole, and of a signer who is trusted (and has the DN that was asked for). */
export async function cernvmSignatureCommand(line: CommandLine, io: Io): Promise<number> {
  const [path] = line.positionals as [string];
  const wanted = line.text('dn');
  if (wanted !== undefined && regex.parse(wanted) === undefined) {
    throw new VacError('usage', `--dn ${wanted}: expected ${regex.expected}`);
  }
  const signature = await readCernvmSignature(path, line.text('ca-dir')!);
  const problem = whyNotSignedBy(signature, wanted ?? '.*');
  const { version, dn, signatureProblem, chainProblem } = signature;
  if (line.has('json')) {
    io.print([jsonText({ good: problem === null, problem, version, dn, signatureProblem, chainProblem })]);
  } else {
    io.print(
      [
        `version:   ${version ?? 'it says none'}`,
        `signer:    ${dn}`,
        `signature: ${signatureProblem ?? 'good'}`,
        `chain:     ${chainProblem ?? 'trusted'}`,
        ...(wanted === undefined || signatureProblem !== null || chainProblem !== null
          ? []
          : [`DN:        ${problem === null ? 'matches' : `does not match ${wanted}`}`]),
      ].map(harmless),
    );
  }
  return problem === null ? 0 : 1;
}
