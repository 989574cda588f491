import { writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Metrics } from '../../src/daemon/metrics.js';
import type { SpaceFacts } from '../../src/daemon/metrics-gauges.js';
import type { Plan } from '../../src/factory/plan.js';
import { config, end, FACTORY, machinetype, news, record } from '../factory/builders.js';
import { type Family, parseExposition, valuesOf } from './exposition.js';
import { TestFactory, until } from './test-factory.js';

let factory: TestFactory;
let metrics: Metrics;

beforeEach(async () => {
  factory = await TestFactory.create({
    machinetypes: [
      { name: 'prod', targetShare: 3, machinegroup: 'vo' },
      { name: 'user', targetShare: 1, machinegroup: 'vo' },
    ],
  });
  metrics = new Metrics(factory.memory, 0);
  factory.listen = metrics.step;
  factory.hooks = {
    onStarted: ({ entry }) => metrics.machineStarted(entry.record.machinetype),
    onCreationFailed: ({ entry }) => metrics.creationFailed(entry.record.machinetype),
    onEnded: ({ entry }) => metrics.machineEnded(entry),
  };
});

afterEach(async () => {
  metrics.close();
  vi.useRealTimers();
  vi.restoreAllMocks();
  await factory.dispose();
});

async function scrape(): Promise<Map<string, Family>> {
  return parseExposition(await metrics.text());
}

async function values(name: string): Promise<Record<string, number>> {
  return valuesOf(await scrape(), name);
}

function passWith(...decisions: Partial<Plan['decisions'][number]>[]): void {
  const standstill = decisions.find(({ code }) => code === 'overloaded') ? 'overloaded' : null;
  metrics.passed(
    {
      actions: [],
      decisions: decisions.map((decision) => ({
        timeSeconds: 1,
        slot: null,
        machinetype: null,
        machine: null,
        code: 'machine',
        reason: '',
        ...decision,
      })),
      standstill: standstill === null ? null : { code: standstill, reason: 'load' },
    },
    0.5,
  );
}

describe('the text', () => {
  test('is in the format, with names and help as Prometheus wants them', async () => {
    metrics.watch({
      space: () => ({ alone: false, peers: [{ factory: 'f2.example.com', outcome: 'complete', heardSecondsAgo: 3 }] }),
      datagrams: () => ({
        received: new Map([['machines_query', 2]]),
        sent: new Map([['machine_status', 8]]),
        refused: new Map([['stranger', 1]]),
      }),
      vacmon: () => [['m.example.com:8884', 7]],
      census: () => ({ timeSeconds: 1_795_237_353, factories: 2 }),
    });
    metrics.libvirtCalled('createDomain', 12, 'done');
    passWith({ slot: 1, code: 'overloaded' });
    const families = await scrape();
    expect(families.size).toBeGreaterThan(40);
    for (const { name, type, help } of families.values()) {
      expect(name).toMatch(/^(vac|process)_[a-z0-9_]+$/);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(help, name).toMatch(/^[A-Z].*\.$/);
      // Base units only.
      expect(name).not.toMatch(/_(ms|milliseconds|kb|percent|minutes)(_|$)/);
    }
    expect(families.get('vac_step_duration_seconds')?.type).toBe('histogram');
  });

  test('is made once a second, however many ask', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    metrics = new Metrics(factory.memory);
    const made = vi.spyOn(factory.memory, 'state');
    const texts = await Promise.all(Array.from({ length: 5_000 }, () => metrics.text()));
    expect(new Set(texts).size).toBe(1);
    expect(made).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(999);
    await metrics.text();
    expect(made).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(1);
    await metrics.text();
    expect(made).toHaveBeenCalledTimes(2);
  });

  test('carries any label value unharmed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (name) => {
        factory.memory.config = config([machinetype('prod', { machinegroup: `g ${name}` })]);
        const [series] = (await scrape()).get('vac_share_wanted_ratio')!.series;
        expect(series!.labels.machinegroup).toBe(`g ${name}`);
      }),
      { numRuns: 50 },
    );
  });

  test('of a space of a thousand factories is made in a moment', async () => {
    const peers = Array.from({ length: 1_000 }, (_, index) => ({
      factory: `wn${index}.example.com`,
      outcome: 'complete' as const,
      heardSecondsAgo: index,
    }));
    metrics.watch({ space: () => ({ alone: false, peers }) });
    const families = await scrape();
    expect(families.get('vac_peer_news_age_seconds')!.series).toHaveLength(1_000);
    expect(valuesOf(families, 'vac_space_peers_answering')).toEqual({ '': 1_000 });
  });
});

