/** What a way of contextualization is: how a machine learns who it is and gets its user_data. One file and one line each. */

import type { ContextName } from '../../config/types.js';
import type { IsoContent } from '../../host/iso.js';
import type { Smbios } from '../domain-xml.js';
import type { MachineFacts, MjfPlaces } from './facts.js';

/** All that a way may tell a machine. */
export interface ContextContent {
  readonly facts: MachineFacts;
  /** null: the machinetype has none. */
  readonly userData: Buffer | null;
  /** For start scripts that read paths or URLs from the context itself, in the form that they are used to. */
  readonly places: MjfPlaces;
}

export interface ContextWay {
  readonly name: ContextName;
  /** The most user_data that guests are known to take by this way; undefined: no less than any machine may have. */
  readonly maxUserDataBytes?: number;
  readonly disk?: (content: ContextContent) => IsoContent;
  /** The disk must be a CD: images that know this way look at nothing else. */
  readonly cdOnly?: true;
  readonly smbios?: Smbios;
}
