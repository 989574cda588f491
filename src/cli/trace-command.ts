/** `vac trace`: which machine was that. It reads the state directory, so vacd need not run. */

import { isIPv4 } from 'node:net';
import { VacError } from '../errors.js';
import { StateLayout } from '../machines/layout.js';
import { type TraceQuestion, trace } from '../trail/query.js';
import { verifyTrail } from '../trail/verify.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { parsePastTime } from './time.js';
import { traceView, verifyView } from './views/trace.js';

export async function traceCommand(line: CommandLine, io: Io): Promise<number> {
  const stateDir = line.text('state-dir')!;
  const view = io.view();
  try {
    if (line.has('verify')) {
      const verification = await verifyTrail(new StateLayout(stateDir).trail());
      io.print(line.has('json') ? [jsonText(verification)] : verifyView(verification));
      // Of one that was taken away whole nothing is left that could be wrong.
      return verification.problems.length === 0 && verification.records > 0 ? 0 : 1;
    }
    const answer = await trace(stateDir, questionOf(line, view.nowSeconds));
    io.print(line.has('json') ? [jsonText(answer)] : traceView(answer, view));
    return answer.machines.length > 0 ? 0 : 1;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'ENOTDIR') throw cause;
    throw new VacError(
      'file-unusable',
      `the trail of ${stateDir} cannot be read (${message}); it is root's alone (try sudo)`,
      {
        cause,
      },
    );
  }
}

function questionOf(line: CommandLine, nowSeconds: number): TraceQuestion {
  const at = line.text('at');
  const question: TraceQuestion = {
    atSeconds: at === undefined ? null : parsePastTime(at, nowSeconds),
    ip: address(line, 'ip'),
    machine: line.text('machine') ?? null,
    uuid: line.text('uuid') ?? null,
    port: portOf(line.text('port'), '--port'),
    to: destination(line.text('to')),
  };
  if (Object.values(question).every((value) => value === null)) {
    throw new VacError('usage', 'vac trace needs something to go by, as --at TIME --ip ADDRESS; see vac trace --help');
  }
  return question;
}

function address(line: CommandLine, option: string): string | null {
  const text = line.text(option);
  if (text === undefined) return null;
  if (!isIPv4(text)) throw new VacError('usage', `--${option} "${text}": expected an IPv4 address`);
  return text;
}

function destination(text: string | undefined): TraceQuestion['to'] {
  if (text === undefined) return null;
  const [host, port, ...more] = text.split(':');
  if (!isIPv4(host!) || more.length > 0)
    throw new VacError('usage', `--to "${text}": expected ADDRESS or ADDRESS:PORT`);
  return { address: host!, port: portOf(port, '--to') };
}

function portOf(text: string | undefined, option: string): number | null {
  if (text === undefined) return null;
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new VacError('usage', `${option} "${text}": expected a port, 1 to 65535`);
  }
  return port;
}
