/** Commands that ask the factories of the space. Part of the one table (commands.ts). */

import type { CommandSpec, OptionSpec } from '../commands.js';
import { FACTORY_ORDERS } from '../views/factories.js';
import { ASKED, COLUMNS_HELP, FACTORIES } from './shared.js';

/** Of machinetypes and machinetype. */
const ORIGIN = {
  type: 'boolean',
  help: 'Show the options of machinetypes on this host instead, and where each comes from: file and line, vacuum pipe and entry, or default.',
} as const satisfies OptionSpec;

export const SPACE_COMMANDS = {
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
} as const satisfies Record<string, CommandSpec>;
