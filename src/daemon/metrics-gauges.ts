/** What /metrics looks up when it is asked: a table of series, each with how its values are read from the facts. */

import { holdsProcessors, ownNews } from '../factory/news.js';
import type { FactoryState, Machine } from '../factory/types.js';
import type { DatagramCounts, PeerSummary } from '../vacquery/index.js';
import { CREDENTIAL_GAUGES } from './credentials-metrics.js';
import type { Memory } from './memory.js';
import { GOSSIP_COUNTERS, GOSSIP_GAUGES } from './metrics-gossip.js';
import { OVERNIGHT_GAUGES } from './metrics-overnight.js';
import { SYSLOG_COUNTERS, SYSLOG_GAUGES, type SyslogFacts } from './metrics-syslog.js';
import { TRUST_COUNTERS, TRUST_GAUGES } from './metrics-trust.js';
import { copyAgeSeconds } from './pipe-facts.js';
import type { GossipFacts } from './space-report.js';
import { problemsOf } from './status.js';
import type { TrustFacts } from './trust-facts.js';

export type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>];

export interface Series {
  readonly name: string;
  readonly help: string;
  /** Absent: one value without labels, or none. */
  readonly labels?: readonly string[];
  readonly read: (facts: MetricsFacts) => readonly Sample[];
}

/** Parts of the daemon that may not be there. */
export interface MetricsSources {
  /** Has the next three looked up; called once for each text, before they are. */
  readonly look?: () => Promise<void>;
  /** The space as VacQuery shows it; null while it is not spoken. */
  readonly space?: () => SpaceFacts | null;
  /** Gossip; null: this factory is on its own. */
  readonly gossip?: () => GossipFacts | null;
  /** Machines' syslog; null: this host receives none. */
  readonly syslog?: () => SyslogFacts | null;
  /** Containment, processes without root, trail, accounting, archive. */
  readonly trust?: () => TrustFacts;
  /** What is wrong besides what the memory tells. */
  readonly problems?: () => readonly string[];
  /** Datagrams of VacQuery so far. */
  readonly datagrams?: () => DatagramCounts;
  /** Datagrams sent to each VacMon service so far. */
  readonly vacmon?: () => Iterable<readonly [monitor: string, count: number]>;
  /** The last census; null: none by this process. */
  readonly census?: () => { readonly timeSeconds: number; readonly factories: number } | null;
}

export interface SpaceFacts {
  readonly alone: boolean;
  readonly peers: readonly Pick<PeerSummary, 'factory' | 'outcome' | 'heardSecondsAgo'>[];
}

/** All that a scrape is made from, of one moment. */
export interface MetricsFacts {
  readonly memory: Memory;
  readonly state: FactoryState;
  readonly sources: MetricsSources;
  /** Null while VacQuery is not spoken. */
  readonly space: SpaceFacts | null;
  /** Null: this factory is on its own. */
  readonly gossip: GossipFacts | null;
  readonly standstillsSeen: ReadonlySet<string>;
  /** Null: not looked at yet. */
  readonly lagSeconds: { readonly mean: number; readonly p99: number; readonly max: number } | null;
  readonly version: string;
}

