/**
 * Images by URL in the decision. A machine starts only from an image that is ready; a download of minutes lets other
 * types go first, while a check of seconds has the slot wait: else a starved type would lose each slot to the others at
 * the very moment of its turn.
 */

import type { DecisionCode } from './plan.js';
import type { ImageState } from './types.js';

export interface ImageRefusal {
  readonly eligible: false;
  readonly code: DecisionCode;
  readonly reason: string;
}

const CODES = {
  checking: 'image-checking',
  fetching: 'image-fetching',
  unavailable: 'image-unavailable',
} as const;

/** Why no machine can be started from it now; null: it can, or it is no image by URL. */
export function refuseImage(image: ImageState | undefined): ImageRefusal | null {
  if (image === undefined || image.phase === 'ready') return null;
  return { eligible: false, code: CODES[image.phase], reason: `waits: its image ${image.doing}` };
}

/**
 * Whether something is to be done now about the image of a type that may be started otherwise.
 *
 * @param isWanted there is room for a machine now: else a copy that is here need not be the newest
 */
export function isImageDue(image: ImageState | undefined, isWanted: boolean): boolean {
  if (image === undefined || image.phase === 'ready' || image.busy || image.retryInSeconds > 0) return false;
  return isWanted || image.phase !== 'checking';
}
