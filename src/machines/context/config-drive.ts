/** OpenStack's ConfigDrive: a disk labelled config-2 with the documents that the metadata service gives over HTTP. */

import { ec2MetadataDocument, openstackMetadata } from './documents.js';
import type { ContextWay } from './way.js';

export const configDrive: ContextWay = {
  name: 'configdrive',
  disk: ({ facts, userData }) => ({
    label: 'config-2',
    files: {
      'ec2/latest/meta-data.json': JSON.stringify(ec2MetadataDocument(facts)),
      'openstack/latest/meta_data.json': JSON.stringify(openstackMetadata(facts)),
      'openstack/latest/vendor_data.json': '{}',
      'openstack/latest/vendor_data2.json': '{}',
      ...(userData === null ? {} : { 'ec2/latest/user-data': userData, 'openstack/latest/user_data': userData }),
    },
  }),
};
