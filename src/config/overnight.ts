/** The `[overnight]` section as `OvernightConfig`: when a desktop is a factory, and how its owner gets it back. */

import { OVERNIGHT_OPTIONS } from './overnight-options.js';
import type { OvernightConfig } from './overnight-types.js';
import type { Problem } from './problem.js';
import { readValues } from './section-values.js';
import type { RawSection } from './sections.js';
import type { Settings } from './types.js';

export interface OvernightReading {
  /** To be used only when there are no errors: bad options hold stand-ins. */
  readonly overnight: OvernightConfig;
  readonly errors: Problem[];
  readonly warnings: Problem[];
}

export function readOvernight(section: RawSection, settings: Settings): OvernightReading {
  const { values, errors, warnings, demand, advise } = readValues(section, OVERNIGHT_OPTIONS);
  const hasWindows = Object.values(values.windows).some((ranges) => ranges.length > 0);
  demand(
    hasWindows || values.use === 'idle',
    ['use', 'windows'],
    `nothing would ever start: use = ${values.use} needs windows, such as "mon-fri 19:00-07:30, sat,sun all"`,
  );
  advise(
    !hasWindows || values.use !== 'idle',
    ['windows', 'use'],
    'has no effect with use = idle; windows-and-idle or windows-or-idle is meant where windows should count',
  );
  advise(
    values.resume_idle_minutes <= values.idle_minutes,
    ['resume_idle_minutes', 'idle_minutes'],
    'resume_idle_minutes is longer than idle_minutes: machines that were interrupted go on after idle_minutes',
  );
  const stop = values.on_return.at(-1)?.afterSeconds ?? 0;
  const interrupted = values.on_return.some(({ action }) => action !== 'stop');
  advise(
    !interrupted || values.resume_idle_minutes * 60 < stop,
    ['on_return', 'resume_idle_minutes'],
    'machines are stopped before they could go on: the time of stop is not above resume_idle_minutes',
  );
  advise(
    !(values.holidays_file !== null && !hasWindows),
    ['holidays_file', 'windows'],
    'has no effect without windows',
  );
  advise(
    settings.graceSeconds <= 86_400,
    ['windows'],
    'grace_seconds is longer than a day: machines of a window cannot be told of its end in time',
  );
  return {
    overnight: {
      use: values.use,
      windows: values.windows,
      timeZone: values.time_zone,
      holidaysFile: values.holidays_file,
      startSpreadSeconds: values.start_spread_minutes * 60,
      idleSeconds: values.idle_minutes * 60,
      resumeIdleSeconds: values.resume_idle_minutes * 60,
      otherCpuPercent: values.other_cpu_percent,
      lockedCountsAsIdle: values.locked_counts_as_idle,
      loginCountsAsUse: values.login_counts_as_use,
      remoteSessionsCount: values.remote_sessions_count,
      runOnBattery: values.run_on_battery,
      runWithLidClosed: values.run_with_lid_closed,
      runOnMetered: values.run_on_metered,
      onReturn: values.on_return,
      maxSuspensions: values.max_suspensions,
      maxSuspendedSeconds: values.max_suspended_hours * 3600,
      memoryPercent: values.memory_percent,
      quietCpuPercent: values.quiet_cpu_percent,
      ownerGroup: values.owner_group,
      notifyOwner: values.notify_owner,
    },
    errors,
    warnings,
  };
}
