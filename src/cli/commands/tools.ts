/** Commands for other programs, and before changes. Part of the one table (commands.ts). */

import { SIMULATE_OPTIONS } from '../../sim/options.js';
import type { CommandSpec } from '../commands.js';
import { CHECK_THRESHOLDS } from '../views/check.js';
import { FACTORIES, WORD_KINDS } from './shared.js';

export const TOOL_COMMANDS = {
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
