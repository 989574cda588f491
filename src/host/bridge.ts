/**
 * What the machines' bridge must be told beside what libvirt's network has words for. The kernel hands frames to
 * 01:80:c2:00:00:0e (LLDP) past every filter, and notes where their sender is: by one of them a machine would draw what is
 * for its neighbour to itself. So the bridge learns nothing from such frames.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { BRIDGE_NAME } from '../machines/network-xml.js';

const OPTION = 'no_linklocal_learn';

export class Bridge {
  private readonly path: string;

  /** @param sysfs where the kernel shows its network devices */
  constructor(sysfs = '/sys/class/net') {
    this.path = join(sysfs, BRIDGE_NAME, 'bridge', OPTION);
  }

  /** @throws VacError `network-wrong` where there is no bridge, or the kernel (before 4.20) cannot do it */
  async ensure(): Promise<void> {
    try {
      await writeFile(this.path, '1', { flag: 'r+' });
    } catch (cause) {
      throw new VacError(
        'network-wrong',
        `${OPTION} of bridge ${BRIDGE_NAME} cannot be set: ${(cause as Error).message}`,
        {
          cause,
        },
      );
    }
  }

  /** @throws VacError `network-wrong` */
  async check(): Promise<void> {
    const value = await readFile(this.path, 'utf8').catch(() => null);
    if (value?.trim() !== '1') throw new VacError('network-wrong', `${OPTION} of bridge ${BRIDGE_NAME} is not set`);
  }
}
