/** `vac quarantine` and `vac release`: they say what vacd made of the order, not only what was asked for. */

import { setTimeout as sleep } from 'node:timers/promises';
import { askDaemon, type ControlRequest } from '../daemon/control.js';
import type { QuarantineStatus } from '../daemon/status.js';
import { VacError } from '../errors.js';
import { callerName } from './caller.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { socketPath } from './space-facts.js';

/** A memory of some gigabytes is written in so long a time; it goes on when nobody waits any more. */
const DUMP_WAIT_MS = 120_000;
const END_WAIT_MS = 60_000;
const LOOK_MS = 100;

export async function quarantine(line: CommandLine, io: Io): Promise<number> {
  const [machine, ...reason] = line.positionals as [string, ...string[]];
  const who = whoOf(line);
  const reply = await order(line, { command: 'quarantine', machine, who, reason: reason.join(' ') });
  const { machine: id, what } = reply;
  if (what === 'too-late') {
    if (line.has('json')) io.print([jsonText({ machine: id, what })]);
    io.complain(
      `${id} has ended, and its disks and memory are gone: too late for those. Its outputs, logs and trail are kept until: vac release ${id}`,
    );
    return 1;
  }
  const held = await statusUntil(line, id, DUMP_WAIT_MS, (each) => each.memory !== null || each.phase === 'ended');
  const keptAll = what === 'disks-kept' || (held?.memory ?? '').includes('is kept in');
  if (line.has('json')) io.print([jsonText({ ...held, machine: id, what })]);
  else io.print(heldWords(id, what, held, line.text('state-dir')!));
  return keptAll ? 0 : 1;
}

export async function release(line: CommandLine, io: Io): Promise<number> {
  const [machine] = line.positionals as [string];
  const { machine: id } = await order(line, {
    command: 'release',
    machine,
    who: whoOf(line),
    destroy: line.has('destroy'),
  });
  const left = await statusUntil(line, id, END_WAIT_MS, () => false);
  if (line.has('json')) io.print([jsonText({ machine: id, done: left === undefined })]);
  else if (left !== undefined) io.print([`${id} is being released; see vac why, or the log of vacd`]);
  else {
    io.print([
      line.has('destroy') ? `${id} is destroyed, accounted and cleaned up` : `${id} is in quarantine no longer`,
      `What was kept of it is in ${line.text('state-dir')!}/quarantine/${id}: remove that when it is no longer needed`,
    ]);
  }
  return 0;
}

function heldWords(
  id: string,
  what: 'held' | 'disks-kept',
  held: QuarantineStatus | undefined,
  stateDir: string,
): string[] {
  const directory = `${stateDir}/${held?.directory ?? `machines/${id}`}`;
  if (what === 'disks-kept' || held?.phase === 'ended') {
    return [
      `${id} has ended: its memory is gone, its disks, outputs and logs are kept in ${directory}`,
      `This holds, over restarts of vacd too, until: vac release ${id}`,
    ];
  }
  const isHalted = held?.domain === 'paused';
  return [
    isHalted
      ? `${id} is halted, and its network is cut`
      : `${id} is to be halted as soon as libvirt can be asked; its network is cut. Look again with: vac why`,
    held?.memory ?? 'its memory is still being written; the end of that is in the log of vacd',
    `its disks and outputs are kept in ${directory}`,
    `This holds, over restarts of vacd too, until: vac release ${id} [--destroy]`,
  ];
}

/** The quarantine of this machine once that is so, or when it was waited for long enough; undefined: there is none. */
async function statusUntil(
  line: CommandLine,
  id: string,
  waitMs: number,
  isDone: (held: QuarantineStatus) => boolean,
): Promise<QuarantineStatus | undefined> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const { status } = await order(line, { command: 'status' });
    const held = status.quarantines.find(({ machine }) => machine === id);
    if (held === undefined || isDone(held) || performance.now() > deadline) return held;
    await sleep(LOOK_MS);
  }
}

function whoOf(line: CommandLine): string {
  return line.text('by') ?? callerName();
}

/** @throws VacError `daemon-not-running`, `daemon-refused` */
async function order<Request extends ControlRequest>(line: CommandLine, request: Request) {
  const reply = await askDaemon(socketPath(line.text('state-dir')!), request);
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  return reply;
}
