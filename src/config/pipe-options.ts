/** `[vacuum_pipe PREFIX]`: the options of a vacuum pipe. Part of the one table (options.ts). */

import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { OptionTable } from './options.js';
import { httpUrl } from './values.js';

/** Besides these it takes all options of a machinetype, for each machinetype that it makes. */
export const VACUUM_PIPE_OPTIONS = {
  vacuum_pipe_url: {
    type: httpUrl,
    required: true,
    help: 'URL of the JSON document that describes the machinetypes.',
  },
  target_share: {
    ...MACHINETYPE_OPTIONS.target_share,
    help: "Share of all the pipe's machinetypes together, split in proportion to the target_share that each has in the document.",
  },
} satisfies OptionTable;
