/** Answers of factories for tests of what is shown of them: each builder gives a sound default. */

import fc from 'fast-check';
import type { PeerAnswer } from '../../../src/vacquery/index.js';
import {
  emptySlot,
  type FactoryStatus,
  type MachineStatus,
  type MachinetypeStatus,
  type Status,
  VACQUERY_VERSION,
} from '../../../src/vacquery/messages.js';

export const NOW = 1_795_237_353;
export const NOW_MS = 50_000;
export const SPACE = 'vac01.example.com';

/** 80 columns without colours, as most snapshots are. */
export const VIEW = { columns: 80, nowSeconds: NOW, nowMs: NOW_MS, colour: false } as const;
export const WIDE = { ...VIEW, columns: 120 } as const;

/** What hostile machines and peers might say: each ends up on one line, and is as wide as it is counted. */
export const HOSTILE = [
  '300 \u001b[31mred\u001b[0m \u001b]0;title\u0007',
  '300 first\nsecond\r\nthird\u2028fourth\u0085',
  `300 ${'x'.repeat(2_000)}`,
  '300 \u202eright to left\u2066 and joined\u200d',
  '300 全角文字のとても長いメッセージ'.repeat(20),
  '300 👩‍👩‍👧‍👦🚀🚀🚀',
  'Z\u0300\u0301\u0302\u0303algo',
  '300 lone \ud800 surrogate',
  '300 a | b | c',
  '',
] as const;

/** Such texts, and any others; the library's own strings of all characters take seconds to set up. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc
    .array(fc.oneof(fc.integer({ min: 0, max: 0x2fff }), fc.integer({ min: 0, max: 0x10ffff })), { maxLength: 60 })
    .map((codes) => String.fromCodePoint(...codes)),
);

function header(factory: string) {
  return {
    vac_version: 'Vac 03.00.00 vacd-responder',
    vacquery_version: VACQUERY_VERSION,
    cookie: 'c',
    space: SPACE,
    site: 'UKI-EXAMPLE-SITE',
    factory,
    time_sent: NOW,
  };
}

/** `wn03` is wn03.example.com. */
export function fqdn(name: string): string {
  return name.includes('.') ? name : `${name}.example.com`;
}

/** A machine that has run well for three hours and a bit. */
export function machine(factory: string, slot: number, changes: Partial<MachineStatus> = {}): MachineStatus {
  const [short, ...domain] = fqdn(factory).split('.');
  return {
    message_type: 'machine_status',
    ...header(fqdn(factory)),
    num_machines: 4,
    machine: [`${short}-${String(slot).padStart(2, '0')}`, ...domain].join('.'),
    state: 'Running',
    machine_model: 'cernvm3',
    uuid: '0d5e3a52-7f0e-4a5c-9f0a-5d1b6a0c0a00',
    created_time: NOW - 11_200,
    started_time: NOW - 11_100,
    heartbeat_time: NOW - 30,
    num_processors: 8,
    cpu_seconds: 84_360,
    cpu_percentage: 760,
    hs06: 84,
    machinetype: 'lhcb-prod',
    shutdown_message: null,
    shutdown_time: null,
    fqan: null,
    ...changes,
  };
}

export function finished(factory: string, slot: number, changes: Partial<MachineStatus> = {}): MachineStatus {
  return machine(factory, slot, {
    state: 'Shut down',
    shutdown_message: '200 Success',
    shutdown_time: NOW - 720,
    ...changes,
  });
}

export function empty(factory: string, slot: number): MachineStatus {
  const { machine: name } = machine(factory, slot);
  return { ...machine(factory, slot), ...emptySlot(name) };
}

export function type(factory: string, name: string, changes: Partial<MachinetypeStatus> = {}): MachinetypeStatus {
  return {
    message_type: 'machinetype_status',
    ...header(fqdn(factory)),
    num_machinetypes: 3,
    machinetype: name,
    bytes_per_processor: 2_147_483_648,
    running_hs06: 0,
    running_machines: 0,
    running_processors: 0,
    num_before_fizzle: 0,
    shutdown_message: null,
    shutdown_time: null,
    shutdown_machine: null,
    fqan: null,
    max_wallclock_seconds: 86_400,
    max_processors: 8,
    target_share: 1,
    machinegroup: name,
    decayed_use: null,
    ...changes,
  };
}