describe('machines', () => {
  test('by type and state, with zeros for what there is none of', async () => {
    await factory.addMachine({ slot: 0, processors: 2 });
    const paused = await factory.addMachine({ slot: 1 });
    const ended = await factory.addMachine({ slot: 2, machinetype: 'user' }, { phase: 'ended', end: end() });
    const starting = await factory.addMachine({ slot: 3, machinetype: 'user' }, { phase: 'starting' });
    for (const machine of [paused, ended, starting]) machine.busy = true;
    await factory.observer.listDomains();
    paused.domain = { ...paused.domain!, state: 'paused' };
    const families = await scrape();
    expect(valuesOf(families, 'vac_machines')).toEqual({
      'machinetype=prod state=starting': 0,
      'machinetype=prod state=running': 1,
      'machinetype=prod state=stopping': 0,
      'machinetype=prod state=paused': 1,
      'machinetype=prod state=unknown': 0,
      'machinetype=prod state=ended': 0,
      'machinetype=user state=starting': 1,
      'machinetype=user state=running': 0,
      'machinetype=user state=stopping': 0,
      'machinetype=user state=paused': 0,
      'machinetype=user state=unknown': 0,
      'machinetype=user state=ended': 1,
    });
    expect(valuesOf(families, 'vac_processors_used')).toEqual({ 'machinetype=prod': 3, 'machinetype=user': 1 });
    expect(valuesOf(families, 'vac_processors')).toEqual({ '': 4 });
    expect(valuesOf(families, 'vac_slots')).toEqual({ '': 4 });
  });

  test('are counted as they start and end, and each step of that is timed', async () => {
    factory.pass();
    await factory.settle();
    const [machine] = factory.memory.machines.values();
    await writeFile(factory.joboutput(machine!, 'shutdown_message'), '300 No work\n');
    factory.hypervisor.domains.delete(machine!.entry.record.uuid);
    await factory.observer.listDomains();
    factory.memory.orders = { ...factory.memory.orders, startsLeft: 0 };
    await factory.drive();
    const families = await scrape();
    const startsOf = valuesOf(families, 'vac_machine_starts_total');
    expect(startsOf['machinetype=prod']! + startsOf['machinetype=user']!).toBe(4);
    const { machinetype } = machine!.entry.record;
    expect(valuesOf(families, 'vac_machine_ends_total')).toEqual({ [`machinetype=${machinetype} code=300`]: 1 });
    const steps = families.get('vac_step_duration_seconds')!.series.filter(({ name }) => name.endsWith('_count'));
    const counts = Object.fromEntries(steps.map(({ labels, value }) => [labels.step, value]));
    expect(counts).toMatchObject({ intent: 4, libvirt: 4, started: 4, finished: 1, accounting: 1, cleared: 1 });
    expect(valuesOf(families, 'vac_creation_failures_in_a_row')).toEqual({
      'machinetype=prod': 0,
      'machinetype=user': 0,
    });
  });

  test('that could not be created are no starts and no ends', async () => {
    factory.listen = (...step) => {
      if (step[1] === 'disks') throw new Error('no');
      return metrics.step(...step);
    };
    factory.memory.config = config([machinetype('prod', { rootImage: '/none' })]);
    factory.memory.orders = { ...factory.memory.orders, startsLeft: 1 };
    factory.pass();
    await factory.settle();
    const families = await scrape();
    expect(valuesOf(families, 'vac_machine_creation_failures_total')).toEqual({ 'machinetype=prod': 1 });
    expect(valuesOf(families, 'vac_machine_starts_total')).toEqual({ 'machinetype=prod': 0 });
    expect(valuesOf(families, 'vac_creation_failures_in_a_row')).toEqual({ 'machinetype=prod': 1 });
  });

  test('end by code: three digits, or none', async () => {
    const entry = (await factory.addMachine()).entry;
    for (const message of ['200 Success', '007', '3000 x', 'ok', null]) {
      metrics.machineEnded({ ...entry, end: end({ message }) });
    }
    metrics.machineEnded({ ...entry, startedTimeSeconds: null, end: end() });
    expect(await values('vac_machine_ends_total')).toEqual({
      'machinetype=prod code=200': 1,
      'machinetype=prod code=007': 1,
      'machinetype=prod code=none': 3,
    });
  });

  test('that die early are told by type', async () => {
    const { entry } = await factory.addMachine({ createdTimeSeconds: 1_795_000_000 });
    const died = end({ timeSeconds: entry.startedTimeSeconds! + 2 });
    factory.memory.noteLife({ ...entry, end: died }, died.timeSeconds);
    expect(await values('vac_early_deaths_in_a_row')).toEqual({ 'machinetype=prod': 1, 'machinetype=user': 0 });
  });

  test('accounting records are counted when they are written, not when they are found', async () => {
    metrics.step('m', 'record-staged', 'begin', 0);
    metrics.step('m', 'record-released', 'begin', 0);
    metrics.step('m', 'accounting', 'end', 3);
    metrics.step('m', 'accounting', 'end', 3);
    expect(await values('vac_accounting_records_written_total')).toEqual({ '': 1 });
  });
});

