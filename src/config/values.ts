/**
 * Types of option values: what text each accepts and what it becomes. They take the text alone, so the configuration
 * files and vacuum pipes (whose JSON values are first turned into text) share them.
 */

import { parseEgressDestination } from './egress.js';
import { type IpNetwork, parseIpNetwork } from './networks.js';
import type { ContextName, SyslogCollector } from './types.js';

/** One type of value. `parse` gives undefined for text that is not `expected`, and never throws. */
export interface ValueType<T> {
  /** Short name for the reference, e.g. `integer`. */
  readonly kind: string;
  /** Completes "expected …". */
  readonly expected: string;
  readonly parse: (text: string) => T | undefined;
  /** Where in the text something is wrong, and what; null for text that `parse` takes. Only of types that can tell. */
  readonly fault?: (text: string) => string | null;
}

/** A service's address. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const FQDN = new RegExp(`^(?=.{1,253}$)${HOST_LABEL}(?:\\.${HOST_LABEL})+$`);
const HOST_PORT = new RegExp(`^(${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9A-Fa-f:.]+\\]):([0-9]{1,5})$`);

/** A type whose values are the texts that match a pattern. */
function matching(kind: string, expected: string, pattern: RegExp): ValueType<string> {
  return { kind, expected, parse: (text) => (pattern.test(text) ? text : undefined) };
}

/** A type whose values are white-space separated items of another type; empty text is an empty list. */
function listOf<T>(item: ValueType<T>, expected: string): ValueType<readonly T[]> {
  return {
    kind: `${item.kind} list`,
    expected,
    parse: (text) => {
      const items = text.split(/\s+/).filter((word) => word !== '');
      const values = items.map(item.parse);
      return values.includes(undefined) ? undefined : (values as T[]);
    },
  };
}

function numeric(kind: string, noun: string, pattern: RegExp, min: number, max: number): ValueType<number> {
  return {
    kind,
    expected: `${noun} from ${min} to ${max}`,
    parse: (text) => {
      const value = pattern.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? value : undefined;
    },
  };
}

export const integer = (min: number, max: number): ValueType<number> =>
  numeric('integer', 'a whole number', /^[+-]?\d+$/, min, max);

export const decimal = (min: number, max: number): ValueType<number> =>
  numeric('number', 'a number', /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/, min, max);

/** Bounded by the year 9999, which also catches milliseconds given for seconds. */
export const unixTime: ValueType<number> = {
  kind: 'Unix time',
  expected: 'a Unix time in seconds, as `date +%s` prints it',
  parse: integer(0, 253_402_300_799).parse,
};

const BOOLEANS = new Map([
  ...['1', 'yes', 'true', 'on'].map((word) => [word, true] as const),
  ...['0', 'no', 'false', 'off'].map((word) => [word, false] as const),
]);

/** As ConfigParser's `getboolean`, in any case of letters. */
export const boolean: ValueType<boolean> = {
  kind: 'boolean',
  expected: 'yes or no (or true/false, on/off, 1/0)',
  parse: (text) => BOOLEANS.get(text.toLowerCase()),
};

export function oneOf<const T extends string>(...words: readonly T[]): ValueType<T> {
  return {
    kind: words.join(' | '),
    expected: `one of ${words.join(', ')}`,
    parse: (text) => words.find((word) => word === text),
  };
}

/** Any text, of several lines too. */
export const text: ValueType<string> = { kind: 'text', expected: 'any text', parse: (value) => value };

export const line: ValueType<string> = matching('text', 'text on one line', /^[^\p{Cc}]+$/u);

export const fqdn: ValueType<string> = matching(
  'FQDN',
  'a fully qualified domain name such as vac01.example.com',
  FQDN,
);

/** Names of factories, in lower case; `.` stays for the loader, which knows this host's name. */
export const factoryList: ValueType<readonly string[]> = listOf(
  {
    kind: 'FQDN',
    expected: '',
    parse: (name) => (name === '.' || FQDN.test(name) ? name.toLowerCase() : undefined),
  },
  'fully qualified domain names (or "." for this host) with white space between them',
);

