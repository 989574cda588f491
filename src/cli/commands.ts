/**
 * The commands of `vac` as one table: what is parsed, said by `--help`, printed in vac(1) and completed by shells comes
 * from here alone. What they do is in `main.ts` and the files that it names.
 */

import { SIMULATE_OPTIONS } from '../sim/options.js';
import { CHECK_THRESHOLDS } from './views/check.js';
import { FACTORY_ORDERS } from './views/factories.js';

/** What a shell may offer for a word: file names, or words that `vac completion-words KIND` prints. */
export type Words = 'files' | 'directories' | WordKind;
export const WORD_KINDS = ['commands', 'factories', 'machinetypes', 'machines', 'subjects'] as const;
export type WordKind = (typeof WORD_KINDS)[number];

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: true;
  /** What its value is called. */
  readonly value?: string;
  readonly default?: string;
  /** The only values that there are. */
  readonly choices?: readonly string[];
  readonly help: string;
  readonly words?: Words;
  /** Understood, and told nobody: another spelling. */
  readonly hidden?: true;
}

export interface ArgumentSpec {
  readonly name: string;
  /** How many of them: 1, 0 or 1, any number, 1 or more. */
  readonly count: 'one' | 'optional' | 'any' | 'some';
  readonly words?: Words;
}

export type CommandGroup = 'space' | 'factory' | 'tools';

export interface CommandSpec {
  readonly group: CommandGroup;
  readonly arguments: readonly ArgumentSpec[];
  /** Its own: besides those of `json`, `asks` and `GLOBAL_OPTIONS`. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Takes `JSON_OPTION`. */
  readonly json?: true;
  /** Asks factories over the network, and takes `ASKING_OPTIONS`: all when none is named (`ASKING_HELP`), or those named. */
  readonly asks?: 'all' | 'named';
  /** One line. */
  readonly summary: string;
  /** Paragraphs. */
  readonly help: readonly string[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
  /** Told nobody: for scripts of ours. */
  readonly hidden?: true;
}

export const GROUPS: Readonly<Record<CommandGroup, string>> = {
  space: 'The space: all its factories are asked by VacQuery',
  factory: 'The factory on this host: its vacd is asked, or told, through its socket',
  tools: 'For other programs, and before changes',
};

/** Options that every command takes. */
export const GLOBAL_OPTIONS = {
  config: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    words: 'files',
    help: 'Read the configuration from this file or directory instead of /etc/vac.d, /etc/vac.conf and /run/vac.conf. May be given more than once.',
  },
  'state-dir': {
    type: 'string',
    value: 'DIR',
    default: '/var/lib/vac',
    words: 'directories',
    help: "State directory of this host's vacd, where its socket is.",
  },
  'no-colour': { type: 'boolean', help: 'No colours, on terminals too; so does NO_COLOR in the environment.' },
  'no-color': { type: 'boolean', help: 'The same.', hidden: true },
  help: { type: 'boolean', short: 'h', help: 'Say what vac, or the command, does.' },
  version: { type: 'boolean', help: 'Say which version this is.' },
} as const satisfies Record<string, OptionSpec>;

export const JSON_OPTION = {
  json: { type: 'boolean', short: 'J', help: 'JSON for programs instead of text for people.' },
} as const satisfies Record<string, OptionSpec>;

/** Of the commands that ask factories over the network. */
export const ASKING_OPTIONS = {
  space: {
    type: 'string',
    short: 's',
    value: 'SPACE',
    help: "Name of the space to ask, instead of the configuration's. Of another space, name the factories to ask by their full names.",
  },
  timeout: {
    type: 'string',
    short: 't',
    value: 'SECONDS',
    help: 'How long to wait for factories that do not answer (default: udp_timeout_seconds of the configuration, else 10).',
  },
} as const satisfies Record<string, OptionSpec>;

const FACTORIES = { name: 'FACTORY', count: 'any', words: 'factories' } as const satisfies ArgumentSpec;

