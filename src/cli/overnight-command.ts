/** `vac overnight`: what overnight mode does on this desktop, and the owner's word to it. */

import { askDaemon, type ControlRequest } from '../daemon/control.js';
import type { OvernightReport } from '../daemon/overnight-report.js';
import { VacError } from '../errors.js';
import { callerName } from './caller.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { socketPath } from './space-facts.js';
import { parseTime, sayDeadline } from './time.js';
import { overnightView } from './views/overnight.js';

const ACTIONS = 'vac overnight, vac overnight pause TIME, vac overnight resume';

export async function overnightCommand(line: CommandLine, io: Io): Promise<number> {
  const [action, ...rest] = line.positionals;
  const { nowSeconds } = io.view();
  switch (action) {
    case undefined:
      return show(await ask(line, { command: 'overnight' }), line, io);
    case 'pause': {
      const [text, ...more] = rest;
      if (text === undefined || more.length > 0) {
        throw new VacError('usage', 'for how long? For instance vac overnight pause 2h, or vac overnight pause 18:00');
      }
      const untilSeconds = parseTime(/^(\d+[dhms])+$/.test(text) ? `+${text}` : text, nowSeconds);
      const report = await ask(line, { command: 'overnightPause', who: callerName(), untilSeconds });
      if (line.has('json')) return show(report, line, io);
      io.print([
        `This host is yours until ${sayDeadline(untilSeconds, nowSeconds)}; nothing new starts until then`,
        report.machines.length === 0 ? 'No machine runs' : `Machines: ${report.verdict.reason}`,
        'vac overnight resume ends it sooner',
      ]);
      return 0;
    }
    case 'resume': {
      if (rest.length > 0) throw new VacError('usage', `resume takes nothing more; there are: ${ACTIONS}`);
      const report = await ask(line, { command: 'overnightPause', who: callerName(), untilSeconds: null });
      return show(report, line, io);
    }
    default:
      throw new VacError('usage', `"${action}" is nothing that overnight can do; there are: ${ACTIONS}`);
  }
}

function show(report: OvernightReport, line: CommandLine, io: Io): number {
  io.print(line.has('json') ? [jsonText(report)] : overnightView(report, io.view()));
  return 0;
}

/** By the socket of all commands where it may be opened, else by the owner's own. */
async function ask(line: CommandLine, request: Extract<ControlRequest, { command: 'overnight' | 'overnightPause' }>) {
  const stateDir = line.text('state-dir')!;
  const reply = await askDaemon(socketPath(stateDir), request).catch((error: VacError) => {
    const isDenied = (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES';
    if (!isDenied) throw error;
    return askDaemon(`${stateDir}/overnight.sock`, request).catch((second: VacError) => {
      // Without overnight mode there is no such socket, which does not mean that no vacd runs.
      if ((second.cause as NodeJS.ErrnoException | undefined)?.code !== 'EACCES') throw error;
      const who = 'only root, and members of control_group and of owner_group, may use vac overnight (try sudo)';
      throw new VacError('daemon-not-running', `cannot ask vacd at ${stateDir}/overnight.sock: ${who}`);
    });
  });
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  return reply.overnight;
}
