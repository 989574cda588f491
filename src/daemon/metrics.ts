/**
 * What Prometheus is told of this factory. What happens is counted as it happens, by the hooks of the daemon's parts;
 * what is so is looked up in the Memory when somebody asks (metrics-gauges.ts). Nothing here runs by itself.
 *
 * Label values are bounded: machinetypes and factories come from the configuration, shutdown codes have three digits,
 * all else is words of this program.
 */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { outcomeCode } from '../factory/outcome.js';
import type { Decision, Plan } from '../factory/plan.js';
import type { CallOutcome } from '../host/libvirt.js';
import type { JournalEntry } from '../machines/journal.js';
import type { StepListener } from '../machines/tools.js';
import { VERSION } from '../version.js';
import type { Memory } from './memory.js';
import { COUNTERS, GAUGES, type MetricsFacts, type MetricsSources, type Series } from './metrics-gauges.js';

/** However many ask, the text is made once in so long. */
const TEXT_MS = 1000;
/** How often the event loop's lag is looked at. */
const LAG_RESOLUTION_MS = 100;
const STEP_BUCKETS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 120];
const CALL_BUCKETS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30];
const PASS_BUCKETS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const NS_PER_SECOND = 1e9;

/** Decisions that are deeds; all others are verdicts, which stay the same over many passes. */
const DEEDS: ReadonlySet<string> = new Set(['started', 'machine']);

