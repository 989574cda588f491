/**
 * CPU that the host spends on others than us: all that it is busy with, less our machines (their QEMU processes), vacd
 * and what vacd has run. Its servers (NFS, logs, the processes without root) count as others: they hardly show. By /proc
 * alone, so it is the same under either version of cgroups, or none; the machines' own load never counts as somebody's.
 */

import { readFile } from 'node:fs/promises';
import type { Sensed } from '../../factory/overnight-types.js';
import { known, NOT_YET, Repeated, type Sensor } from './sensor.js';

const LOOK_MS = 2_000;
/** Over how long it is averaged: a mail that comes in is no work, a build is. */
const WINDOW_MS = 10_000;

export interface OwnProcesses {
  /** Names of the machines that run: libvirt writes the pid of each one's QEMU into a file of that name. */
  readonly machines: () => readonly string[];
  /** Where libvirt has its pid files. */
  readonly pidDirectory?: string;
}

interface Sample {
  readonly atMs: number;
  /** All processors together, ticks. */
  readonly totalTicks: number;
  readonly busyTicks: number;
  /** By process. */
  readonly ownTicks: ReadonlyMap<number, number>;
}

interface Spent {
  readonly atMs: number;
  readonly totalTicks: number;
  readonly otherTicks: number;
}

export class OtherCpuSensor implements Sensor<Sensed<number>> {
  private before: Sample | null = null;
  private spent: readonly Spent[] = [];
  private problem: string | null = null;
  private changed = () => {};
  private readonly looks = new Repeated(() => this.look(), LOOK_MS);

  constructor(private readonly own: OwnProcesses) {}

  start(changed: () => void): void {
    this.changed = changed;
    this.looks.start();
  }

  /** Percent of all processors. */
  read(): Sensed<number> {
    if (this.problem !== null) return { unknown: this.problem };
    const total = this.spent.reduce((sum, { totalTicks }) => sum + totalTicks, 0);
    if (total === 0) return NOT_YET;
    return known((100 * this.spent.reduce((sum, { otherTicks }) => sum + otherTicks, 0)) / total);
  }

  close(): void {
    this.looks.close();
  }

  private async look(): Promise<void> {
    try {
      const now = await this.sample();
      if (this.before !== null) this.add(this.before, now);
      this.before = now;
      this.problem = null;
    } catch (error) {
      this.problem = (error as Error).message;
    }
    this.changed();
  }

  private add(before: Sample, now: Sample): void {
    const totalTicks = now.totalTicks - before.totalTicks;
    if (totalTicks <= 0) return;
    let ownTicks = 0;
    for (const [pid, ticks] of now.ownTicks) ownTicks += Math.max(0, ticks - (before.ownTicks.get(pid) ?? 0));
    // What a machine used between the last look and its end is in nobody's account any more: it counts as another's
    // for this look, which is on the safe side.
    const otherTicks = Math.max(0, now.busyTicks - before.busyTicks - ownTicks);
    const recent = this.spent.filter(({ atMs }) => atMs > now.atMs - WINDOW_MS);
    this.spent = [...recent, { atMs: now.atMs, totalTicks, otherTicks }];
  }

  private async sample(): Promise<Sample> {
    const { totalTicks, busyTicks } = cpuTicks(await readFile('/proc/stat', 'utf8'));
    const directory = this.own.pidDirectory ?? '/run/libvirt/qemu';
    const files = this.own.machines().map((name) => readFile(`${directory}/${name}.pid`, 'utf8').catch(() => ''));
    const machines = (await Promise.all(files)).map((text) => Number.parseInt(text, 10)).filter((pid) => pid > 0);
    const ownTicks = new Map<number, number>();
    for (const pid of [process.pid, ...machines]) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
      if (stat !== null) ownTicks.set(pid, processTicks(stat));
    }
    return { atMs: performance.now(), totalTicks, busyTicks, ownTicks };
  }
}

/** The line of all processors in /proc/stat (proc(5)): user nice system idle iowait irq softirq steal guest guest_nice. */
export function cpuTicks(stat: string): { totalTicks: number; busyTicks: number } {
  const line = /^cpu +(.*)$/m.exec(stat)?.[1];
  const fields = (line ?? '').split(' ').map(Number);
  if (line === undefined || fields.length < 8 || fields.some((field) => !Number.isFinite(field))) {
    throw new Error('/proc/stat does not tell the use of processors');
  }
  // What a machine uses is in `user` (or `nice`) as well as in `guest`: only the first eight add up.
  const totalTicks = fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  const [, , , idle = 0, iowait = 0, , , steal = 0] = fields;
  return { totalTicks, busyTicks: totalTicks - idle - iowait - steal };
}

/** Of a process and its children that have ended, from /proc/<pid>/stat: fields 14 to 17, counted from behind its name. */
export function processTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [14, 15, 16, 17].reduce((sum, field) => sum + Number(fields[field - 3]), 0);
}