describe('a machinetype that the configuration loses', () => {
  test('leaves no gauge behind, but stays as long as it has machines', async () => {
    const machine = await factory.addMachine({ slot: 0, machinetype: 'user' });
    factory.memory.config = config([machinetype('prod')]);
    expect(Object.keys(await values('vac_processors_used'))).toEqual(['machinetype=prod', 'machinetype=user']);
    expect(Object.keys(await values('vac_share_wanted_ratio'))).toEqual(['machinetype=prod machinegroup=prod']);
    factory.memory.machines.delete(machine.entry.record.id);
    const families = await scrape();
    for (const name of ['vac_machines', 'vac_processors_used', 'vac_running_hs06', 'vac_creation_failures_in_a_row']) {
      expect(JSON.stringify(families.get(name)), name).not.toContain('user');
    }
  });
});

describe('shares', () => {
  test('wanted by target_share; held of what the whole space is known to run', async () => {
    expect(await values('vac_share_held_ratio')).toEqual({
      'machinetype=prod machinegroup=vo': 0,
      'machinetype=user machinegroup=vo': 0,
    });
    await factory.addMachine({ slot: 0, hs06: 10 });
    await factory.addMachine({ slot: 1, hs06: 10, machinetype: 'user' });
    factory.memory.peers = [news('prod', { runningHs06: 20 }), news('theirs', { runningHs06: 40 })];
    const families = await scrape();
    expect(valuesOf(families, 'vac_share_wanted_ratio')).toEqual({
      'machinetype=prod machinegroup=vo': 0.75,
      'machinetype=user machinegroup=vo': 0.25,
    });
    expect(valuesOf(families, 'vac_share_held_ratio')).toEqual({
      'machinetype=prod machinegroup=vo': 30 / 80,
      'machinetype=user machinegroup=vo': 10 / 80,
    });
    expect(valuesOf(families, 'vac_running_hs06')).toEqual({ 'machinetype=prod': 10, 'machinetype=user': 10 });
  });
});

describe('decisions', () => {
  test('count when a verdict changes, and when something is done', async () => {
    const machine = record().id;
    passWith({ slot: 0, code: 'all-taken' }, { machinetype: 'prod', code: 'backoff' });
    passWith({ slot: 0, code: 'all-taken' }, { machinetype: 'prod', code: 'backoff' });
    passWith({ slot: 0, code: 'started', machine }, { machinetype: 'prod', code: 'may-start' }, { machine });
    passWith({ slot: 1, code: 'all-taken' }, { machinetype: 'prod', code: 'backoff' });
    const families = await scrape();
    expect(valuesOf(families, 'vac_decisions_total')).toEqual({
      'code=all-taken': 2,
      'code=backoff': 2,
      'code=started': 1,
      'code=may-start': 1,
      'code=machine': 1,
    });
    expect(valuesOf(families, 'vac_pass_duration_seconds')).toMatchObject({ 'le=0.0003': 0, 'le=0.001': 4 });
  });

  test('a standstill is 1 while it lasts and 0 when it is over', async () => {
    expect(await values('vac_standstill')).toEqual({});
    passWith({ slot: 0, code: 'overloaded' });
    factory.memory.standstill = { code: 'overloaded', reason: 'load' };
    expect(await values('vac_standstill')).toEqual({ 'code=overloaded': 1 });
    factory.memory.standstill = null;
    expect(await values('vac_standstill')).toEqual({ 'code=overloaded': 0 });
  });
});

