/** The control socket of a vacd that is not there: the real server, with what it would do left to the test. */

import { type ControlHandlers, ControlServer } from '../../src/daemon/control.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';

export function controlServer(
  path: string,
  status: () => FactoryStatus,
  decisions = new DecisionLog(),
  handlers: Partial<ControlHandlers> = {},
): ControlServer {
  const unexpected = (): never => {
    throw new Error('the test did not expect this');
  };
  return new ControlServer(path, {
    status,
    why: ({ slot, machinetype }) => {
      if (slot !== undefined) return decisions.ofSlot(slot);
      return machinetype === undefined ? [] : decisions.ofMachinetype(machinetype);
    },
    drain: unexpected,
    undrain: unexpected,
    stop: unexpected,
    shutdownAt: unexpected,
    quarantine: unexpected,
    release: unexpected,
    space: () => null,
    overnight: () => null,
    overnightPause: unexpected,
    ...handlers,
  });
}