export const GAUGES: readonly Series[] = [
  {
    name: 'vac_build_info',
    help: 'Always 1; the version of vacd and of Node.js that it runs on.',
    labels: ['version', 'nodejs'],
    read: ({ version }) => [[1, { version, nodejs: process.version }]],
  },
  {
    name: 'vac_factory_info',
    help: 'Always 1; the names of this factory and its space.',
    labels: ['factory', 'space'],
    read: ({ memory, state }) => [[1, { factory: state.factory, space: memory.config.settings.vacSpace }]],
  },
  {
    name: 'vac_machines',
    help: 'Machines by type and state; ended: over, but not yet accounted for and cleaned up.',
    labels: ['machinetype', 'state'],
    read: machines,
  },
  { name: 'vac_slots', help: 'Places for machines.', read: ({ state }) => [[state.slots]] },
  {
    name: 'vac_slots_blocked',
    help: 'Slots left alone because a machine directory of theirs cannot be read.',
    read: ({ state }) => [[state.blockedSlots.length]],
  },
  {
    name: 'vac_processors',
    help: 'Processors that may be given to machines.',
    read: ({ state }) => [[state.totalProcessors]],
  },
  {
    name: 'vac_processors_used',
    help: 'Processors given to machines, by type.',
    labels: ['machinetype'],
    read: (facts) => ofTypes(facts, (machine) => machine.record.processors),
  },
  {
    name: 'vac_running_hs06',
    help: 'Benchmark power of the machines of this factory, by type; 1 a processor where none is configured.',
    labels: ['machinetype'],
    read: (facts) => ofTypes(facts, (machine) => machine.record.hs06),
  },
  {
    name: 'vac_share_wanted_ratio',
    help: 'Part of the space that each machinetype should have by its target_share.',
    labels: ['machinetype', 'machinegroup'],
    read: (facts) => shares(facts, ({ wanted }) => wanted),
  },
  {
    name: 'vac_share_held_ratio',
    help: "Part of the space's running power that each machinetype has, as far as this factory has heard of the others.",
    labels: ['machinetype', 'machinegroup'],
    read: (facts) => shares(facts, ({ held }) => held),
  },
  {
    name: 'vac_creation_failures_in_a_row',
    help: 'Machines of a type that could not be created since one last could.',
    labels: ['machinetype'],
    read: ({ memory }) =>
      memory.config.machinetypes.map(({ name }) => [
        memory.creationFailures.get(name)?.count ?? 0,
        { machinetype: name },
      ]),
  },
  {
    name: 'vac_early_deaths_in_a_row',
    help: 'Machines of a type that died early on this factory since one last lived long.',
    labels: ['machinetype'],
    read: ({ memory, state }) =>
      memory.config.machinetypes.map(({ name }) => {
        const { deaths = [], olderDeaths = 0 } = state.earlyDeaths.get(name) ?? {};
        return [deaths.length + olderDeaths, { machinetype: name }];
      }),
  },
  {
    name: 'vac_standstill',
    help: 'Whether nothing at all starts now, and why; codes that did not occur are left out.',
    labels: ['code'],
    read: ({ memory, standstillsSeen }) =>
      [...standstillsSeen].map((code) => [Number(memory.standstill?.code === code), { code }]),
  },
  {
    name: 'vac_problems',
    help: 'What is wrong and stays so until it is put right, as "vac check" tells: the number of such things.',
    read: ({ memory, state, sources }) => [[problemsOf(memory, state).length + (sources.problems?.().length ?? 0)]],
  },
  {
    name: 'vac_pipe_machinetypes',
    help: 'Machinetypes of each vacuum pipe that are in force.',
    labels: ['pipe'],
    read: ({ memory }) => [...memory.pipes].map(([pipe, { machinetypes }]) => [machinetypes, { pipe }]),
  },
  {
    name: 'vac_pipe_refused_machinetypes',
    help: 'Machinetypes in the document of each vacuum pipe that cannot be used.',
    labels: ['pipe'],
    read: ({ memory }) => [...memory.pipes].map(([pipe, { refused }]) => [refused.length, { pipe }]),
  },
  {
    name: 'vac_pipe_copy_age_seconds',
    help: 'How long ago the server of each vacuum pipe last gave, or confirmed, the copy in force; without a copy left out.',
    labels: ['pipe'],
    read: ({ memory, state }) =>
      [...memory.pipes].flatMap(([pipe, facts]) =>
        optional(copyAgeSeconds(facts, state.nowSeconds), (age) => age).map(([age]): Sample => [age, { pipe }]),
      ),
  },
  {
    name: 'vac_pipe_failing',
    help: 'Whether the last attempt to fetch the document of each vacuum pipe failed.',
    labels: ['pipe'],
    read: ({ memory }) => [...memory.pipes].map(([pipe, { problem }]) => [Number(problem !== null), { pipe }]),
  },
  ...CREDENTIAL_GAUGES,
  {
    name: 'vac_libvirt_reachable',
    help: 'Whether libvirt answers.',
    read: ({ memory }) => [[Number(memory.hypervisorProblem === null)]],
  },
  {
    name: 'vac_service_ready',
    help: 'Whether the services that machines need work.',
    labels: ['service'],
    read: ({ state }) =>
      Object.entries(state.host.services).map(([service, { ready }]) => [Number(ready), { service }]),
  },
  {
    name: 'vac_state_free_bytes',
    help: 'Free space where the state directory is.',
    read: ({ state }) => [[state.host.stateFreeBytes]],
  },
  ...([1, 5, 15] as const).map((minutes, index): Series => {
    const help = `Load average of the host over ${minutes} min.`;
    return { name: `vac_load${minutes}`, help, read: ({ state }) => [[state.host.loadAverages[index] ?? 0]] };
  }),
  {
    name: 'vac_io_pressure_ratio',
    help: "Part of the last 10 s that tasks of the host waited for disks; missing where the kernel doesn't tell.",
    read: ({ state }) => optional(state.host.ioPressurePercent, (percent) => percent / 100),
  },
  {
    name: 'vac_space_alone',
    help: 'Whether none of the other factories of the space answers.',
    read: ({ space }) => optional(space, ({ alone }) => Number(alone)),
  },
  {
    name: 'vac_space_peers',
    help: 'Other factories of the space, by the configuration.',
    read: ({ space }) => optional(space, ({ peers }) => peers.length),
  },
  {
    name: 'vac_space_peers_answering',
    help: 'Other factories of the space that gossip, or answered the last poll, all or in part.',
    read: ({ space }) => optional(space, ({ peers }) => peers.filter(answers).length),
  },
  {
    name: 'vac_peer_news_age_seconds',
    help: 'Age of the latest news of each other factory; one that was never heard is left out.',
    labels: ['peer'],
    read: ({ space }) =>
      (space?.peers ?? []).flatMap(({ factory, heardSecondsAgo }): Sample[] =>
        heardSecondsAgo === null ? [] : [[heardSecondsAgo, { peer: factory }]],
      ),
  },
  ...GOSSIP_GAUGES,
  ...SYSLOG_GAUGES,
  ...OVERNIGHT_GAUGES,
  ...TRUST_GAUGES,
  {
    name: 'vac_census_timestamp_seconds',
    help: 'When the last census of the space was taken.',
    read: ({ sources }) => optional(sources.census?.(), ({ timeSeconds }) => timeSeconds),
  },
  {
    name: 'vac_census_factories',
    help: 'Factories that answered the last census.',
    read: ({ sources }) => optional(sources.census?.(), ({ factories }) => factories),
  },
  ...(['mean', 'p99', 'max'] as const).map(
    (which): Series => ({
      name: `vac_event_loop_lag_${which}_seconds`,
      help: `How late the event loop of vacd was since the last scrape (${which}).`,
      read: ({ lagSeconds }) => optional(lagSeconds, (lag) => lag[which]),
    }),
  ),
  {
    name: 'process_resident_memory_bytes',
    help: 'Memory that vacd has in RAM.',
    read: () => [[process.memoryUsage.rss()]],
  },
  {
    name: 'process_start_time_seconds',
    help: 'When vacd was started.',
    read: () => [[Math.round(performance.timeOrigin) / 1000]],
  },
];