describe('the host', () => {
  test('libvirt, services, problems, disk and load', async () => {
    const healthy = await scrape();
    expect(valuesOf(healthy, 'vac_libvirt_reachable')).toEqual({ '': 1 });
    expect(valuesOf(healthy, 'vac_problems')).toEqual({ '': 0 });
    expect(valuesOf(healthy, 'vac_io_pressure_ratio')).toEqual({ '': 0 });
    factory.memory.serviceFailed('nfs', 'it went away', performance.now());
    factory.memory.hypervisorProblem = { sinceSeconds: 1, message: 'gone' };
    factory.memory.host = { ...factory.memory.host, loadAverages: [1, 2, 3.5], ioPressurePercent: null };
    const sick = await scrape();
    expect(valuesOf(sick, 'vac_libvirt_reachable')).toEqual({ '': 0 });
    expect(valuesOf(sick, 'vac_problems')).toEqual({ '': 2 });
    expect(valuesOf(sick, 'vac_service_ready')).toEqual({
      'service=firewall': 1,
      'service=network': 1,
      'service=metadata': 1,
      'service=nfs': 0,
      'service=syslog': 1,
    });
    expect(valuesOf(sick, 'vac_load15')).toEqual({ '': 3.5 });
    expect(valuesOf(sick, 'vac_state_free_bytes')).toEqual({ '': 100e9 });
    expect(valuesOf(sick, 'vac_io_pressure_ratio')).toEqual({});
  });

  test('calls of libvirt by name, and those that failed by how', async () => {
    metrics.libvirtCalled('domainStats', 2, 'done');
    metrics.libvirtCalled('domainStats', 20_000, 'unreachable');
    metrics.libvirtCalled('createDomain', 5, 'refused');
    const families = await scrape();
    expect(valuesOf(families, 'vac_libvirt_call_failures_total')).toEqual({
      'call=domainStats failure=unreachable': 1,
      'call=createDomain failure=refused': 1,
    });
    const buckets = valuesOf(families, 'vac_libvirt_call_duration_seconds');
    expect(buckets['le=0.003 call=domainStats']).toBe(1);
    expect(buckets['le=30 call=domainStats']).toBe(2);
  });

  test('the event loop’s lag is what it was late, without the time between two looks', async () => {
    // Another one, which looks more often, begins before and ends after it, tells how busy this host was: until there was
    // nothing that made a look late by as much as the time between two.
    const other = monitorEventLoopDelay({ resolution: 10 });
    other.enable();
    let families: Awaited<ReturnType<typeof scrape>>;
    do {
      other.reset();
      await scrape();
      const soon = performance.now() + 450;
      while (performance.now() < soon) await turn();
      families = await scrape();
      const looks = other.count;
      await until('another look', () => other.count > looks);
    } while (other.max / 1e9 > 0.09);
    other.disable();
    const { '': mean } = valuesOf(families, 'vac_event_loop_lag_mean_seconds');
    const { '': max } = valuesOf(families, 'vac_event_loop_lag_max_seconds');
    expect(max).toBeLessThan(0.095);
    expect(max).toBeGreaterThanOrEqual(mean!);
    expect(valuesOf(families, 'vac_factory_info')).toEqual({ [`factory=${FACTORY} space=vac01.example.com`]: 1 });
  });
});

describe('the space', () => {
  test('says nothing while VacQuery is not spoken, and all when it is', async () => {
    for (const name of ['vac_space_alone', 'vac_space_peers', 'vac_peer_news_age_seconds', 'vac_census_factories']) {
      expect(await values(name), name).toEqual({});
    }
    const space: SpaceFacts = {
      alone: false,
      peers: [
        { factory: 'a.example.com', outcome: 'complete', heardSecondsAgo: 1.5 },
        { factory: 'b.example.com', outcome: 'none', heardSecondsAgo: 400 },
        { factory: 'c.example.com', outcome: 'none', heardSecondsAgo: null },
      ],
    };
    metrics.watch({ space: () => space });
    const families = await scrape();
    expect(valuesOf(families, 'vac_space_peers')).toEqual({ '': 3 });
    expect(valuesOf(families, 'vac_space_peers_answering')).toEqual({ '': 1 });
    expect(valuesOf(families, 'vac_space_alone')).toEqual({ '': 0 });
    expect(valuesOf(families, 'vac_peer_news_age_seconds')).toEqual({
      'peer=a.example.com': 1.5,
      'peer=b.example.com': 400,
    });
  });

  test('datagrams by direction and kind, and refusals by reason', async () => {
    metrics.watch({
      datagrams: () => ({
        received: new Map([['machines_query', 2]]),
        sent: new Map([['machine_status', 8]]),
        refused: new Map([['stranger', 3]]),
      }),
    });
    // Looked up anew each time, not added up.
    await scrape();
    const families = await scrape();
    expect(valuesOf(families, 'vac_vacquery_datagrams_total')).toEqual({
      'direction=received kind=machines_query': 2,
      'direction=sent kind=machine_status': 8,
    });
    expect(valuesOf(families, 'vac_vacquery_refused_total')).toEqual({ 'reason=stranger': 3 });
  });
});
