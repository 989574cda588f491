/**
 * The contextualization CD of OpenNebula and HEPiX, which the older CernVM images read: `context.sh`, a list of shell
 * assignments that start scripts source (SPEC 5).
 */

import type { ContextWay } from './way.js';

/**
 * As base64 it must fit into one variable of a process's environment (128 KiB in Linux, with its name): scripts
 * that export what they sourced could start no program otherwise.
 */
const MAX_USER_DATA_BYTES = 98_000;

export const one: ContextWay = {
  name: 'one',
  maxUserDataBytes: MAX_USER_DATA_BYTES,
  cdOnly: true,
  disk: ({ facts: { rootPublicKey }, userData, places }) => ({
    label: 'CONTEXT',
    files: {
      'context.sh': [
        `EC2_USER_DATA=${userData?.toString('base64') ?? ''}`,
        'ONE_CONTEXT_PATH="/var/lib/amiconfig"',
        `MACHINEFEATURES="${places.machinefeatures}"`,
        `JOBFEATURES="${places.jobfeatures}"`,
        ...(rootPublicKey === null ? [] : ['ROOT_PUBKEY=root.pub']),
        '',
      ].join('\n'),
      ...(rootPublicKey === null ? {} : { 'root.pub': `${rootPublicKey}\n` }),
    },
  }),
};