export const COUNTERS: readonly Series[] = [
  {
    name: 'vac_vacquery_datagrams_total',
    help: 'Datagrams of VacQuery that were sent, answered or believed, by kind.',
    labels: ['direction', 'kind'],
    read: ({ sources }) => {
      const counts = sources.datagrams?.();
      return (['received', 'sent'] as const).flatMap((direction) =>
        [...(counts?.[direction] ?? [])].map(([kind, count]): Sample => [count, { direction, kind }]),
      );
    },
  },
  {
    name: 'vac_vacquery_refused_total',
    help: 'Datagrams of VacQuery that were not answered or not believed, by reason.',
    labels: ['reason'],
    read: ({ sources }) => [...(sources.datagrams?.().refused ?? [])].map(([reason, count]) => [count, { reason }]),
  },
  ...GOSSIP_COUNTERS,
  ...SYSLOG_COUNTERS,
  ...TRUST_COUNTERS,
  {
    name: 'vac_vacmon_datagrams_total',
    help: 'Status datagrams sent to each VacMon service.',
    labels: ['monitor'],
    read: ({ sources }) => [...(sources.vacmon?.() ?? [])].map(([monitor, count]) => [count, { monitor }]),
  },
  {
    name: 'process_cpu_seconds_total',
    help: 'CPU time that vacd has used.',
    read: () => {
      const { user, system } = process.cpuUsage();
      return [[(user + system) / 1e6]];
    },
  },
];

