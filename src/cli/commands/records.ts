/** Commands for what machines of this host sent, did and used. Part of the one table (commands.ts). */

import type { CommandSpec } from '../commands.js';
import { ANSWERED } from './shared.js';

export const RECORD_COMMANDS = {
  logs: {
    group: 'records',
    arguments: [{ name: 'MACHINE', count: 'one', words: 'machines' }],
    options: {
      follow: {
        type: 'boolean',
        short: 'f',
        help: 'Go on with what comes, until the machine is over; then say why it is.',
      },
      lines: {
        type: 'string',
        short: 'n',
        value: 'LINES',
        help: 'Only the last LINES lines (default: all; with --follow 10).',
      },
    },
    summary: 'what a machine of this host sent by syslog',
    help: [
      "MACHINE is a host name (short or full), a slot number, a uuid, a machinetype or its beginning, or the name of the machine's directory; of several the newest is meant, whether it runs or not. Read from the state directory, so vacd need not run. Logs are kept for syslog_days.",
      'A line begins with what this host knows: when it came, from which address and by what. The time and the name after the facility are the machine\'s own claims. Lines whose sender is "- vacd" are vacd\'s. What is not printable is shown as ?.',
    ],
    examples: [
      ['vac logs -f wn01-03', 'the machine that has this name now, as it logs'],
      ['vac logs -n 50 lhcb', 'the last lines of the newest machine of a type that begins so'],
      ['vac logs unknown', "lines from addresses that were no machine's"],
    ],
    exitCodes: [
      [0, 'there is such a log'],
      [1, 'there is no such machine, or it has sent nothing; or an error'],
    ],
  },
  trace: {
    group: 'records',
    arguments: [],
    options: {
      at: { type: 'string', value: 'TIME', help: 'Machines that lived at this time.' },
      ip: {
        type: 'string',
        value: 'ADDRESS',
        help: "A machine's address in the private network, or the address of this host that the outside saw.",
      },
      port: {
        type: 'string',
        value: 'PORT',
        help: 'Source port as the outside saw it (with flow_log), within two minutes of --at.',
      },
      to: { type: 'string', value: 'ADDRESS[:PORT]', help: 'What it connected to (with flow_log).' },
      machine: {
        type: 'string',
        value: 'NAME',
        help: 'Host name (short or full), slot number, or name of its directory.',
      },
      uuid: { type: 'string', value: 'UUID', help: 'The uuid of a machine.' },
      verify: { type: 'boolean', help: 'Say instead whether the trail is as it was written.' },
    },
    json: true,
    summary: 'which machine of this host was that: its image, user_data, addresses, logs and end',
    help: [
      "Reads the trail in the state directory, which only root may; vacd need not run. The likeliest machine is shown in full, then others that fit, then what to do next. It is the trail of this host's machines alone: ask on the host whose address it was.",
      'TIME is the last 03:12, a local "2026-11-22 03:12", 2026-11-22T02:12Z, -2h, or Unix seconds.',
    ],
    examples: [
      ['vac trace --at 03:12 --ip 192.0.2.10 --port 40112', 'what a complaint tells: time, address, source port'],
      ['vac trace --at "2026-11-22 03:12" --ip 169.254.169.3', 'who had this address then'],
      ['vac trace --verify', 'whether a record was changed, or is missing'],
    ],
    exitCodes: [
      [0, 'a machine was found; with --verify, all is as it was written'],
      [1, 'none was found; with --verify, something was changed or is missing, or there is no trail; or an error'],
    ],
  },
  quarantine: {
    group: 'records',
    arguments: [
      { name: 'MACHINE', count: 'one', words: 'machines' },
      { name: 'REASON', count: 'some' },
    ],
    options: { by: { type: 'string', value: 'WHO', help: 'Who asks for it (default: the user).' } },
    json: true,
    summary: 'halt a machine of this host, cut its network, and keep all of it as it is',
    help: [
      'The machine is paused, nothing passes from or to it, and its memory is written to a file in the state directory (quarantine/). Until vac release nothing ends it, removes its disks, its directory or its log: not its time limit, not vac stop, not a restart of vacd. Its processors stay taken.',
      "Of a machine that has ended what is left is kept; it is said what is gone. MACHINE is a host name (short or full), a slot number, or the name of the machine's directory.",
    ],
    examples: [['vac quarantine wn01-03 --by ann "it scans, ticket 4711"', 'keeps it for those who look into it']],
    exitCodes: [
      [0, 'it is held'],
      [1, 'there is no such machine, or not all of it could be kept; or an error'],
    ],
  },
  release: {
    group: 'records',
    arguments: [{ name: 'MACHINE', count: 'one', words: 'machines' }],
    options: {
      by: { type: 'string', value: 'WHO', help: 'Who asks for it (default: the user).' },
      destroy: { type: 'boolean', help: 'End it instead of letting it go on, and remove its disks.' },
    },
    json: true,
    summary: 'lift a quarantine: the machine goes on, or is destroyed',
    help: [
      'The machine gets its network back and goes on, under all rules that hold for machines: one past its time is ended. With --destroy it is ended and cleaned up. It is accounted once in any case. What was kept in quarantine/ stays until somebody removes it.',
    ],
    examples: [['vac release wn01-03 --destroy', 'enough was seen']],
    exitCodes: ANSWERED,
  },
  accounting: {
    group: 'records',
    arguments: [],
    options: {
      month: { type: 'string', value: 'YYYYMM', help: 'Of this month, UTC (default: the one that runs).' },
      republish: {
        type: 'string',
        value: 'YYYYMM',
        help: "Put this month's records of the archive into apel-outgoing again, as when the receiver lost them; it replaces those that it has.",
      },
    },
    json: true,
    summary: 'what was used in a month, by group and machinetype, and whether the archive agrees',
    help: [
      "Adds up the records in this host's apel-archive: hours of wall-clock time times processors, of CPU, and times the benchmark (HS06-H: HS06 hours, HS23-H: HEPscore23 hours). A record counts in the month of its end; use of machines that still run is in none, but for the months that accounting_partial has accounted.",
      "The records are compared with the machines' directories, as long as these are kept, and differences are told.",
      'With --json, an object: the month, the totals in seconds, how many records were compared, machines that have ended and are not accounted yet, records that wait to be sent, and the differences.',
    ],
    examples: [
      ['vac accounting', 'this month so far'],
      ['vac accounting --month 202610', 'October 2026'],
      ['vac accounting --republish 202610', 'send it again'],
    ],
    exitCodes: [
      [0, 'all agrees, or the records are on their way'],
      [1, 'there are differences; or an error'],
    ],
  },
  'apel-sync': {
    group: 'records',
    arguments: [{ name: 'YYYYMM', count: 'any' }],
    options: {},
    json: true,
    summary: 'tell the receiver of job records how many it should have, month by month',
    help: [
      'Counts the records of each month in the archive and puts a sync message into apel-outgoing, unless the same one waits there. Without YYYYMM: of the month of yesterday, and of every month of which records came since the last time. The timer vac-apel-sync.timer does that daily.',
      'Records of no registered site or without a benchmark were not sent and do not count; cloud records have no sync messages.',
    ],
    examples: [['vac apel-sync 202609 202610', 'September and October 2026']],
    exitCodes: [
      [0, 'what there is to tell is on its way'],
      [1, 'an error'],
    ],
  },
} as const satisfies Record<string, CommandSpec>;
