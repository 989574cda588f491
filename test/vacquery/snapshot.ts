import { emptySlot, type FactorySnapshot } from '../../src/vacquery/messages.js';

export const SPACE = 'vac01.example.com';
export const NOW_SECONDS = 1_795_237_353;

/** A factory of so many slots, every second of which runs a machine, and so many machinetypes. */
export function snapshotOf(factory: string, slots: number, machinetypes: number): FactorySnapshot {
  const [shortName, ...domain] = factory.split('.');
  const machine = (slot: number) => `${shortName}-${String(slot).padStart(2, '0')}.${domain.join('.')}`;
  return {
    space: SPACE,
    site: 'UKI-EXAMPLE-SITE',
    factory,
    vacVersion: 'Vac 0.1.0 vacd-responder',
    facts: {
      running_processors: 16,
      running_machines: 2,
      running_hs06: 168,
      max_processors: slots,
      max_machines: slots,
      max_hs06: slots * 10.5,
      root_disk_avail_kb: 79_318_852,
      root_disk_avail_inodes: 16_298_957,
      vac_disk_avail_kb: 12_341_912,
      vac_disk_avail_inodes: 3_085_456,
      load_average: 0.06,
      kernel_version: '6.1.0-40-amd64',
      os_issue: 'Debian GNU/Linux 12',
      boot_time: NOW_SECONDS - 3683,
      factory_heartbeat_time: NOW_SECONDS,
      responder_heartbeat_time: NOW_SECONDS,
      mjf_heartbeat_time: NOW_SECONDS,
      metadata_heartbeat_time: NOW_SECONDS,
      swap_used_kb: 0,
      swap_free_kb: 0,
      mem_used_kb: 407_168,
      mem_total_kb: 24_684_092,
    },
    machines: Array.from({ length: slots }, (_, slot) => ({
      ...emptySlot(machine(slot)),
      ...(slot % 2 === 0 && {
        state: 'Running' as const,
        machine_model: 'vm-raw',
        uuid: `0d5e3a52-7f0e-4a5c-9f0a-5d1b6a0c0a${String(slot).padStart(2, '0')}`,
        created_time: NOW_SECONDS - 1000,
        started_time: NOW_SECONDS - 900,
        heartbeat_time: NOW_SECONDS,
        num_processors: 8,
        cpu_seconds: 950,
        cpu_percentage: 95,
        hs06: 84,
        machinetype: 'type-0',
        fqan: '/lhcb/Role=NULL/Capability=NULL',
      }),
    })),
    machinetypes: Array.from({ length: machinetypes }, (_, index) => ({
      machinetype: `type-${index}`,
      bytes_per_processor: 2_147_483_648,
      running_hs06: 84 * index,
      running_machines: index,
      running_processors: 8 * index,
      num_before_fizzle: 0,
      shutdown_message: '300 No more work available from task queue',
      shutdown_time: NOW_SECONDS - 100,
      shutdown_machine: machine(1),
      fqan: '/lhcb/Role=NULL/Capability=NULL',
      max_wallclock_seconds: 86_400,
      max_processors: 8,
      target_share: index + 0.5,
      machinegroup: '/lhcb/Role=NULL/Capability=NULL',
      decayed_use: null,
    })),
  };
}
