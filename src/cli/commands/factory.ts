/** Commands for the factory on this host. Part of the one table (commands.ts). */

import type { CommandSpec } from '../commands.js';
import { ANSWERED, COLUMNS_HELP, TIME_HELP } from './shared.js';

export const FACTORY_COMMANDS = {
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
      "MACHINE is a host name (short or full), a slot number, or the name of the machine's directory. It is asked to shut down, and destroyed if it has not after half a minute; one in quarantine stays as it is. A slot that is freed is filled again: to keep it empty, vac drain first.",
    ],
    examples: [['vac stop wn01-03', 'the machine of this name']],
    exitCodes: [
      [0, 'all of them are being stopped'],
      [1, 'there is no such machine here; or an error'],
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
} as const satisfies Record<string, CommandSpec>;
