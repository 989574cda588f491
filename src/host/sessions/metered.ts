/** Whether traffic costs somebody something, by NetworkManager. */

import type { Sensed } from '../../factory/overnight-types.js';
import { AskingSensor, known, NOT_YET } from './sensor.js';
import { isAbsent, type SystemBus } from './system-bus.js';

const LOOK_MS = 30_000;
const SERVICE = 'org.freedesktop.NetworkManager';
/** NMMetered: yes, and what it takes for yes (a phone, say). */
const METERED = [1, 3];
const UNMETERED = [2, 4];

export class MeteredSensor extends AskingSensor<Sensed<boolean>> {
  constructor(private readonly bus: SystemBus) {
    super(NOT_YET, LOOK_MS);
  }

  protected async ask(): Promise<Sensed<boolean>> {
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
