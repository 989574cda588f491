/** Random pictures of a factory for property tests: any mix of phases, domains, services, shares, news and orders. */

import fc from 'fast-check';
import type { Config, MachinetypeConfig } from '../../src/config/types.js';
import type { OvernightVerdict } from '../../src/factory/overnight-types.js';
import type {
  EarlyDeaths,
  FactoryState,
  HostFacts,
  ImageState,
  LastEnd,
  Machine,
  MachineSuspension,
  MachinetypeNews,
  RunOrders,
} from '../../src/factory/types.js';
import {
  config,
  drainOrder,
  end,
  FACTORY,
  host,
  machine,
  machinetype,
  NOW,
  news,
  orders,
  overnight,
  record,
  service,
  state,
  stopRequest,
} from './builders.js';
import { overnightConfig } from './desk.js';

const NAMES = ['a', 'b', 'c', 'd'] as const;
const message = fc.constantFrom(null, '200 Success', '299 x', '300 No more work', '700 Broken', 'no code');
/** From two hours ago to ten minutes ahead (clocks differ), with the edges of backoff and fizzle in it. */
const time = fc.integer({ min: NOW - 7200, max: NOW + 600 });
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

const anyType = (name: string): fc.Arbitrary<MachinetypeConfig> =>
  fc
    .record({
      machinegroup: fc.constantFrom('g1', 'g2', name),
      targetShare: fc.constantFrom(0, 0.5, 1, 2, 10),
      machineModel: fc.constantFrom('vm-raw' as const, 'vm-raw' as const, 'docker' as const),
      minProcessors: fc.integer({ min: 1, max: 3 }),
      more: fc.integer({ min: 0, max: 3 }),
      minWallclockSeconds: fc.constantFrom(0, 600, 86_400),
      backoffSeconds: fc.constantFrom(0, 10, 3600),
      fizzleSeconds: fc.constantFrom(0, 600),
    })
    .map(({ more, ...changes }) => machinetype(name, { ...changes, maxProcessors: changes.minProcessors + more }));

export const anyConfig: fc.Arbitrary<Config> = fc
  .record({
    names: fc.subarray([...NAMES]),
    shutdownTimeSeconds: orNull(fc.integer({ min: NOW - 100, max: NOW + 100_000 })),
    draining: fc.nat({ max: 9 }).map((n) => n === 0),
    maxStartingMachines: fc.integer({ min: 1, max: 20 }),
    hs06PerProcessor: orNull(fc.constantFrom(0.5, 10.3)),
    shareHalfLifeHours: fc.constantFrom(0, 0.01, 72),
    processorsPerSuperslot: fc.constantFrom(1, 1, 2, 4),
    factories: fc.constantFrom([], [FACTORY, 'factory2.example.com', 'factory3.example.com']),
    memoryPercent: orNull(fc.constantFrom(10, 50, 100)),
  })
  .chain(({ names, memoryPercent, ...changes }) =>
    fc.tuple(...names.map(anyType)).map((types) => ({
      ...config(types, changes),
      overnight: memoryPercent === null ? null : overnightConfig({ memoryPercent }),
    })),
  );

const anySuspension: fc.Arbitrary<MachineSuspension> = fc.record({
  by: fc.constantFrom('overnight' as const, 'overnight' as const, 'quarantine' as const),
  sinceSeconds: time,
  reason: fc.constant('owner active on seat0'),
});

