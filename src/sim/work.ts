/**
 * The experiments' queues: how many processors of each machinetype find work at a time. A machine looks for work once it
 * has booted, and keeps its place until it ends. What the queue has may change at any time; who works goes on to the end
 * of their life.
 */

/** How much work a type has from a moment on. */
export interface WorkStep {
  readonly fromSeconds: number;
  /** Processors that find work at one time; 0 = none, Infinity = as many as there are. */
  readonly processors: number;
}

/** Ascending in time; before the first step there is no work. */
export type WorkPlan = readonly WorkStep[];

export const ALWAYS: WorkPlan = [{ fromSeconds: 0, processors: Number.POSITIVE_INFINITY }];

/** Work in the first part of each period, as a queue that runs dry and fills again. */
export function cyclic(
  periodSeconds: number,
  partWithWork: number,
  offsetSeconds: number,
  untilSeconds: number,
): WorkPlan {
  const steps: WorkStep[] = [];
  for (let start = offsetSeconds - periodSeconds; start < untilSeconds; start += periodSeconds) {
    const dry = start + periodSeconds * partWithWork;
    if (dry > 0) steps.push({ fromSeconds: Math.max(0, start), processors: Number.POSITIVE_INFINITY });
    if (start + periodSeconds > 0) steps.push({ fromSeconds: Math.max(0, dry), processors: 0 });
  }
  return steps.filter((step, index) => steps[index + 1]?.fromSeconds !== step.fromSeconds);
}

/** One type's queue while the simulation runs. Times only go forward. */
export class WorkQueue {
  /** Processors at work. */
  #taken = 0;
  #next = 0;
  #processors = 0;

  constructor(readonly plan: WorkPlan) {}

  /** Processors that there is work for at this time, those at work included. */
  capacity(nowSeconds: number): number {
    for (let step = this.plan[this.#next]; step !== undefined; step = this.plan[this.#next]) {
      if (step.fromSeconds > nowSeconds) break;
      this.#processors = step.processors;
      this.#next += 1;
    }
    return this.#processors;
  }

  get taken(): number {
    return this.#taken;
  }

  hasRoom(processors: number, nowSeconds: number): boolean {
    return this.#taken + processors <= this.capacity(nowSeconds);
  }

  take(processors: number): void {
    this.#taken += processors;
  }

  /** What a machine says that ends its work: that there is more, or no more. */
  release(processors: number, nowSeconds: number): '200 Success' | '300 No more work' {
    const more = this.#taken <= this.capacity(nowSeconds);
    this.#taken -= processors;
    return more ? '200 Success' : '300 No more work';
  }
}

/** When the work of any type changes, for measures that begin anew at such times. */
export function changeTimes(plans: Iterable<WorkPlan>): number[] {
  const times = new Set<number>();
  for (const plan of plans) for (const { fromSeconds } of plan) if (fromSeconds > 0) times.add(fromSeconds);
  return [...times].sort((a, b) => a - b);
}
