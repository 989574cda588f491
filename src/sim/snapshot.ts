/** A simulated factory in the words of VacQuery 01.03; only machinetypes are ever asked for. */

import type { FactorySnapshot } from '../vacquery/messages.js';
import type { Speaker } from './policy.js';

const NO_HOST: FactorySnapshot['facts'] = {
  running_processors: 0,
  running_machines: 0,
  running_hs06: 0,
  max_processors: 0,
  max_machines: 0,
  max_hs06: 0,
  root_disk_avail_kb: null,
  root_disk_avail_inodes: null,
  vac_disk_avail_kb: null,
  vac_disk_avail_inodes: null,
  load_average: null,
  kernel_version: null,
  os_issue: null,
  boot_time: null,
  factory_heartbeat_time: null,
  responder_heartbeat_time: null,
  mjf_heartbeat_time: null,
  metadata_heartbeat_time: null,
  swap_used_kb: null,
  swap_free_kb: null,
  mem_used_kb: null,
  mem_total_kb: null,
};

export function snapshotOf(speaker: Speaker): FactorySnapshot {
  const { settings, machinetypes } = speaker.config;
  const news = speaker.ownNews();
  return {
    space: settings.vacSpace,
    site: 'sim',
    factory: speaker.name,
    vacVersion: 'Vac sim vacd',
    facts: NO_HOST,
    machines: [],
    machinetypes: machinetypes.map((type, index) => {
      const { runningHs06, runningMachines, runningProcessors, beforeFizzle, lastEnd } = news[index]!;
      return {
        machinetype: type.name,
        bytes_per_processor: null,
        running_hs06: runningHs06,
        running_machines: runningMachines,
        running_processors: runningProcessors,
        num_before_fizzle: beforeFizzle,
        shutdown_message: lastEnd?.message ?? null,
        shutdown_time: lastEnd?.timeSeconds ?? null,
        shutdown_machine: lastEnd?.hostname ?? null,
        fqan: type.accountingFqan,
        max_wallclock_seconds: type.maxWallclockSeconds,
        max_processors: type.maxProcessors,
        target_share: type.targetShare,
        machinegroup: type.machinegroup,
        decayed_use: null,
      };
    }),
  };
}