export const hostPort: ValueType<HostPort> = {
  kind: 'host:port',
  expected: 'host:port with a port from 1 to 65535',
  parse: (value) => {
    const [, host, digits] = HOST_PORT.exec(value) ?? [];
    const port = Number(digits);
    if (host === undefined || port < 1 || port > 65535) return undefined;
    return { host: host.replace(/^\[(.*)\]$/, '$1').toLowerCase(), port };
  },
};

/** By what a machine sends its syslog; `yes` is the usual way, `no` null. */
export const syslogWay: ValueType<'udp' | 'tcp' | 'relp' | null> = {
  kind: 'yes, no, udp, tcp or relp',
  expected: 'yes or no, or udp, tcp or relp',
  parse: (value) => {
    const word = value.toLowerCase();
    if (word === 'udp' || word === 'tcp' || word === 'relp') return word;
    const isWanted = boolean.parse(value);
    return isWanted === undefined ? undefined : isWanted ? 'udp' : null;
  },
};

/** Where the lines of machines' syslog are forwarded to, and how. */
export const syslogCollector: ValueType<SyslogCollector> = {
  kind: 'syslog collector',
  expected: 'tcp://HOST:PORT, tls://HOST:PORT, relp://HOST:PORT or relps://HOST:PORT',
  parse: (value) => {
    const [, protocol, place = ''] = /^(tcp|tls|relp|relps):\/\/([^/]+)\/?$/.exec(value) ?? [];
    const there = hostPort.parse(place);
    if (protocol === undefined || there === undefined) return undefined;
    return { protocol: protocol as SyslogCollector['protocol'], ...there };
  },
};

/** `host:port`, or nothing (null). */
export const hostPortOrEmpty: ValueType<HostPort | null> = {
  kind: 'host:port or empty',
  expected: `${hostPort.expected}, or nothing`,
  parse: (value) => (value === '' ? null : hostPort.parse(value)),
};

export const hostPortList: ValueType<readonly HostPort[]> = listOf(
  hostPort,
  'host:port pairs with white space between them, such as vacmon.example.com:8884',
);

export const ipNetworkList: ValueType<readonly IpNetwork[]> = listOf(
  { kind: 'IP network', expected: '', parse: parseIpNetwork },
  'IP addresses or networks such as 192.0.2.0/24 or 2001:db8::/32 (nothing but zeros after the prefix) with white space between them',
);

/** Kept as text: it goes into the record of a machine, and is read again where rules are made of it. */
export const egressList: ValueType<readonly string[]> = listOf(
  {
    kind: 'destination',
    expected: '',
    parse: (word) => (parseEgressDestination(word) === undefined ? undefined : word),
  },
  'IPv4 addresses or networks such as 192.0.2.0/24 (nothing but zeros after the prefix), each with a port if need be as in 192.0.2.7:3128, with white space between them',
);

const isRelativePath = (value: string): boolean =>
  /^[^\s/\p{Cc}][^\p{Cc}]*$/u.test(value) && !value.split('/').includes('..');

export const path: ValueType<string> = matching('path', 'a path that begins with /', /^\/[^\p{Cc}]*$/u);

/** A file of the host by its path, or of the machinetype's `files/` by its name. */
export const pathOrFileName: ValueType<string> = {
  kind: 'path or file name',
  expected: "a path that begins with /, or a file name under the machinetype's files/ (without ..)",
  parse: (value) => path.parse(value) ?? (isRelativePath(value) ? value : undefined),
};

export const httpUrl: ValueType<string> = {
  kind: 'URL',
  expected: 'a URL that begins with http:// or https://',
  parse: (value) => (/^https?:\/\/\S+$/.test(value) && URL.canParse(value) ? value : undefined),
};

/** Where a file comes from; `docker://` is for images of container models. */
export const urlOrPath: ValueType<string> = {
  kind: 'URL, path or file name',
  expected:
    "an http(s):// URL (docker:// for containers), a path that begins with /, or a file name under the machinetype's files/ (without ..)",
  parse: (value) => {
    if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(value)) return pathOrFileName.parse(value);
    return /^docker:\/\/\S+$/.test(value) ? value : httpUrl.parse(value);
  },
};