function optional<T>(known: T | null | undefined, read: (value: T) => number): Sample[] {
  return known === null || known === undefined ? [] : [[read(known)]];
}

function answers({ outcome }: Pick<PeerSummary, 'outcome'>): boolean {
  return outcome === 'complete' || outcome === 'partial';
}

const MACHINE_STATES = ['starting', 'running', 'stopping', 'paused', 'unknown', 'ended'] as const;

function stateOf({ phase, domain, stop }: Machine): (typeof MACHINE_STATES)[number] {
  if (phase === 'starting') return 'starting';
  if (phase !== 'running') return 'ended';
  if (domain === 'paused' || domain === 'unknown') return domain;
  return stop === null ? 'running' : 'stopping';
}

/** The configured types, and those that still have machines although their section was taken away. */
function typesOf({ memory, state }: MetricsFacts): string[] {
  const living = state.machines.filter(({ phase }) => phase !== 'cleared');
  return [
    ...new Set([
      ...memory.config.machinetypes.map(({ name }) => name),
      ...living.map(({ record }) => record.machinetype),
    ]),
  ];
}

function machines(facts: MetricsFacts): Sample[] {
  const counts = new Map<string, number>();
  for (const machine of facts.state.machines) {
    if (machine.phase === 'cleared') continue;
    const key = `${machine.record.machinetype} ${stateOf(machine)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return typesOf(facts).flatMap((machinetype) =>
    MACHINE_STATES.map((state): Sample => [counts.get(`${machinetype} ${state}`) ?? 0, { machinetype, state }]),
  );
}

function ofTypes(facts: MetricsFacts, amount: (machine: Machine) => number): Sample[] {
  const held = facts.state.machines.filter(holdsProcessors);
  return typesOf(facts).map((machinetype) => [
    held.filter(({ record }) => record.machinetype === machinetype).reduce((sum, m) => sum + amount(m), 0),
    { machinetype },
  ]);
}

/** Of the whole space as far as known; the power of types that only others have counts in all power. */
function shares(facts: MetricsFacts, value: (share: { wanted: number; held: number }) => number): Sample[] {
  const { memory, state } = facts;
  const types = memory.config.machinetypes;
  const power = new Map<string, number>();
  const own = types.map(({ name }) => ownNews(state.factory, name, state.machines, state.lastEnds, state.nowSeconds));
  for (const { machinetype, runningHs06 } of [...own, ...state.peers]) {
    power.set(machinetype, (power.get(machinetype) ?? 0) + runningHs06);
  }
  const allPower = [...power.values()].reduce((sum, part) => sum + part, 0);
  const allShares = types.reduce((sum, { targetShare }) => sum + targetShare, 0);
  return types.map(({ name: machinetype, machinegroup, targetShare }) => [
    value({
      wanted: allShares > 0 ? targetShare / allShares : 0,
      held: allPower > 0 ? (power.get(machinetype) ?? 0) / allPower : 0,
    }),
    { machinetype, machinegroup },
  ]);
}
