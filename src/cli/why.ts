/** `vac why`: the latest decisions on a slot or a machinetype, or on all of them, each with its reason. */

import { askDaemon } from '../daemon/control.js';
import type { FactoryStatus } from '../daemon/status.js';
import { VacError } from '../errors.js';
import type { LoggedDecision } from '../factory/decision-log.js';
import { slotNamed } from '../machines/layout.js';
import { jsonText } from './json.js';
import { sayDeadline } from './time.js';
import { type ViewOptions, wrapped } from './views/text.js';

/** On a narrow screen reasons are rather cut off by it than broken after every word. */
const MIN_REASON_COLUMNS = 30;

const UNCUT: ViewOptions = { columns: Number.POSITIVE_INFINITY, nowSeconds: 0, colour: false };

/**
 * @param subject a slot number, a machine's host name (short or full), a machinetype, or nothing for all
 * @throws VacError `daemon-not-running`, `no-such-thing`
 */
export async function why(
  socketPath: string,
  subject: string | undefined,
  json: boolean,
  view: ViewOptions = UNCUT,
): Promise<string> {
  const status = await ask(socketPath, {});
  if (subject === undefined) return json ? jsonText(status.status) : overview(status.status, view).join('\n');
  const slot = slotNumber(subject, status.status);
  const known = slot !== null || status.status.shares.some((share) => share.machinetype === subject);
  if (!known) {
    const types = status.status.shares.map((share) => share.machinetype).join(', ');
    throw new VacError(
      'no-such-thing',
      `${subject} is neither a slot (0 to ${status.status.slots - 1}) nor a machinetype (${types}) of this factory`,
    );
  }
  const { decisions } = await ask(socketPath, slot === null ? { machinetype: subject } : { slot });
  if (json) return jsonText(decisions);
  const title = slot === null ? `machinetype ${subject}` : `slot ${slot}${occupant(slot, status.status)}`;
  const lines = decisions.flatMap((decision) => fitted(decision, view));
  return [`${title}, latest decision last:`, ...(lines.length > 0 ? lines : ['  nothing was decided yet'])].join('\n');
}

async function ask(path: string, about: { slot?: number; machinetype?: string }) {
  const reply = await askDaemon(path, { command: 'why', ...about });
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  return reply;
}

function slotNumber(subject: string, status: FactoryStatus): number | null {
  const slot = slotNamed(status.factory, subject);
  return slot !== null && slot < status.slots ? slot : null;
}

function occupant(slot: number, status: FactoryStatus): string {
  const machine = status.machines.find((m) => m.slot === slot && m.phase !== 'cleared');
  return machine === undefined ? ' (empty)' : ` (${machine.hostname}, ${machine.machinetype}, ${machine.phase})`;
}

function overview(status: FactoryStatus, view: ViewOptions): string[] {
  const { factory, processorsUsed, processors, hypervisor, slotDecisions, machinetypeDecisions } = status;
  return [
    ...wrapped(`${factory}: ${processorsUsed} of ${processors} processors in use, ${hypervisor}`, view),
    ...standing(status, view),
    'slots:',
    ...slotDecisions.flatMap((decision) => fitted(decision, view, `${decision.slot}`)),
    'machinetypes:',
    ...machinetypeDecisions.flatMap((decision) => fitted(decision, view, `${decision.machinetype}`)),
  ];
}

/** What holds for all of them: that nothing starts, until when they live, what is wrong. */
function standing(status: FactoryStatus, view: ViewOptions): string[] {
  const { timeSeconds, standstill, shutdownTimeSeconds, problems } = status;
  const lines = [
    ...(standstill === null ? [] : [`nothing starts: ${standstill.reason}`]),
    ...(shutdownTimeSeconds === null
      ? []
      : [`all machines are to be gone by ${sayDeadline(shutdownTimeSeconds, timeSeconds)}`]),
    ...problems.filter((problem) => problem !== standstill?.reason).map((problem) => `problem: ${problem}`),
  ];
  return lines.flatMap((text) => wrapped(text, view));
}

/** A reason is told in full: what does not fit goes on below it, beside the time. */
function fitted(decision: LoggedDecision, view: ViewOptions, subject?: string): string[] {
  const time = timeColumn(decision);
  const room = Math.max(MIN_REASON_COLUMNS, view.columns - time.length);
  const [first, ...more] = wrapped(reasonColumn(decision, subject), { ...view, columns: room });
  return [`${time}${first}`, ...more.map((line) => `${' '.repeat(time.length)}${line}`)];
}

/** Local time of day, with the date when that is not today. */
function clock(seconds: number): string {
  const time = new Date(seconds * 1000);
  const date = time.toDateString() === new Date().toDateString() ? '' : `${time.toLocaleDateString('sv')} `;
  return `${date}${time.toLocaleTimeString('en-GB')}`;
}

export function decisionLine(decision: LoggedDecision, subject?: string): string {
  return `${timeColumn(decision)}${reasonColumn(decision, subject)}`;
}

function timeColumn({ times, sinceSeconds, timeSeconds }: LoggedDecision): string {
  const when = times > 1 ? `${clock(sinceSeconds)}-${clock(timeSeconds)}` : clock(timeSeconds);
  return `  ${when.padEnd(17)}  `;
}

function reasonColumn({ reason }: LoggedDecision, subject: string | undefined): string {
  return subject === undefined ? reason : `${subject}: ${reason}`;
}
