/** `vac why`: the latest decisions on a slot or a machinetype, or on all of them, each with its reason. */

import { askDaemon } from '../daemon/control.js';
import type { FactoryStatus } from '../daemon/status.js';
import { VacError } from '../errors.js';
import type { LoggedDecision } from '../factory/decision-log.js';
import { slotOfHostname } from '../machines/layout.js';

/**
 * @param subject a slot number, a machine's host name (short or full), a machinetype, or nothing for all
 * @throws VacError `daemon-not-running`, `no-such-thing`
 */
export async function why(socketPath: string, subject: string | undefined, json: boolean): Promise<string> {
  const status = await ask(socketPath, {});
  if (subject === undefined) return json ? JSON.stringify(status.status) : overview(status.status);
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
  if (json) return JSON.stringify(decisions);
  const title = slot === null ? `machinetype ${subject}` : `slot ${slot}${occupant(slot, status.status)}`;
  const lines = decisions.map(decisionLine);
  return [`${title}, latest decision last:`, ...(lines.length > 0 ? lines : ['  nothing was decided yet'])].join('\n');
}

async function ask(path: string, about: { slot?: number; machinetype?: string }) {
  const reply = await askDaemon(path, { command: 'why', ...about });
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  return reply;
}

function slotNumber(subject: string, status: FactoryStatus): number | null {
  const domain = status.factory.split('.').slice(1).join('.');
  const slot = /^\d+$/.test(subject)
    ? Number(subject)
    : (slotOfHostname(status.factory, subject) ??
      slotOfHostname(status.factory, domain === '' ? subject : `${subject}.${domain}`));
  return slot !== null && slot < status.slots ? slot : null;
}

function occupant(slot: number, status: FactoryStatus): string {
  const machine = status.machines.find((m) => m.slot === slot && m.phase !== 'cleared');
  return machine === undefined ? ' (empty)' : ` (${machine.hostname}, ${machine.machinetype}, ${machine.phase})`;
}

function overview(status: FactoryStatus): string {
  return [
    `${status.factory}: ${status.processorsUsed} of ${status.processors} processors in use, ${status.hypervisor}`,
    'slots:',
    ...status.slotDecisions.map((decision) => decisionLine(decision, `${decision.slot}`)),
    'machinetypes:',
    ...status.machinetypeDecisions.map((decision) => decisionLine(decision, `${decision.machinetype}`)),
  ].join('\n');
}

/** Local time of day, with the date when that is not today. */
function clock(seconds: number): string {
  const time = new Date(seconds * 1000);
  const date = time.toDateString() === new Date().toDateString() ? '' : `${time.toLocaleDateString('sv')} `;
  return `${date}${time.toLocaleTimeString('en-GB')}`;
}

export function decisionLine(decision: LoggedDecision, subject?: string | number): string {
  const when =
    decision.times > 1 ? `${clock(decision.sinceSeconds)}-${clock(decision.timeSeconds)}` : clock(decision.timeSeconds);
  const named = typeof subject === 'string' ? `${subject}: ` : '';
  return `  ${when.padEnd(17)}  ${named}${decision.reason}`;
}