/** The same, and a path in the form of a URL. */
export const imageLocation: ValueType<string> = {
  ...urlOrPath,
  expected:
    "an http(s):// or file:/// URL (docker:// for containers), a path that begins with /, or a file name under the machinetype's files/ (without ..)",
  parse: (value) =>
    /^file:/i.test(value)
      ? /^file:\/\/\/(?!\/)\S+$/i.test(value) && URL.canParse(value) && !/%(?:00|2f)/i.test(value)
        ? value
        : undefined
      : urlOrPath.parse(value),
};

/** As sha256sum prints it. */
export const sha256: ValueType<string> = {
  kind: 'SHA-256',
  expected: 'a SHA-256 as sha256sum prints it: 64 digits and letters a-f',
  parse: (value) => (/^[0-9a-f]{64}$/i.test(value) ? value.toLowerCase() : undefined),
};

export const fileName: ValueType<string> = matching(
  'file name',
  'a file name without /',
  /^(?!\.{1,2}$)[^/\p{Cc}]{1,255}$/u,
);

/** A regular expression, kept as text; the reader of the option compiles it. */
export const regex: ValueType<string> = {
  kind: 'regular expression',
  expected: 'a regular expression in JavaScript syntax',
  parse: (value) => {
    try {
      new RegExp(value);
      return value;
    } catch {
      return undefined;
    }
  },
};

export const device: ValueType<string> = matching(
  'device name',
  'a device name of letters a-z and digits, such as vdb',
  /^[a-z0-9]{1,16}$/,
);

export const networkInterface: ValueType<string> = matching(
  'network interface',
  'the name of a network interface (at most 15 characters, no white space or /)',
  /^(?!\.{1,2}$)[^\s/\p{Cc}]{1,15}$/u,
);

/** As group(5) and directory services have them; domain members may have a backslash or an @ in theirs. */
export const userGroup: ValueType<string> = matching(
  'group',
  'the name of a group of users, such as vacadmin',
  /^(?!-)[A-Za-z0-9_.@\\-]{1,64}\$?$/,
);

/** What lvm(8) allows as a volume group's name; a thin pool in it may be named after a slash. */
export const volumeGroup: ValueType<string> = matching(
  'volume group',
  'the name of an LVM volume group (letters, digits and + _ . -), or group/pool for a thin pool in it',
  /^(?!-|\.{1,2}(?:\/|$))[A-Za-z0-9+_.-]{1,127}(?:\/(?!-|\.{1,2}$)[A-Za-z0-9+_.-]{1,127})?$/,
);

/** What libvirt's schema allows as the name of a CPU model. */
export const cpuMode: ValueType<string> = matching(
  'CPU mode or model',
  'host-passthrough, host-model, maximum, or the name of a CPU model such as x86-64-v2',
  /^[A-Za-z0-9_.+-]{1,64}$/,
);

export const fqan: ValueType<string> = matching(
  'FQAN',
  'a VOMS FQAN such as /lhcb/Role=NULL/Capability=NULL',
  /^\/[\x21-\x7e]+$/,
);

/** APEL's parser refuses a record whose site is called None. */
export const siteName: ValueType<string> = matching(
  'site name',
  'the site name as GOCDB has it (letters, digits and . _ -)',
  /^(?!None$)[A-Za-z0-9._-]+$/,
);

export const libvirtUri: ValueType<string> = matching(
  'libvirt URI',
  'a libvirt URI such as qemu:///system',
  /^[a-z]+(?:\+[a-z0-9]+)?:\/\/\S*$/,
);

export const repositoryList: ValueType<readonly string[]> = listOf(
  matching('name', '', /^[A-Za-z0-9._-]+$/),
  'names of CernVM-FS repositories such as lhcb.cern.ch with white space between them',
);

export const pathList: ValueType<readonly string[]> = listOf(
  path,
  'paths that begin with / with white space between them',
);

const CONTEXT_NAMES: readonly ContextName[] = ['metadata', 'configdrive', 'nocloud', 'nocloud-smbios', 'one'];

export const contextList: ValueType<readonly ContextName[]> = listOf(
  oneOf(...CONTEXT_NAMES),
  `one or several of ${CONTEXT_NAMES.join(', ')} with white space between them`,
);
