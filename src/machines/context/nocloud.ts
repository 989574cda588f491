/** cloud-init's NoCloud: a disk labelled cidata, or a URL in the machine's serial number. */

import { METADATA_IP } from '../layout.js';
import { nocloudMetadata } from './documents.js';
import type { ContextWay } from './way.js';

/** user-data and vendor-data may be empty, but cloud-init takes a disk without a user-data file for another's. */
export const nocloud: ContextWay = {
  name: 'nocloud',
  disk: ({ facts, userData }) => ({
    label: 'cidata',
    files: { 'meta-data': nocloudMetadata(facts), 'user-data': userData ?? '', 'vendor-data': '' },
  }),
};

export const nocloudSmbios: ContextWay = {
  name: 'nocloud-smbios',
  // The URL ends with a slash: cloud-init appends the names of the documents to it as it is. Without dsmode, version 22 reads
  // all of them and then stops, because to it ds=nocloud means a datasource without network.
  smbios: { systemSerial: `ds=nocloud;s=http://${METADATA_IP}/nocloud/;dsmode=net` },
};
