/** `vac simulate --desktops N`: what a department's windows would bring, before any owner meets them. */

import type { Config } from '../config/types.js';
import type { SimulateValues } from '../sim/options.js';
import { holidaysOf } from './holidays.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import { desktopsView } from './views/desktops.js';

/** @returns 0; 1 when a rule was broken in the run */
export async function simulateDesktopsCommand(
  values: SimulateValues,
  config: Config | null,
  said: readonly string[],
  asJson: boolean,
  io: Io,
): Promise<number> {
  const { desktopsRequest, simulateDesktops } = await import('../sim/index.js');
  const { options, notes } = desktopsRequest(values, config);
  const report = simulateDesktops({
    ...options,
    holidays: await holidaysOf(options.config),
    nowSeconds: io.view().nowSeconds,
    onProgress: (done) => io.passing(`desktop ${done} of ${options.desktops}`),
  });
  io.passing(null);
  const all = [...said, ...notes];
  if (asJson) {
    for (const note of all) io.complain(note);
    io.print([jsonText(report)]);
  } else io.print(desktopsView(report, all, io.view()));
  return report.problems.length > 0 ? 1 : 0;
}
