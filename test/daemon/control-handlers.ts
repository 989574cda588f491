/** Handlers for a control socket under test: what is not given is not to be asked for. */

import type { ControlHandlers } from '../../src/daemon/control.js';

export function controlHandlers(given: Partial<ControlHandlers>): ControlHandlers {
  const unexpected = (name: string) => (): never => {
    throw new Error(`nobody should have asked for ${name}`);
  };
  return {
    status: unexpected('status'),
    why: unexpected('why'),
    drain: unexpected('drain'),
    undrain: unexpected('undrain'),
    stop: unexpected('stop'),
    shutdownAt: unexpected('shutdownAt'),
    quarantine: unexpected('quarantine'),
    release: unexpected('release'),
    space: unexpected('space'),
    overnight: unexpected('overnight'),
    overnightPause: unexpected('overnightPause'),
    ...given,
  };
}
