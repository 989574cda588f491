/** `[overnight]`: the options of a desktop that is a factory while nobody uses it. Part of the one table (options.ts). */

import type { OptionTable } from './options.js';
import { boolean, decimal, integer, oneOf, path, userGroup } from './values.js';
import { returnSteps, timeZone, windowSchedule } from './windows.js';

export const OVERNIGHT_OPTIONS = {
  use: {
    type: oneOf('windows', 'idle', 'windows-and-idle', 'windows-or-idle'),
    default: 'windows-and-idle',
    help: 'When machines may run: within windows, whoever is there; while nobody uses the host (idle), at any time; within windows and then only while idle; or within windows, and outside them while idle.',
  },
  windows: {
    type: windowSchedule,
    default: '',
    help: 'Times by the day on which they begin, separated by commas or white space: days (mon to sun, sat,sun, mon-fri, daily, holiday), then times. A time that ends before it begins ends on the day after; all is the whole day, none no time. Several times a day may be given. When clocks are changed, a time that does not exist means the moment of the change, one that comes twice the first.',
  },
  time_zone: {
    type: timeZone,
    whenUnset: "the host's own",
    help: 'Time zone of windows.',
  },
  holidays_file: {
    type: path,
    whenUnset: 'no holidays',
    help: 'File with a date to a line, as 2026-12-25 (what follows it is a comment). On these days the windows of holiday hold, or, where there are none, those of sun. Read again when it changes.',
  },
  start_spread_minutes: {
    type: decimal(0, 1440),
    unit: 'minutes',
    default: '5',
    help: 'Within so long after a window opens each host begins, at a time of its own, so that not all desktops of a department fetch images and start machines at once.',
  },
  idle_minutes: {
    type: decimal(0, 10_000),
    unit: 'minutes',
    default: '15',
    help: 'Machines are started after so long without a key, mouse or other input.',
  },
  resume_idle_minutes: {
    type: decimal(0, 10_000),
    unit: 'minutes',
    default: '5',
    help: 'Machines that the owner interrupted go on after so long without input, and without anything else against them.',
  },
  other_cpu_percent: {
    type: decimal(0, 100),
    unit: '% of all processors',
    default: '25',
    help: 'Other programs that use more than this count as use of the host; 100 = they do not matter.',
  },
  locked_counts_as_idle: {
    type: boolean,
    default: 'no',
    help: 'A seat whose screen is locked counts as idle at once.',
  },
  login_counts_as_use: {
    type: boolean,
    default: 'no',
    help: 'The host counts as used as long as anybody is logged in, at a locked screen too unless locked_counts_as_idle.',
  },
  remote_sessions_count: {
    type: boolean,
    default: 'yes',
    help: 'Input in remote sessions (ssh) counts as that of the owner.',
  },
  run_on_battery: { type: boolean, default: 'no', help: 'Machines may run without mains power.' },
  run_with_lid_closed: { type: boolean, default: 'yes', help: 'Machines may run in a laptop whose lid is closed.' },
  run_on_metered: {
    type: boolean,
    default: 'no',
    help: 'Machines may run while the network is metered, or nothing tells whether it is.',
  },
  on_return: {
    type: returnSteps,
    default: 'suspend 0s, stop 10m',
    help: 'What becomes of machines, so long after the owner is back: throttle (held down to a few per cent of a processor), suspend (they stay in memory, and go on when he is gone), stop. Each may be left out but stop. Machines are stopped youngest first.',
  },
  max_suspensions: {
    type: integer(0, 100_000),
    unit: 'times',
    default: '20',
    help: 'A machine that was suspended so often is stopped at the next time.',
  },
  max_suspended_hours: {
    type: decimal(0, 10_000),
    unit: 'hours',
    default: '2',
    help: 'A machine that was suspended for longer than this in all is stopped: its work would hardly be finished in time.',
  },
  memory_percent: {
    type: decimal(1, 100),
    unit: '% of the memory',
    default: '50',
    help: 'Memory of the host that all machines together may have, suspended ones too: none is started that would take them over it.',
  },
  quiet_cpu_percent: {
    type: decimal(1, 100),
    whenUnset: 'no limit',
    unit: '% of all processors',
    help: 'What machines together may use of the CPU, so that fans stay quiet; shared out evenly to the processors of total_processors. Holds for machines that are started from then on.',
  },
  owner_group: {
    type: userGroup,
    whenUnset: 'only root, and control_group',
    help: 'Group of this host whose members may use vac overnight, to look and to pause; nothing else.',
  },
  notify_owner: {
    type: boolean,
    default: 'no',
    help: 'Tells the owner by a notification of the desktop when his return has interrupted machines.',
  },
} satisfies OptionTable;
