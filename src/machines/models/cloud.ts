/**
 * cloud: an ordinary cloud image, which cloud-init makes a machine of. As vm-raw, but such images are made as small as
 * they can be, and grow their root file system over whatever disk they find: this gives it some room.
 */

import { diskImageModel } from './vm-raw.js';

const LEAST_ROOT_GB = 20;

export const cloud = diskImageModel('cloud', LEAST_ROOT_GB);
