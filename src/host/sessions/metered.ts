/** Whether traffic costs somebody something, by NetworkManager. */

import type { Sensed } from '../../factory/overnight-types.js';
import { known, NOT_YET, Repeated, type Sensor } from './sensor.js';
import { isAbsent, type SystemBus } from './system-bus.js';

const LOOK_MS = 30_000;
const SERVICE = 'org.freedesktop.NetworkManager';
/** NMMetered: yes, and what it takes for yes (a phone, say). */
const METERED = [1, 3];
const UNMETERED = [2, 4];

export class MeteredSensor implements Sensor<Sensed<boolean>> {
  private seen: Sensed<boolean> = NOT_YET;
  private changed = () => {};
  private readonly looks = new Repeated(() => this.look(), LOOK_MS);

  constructor(private readonly bus: SystemBus) {}

  start(changed: () => void): void {
    this.changed = changed;
    this.looks.start();
  }

  read(): Sensed<boolean> {
    return this.seen;
  }

  close(): void {
    this.looks.close();
  }

  private async look(): Promise<void> {
    const before = JSON.stringify(this.seen);
    this.seen = await this.ask();
    if (JSON.stringify(this.seen) !== before) this.changed();
  }

  private async ask(): Promise<Sensed<boolean>> {
    try {
      const properties = await this.bus.properties(SERVICE, '/org/freedesktop/NetworkManager', SERVICE);
      const metered = properties.get('Metered');
      if (METERED.includes(metered as number)) return known(true);
      if (UNMETERED.includes(metered as number)) return known(false);
      return { unknown: 'NetworkManager does not know whether the network is metered' };
    } catch (error) {
      return { unknown: isAbsent(error) ? 'this host has no NetworkManager to tell' : (error as Error).message };
    }
  }
}
