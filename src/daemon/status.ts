/** What the daemon tells of itself: the snapshot for views and `vac`, and the files that site monitoring reads (SPEC 5). */

import type { DecisionLog, LoggedDecision } from '../factory/decision-log.js';
import { refuseAllStarts } from '../factory/limits.js';
import { holdsProcessors, ownNews } from '../factory/news.js';
import { drainInForce, effectiveShutdownTime } from '../factory/orders.js';
import type { Standstill } from '../factory/plan.js';
import type { DrainOrder, FactoryState, Machine, MachineEnd } from '../factory/types.js';
import { writeFileAtomic } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import { credentialProblems } from './credentials-problems.js';
import type { Memory } from './memory.js';
import { pipeProblems } from './pipe-facts.js';
import { quarantineProblems } from './quarantine-problems.js';
import { standingProblems } from './standing-problems.js';

export interface MachineStatus {
  readonly id: string;
  readonly uuid: string;
  readonly slot: number;
  readonly hostname: string;
  readonly ip: string;
  readonly machinetype: string;
  readonly phase: Machine['phase'];
  readonly domain: Machine['domain'];
  readonly stopping: string | null;
  readonly processors: number;
  readonly createdTimeSeconds: number;
  readonly startedTimeSeconds: number | null;
  readonly shutdownTimeSeconds: number;
  readonly cpuSeconds: number;
  readonly cpuPercent: number;
  readonly end: MachineEnd | null;
}

/** A machine in quarantine. */
export interface QuarantineStatus {
  readonly machine: string;
  readonly phase: Machine['phase'];
  readonly domain: Machine['domain'];
  readonly who: string;
  readonly reason: string;
  readonly sinceSeconds: number;
  /** What became of keeping its memory, in words; null: it is under way. */
  readonly memory: string | null;
  /** What vac release asked for and is not done yet. */
  readonly release: 'resume' | 'destroy' | null;
  /** Of the machine, in the state directory. */
  readonly directory: string;
}

export interface ShareStatus {
  readonly machinetype: string;
  readonly machinegroup: string;
  readonly targetShare: number;
  /** Part of all target shares, 0 to 1. */
  readonly wanted: number;
  /** Part of all running power of these machinetypes in the whole space, 0 to 1: that is what shares are of. */
  readonly now: number;
  /** On this factory alone. */
  readonly runningMachines: number;
  readonly runningHs06: number;
}

export interface FactoryStatus {
  readonly timeSeconds: number;
  readonly factory: string;
  readonly space: string;
  readonly slots: number;
  readonly processors: number;
  readonly processorsUsed: number;
  readonly hypervisor: string;
  readonly services: FactoryState['host']['services'];
  readonly loadAverages: readonly [number, number, number];
  /** All that are not over, and those that were cleared last. */
  readonly machines: readonly MachineStatus[];
  /** Machines that are held. */
  readonly quarantines: readonly QuarantineStatus[];
  /** Why nothing starts at this moment. */
  readonly standstill: Standstill | null;
  /** What needs somebody's attention and does not go away by itself, a line each; the worst first. */
  readonly problems: readonly string[];
  /** The order to drain that holds now; draining by configuration is in `standstill` alone. */
  readonly drain: DrainOrder | null;
  /** By when all machines must be gone, by configuration or order (Unix seconds). */
  readonly shutdownTimeSeconds: number | null;
  readonly shares: readonly ShareStatus[];
  readonly slotDecisions: readonly LoggedDecision[];
  readonly machinetypeDecisions: readonly LoggedDecision[];
  readonly done: readonly LoggedDecision[];
}

const ALONE = 'no other factory of the space answers: this one goes on alone, by what it last heard of them';

/** How many machines that are over a status shows. */
const LAST_CLEARED = 100;

/** @param hypervisor one line: which kind of machines are made here, and why */
export function factoryStatus(memory: Memory, decisions: DecisionLog, hypervisor: string): FactoryStatus {
  const state = memory.state(Math.floor(Date.now() / 1000), performance.now());
  const { slots, machinetypes, done } = decisions.summary();
  return {
    timeSeconds: state.nowSeconds,
    factory: state.factory,
    space: memory.config.settings.vacSpace,
    slots: state.slots,
    processors: state.totalProcessors,
    processorsUsed: state.machines.filter(holdsProcessors).reduce((sum, m) => sum + m.record.processors, 0),
    hypervisor: state.host.hypervisorProblem === null ? hypervisor : `libvirt: ${state.host.hypervisorProblem.message}`,
    services: state.host.services,
    loadAverages: state.host.loadAverages,
    machines: [
      ...state.machines.filter((machine) => machine.phase !== 'cleared'),
      ...memory.lastCleared(LAST_CLEARED, performance.now()),
    ].map(machineStatus),
    quarantines: quarantineStatus(memory, performance.now()),
    // Asked anew: an order that was given a moment ago shows in the answer to it.
    standstill: refuseAllStarts(state, memory.config.settings),
    problems: problemsOf(memory, state),
    drain: drainInForce(state),
    shutdownTimeSeconds: effectiveShutdownTime(state, memory.config.settings),
    shares: shareStatus(memory, state),
    slotDecisions: slots,
    machinetypeDecisions: machinetypes,
    done,
  };
}

