/**
 * EC2 and OpenStack metadata over HTTP. The server answers every machine (metadata/handler.ts); this makes cloud-init
 * look for it: without a tag in the firmware tables that says OpenStack, its ds-identify finds no cloud on x86 and turns
 * cloud-init off.
 */

import type { ContextWay } from './way.js';

export const metadata: ContextWay = {
  name: 'metadata',
  // One of those that cloud-init documents for clouds built with OpenStack's interfaces.
  smbios: { chassisAsset: 'OpenStack Compute' },
};
