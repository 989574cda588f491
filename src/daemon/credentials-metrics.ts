/** When the certificates of machinetypes end, for Prometheus. */

import type { Sample, Series } from './metrics-gauges.js';

export const CREDENTIAL_GAUGES: readonly Series[] = [
  {
    name: 'vac_certificate_end_timestamp_seconds',
    help: "When the certificate ends that machines' proxies are made of (x509cert.pem), or that they are given (user_data_file_XXX): the first of its chain.",
    labels: ['machinetype', 'file'],
    read: ({ memory }) =>
      memory.credentials.flatMap(({ machinetype, file, endTimeSeconds }): Sample[] =>
        endTimeSeconds === null ? [] : [[endTimeSeconds, { machinetype, file }]],
      ),
  },
];