export function factory(name: string, changes: Partial<FactoryStatus> = {}): FactoryStatus {
  return {
    message_type: 'factory_status',
    ...header(fqdn(name)),
    running_processors: 16,
    running_machines: 2,
    running_hs06: 168,
    max_processors: 32,
    max_machines: 4,
    max_hs06: 336,
    root_disk_avail_kb: 79_318_852,
    root_disk_avail_inodes: 16_298_957,
    vac_disk_avail_kb: 412_341_912,
    vac_disk_avail_inodes: 3_085_456,
    load_average: 15.06,
    kernel_version: '6.1.0-40-amd64',
    os_issue: 'Debian GNU/Linux 12',
    boot_time: NOW - 190_800,
    factory_heartbeat_time: NOW - 12,
    responder_heartbeat_time: NOW,
    mjf_heartbeat_time: NOW,
    metadata_heartbeat_time: NOW,
    swap_used_kb: 0,
    swap_free_kb: 0,
    mem_used_kb: 40_407_168,
    mem_total_kb: 98_684_092,
    ...changes,
  };
}

/** What a factory answered in full; nothing: it did not answer. */
export function answer<S extends Status>(
  name: string,
  statuses: readonly S[],
  changes: Partial<PeerAnswer<S>> = {},
): PeerAnswer<S> {
  return {
    factory: fqdn(name),
    outcome: statuses.length === 0 ? 'none' : 'complete',
    statuses: statuses.map((status) => ({ status, receivedMs: NOW_MS })),
    expected: statuses.length === 0 ? null : statuses.length,
    asked: statuses.length === 0 ? 6 : 1,
    wasDead: false,
    refused: new Map(),
    claimedFactory: null,
    strayAddress: null,
    ...changes,
  };
}

/** Three factories with four types: one group of two types, one type without work, one that differs; a fourth is dead. */
export const TYPES: readonly PeerAnswer<MachinetypeStatus>[] = [
  ...['wn1', 'wn10', 'wn2'].map((name, index) =>
    answer(name, [
      type(name, 'lhcb-prod', {
        target_share: 10,
        machinegroup: '/lhcb',
        running_hs06: 168,
        running_machines: 2,
        running_processors: 16,
        num_before_fizzle: 1,
        shutdown_message: '200 Success',
        shutdown_time: NOW - 3_600 + index,
        shutdown_machine: `${name}-01.example.com`,
      }),
      type(name, 'lhcb-user', {
        target_share: 5,
        machinegroup: '/lhcb',
        running_hs06: 10.5,
        running_machines: 1,
        running_processors: 1,
      }),
      type(name, 'atlas-prod', {
        target_share: 20,
        machinegroup: 'atlas',
        shutdown_message: '300 No more work available from task queue',
        shutdown_time: NOW - 700 - index,
        shutdown_machine: `${name}-02.example.com`,
      }),
      ...(name === 'wn2'
        ? []
        : [
            type(name, 'gridpp', {
              running_hs06: 84,
              running_machines: 1,
              running_processors: 8,
              shutdown_time: NOW - 100 - index,
              shutdown_machine: `${name}-02.example.com`,
            }),
          ]),
    ]),
  ),
  answer('wn5', []),
];

/** Four factories: one well, one ill, one with a wrong clock, one dead. */
export const FACTORIES: readonly PeerAnswer<FactoryStatus>[] = [
  answer('wn10', [factory('wn10', { time_sent: NOW + 90, vac_version: 'Vac 0.1.0 vacd', load_average: 3 })]),
  answer('wn1', [factory('wn1')]),
  answer('wn2', [
    factory('wn2', {
      vac_disk_avail_kb: 500_000,
      factory_heartbeat_time: NOW - 4_000,
      running_processors: 32,
      running_machines: 4,
    }),
  ]),
  answer('wn3', []),
];
