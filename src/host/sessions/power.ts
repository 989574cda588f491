/** Mains and lid, by the kernel's files; where these say nothing, logind's word is taken (owner-watch.ts). */

import { readdir, readFile } from 'node:fs/promises';
import type { Sensed } from '../../factory/overnight-types.js';
import { AskingSensor, known, NOT_YET } from './sensor.js';

const LOOK_MS = 2_000;

export interface Power {
  readonly onMains: Sensed<boolean>;
  readonly lidClosed: Sensed<boolean>;
}

export class PowerSensor extends AskingSensor<Power> {
  /** @param root in front of /sys and /proc */
  constructor(private readonly root = '') {
    super({ onMains: NOT_YET, lidClosed: NOT_YET }, LOOK_MS);
  }

  protected async ask(): Promise<Power> {
    return { onMains: await this.mains(), lidClosed: await this.lid() };
  }

  /** Without a battery a host that runs is on mains. With one it is where a supply is online, or no battery discharges. */
  private async mains(): Promise<Sensed<boolean>> {
    const directory = `${this.root}/sys/class/power_supply`;
    const supplies = await readdir(directory).catch(() => null);
    if (supplies === null) return { unknown: `${directory} cannot be read` };
    let batteries = 0;
    let discharging = 0;
    for (const name of supplies) {
      const read = (field: string) => readWord(`${directory}/${name}/${field}`);
      // Mice and keyboards have batteries of their own, and say so.
      if ((await read('scope')) === 'Device') continue;
      const type = await read('type');
      if (type === 'Battery') {
        batteries += 1;
        if ((await read('status')) === 'Discharging') discharging += 1;
      } else if ((await read('online')) === '1') return known(true);
    }
    return known(batteries === 0 || discharging === 0);
  }

  private async lid(): Promise<Sensed<boolean>> {
    const directory = `${this.root}/proc/acpi/button/lid`;
    const lids = await readdir(directory).catch(() => []);
    for (const name of lids) {
      const state = await readFile(`${directory}/${name}/state`, 'utf8').catch(() => '');
      const match = /^state:\s*(open|closed)/m.exec(state);
      if (match === null) return { unknown: `${directory}/${name}/state says neither open nor closed` };
      if (match[1] === 'closed') return known(true);
    }
    return known(false);
  }
}

async function readWord(path: string): Promise<string | null> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
}