/** One line each, what is wrong by what the memory tells; what stops all starts first. */
export function problemsOf(memory: Memory, state: FactoryState): string[] {
  return [
    ...standingProblems(state, memory.config),
    ...quarantineProblems(memory.quarantines),
    ...pipeProblems(memory.pipes, state.nowSeconds),
    ...credentialProblems(memory.credentials, state.nowSeconds).map(({ text }) => text),
    ...(memory.alone ? [ALONE] : []),
  ];
}

function quarantineStatus(memory: Memory, nowMs: number): QuarantineStatus[] {
  return [...memory.quarantines].map(([machine, order]) => {
    const facts = memory.factsOf(machine, nowMs);
    const { phase = 'cleared', domain = 'unknown' } = facts ?? {};
    return { machine, phase, domain, ...order, directory: `machines/${machine}` };
  });
}

export function machineStatus(machine: Machine): MachineStatus {
  const { record } = machine;
  return {
    id: record.id,
    uuid: record.uuid,
    slot: record.slot,
    hostname: record.hostname,
    ip: record.ip,
    machinetype: record.machinetype,
    phase: machine.phase,
    domain: machine.domain,
    stopping: machine.stop?.reason ?? null,
    processors: record.processors,
    createdTimeSeconds: record.createdTimeSeconds,
    startedTimeSeconds: machine.startedTimeSeconds,
    shutdownTimeSeconds: machine.shutdownTimeSeconds,
    cpuSeconds: machine.cpuSeconds,
    cpuPercent: machine.cpuPercent,
    end: machine.end,
  };
}

function shareStatus(memory: Memory, state: FactoryState): ShareStatus[] {
  const types = memory.config.machinetypes;
  const news = types.map((type) => ownNews(state.factory, type.name, state.machines, state.lastEnds, state.nowSeconds));
  const allShares = types.reduce((sum, type) => sum + type.targetShare, 0);
  const power = new Map(news.map((item) => [item.machinetype, item.runningHs06]));
  for (const { factory, machinetype, runningHs06 } of state.peers) {
    const known = factory === state.factory ? undefined : power.get(machinetype);
    if (known !== undefined) power.set(machinetype, known + runningHs06);
  }
  const allPower = [...power.values()].reduce((sum, part) => sum + part, 0);
  return types.map((type, index) => ({
    machinetype: type.name,
    machinegroup: type.machinegroup,
    targetShare: type.targetShare,
    wanted: allShares > 0 ? type.targetShare / allShares : 0,
    now: allPower > 0 ? power.get(type.name)! / allPower : 0,
    runningMachines: news[index]!.runningMachines,
    runningHs06: news[index]!.runningHs06,
  }));
}

/**
 * Writes `counts` ("running slots procs maxprocs hs06"), the two heartbeats whose ctime check scripts look at, and
 * `factory-error` while something keeps the factory from starting machines (removed when it does not).
 */
export async function writeStatusFiles(
  layout: StateLayout,
  status: FactoryStatus,
  problem: string | null,
  removeFile: (path: string) => Promise<void>,
): Promise<void> {
  const running = status.machines.filter((m) => m.phase === 'starting' || m.phase === 'running');
  const power = status.shares.reduce((sum, share) => sum + share.runningHs06, 0);
  const counts = `${running.length} ${status.slots} ${status.processorsUsed} ${status.processors} ${withoutNoise(power)}`;
  await writeFileAtomic(layout.counts(), counts, { durable: false });
  await writeFileAtomic(layout.factoryHeartbeat(), `${status.timeSeconds}`, { durable: false });
  await writeFileAtomic(layout.responderHeartbeat(), `${status.timeSeconds}`, { durable: false });
  if (problem === null) await removeFile(layout.factoryError());
  else await writeFileAtomic(layout.factoryError(), `${problem}\n`, { durable: false });
}

/** A sum of decimal numbers as it is meant: 123.6 and not 123.60000000000001. */
function withoutNoise(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