const anyMachine: fc.Arbitrary<Machine> = fc
  .record({
    phase: fc.constantFrom('starting' as const, 'running' as const, 'ended' as const, 'cleared' as const),
    domain: fc.constantFrom(
      'running' as const,
      'paused' as const,
      'shutdown' as const,
      'gone' as const,
      'unknown' as const,
    ),
    slot: fc.nat({ max: 15 }),
    machinetype: fc.constantFrom(...NAMES, 'forgotten'),
    processors: fc.integer({ min: 1, max: 6 }),
    createdTimeSeconds: fc.oneof(time, fc.constant(NOW)),
    leftSeconds: fc.integer({ min: -100, max: 90_000 }),
    heartbeat: fc.constantFrom(null, 'heartbeat'),
    seen: fc.record({
      heartbeatTimeSeconds: orNull(time),
      goneTimeSeconds: orNull(time),
      pausedForSeconds: fc.nat({ max: 1000 }),
      pausedByIoError: fc.boolean(),
      stop: orNull(fc.boolean().map((politely) => stopRequest({ politely }))),
      suspension: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, anySuspension),
      pastSuspensions: fc.record({ count: fc.nat({ max: 4 }), seconds: fc.nat({ max: 5000 }) }),
      throttled: orNull(fc.boolean()),
      stopAskedForSeconds: orNull(fc.nat({ max: 60 })),
      heartbeatFileAgeSeconds: orNull(fc.nat({ max: 1000 })),
      shutdownMessage: message,
      creationProblem: fc.constantFrom(null, 'creation failed'),
      busy: fc.nat({ max: 4 }).map((n) => n === 0),
      retryInSeconds: fc.constantFrom(0, 0, 0, 2.5),
      exported: orNull(fc.boolean()),
    }),
    endTimeSeconds: time,
  })
  .map(({ phase, domain, leftSeconds, heartbeat, seen, endTimeSeconds, ...recipe }) =>
    machine({
      ...seen,
      phase,
      domain,
      record: record({ ...recipe, heartbeatFile: heartbeat, heartbeatSeconds: 300 }),
      shutdownTimeSeconds: NOW + leftSeconds,
      end: phase === 'ended' || phase === 'cleared' ? end({ timeSeconds: endTimeSeconds }) : null,
    }),
  );

const anyNews: fc.Arbitrary<MachinetypeNews> = fc
  .record({
    machinetype: fc.constantFrom(...NAMES, 'foreign'),
    factory: fc.constantFrom('factory2.example.com', 'factory3.example.com'),
    runningHs06: fc.nat({ max: 100 }),
    beforeFizzle: fc.constantFrom(0, 0, 1),
    lastEnd: orNull(fc.record({ timeSeconds: time, message, hostname: fc.constant('factory2-00.example.com') })),
  })
  .map(({ machinetype: name, ...changes }) => news(name, changes));

const anyService = fc
  .record({ ready: fc.nat({ max: 9 }).map((n) => n > 0), busy: fc.boolean(), retryInSeconds: fc.constantFrom(0, 3) })
  .map((changes) => service({ ...changes, readyForSeconds: changes.ready ? 1000 : 0 }));

const anyHost: fc.Arbitrary<HostFacts> = fc
  .record({
    processors: fc.integer({ min: 1, max: 16 }),
    memoryMiB: fc.constantFrom(4096, 16_384, 65_536),
    loadAverages: fc.tuple(fc.nat({ max: 6 }), fc.nat({ max: 6 }), fc.nat({ max: 6 })),
    ioPressurePercent: orNull(fc.nat({ max: 70 })),
    stateFreeBytes: fc.constantFrom(100e9, 100e9, 100e9, 2e8),
    hypervisorProblem: fc.constantFrom(null, null, null, { sinceSeconds: NOW - 5, message: 'down' }),
    services: fc.record({
      firewall: anyService,
      network: anyService,
      metadata: anyService,
      nfs: anyService,
      syslog: anyService,
    }),
  })
  .map((changes) => host(changes));

const anyLastEnd: fc.Arbitrary<LastEnd> = fc.record({
  createdTimeSeconds: time,
  timeSeconds: time,
  message,
  hostname: fc.constant('factory1-00.example.com'),
});

const anyEarlyDeaths: fc.Arbitrary<EarlyDeaths> = fc
  .record({
    provenTimeSeconds: fc.oneof(fc.constant(0), time),
    deaths: fc.array(
      fc.record({
        createdTimeSeconds: time,
        timeSeconds: time,
        message: fc.constant('200 Success'),
        hostname: fc.constant('factory1-00.example.com'),
      }),
      { maxLength: 5 },
    ),
    olderDeaths: fc.constantFrom(0, 0, 40),
  })
  .map(({ deaths, provenTimeSeconds, olderDeaths }) => ({
    provenTimeSeconds,
    deaths: deaths
      .filter((death) => death.createdTimeSeconds > provenTimeSeconds)
      .sort((a, b) => b.createdTimeSeconds - a.createdTimeSeconds),
    olderDeaths,
  }));

