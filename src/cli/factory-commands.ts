/**
 * The commands that tell the vacd on this host what to do. Each says what will happen, and when: not only what was
 * asked for, but what vacd made of it, once it has.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { askDaemon, type ControlRequest } from '../daemon/control.js';
import type { FactoryStatus, MachineStatus } from '../daemon/status.js';
import { VacError } from '../errors.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { socketPath } from './space-facts.js';
import { parseTime, sayDeadline } from './time.js';
import { counted } from './views/text.js';
import { why } from './why.js';

/** The loop is woken by an order, and a pass takes milliseconds; with a host that hangs it is not waited for. */
const SETTLE_MS = 2_000;
const LOOK_MS = 50;

export async function whyCommand(line: CommandLine, io: Io): Promise<number> {
  io.print([await why(socketOf(line), line.positionals[0], line.has('json'), io.view())]);
  return 0;
}

export async function drain(line: CommandLine, io: Io): Promise<number> {
  const { nowSeconds } = io.view();
  const time = (option: string): number | null => {
    const text = line.text(option);
    return text === undefined ? null : parseTime(text, nowSeconds);
  };
  const [byTimeSeconds, untilSeconds] = [time('by'), time('until')];
  const reason = line.positionals.join(' ') || 'an administrator asked for it (vac drain)';
  await order(line, { command: 'drain', reason, byTimeSeconds, untilSeconds });
  const status = await withEndsSet(line);
  if (line.has('json')) return printJson(status, io);
  io.print([
    `${status.factory} starts nothing more: ${reason}`,
    ...(byTimeSeconds === null ? [] : [`All machines are to be gone by ${sayDeadline(byTimeSeconds, nowSeconds)}`]),
    ...endsOf(status, nowSeconds),
    untilSeconds === null
      ? 'This holds, over restarts of vacd too, until: vac undrain'
      : `Draining ends by itself at ${sayDeadline(untilSeconds, nowSeconds)}, or with: vac undrain`,
  ]);
  return 0;
}

export async function undrain(line: CommandLine, io: Io): Promise<number> {
  const { drain: drained } = await statusOf(line);
  const { status } = await order(line, { command: 'undrain' });
  if (line.has('json')) return printJson(status, io);
  const { factory, standstill, shutdownTimeSeconds } = status;
  const done = drained === null ? `${factory} was not drained by order` : `${factory} drains no longer`;
  io.print([
    standstill === null ? `${done}: it may start machines` : `${done}, but it starts nothing: ${standstill.reason}`,
    ...(standstill?.code === 'draining' ? ['vac undrain does not lift that: change the configuration'] : []),
    ...(shutdownTimeSeconds === null ? [] : [limitStillHolds(shutdownTimeSeconds, io.view().nowSeconds)]),
  ]);
  return 0;
}

export async function stop(line: CommandLine, io: Io): Promise<number> {
  const stopped: MachineStatus[] = [];
  const held = new Set<string>();
  let failed = 0;
  for (const name of line.positionals) {
    try {
      const { machine, status } = await order(line, { command: 'stop', machine: name });
      stopped.push(...status.machines.filter(({ id }) => id === machine));
      if (status.quarantines.some((each) => each.machine === machine)) held.add(machine);
    } catch (error) {
      if (!(error instanceof VacError) || error.code === 'daemon-not-running') throw error;
      io.complain(error.message);
      failed += 1;
    }
  }
  if (line.has('json')) io.print([jsonText(stopped)]);
  else if (stopped.length > 0) {
    const { standstill } = await statusOf(line);
    io.print([
      ...stopped.map(({ id, hostname, machinetype }) =>
        held.has(id)
          ? `${hostname} (${machinetype}) is in quarantine and stays as it is; vac release ${id} --destroy ends it`
          : `${hostname} (${machinetype}) is asked to shut down now, and destroyed if it has not in half a minute`,
      ),
      ...(standstill === null ? ['slots that get free are filled again, unless: vac drain'] : []),
    ]);
  }
  return failed > 0 ? 1 : 0;
}

export async function shutdownAt(line: CommandLine, io: Io): Promise<number> {
  const [text] = line.positionals as [string];
  const { nowSeconds } = io.view();
  const timeSeconds = text === 'never' ? null : parseTime(text, nowSeconds);
  await order(line, { command: 'shutdownAt', timeSeconds });
  const status = await withEndsSet(line);
  if (line.has('json')) return printJson(status, io);
  const { factory, shutdownTimeSeconds: limit } = status;
  io.print([
    timeSeconds === null
      ? `${factory}: the shutdown time that was ordered is taken back`
      : `All machines of ${factory} are to be gone by ${sayDeadline(timeSeconds, nowSeconds)}`,
    ...(limit !== null && limit !== timeSeconds ? [limitStillHolds(limit, nowSeconds)] : []),
    ...endsOf(status, nowSeconds),
    ...(timeSeconds === null ? [] : ['This holds, over restarts of vacd too, until: vac shutdown-at never']),
  ]);
  return 0;
}

/** Of a shutdown time that another order, or the configuration, has set. */
function limitStillHolds(timeSeconds: number, nowSeconds: number): string {
  return `By configuration or another order, all are to be gone by ${sayDeadline(timeSeconds, nowSeconds)}, all the same`;
}

/** What becomes of the machines that run. */
function endsOf({ machines, shutdownTimeSeconds }: FactoryStatus, nowSeconds: number): string[] {
  const living = machines.filter(isLiving);
  if (living.length === 0) return ['No machine runs'];
  const run = `${counted(living.length, 'machine')} ${living.length === 1 ? 'runs' : 'run'}`;
  const last = sayDeadline(latestEnd(machines), nowSeconds);
  const limit = shutdownTimeSeconds ?? Number.POSITIVE_INFINITY;
  const late = living.filter((machine) => machine.shutdownTimeSeconds > limit).length;
  return [
    late === 0
      ? `${run}; the last ends by ${last} at the latest`
      : `${run}, ${late} of which may stay until ${last}: they were promised notice (grace_seconds)`,
  ];
}

function isLiving({ phase }: MachineStatus): boolean {
  return phase === 'starting' || phase === 'running';
}

/** When the last of the machines ends at the latest; 0 when there is none. */
function latestEnd(machines: readonly MachineStatus[]): number {
  return Math.max(0, ...machines.filter(isLiving).map(({ shutdownTimeSeconds }) => shutdownTimeSeconds));
}

/**
 * The status once machines have been told the shutdown time that holds now, or after a short while: some may have been
 * promised more notice.
 */
async function withEndsSet(line: CommandLine): Promise<FactoryStatus> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const status = await statusOf(line);
    const { machines, shutdownTimeSeconds } = status;
    const areSet = shutdownTimeSeconds === null || latestEnd(machines) <= shutdownTimeSeconds;
    if (areSet || performance.now() > deadline) return status;
    await sleep(LOOK_MS);
  }
}

async function statusOf(line: CommandLine): Promise<FactoryStatus> {
  return (await order(line, { command: 'status' })).status;
}

/** @throws VacError `daemon-not-running`, `daemon-refused` */
async function order<Request extends ControlRequest>(line: CommandLine, request: Request) {
  const reply = await askDaemon(socketOf(line), request);
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  return reply;
}

function socketOf(line: CommandLine): string {
  return socketPath(line.text('state-dir')!);
}

function printJson(status: FactoryStatus, io: Io): number {
  io.print([jsonText(status)]);
  return 0;
}
