/** The factory on one screen: slots, shares, last decisions, log. Pure: from a status to lines of text. */

import { styleText } from 'node:util';
import type { FactoryStatus, MachineStatus, ShareStatus } from '../daemon/status.js';
import { decisionLine } from './why.js';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const BAR_CELLS = 20;
const DECISIONS = 4;
const MIN_LOG_ROWS = 2;
/** Headings and blank lines, and the two lines at the top. */
const FRAME_ROWS = 12;

/**
 * As many lines as the screen has at most, the footer always among them.
 *
 * @param log newest last
 */
export function liveView(status: FactoryStatus, log: readonly string[], size: ScreenSize, footer: string): string[] {
  const maxSlotRows = Math.max(3, size.rows - FRAME_ROWS - status.shares.length - DECISIONS - MIN_LOG_ROWS);
  const head = [
    `${styleText('bold', `vac factory ${status.factory}`)}   ${status.hypervisor}`,
    `${status.processorsUsed} of ${status.processors} processors in use   load ${status.loadAverages.map((l) => l.toFixed(1)).join(' ')}   ${servicesLine(status)}`,
    '',
    styleText('dim', 'SLOT  MACHINE                MACHINETYPE    STATE        RUNS   CPU s  CPU %'),
    ...slotRows(status, maxSlotRows),
    '',
    styleText('dim', 'SHARES                         NOW  WANTED'),
    ...status.shares.map(shareRow),
    '',
    styleText('dim', 'LAST DECISIONS'),
    ...status.done.slice(-DECISIONS).map((decision) => decisionLine(decision)),
    '',
    styleText('dim', 'LOG'),
  ];
  // A stack trace is one line of the log.
  const logLines = log.slice(-size.rows).flatMap((line) => line.split('\n'));
  const logRows = Math.min(logLines.length, Math.max(0, size.rows - head.length - 2));
  const body = [...head, ...logLines.slice(logLines.length - logRows).map((line) => `  ${line}`)];
  return [...body.slice(0, size.rows - 2), '', styleText('dim', footer)].map((line) => cut(line, size.columns));
}

function servicesLine(status: FactoryStatus): string {
  const down = Object.entries(status.services).filter(([, service]) => !service.ready);
  return down.length === 0 ? 'all services ready' : `waiting for ${down.map(([name]) => name).join(', ')}`;
}

function slotRows(status: FactoryStatus, maxRows: number): string[] {
  const bySlot = new Map<number, MachineStatus>();
  for (const machine of status.machines) if (machine.phase !== 'cleared') bySlot.set(machine.slot, machine);
  const rows = Array.from({ length: status.slots }, (_, slot) => {
    const machine = bySlot.get(slot);
    if (machine !== undefined) return machineRow(slot, machine, status.timeSeconds);
    const verdict = status.slotDecisions.find((decision) => decision.slot === slot);
    return `${pad(slot, 4)}  ${styleText('dim', `empty  ${verdict?.reason ?? ''}`)}`;
  });
  return rows.length <= maxRows
    ? rows
    : [...rows.slice(0, maxRows - 1), `      … and ${rows.length - maxRows + 1} more slots`];
}

function machineRow(slot: number, machine: MachineStatus, nowSeconds: number): string {
  const runs = machine.startedTimeSeconds === null ? '' : duration(nowSeconds - machine.startedTimeSeconds);
  const state =
    machine.stopping !== null && machine.phase === 'running'
      ? 'stopping'
      : machine.domain === 'paused'
        ? 'paused'
        : machine.phase;
  const colour = state === 'running' ? 'green' : state === 'starting' ? 'cyan' : 'yellow';
  const short = machine.hostname.split('.')[0] ?? machine.hostname;
  return `${pad(slot, 4)}  ${short.padEnd(21)}  ${machine.machinetype.padEnd(13)}  ${styleText(colour, state.padEnd(9))}  ${runs.padStart(7)}  ${pad(machine.cpuSeconds.toFixed(1), 6)}  ${pad(machine.cpuPercent.toFixed(0), 5)}`;
}

function shareRow(share: ShareStatus): string {
  const filled = Math.round(share.now * BAR_CELLS);
  const mark = Math.min(BAR_CELLS - 1, Math.max(0, Math.round(share.wanted * BAR_CELLS) - 1));
  const bar = Array.from({ length: BAR_CELLS }, (_, cell) => (cell === mark ? '|' : cell < filled ? '#' : '.')).join(
    '',
  );
  const percent = (part: number) => `${Math.round(part * 100)} %`.padStart(6);
  return `  ${share.machinetype.padEnd(13)} ${bar} ${percent(share.now)}  ${percent(share.wanted)}`;
}

function duration(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  return `${Math.floor(seconds / 3600)}h${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')}`;
}

function pad(value: string | number, width: number): string {
  return String(value).padStart(width);
}

/** Cuts to the screen's width; colour sequences take no room. */
function cut(line: string, columns: number): string {
  let room = columns;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  return line.replace(/(\u001b\[[0-9;]*m)|(.)/gu, (_, style: string | undefined, character: string) => {
    if (style !== undefined) return style;
    room -= 1;
    return room >= 0 ? character : '';
  });
}