const anyOrders: fc.Arbitrary<RunOrders> = fc
  .record({
    drains: fc.nat({ max: 4 }).map((n) => n === 0),
    drain: fc
      .record({
        untilSeconds: orNull(fc.integer({ min: NOW - 100, max: NOW + 100 })),
        byTimeSeconds: orNull(fc.integer({ min: NOW - 100, max: NOW + 100_000 })),
      })
      .map(drainOrder),
    shutdownTimeSeconds: fc.option(fc.integer({ min: NOW - 100, max: NOW + 100_000 }), { nil: null, freq: 3 }),
    startsLeft: orNull(fc.nat({ max: 10 })),
    stopAll: fc.nat({ max: 9 }).map((n) => n === 0),
  })
  .map(({ drains, drain, ...changes }) => orders({ ...changes, drain: drains ? drain : null }));

const anyImage: fc.Arbitrary<ImageState> = fc.record({
  phase: fc.constantFrom('ready', 'ready', 'checking', 'fetching', 'unavailable'),
  busy: fc.boolean(),
  doing: fc.constant('is looked at'),
  retryInSeconds: fc.constantFrom(0, 0, 10),
});

const anyOvernight: fc.Arbitrary<OvernightVerdict> = fc
  .record({
    to: fc.constantFrom(
      ['closed', 'stop'] as const,
      ['waiting', 'suspend'] as const,
      ['open', 'run'] as const,
      ['running', 'run'] as const,
      ['throttled', 'throttle'] as const,
      ['suspended', 'suspend'] as const,
      ['stopping', 'stop'] as const,
    ),
    goneBySeconds: orNull(fc.integer({ min: NOW - 100, max: NOW + 100_000 })),
    maxSuspensions: fc.nat({ max: 4 }),
    maxSuspendedSeconds: fc.constantFrom(0, 3600),
  })
  .map(({ to: [name, machines], ...changes }) =>
    overnight({ ...changes, state: name, machines, mayStart: name === 'open' }),
  );

export const anyState: fc.Arbitrary<FactoryState> = fc
  .record({
    slots: fc.integer({ min: 0, max: 16 }),
    host: anyHost,
    // One machine a second and slot, as names have it.
    machines: fc.uniqueArray(anyMachine, {
      maxLength: 12,
      selector: ({ record: { createdTimeSeconds, slot } }) => `${createdTimeSeconds} ${slot}`,
    }),
    zombies: fc.uniqueArray(
      fc.record({ slot: fc.nat({ max: 15 }), busy: fc.boolean() }).map(({ slot, busy }) => ({
        uuid: `zombie-${slot}`,
        name: `zombie-${slot}`,
        slot,
        retryInSeconds: 0,
        busy,
      })),
      { maxLength: 2, selector: ({ uuid }) => uuid },
    ),
    peers: fc.array(anyNews, { maxLength: 6 }),
    uses: fc.dictionary(fc.constantFrom(...NAMES), fc.nat({ max: 1e6 })).map((uses) => new Map(Object.entries(uses))),
    lastEnds: fc.dictionary(fc.constantFrom(...NAMES), anyLastEnd).map((ends) => new Map(Object.entries(ends))),
    creationFailures: fc
      .dictionary(
        fc.constantFrom(...NAMES),
        fc.record({ count: fc.integer({ min: 1, max: 40 }), timeSeconds: time, message: fc.constant('no image') }),
      )
      .map((failures) => new Map(Object.entries(failures))),
    images: fc.dictionary(fc.constantFrom(...NAMES), anyImage).map((images) => new Map(Object.entries(images))),
    earlyDeaths: fc.dictionary(fc.constantFrom(...NAMES), anyEarlyDeaths).map((runs) => new Map(Object.entries(runs))),
    spaceHeard: fc.nat({ max: 9 }).map((n) => n > 0),
    queryProblem: fc.nat({ max: 9 }).map((n) => (n > 0 ? null : 'the port is taken')),
    orders: anyOrders,
    overnight: orNull(anyOvernight),
  })
  .map(({ slots, ...changes }) => state({ ...changes, slots, totalProcessors: slots }));
