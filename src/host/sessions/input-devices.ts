/**
 * When a key was last pressed or a mouse moved, whatever desktop runs: each evdev device tells every reader that something
 * happened, also one that only wants to know that. What happened is read into a buffer and forgotten. (The times of these
 * files say nothing: the kernel does not keep them.)
 */

import { closeSync, constants, openSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Sensed } from '../../factory/overnight-types.js';
import { known, type Sensor } from './sensor.js';

/** An owner who comes back is to be noticed well within a second. */
const LOOK_MS = 200;
/** Between two looks for devices that were plugged in. */
const DEVICES_MS = 5_000;
/** More than a device gives between two looks; what is left comes with the next. */
const READ_BYTES = 64 * 1024;

export class InputSensor implements Sensor<Sensed<number>> {
  private readonly devices = new Map<string, number>();
  private readonly scratch = Buffer.alloc(READ_BYTES);
  private readonly timers: NodeJS.Timeout[] = [];
  private problem: string | null = null;
  private lastInputMs: number;

  /** @param directory where the devices are, `event0` and so on */
  constructor(private readonly directory = '/dev/input') {
    this.lastInputMs = performance.now();
  }

  start(changed: () => void): void {
    this.lastInputMs = performance.now();
    void this.findDevices();
    this.timers.push(setInterval(() => void this.findDevices(), DEVICES_MS));
    this.timers.push(
      setInterval(() => {
        if (this.drain()) changed();
      }, LOOK_MS),
    );
  }

  /** Seconds since the last input; since vacd began to look, where there was none. */
  read(nowMs: number): Sensed<number> {
    return this.problem === null ? known((nowMs - this.lastInputMs) / 1000) : { unknown: this.problem };
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    for (const descriptor of this.devices.values()) closeSync(descriptor);
    this.devices.clear();
  }

  private async findDevices(): Promise<void> {
    const names = await readdir(this.directory).catch(() => []);
    for (const name of names.filter((each) => /^event\d+$/.test(each) && !this.devices.has(each))) {
      try {
        this.devices.set(name, openSync(`${this.directory}/${name}`, constants.O_RDONLY | constants.O_NONBLOCK));
      } catch {
        // Unplugged between the listing and now; or it cannot be opened, and then the others have to do.
      }
    }
    this.problem = this.devices.size > 0 ? null : `there is no input device in ${this.directory}`;
  }

  /** Whether any device had something to say. */
  private drain(): boolean {
    let any = false;
    for (const [name, descriptor] of this.devices) {
      try {
        if (readSync(descriptor, this.scratch, 0, READ_BYTES, null) > 0) any = true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') continue;
        // Unplugged.
        closeSync(descriptor);
        this.devices.delete(name);
      }
    }
    if (any) this.lastInputMs = performance.now();
    return any;
  }
}