export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readonly starts = new Counter({
    name: 'vac_machine_starts_total',
    help: 'Machines started by this vacd.',
    labelNames: ['machinetype'],
    registers: this.registers,
  });
  private readonly creationFailures = new Counter({
    name: 'vac_machine_creation_failures_total',
    help: 'Machines that could not be created.',
    labelNames: ['machinetype'],
    registers: this.registers,
  });
  private readonly ends = new Counter({
    name: 'vac_machine_ends_total',
    help: 'Machines that ended, by the first three digits of their shutdown message; "none" without such a message.',
    labelNames: ['machinetype', 'code'],
    registers: this.registers,
  });
  private readonly steps = new Histogram({
    name: 'vac_step_duration_seconds',
    help: 'Time that each step of making and ending a machine took.',
    labelNames: ['step'],
    buckets: STEP_BUCKETS,
    registers: this.registers,
  });
  private readonly records = new Counter({
    name: 'vac_accounting_records_written_total',
    help: 'Accounting records put into the archive.',
    registers: this.registers,
  });
  private readonly decided = new Counter({
    name: 'vac_decisions_total',
    help: 'Decisions by their code, as "vac why" shows them; a verdict that stays the same counts once.',
    labelNames: ['code'],
    registers: this.registers,
  });
  private readonly passes = new Histogram({
    name: 'vac_pass_duration_seconds',
    help: 'Time that a pass of the loop took: from the facts to the actions begun.',
    buckets: PASS_BUCKETS,
    registers: this.registers,
  });
  private readonly calls = new Histogram({
    name: 'vac_libvirt_call_duration_seconds',
    help: 'Time that calls of libvirt took, by operation, those that failed too.',
    labelNames: ['call'],
    buckets: CALL_BUCKETS,
    registers: this.registers,
  });
  private readonly callFailures = new Counter({
    name: 'vac_libvirt_call_failures_total',
    help: 'Calls of libvirt that failed: refused (it answered no) or unreachable (it did not answer).',
    labelNames: ['call', 'failure'],
    registers: this.registers,
  });
  private sources: MetricsSources = {};
  /** Verdicts of the last pass by subject. */
  private verdicts: ReadonlyMap<string, string> = new Map();
  private readonly standstillsSeen = new Set<string>();
  private lag: IntervalHistogram | null = null;
  private facts: MetricsFacts | null = null;
  private made: { readonly atMs: number; readonly text: Promise<string> } | null = null;

  /** @param textMs how old the text may be that is given to who asks next */
  constructor(
    private readonly memory: Memory,
    private readonly textMs = TEXT_MS,
  ) {
    for (const series of GAUGES) this.follow(series, new Gauge(this.configurationOf(series)));
    for (const series of COUNTERS) this.follow(series, new Counter(this.configurationOf(series)));
  }

  /** Where else to look: parts that are made after this one, or only on some factories. */
  watch(sources: MetricsSources): void {
    this.sources = { ...this.sources, ...sources };
  }

  /** The exposition text. */
  text(): Promise<string> {
    const nowMs = performance.now();
    if (this.made === null || nowMs >= this.made.atMs + this.textMs) this.made = { atMs: nowMs, text: this.make() };
    return this.made.text;
  }

  machineStarted(machinetype: string): void {
    this.starts.inc({ machinetype });
  }

  creationFailed(machinetype: string): void {
    this.creationFailures.inc({ machinetype });
  }

  /** What never ran was no machine, but a creation that failed. */
  machineEnded({ record, startedTimeSeconds, end }: JournalEntry): void {
    if (startedTimeSeconds === null) return;
    const code = outcomeCode(end?.message ?? null);
    this.ends.inc({ machinetype: record.machinetype, code: code === null ? 'none' : String(code).padStart(3, '0') });
  }

  readonly step: StepListener = (_machine, step, moment, milliseconds) => {
    if (moment === 'end') this.steps.observe({ step }, milliseconds / 1000);
    // The step after the archive's: told of only where a record was written.
    else if (step === 'record-released') this.records.inc();
  };

  passed(plan: Plan, milliseconds: number): void {
    this.passes.observe(milliseconds / 1000);
    const verdicts = new Map<string, string>();
    for (const decision of plan.decisions) {
      const { code } = decision;
      if (DEEDS.has(code)) {
        this.decided.inc({ code });
        continue;
      }
      const subject = subjectOf(decision);
      if (this.verdicts.get(subject) !== code) this.decided.inc({ code });
      verdicts.set(subject, code);
    }
    this.verdicts = verdicts;
    if (plan.standstill !== null) this.standstillsSeen.add(plan.standstill.code);
  }

  libvirtCalled(call: string, milliseconds: number, outcome: CallOutcome): void {
    this.calls.observe({ call }, milliseconds / 1000);
    if (outcome !== 'done') this.callFailures.inc({ call, failure: outcome });
  }

  private configurationOf({ name, help, labels = [] }: Series) {
    return { name, help, labelNames: [...labels], registers: this.registers };
  }

  /** Has the values of a metric looked up at each scrape, so that what is gone leaves nothing behind. */
  private follow(series: Series, metric: Gauge | Counter): void {
    Object.assign(metric, {
      collect: () => {
        metric.reset();
        // One without labels is 0 from the beginning, which is not the same as not known.
        if (series.labels === undefined) metric.remove();
        for (const [value, labels] of series.read(this.facts!)) metric.inc(labels ?? {}, value);
      },
    });
  }

  private async make(): Promise<string> {
    await this.sources.look?.();
    for (const { name } of this.memory.config.machinetypes) {
      // From zero on, so that rates see the first one, too.
      this.starts.inc({ machinetype: name }, 0);
      this.creationFailures.inc({ machinetype: name }, 0);
    }
    this.facts = {
      memory: this.memory,
      state: this.memory.state(Math.floor(Date.now() / 1000), performance.now()),
      sources: this.sources,
      space: this.sources.space?.() ?? null,
      gossip: this.sources.gossip?.() ?? null,
      standstillsSeen: this.standstillsSeen,
      lagSeconds: this.takeLag(),
      version: VERSION,
    };
    return this.registry.metrics();
  }

  /** Since it was last taken. */
  private takeLag(): MetricsFacts['lagSeconds'] {
    if (this.lag === null) {
      this.lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
      this.lag.enable();
      return null;
    }
    if (this.lag.count === 0) return null;
    // It tells the time between two looks: the resolution, and what they came late.
    const late = (ns: number) => Math.max(0, ns / NS_PER_SECOND - LAG_RESOLUTION_MS / 1000);
    const taken = { mean: late(this.lag.mean), p99: late(this.lag.percentile(99)), max: late(this.lag.max) };
    this.lag.reset();
    return taken;
  }

  /** Ends what looks at the event loop. */
  close(): void {
    this.lag?.disable();
    this.lag = null;
  }
}

function subjectOf({ slot, machinetype, machine }: Decision): string {
  return `${slot ?? ''} ${machinetype ?? ''} ${machine ?? ''}`;
}
