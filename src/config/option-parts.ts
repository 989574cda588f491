/** What options of several sections have in common. */

import { pathOrFileName, text } from './values.js';

export const PROCESSORS_MAX = 1024;
/** A slot for each processor, and no more slots than the machines' private network has addresses for (`MAX_SLOTS`). */
export const TOTAL_PROCESSORS_MAX = 22_183;

export const userDataOption = {
  type: text,
  whenUnset: 'no substitution',
  help: 'Text that replaces ##user_data_option_XXX## in user_data.',
} as const;

export const userDataFile = {
  type: pathOrFileName,
  whenUnset: 'no substitution',
  help: "File whose content replaces ##user_data_option_XXX## in user_data; a file name is looked up in the machinetype's files/.",
} as const;
