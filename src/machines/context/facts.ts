/** What a machine is told of itself, by whichever way: the one source of metadata over HTTP and of context disks. Pure. */

import type { MachinetypeConfig } from '../../config/types.js';
import type { MachineRecord } from '../../factory/types.js';
import { GATEWAY_IP } from '../layout.js';

/** Where a machine finds its features: paths at which its image mounts them, or URLs. */
export interface MjfPlaces {
  readonly machinefeatures: string;
  readonly jobfeatures: string;
  readonly joboutputs: string;
}

export type MjfForm = 'paths' | 'urls';

const PLACES: Readonly<Record<MjfForm, MjfPlaces>> = {
  // Where images mount the three exports, joboutputs under its older name (SPEC 5).
  paths: {
    machinefeatures: '/etc/machinefeatures',
    jobfeatures: '/etc/jobfeatures',
    joboutputs: '/etc/machineoutputs',
  },
  urls: {
    machinefeatures: `http://${GATEWAY_IP}/machinefeatures`,
    jobfeatures: `http://${GATEWAY_IP}/jobfeatures`,
    joboutputs: `http://${GATEWAY_IP}/joboutputs`,
  },
};

/**
 * @param form what the machinetype asks for (`mjf_form`); null: nothing, and what is told is what was always told there
 * @param customary the form of the predecessor in this place: paths in the ONE context, URLs elsewhere
 */
export function mjfPlaces(form: MachinetypeConfig['mjfForm'] | undefined, customary: MjfForm): MjfPlaces {
  return PLACES[form ?? customary];
}

/** What every way tells, each in its own words. */
export interface MachineFacts {
  readonly uuid: string;
  readonly hostname: string;
  readonly ip: string;
  /** Its host; what clouds call the availability zone. */
  readonly factory: string;
  readonly machinetype: string;
  /** A line of authorized_keys; null: the machine is offered none. */
  readonly rootPublicKey: string | null;
  /** `meta` of OpenStack's meta_data.json. */
  readonly meta: Readonly<Record<string, string>>;
}

export interface Surroundings {
  readonly factory: string;
  readonly rootPublicKey: string | null;
  /** The exports as `server:/path`; null where there is no NFS. */
  readonly mounts: MjfPlaces | null;
}

/** The facts of a machine, from its record alone and what is around it: HTTP tells the same years later as its disk. */
export function machineFacts(record: MachineRecord, { factory, rootPublicKey, mounts }: Surroundings): MachineFacts {
  return {
    uuid: record.uuid,
    hostname: record.hostname,
    ip: record.ip,
    factory,
    machinetype: record.machinetype,
    rootPublicKey,
    meta: {
      ...mjfPlaces(record.mjfForm, 'urls'),
      machinetype: record.machinetype,
      // Beyond SPEC 5: where the same three can be mounted.
      ...(mounts === null
        ? {}
        : {
            machinefeatures_nfs: mounts.machinefeatures,
            jobfeatures_nfs: mounts.jobfeatures,
            joboutputs_nfs: mounts.joboutputs,
          }),
    },
  };
}