/** Of machinetypes and machinetype. */
const ORIGIN = {
  type: 'boolean',
  help: 'Show the options of machinetypes on this host instead, and where each comes from: file and line, vacuum pipe and entry, or default.',
} as const satisfies OptionSpec;

const COLUMNS_HELP = 'Columns for which a terminal is too narrow are left out; where there is no terminal, none is.';

export const ASKING_HELP =
  'Without FACTORY, all factories of the space are asked. A FACTORY may be named by its first label, as wn01. What arrived is printed even when some did not answer; one line on the standard error then says which.';

const ASKED = [
  [0, 'all factories that were asked answered'],
  [1, 'some did not answer, or not in full; or an error'],
] as const;
const ANSWERED = [
  [0, 'it is done'],
  [1, 'an error, such as that no vacd runs here'],
] as const;

/** What every command ends with when its line cannot be understood. */
export const USAGE_EXIT = [2, 'the command line is wrong'] as const;

const TIME_HELP =
  'TIME is the next 18:00, a local "2026-11-22 18:00", 2026-11-22T18:00+01:00, a span from now as +2h, +30m or +1d12h, or Unix seconds. The time that was understood is said back with its zone.';

export const COMMANDS = {
  machines: {
    group: 'space',
    arguments: [FACTORIES],
    options: {
      all: { type: 'boolean', short: 'a', help: 'Every empty slot on a line of its own, too.' },
    },
    json: true,
    asks: 'all',
    summary: 'the machines of all factories, or of some',
    help: [
      'One line for each machine. TIME is how long it has run (a starting one: since it was created), or ran; CPU is its CPU time by that time and its processors; VM is its kind: VM, or DC and SC for Docker and Singularity containers. NOTE says of a slot without a machine when and how its last one ended, and of a machine that its factory has not seen it for a while.',
      COLUMNS_HELP,
    ],
    examples: [
      ['vac machines', 'of the whole space'],
      ['vac machines wn01 wn02', 'of two factories'],
      ['vac machines --json', 'machine_status messages as they are on the wire'],
    ],
    exitCodes: ASKED,
  },
  machinetypes: {
    group: 'space',
    arguments: [FACTORIES],
    options: { origin: ORIGIN },
    json: true,
    asks: 'all',
    summary: 'what runs of each machinetype, and how its last machine ended',
    help: [
      'One line for each machinetype, summed over the factories. WANTED and NOW are its parts of all target shares and of all running power (HS06); NEW are machines too young to tell whether they found work; FACT is how many factories have it; ENDED, HOST and LAST OUTCOME are of the machine of the whole space that ended last.',
      COLUMNS_HELP,
      'With --origin nobody is asked: it shows the machinetypes that the configuration of this host gives, with those of vacuum pipes by the copies of their documents in the state directory, which only root may read.',
    ],
    examples: [
      ['vac machinetypes', 'of the whole space'],
      ['vac machinetypes --origin', 'which file, line or vacuum pipe says what, on this host'],
    ],
    exitCodes: ASKED,
  },
  machinetype: {
    group: 'space',
    arguments: [{ name: 'NAME', count: 'one', words: 'machinetypes' }, FACTORIES],
    options: { origin: ORIGIN },
    json: true,
    asks: 'all',
    summary: 'one machinetype, factory by factory',
    help: [
      'One line for each factory that has the machinetype NAME. With --origin nobody is asked: it shows all options that it has on this host, the defaults too.',
    ],
    examples: [
      ['vac machinetype lhcb-prod', 'where it runs, and where it last ended how'],
      ['vac machinetype lhcb-prod --origin', 'its options, and who says so'],
    ],
    exitCodes: [ASKED[0], [1, 'some factories did not answer, or none has the machinetype; or an error']],
  },
  factories: {
    group: 'space',
    arguments: [FACTORIES],
    options: {
      sort: {
        type: 'string',
        value: 'ORDER',
        default: 'name',
        choices: FACTORY_ORDERS,
        help: 'Which come first.',
      },
      problems: { type: 'boolean', short: 'p', help: 'Only those with which something is wrong.' },
    },
    json: true,
    asks: 'all',
    summary: 'the factories, what they run and how they are',
    help: [
      'One line for each factory, and below what is wrong with some. PROC and MACH are processors and machines in use, of those that there may be; HS06 is the power in use; LOAD is of the last 15 minutes; DISK and ROOT are free on the disks of the state directory and of /; UP is the time since it was booted; BEAT is the age of its heartbeat.',
      COLUMNS_HELP,
    ],
    examples: [
      ['vac factories', 'of the whole space'],
      ['vac factories --problems', 'those that need somebody'],
      ['vac factories --sort load', 'the busiest first'],
    ],
    exitCodes: ASKED,
  },
  shares: {
    group: 'space',
    arguments: [FACTORIES],
    options: {
      check: {
        type: 'boolean',
        help: 'Compare the machinetypes, groups and target shares of all factories instead, and say where they differ.',
      },
    },
    json: true,
    asks: 'all',
    summary: 'what each group and machinetype has now of the space, and what it should have',
    help: [
      'Running power (HS06) by machinegroup and machinetype beside the target shares, summed over the factories. With --check, the differences between their configurations, by which a space never comes to its shares. In the bars # is what runs now, and | what is wanted; PROC and HS06 are how much more than wanted runs. Where factories keep a history (share_half_life_hours), LONG TERM is what was used, the past counting less and less. --json prints the machinetype_status messages that either is made from.',
    ],
    examples: [
      ['vac shares', 'now, wanted, and the difference'],
      ['vac shares --check', 'whether all factories mean the same'],
    ],
    exitCodes: [
      [0, 'all factories answered; with --check, none differs'],
      [1, 'some did not answer; with --check, some differ; or an error'],
    ],
  },
  watch: {
    group: 'space',
    arguments: [FACTORIES],
    options: {
      interval: {
        type: 'string',
        short: 'n',
        value: 'SECONDS',
        default: '5',
        help: 'Time between two pictures.',
      },
    },
    json: true,
    asks: 'all',
    summary: 'the space on the whole screen, kept up to date',
    help: [
      'Shares, factories and the latest ends, asked anew every few seconds. q or Ctrl-C ends it. With --json it needs no terminal: each picture is an object on a line of its own, with the factory_status and machinetype_status messages, the factories that are missing from them, and the status of the vacd here (null where it cannot be asked), until a signal comes or the reader goes away.',
    ],
    examples: [
      ['vac watch', 'until q is pressed'],
      ['vac watch --json --interval 60', 'a line a minute, for a program'],
    ],
    exitCodes: [
      [0, 'it was ended with q, Ctrl-C or a signal'],
      [1, 'there is no terminal, and no --json; or an error'],
    ],
  },
  why: {
    group: 'factory',
    arguments: [{ name: 'SLOT|MACHINE|MACHINETYPE', count: 'optional', words: 'subjects' }],
    options: {},
    json: true,
    summary: 'the latest decisions and their reasons',
    help: [
      'Why a machine was started, or was not: of a slot (by number, or by the host name of its machine), of a machinetype, or the latest of everything.',
    ],
    examples: [
      ['vac why', 'the latest decision on every slot and machinetype'],
      ['vac why 3', 'what was decided on slot 3'],
      ['vac why lhcb-prod', 'why this machinetype does, or does not, start'],
    ],
    exitCodes: [
      [0, 'it is said'],
      [1, 'there is no such slot or machinetype, or no vacd runs here'],
    ],
  },
  drain: {
    group: 'factory',
    arguments: [{ name: 'REASON', count: 'any' }],
    options: {
      by: {
        type: 'string',
        value: 'TIME',
        help: 'Machines that run are told to be gone by then, never with less notice than grace_seconds.',
      },
      until: { type: 'string', value: 'TIME', help: 'Draining ends by itself then.' },
    },
    json: true,
    summary: 'start nothing more on this host, until undrain',
    help: [
      'Machines that run go on to their end, or to the TIME of --by. It holds over a restart of vacd, until vac undrain or the TIME of --until. REASON is what vac why answers meanwhile.',
      TIME_HELP,
    ],
    examples: [
      ['vac drain new kernel', 'nothing more starts; machines run to their end'],
      ['vac drain --by 18:00 --until +1d new kernel', 'the host is empty at 18:00, and fills itself again tomorrow'],
    ],
    exitCodes: ANSWERED,
  },
  undrain: {
    group: 'factory',
    arguments: [],
    options: {},
    json: true,
    summary: 'starts may go on',
    help: [
      'Lifts what vac drain asked for, with the shutdown time that its --by set. Machines that were told an earlier end keep it. draining = yes in the configuration is not lifted: it says so.',
    ],
    examples: [['vac undrain', 'starts may go on']],
    exitCodes: ANSWERED,
  },
  stop: {
    group: 'factory',
    arguments: [{ name: 'MACHINE', count: 'some', words: 'machines' }],
    options: {},
    json: true,
    summary: 'stop machines of this host now',
    help: [
      "MACHINE is a host name (short or full), a slot number, or the name of the machine's directory. It is asked to shut down, and destroyed if it has not after half a minute. A slot that is freed is filled again: to keep it empty, vac drain first.",
    ],
    examples: [['vac stop wn01-03', 'the machine of this name']],
    exitCodes: [
      [0, 'all of them are being stopped'],
      [1, 'there is no such machine here; or an error'],
    ],
  },
  logs: {
    group: 'factory',
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
      "A line begins with what this host knows: when it came, from which address and by what. The time and the name after the facility are the machine's own claims. Lines whose sender is “- vacd” are vacd's. What is not printable is shown as ?.",
    ],
    examples: [
      ['vac logs -f wn01-03', 'the machine that has this name now, as it logs'],
      ['vac logs -n 50 lhcb', 'the last lines of the newest machine of a type that begins so'],
      ['vac logs unknown', 'lines from addresses that were no machine’s'],
    ],
    exitCodes: [
      [0, 'there is such a log'],
      [1, 'there is no such machine, or it has sent nothing; or an error'],
    ],
  },
  'shutdown-at': {
    group: 'factory',
    arguments: [{ name: 'TIME|never', count: 'one' }],
    options: {},
    json: true,
    summary: 'all machines of this host are to be gone by then',
    help: [
      'Machines are told the earlier end, never with less notice than grace_seconds, and types that need longer are not started. "never" takes the time back; machines that were told an earlier end keep it. shutdown_time in the configuration holds besides, the earlier one counts.',
      TIME_HELP,
    ],
    examples: [
      ['vac shutdown-at "2026-11-22 06:00"', 'before a power cut'],
      ['vac shutdown-at never', 'it was called off'],
    ],
    exitCodes: ANSWERED,
  },
  overnight: {
    group: 'factory',
    arguments: [{ name: 'pause|resume', count: 'any' }],
    options: {},
    json: true,
    summary: 'whether this desktop is a factory now, and why',
    help: [
      'Shows what overnight mode ([overnight] of the configuration) does with the machines here, what speaks against them, who uses this host, and what comes next.',
      'vac overnight pause TIME gives the host to its owner until then, whatever the time is and whether he is there: machines are treated as on his return, and none starts. vac overnight resume ends it. Both may be used by the members of owner_group, without root. TIME as for vac drain, or how long: 2h, 1d12h.',
    ],
    examples: [
      ['vac overnight', 'what it does now, and why'],
      ['vac overnight pause 2h', 'no machines for two hours'],
    ],
    exitCodes: ANSWERED,
  },
  trace: {
    group: 'factory',
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
      [1, 'none was found; with --verify, something was changed or is missing; or an error'],
    ],
  },
  quarantine: {
    group: 'factory',
    arguments: [
      { name: 'MACHINE', count: 'one', words: 'machines' },
      { name: 'REASON', count: 'some' },
    ],
    options: { by: { type: 'string', value: 'WHO', help: 'Who asks for it; default: the user.' } },
    json: true,
    summary: 'halt a machine of this host, cut its network, and keep all of it as it is',
    help: [
      'The machine is paused, nothing passes from or to it, and its memory is written to a file in the state directory (quarantine/). Until vac release nothing ends it, removes its disks, its directory or its log: not its time limit, not vac stop, not a restart of vacd. Its processors stay taken. Of a machine that has ended what is left is kept; it is said what is gone. MACHINE is a host name, a slot number or the name of its directory.',
    ],
    examples: [['vac quarantine wn01-03 --by ann "it scans, ticket 4711"', 'keeps it for those who look into it']],
    exitCodes: [
      [0, 'it is held'],
      [1, 'there is no such machine, or not all of it could be kept; or an error'],
    ],
  },
  release: {
    group: 'factory',
    arguments: [{ name: 'MACHINE', count: 'one', words: 'machines' }],
    options: {
      by: { type: 'string', value: 'WHO', help: 'Who asks for it; default: the user.' },
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
  images: {
    group: 'factory',
    arguments: [],
    options: {},
    json: true,
    summary: 'the images that this host has of URLs',
    help: [
      "Read from the state directory, so vacd need not run. FETCHED and CHECKED are how long ago the copy came and was found to be the server's newest; BY is what it was checked by. STATE is fresh; stale while the server is away and the copy serves (the reason is below the table); fetching or broken off, with how much has come; or missing. MACHINES run on the copy. Older copies are kept for the machines that run on them.",
      COLUMNS_HELP,
    ],
    examples: [['vac images', 'what is here, and what is on its way']],
    exitCodes: [
      [0, 'they are listed'],
      [1, 'an error, such as that the state directory cannot be read'],
    ],
  },
  accounting: {
    group: 'tools',
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
    group: 'tools',
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
  check: {
    group: 'tools',
    arguments: [FACTORIES],
    options: {
      heartbeat: {
        type: 'string',
        value: 'SECONDS',
        default: String(CHECK_THRESHOLDS.heartbeatSeconds),
        help: 'CRITICAL when a heartbeat is older than this.',
      },
      'disk-warning': {
        type: 'string',
        value: 'GB',
        default: String(CHECK_THRESHOLDS.diskWarningBytes / 1e9),
        help: 'WARNING when less is free where the state directory is (of the factories named).',
      },
      'disk-critical': {
        type: 'string',
        value: 'GB',
        default: String(CHECK_THRESHOLDS.diskCriticalBytes / 1e9),
        help: 'CRITICAL when less is free there.',
      },
    },
    json: true,
    asks: 'named',
    summary: 'a plugin for Nagios and Icinga: one line, performance data, exit code',
    help: [
      "Without FACTORY, this host's factory, from the files of its state directory: no root is needed. With FACTORY, those factories, over the network; a FACTORY may be named by its first label, as wn01. All that is said goes to the standard output.",
      'With --json, an object with the exit code, the word for it, the lines that would have been printed, and the facts that they were made from.',
    ],
    examples: [
      ['vac check', 'this host'],
      ['vac check wn01', 'another factory, from a monitoring host with the same configuration'],
    ],
    exitCodes: [
      [0, 'OK'],
      [1, 'WARNING'],
      [2, 'CRITICAL'],
      [3, 'UNKNOWN, a wrong command line too'],
    ],
  },
  simulate: {
    group: 'tools',
    arguments: [],
    options: { ...SIMULATE_OPTIONS, svg: { ...SIMULATE_OPTIONS.svg, words: 'files' } },
    json: true,
    summary: 'what a space would do with other shares, sizes or networks, before it is told to',
    help: [
      "Runs the decisions and the gossip of vacd for a whole space on virtual time, with modelled hosts, machines and networks, and beside it the predecessor on the same load. It asks nobody and changes nothing. The space is that of the configuration (--config FILE, else this host's), or with --types N, or where there is no configuration, a made-up one.",
      'Error of shares is how far a type is from what it should have, as part of the space, once the space has settled after a change of shares, work or network: when no type is further off than a hundredth of the space. A futile start is a machine that found no work. Idle slot-hours are of processors without a machine while some type had work.',
      'With --desktops N it is instead a week of N desktops in overnight mode, by the [overnight] of the configuration or made-up nights and weekends, with made-up owners: office hours with pauses, evenings, ssh, programs at night. Shown are the hours that machines have, the work that is lost, and how long an owner shares his CPU with them, beside what the same windows would do if nobody looked who is there.',
      'With --json, the last line of the standard output is an object with the figures, and under "reference" those of the predecessor; what is told while it runs goes to the standard error.',
    ],
    examples: [
      ['vac simulate --config vac.conf --share-change 12h:prod=5', 'what a share of 5 for prod would do'],
      ['vac simulate --factories 1000 --slots 32 --types 10 --loss 30', 'a large space on a bad network'],
      ['vac simulate --types 4 --hours 6 --svg shares.svg', 'with a drawing of the shares over time'],
      ['vac simulate --desktops 50 --config vac.conf', 'what the windows of [overnight] would bring in a week'],
    ],
    exitCodes: [
      [0, 'it ran to its end'],
      [1, 'an error; or a rule was broken in the simulated space'],
      [130, 'Ctrl-C ended it'],
    ],
  },
  'cernvm-signature': {
    group: 'tools',
    arguments: [{ name: 'FILE', count: 'one', words: 'files' }],
    options: {
      dn: {
        type: 'string',
        value: 'REGEX',
        help: 'What the DN of the signer must match, as image_signing_dn has it.',
      },
      'ca-dir': {
        type: 'string',
        value: 'DIR',
        default: '/etc/grid-security/certificates',
        words: 'directories',
        help: 'Certificates of the authorities that are trusted.',
      },
    },
    json: true,
    summary: 'who signed a CernVM image, and whether it is still what was signed',
    help: [
      'Prints the version that the image says it has, the DN of its signer, whether the signature is of this very file, and whether an authority that this host trusts stands for the signer.',
    ],
    examples: [
      ['vac cernvm-signature ucernvm-prod.iso', 'whoever signed it'],
      ["vac cernvm-signature --dn '/CN=signer.example.org' ucernvm.iso", 'as image_signing_dn would'],
    ],
    exitCodes: [
      [0, 'the image is whole, and its signer trusted and the one that was asked for'],
      [1, 'it is not, or has no signature; or an error'],
    ],
  },
  'squid-conf': {
    group: 'tools',
    arguments: [
      { name: 'IN', count: 'one', words: 'files' },
      { name: 'OUT', count: 'one', words: 'files' },
    ],
    options: {},
    json: true,
    summary: 'a configuration of Squid with the other factories as cache siblings',
    help: [
      'Reads IN, appends an acl and a cache_peer line for each other factory of the configuration, and writes OUT if that changes it. For a proxy on each factory that asks the others before the world. With --json, an object: whether OUT was changed, and the other factories.',
    ],
    examples: [['vac squid-conf /etc/squid/squid.conf.in /etc/squid/squid.conf', 'then: squid -k reconfigure']],
    exitCodes: [
      [0, 'OUT is as it should be'],
      [1, 'an error'],
    ],
  },
  'proxy-init': {
    group: 'tools',
    arguments: [],
    options: {
      cert: {
        type: 'string',
        short: 'c',
        value: 'FILE',
        words: 'files',
        help: 'The certificate, with those that certify it after it (PEM).',
      },
      key: {
        type: 'string',
        short: 'k',
        value: 'FILE',
        words: 'files',
        help: 'Its private key, not encrypted (PEM; default: in the file of --cert).',
      },
      machinetype: {
        type: 'string',
        value: 'NAME',
        words: 'machinetypes',
        help: "The proxy's last common name, as machines of this type have it; and without --cert, x509cert.pem and x509key.pem are those in machinetypes/NAME of the state directory.",
      },
      hours: { type: 'string', value: 'HOURS', default: '24', help: 'How long it is to last.' },
      legacy: { type: 'boolean', help: 'The form of Globus Toolkit 2 instead of that of RFC 3820.' },
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        words: 'files',
        help: 'Write it there, readable by its owner alone (default: the standard output).',
      },
    },
    json: true,
    summary: 'an X.509 proxy, made as machines with user_data_proxy get them',
    help: [
      'To try out whether a certificate is good for its experiment. A limited proxy with a key of 2048 bits; as PEM first itself, then its key, then the certificate with those that certify it. With --json, an object with its subject, its end (Unix seconds), and the proxy, or the file in which it is.',
    ],
    examples: [
      ['vac proxy-init --machinetype lhcb-prod --out /tmp/proxy', 'as its machines get them'],
      ['vac proxy-init -c usercert.pem -k userkey.pem --hours 12', 'of a certificate of your own'],
    ],
    exitCodes: [
      [0, 'it is made'],
      [1, 'it cannot be made: what is said names the file, and what is wrong with it'],
    ],
  },
  'check-config': {
    group: 'tools',
    arguments: [{ name: 'FILE', count: 'any', words: 'files' }],
    options: {},
    json: true,
    summary: 'everything that is wrong with the configuration, by file and line',
    help: [
      'Of the FILEs (or directories), in this order, or else of the configuration of this host. A running vacd that finds such errors goes on with the last good configuration. With --json, an object with the exit code, the files, errors and warnings (file, line, section, option, given, expected, message), and what the configuration says of space, factories, machinetypes and pipes where there are no errors.',
    ],
    examples: [['vac check-config', 'before, and after, a change']],
    exitCodes: [
      [0, 'there are no errors'],
      [1, 'there are'],
    ],
  },
  help: {
    group: 'tools',
    arguments: [{ name: 'COMMAND', count: 'optional', words: 'commands' }],
    options: {},
    summary: 'what vac, or a command, does',
    help: ['The same as vac --help and vac COMMAND --help.'],
    examples: [['vac help drain', 'what drain does']],
    exitCodes: [[0, 'it is said']],
  },
  'completion-words': {
    group: 'tools',
    arguments: [{ name: 'KIND', count: 'one' }],
    options: {},
    summary: 'words for the completion of shells, a line each',
    help: [`KIND is one of ${WORD_KINDS.join(', ')}. What cannot be found out is left out, without a word.`],
    examples: [],
    exitCodes: [[0, 'always']],
    hidden: true,
  },
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;

/** The table with its entries as the general type, for those that walk over it. */
export const COMMAND_TABLE: Readonly<Record<CommandName, CommandSpec>> = COMMANDS;

export const VISIBLE_COMMANDS = (Object.entries(COMMAND_TABLE) as [CommandName, CommandSpec][]).filter(
  ([, { hidden }]) => hidden !== true,
);

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Options of a command that not every command takes. */
export function commandOptions(name: CommandName): Readonly<Record<string, OptionSpec>> {
  const { options, json, asks } = COMMAND_TABLE[name];
  return { ...options, ...(json === true ? JSON_OPTION : {}), ...(asks !== undefined ? ASKING_OPTIONS : {}) };
}

/** All options that a command takes. */
export function optionsOf(name: CommandName): Readonly<Record<string, OptionSpec>> {
  return { ...commandOptions(name), ...GLOBAL_OPTIONS };
}

/** All options that there are: one name means the same in all commands that take it. */
export function allOptions(): Readonly<Record<string, OptionSpec>> {
  const names = Object.keys(COMMANDS) as CommandName[];
  return Object.assign({}, ...names.map(optionsOf));
}

/** Arguments as a line of usage has them: `NAME [FACTORY...]`. */
export function usageArguments(spec: Pick<CommandSpec, 'arguments'>): string {
  const forms = {
    one: (name: string) => name,
    optional: bracketed,
    any: (n: string) => `[${n}...]`,
    some: (n: string) => `${n}...`,
  };
  return spec.arguments.map(({ name, count }) => forms[count](name)).join(' ');
}

function bracketed(name: string): string {
  return `[${name}]`;
}
