/**
 * Addresses of host names, one or many at once, within a bounded time.
 *
 * `dns.lookup` is not asked first: it has four threads, which four names of a dead domain hold for ten seconds, and a
 * process cannot even end before they are let go. So: the hosts file, then DNS beside each other, and only for names
 * that neither has the host's own ways (search domains, other name services).
 */

import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { readTextIfThere } from './files.js';

export interface Resolved {
  /** IP addresses by the names that were asked for; none where there is a problem. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** What is wrong, for each name without an address, in words that follow its name. */
  readonly problems: ReadonlyMap<string, string>;
}

/** So many names are asked for at one time: name servers drop what comes in larger bursts. */
const NAMES_AT_ONCE = 100;
const HOSTS_FILE = '/etc/hosts';
/** For one name: what a name server that lives takes at most. */
const HOST_TIMEOUT_MS = 5_000;

/** Errors by which a name server says, at once, that it does not have the name, or that there is no server. */
const NOT_FOUND = ['ENOTFOUND', 'ENODATA', 'ECONNREFUSED', 'ENONAME', 'EBADNAME'];

/**
 * All addresses of one host, IPv4 first; of an IP address, itself.
 *
 * @throws Error whose message is the reason in a few words: `not found`, `no answer within 5 s`, …
 */
export async function resolveHost(name: string, timeoutMs = HOST_TIMEOUT_MS): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name];
  const known = (await readHosts()).get(name.toLowerCase());
  if (known !== undefined) return known;
  const resolver = boundedResolver(timeoutMs);
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject({ code: 'ETIMEOUT' }), timeoutMs);
  });
  try {
    return await Promise.race([allAddressesOf(name, resolver), timeUp]);
  } catch (error) {
    throw new Error(reasonOf(error as NodeJS.ErrnoException, timeoutMs));
  } finally {
    clearTimeout(timer);
    resolver.cancel();
  }
}

type Failed = Pick<NodeJS.ErrnoException, 'code'>;

/** Looks up names, and takes no longer than `timeoutMs` whatever name servers do. Never rejects. */
export async function resolveNames(names: readonly string[], timeoutMs: number): Promise<Resolved> {
  const hosts = await readHosts();
  const addresses = new Map<string, readonly string[]>();
  const problems = new Map<string, string>();
  const wanted = [...new Set(names)].filter((name) => {
    const known = hosts.get(name.toLowerCase());
    if (known !== undefined) addresses.set(name, known);
    return known === undefined;
  });
  if (wanted.length === 0) return { addresses, problems };

  const resolver = boundedResolver(timeoutMs);
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  let isOver = false;
  const rest = wanted.values();
  const worker = async (): Promise<void> => {
    for (const name of rest) {
      if (isOver) return;
      try {
        const found = await addressesOf(name, resolver);
        if (!isOver) addresses.set(name, found);
      } catch (error) {
        if (!isOver) problems.set(name, problemOf(error as NodeJS.ErrnoException, timeoutMs));
      }
    }
  };
  const workers = Array.from({ length: Math.min(NAMES_AT_ONCE, wanted.length) }, worker);
  await Promise.race([Promise.all(workers), timeUp]);
  isOver = true;
  clearTimeout(timer);
  resolver.cancel();
  for (const name of wanted) {
    if (!addresses.has(name) && !problems.has(name)) problems.set(name, problemOf({ code: 'ETIMEOUT' }, timeoutMs));
  }
  return { addresses, problems };
}

/** Two tries, the second of which takes twice as long. */
function boundedResolver(timeoutMs: number): Resolver {
  return new Resolver({ timeout: Math.max(1, Math.floor(timeoutMs / 3)), tries: 2 });
}

/** A name's addresses; IPv6 only where it has no IPv4, which the predecessor's factories listen on. */
async function addressesOf(name: string, resolver: Resolver): Promise<string[]> {
  try {
    return await resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => {
      if (!isNotFound(error)) throw error;
      return resolver.resolve6(name);
    });
  } catch (error) {
    return await hostsOwnWay(name, error as NodeJS.ErrnoException);
  }
}

/** Of both families: a host may be known by one and speak by the other. */
async function allAddressesOf(name: string, resolver: Resolver): Promise<string[]> {
  const lookups = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = lookups.flatMap((found) => (found.status === 'fulfilled' ? found.value : []));
  if (addresses.length > 0) return addresses;
  const errors = lookups.flatMap((found) => (found.status === 'rejected' ? [found.reason] : []));
  return await hostsOwnWay(name, errors.find((error) => !isNotFound(error)) ?? errors[0]);
}

/** @param error of the name servers: only where they do not have the name are other ways worth their time */
async function hostsOwnWay(name: string, error: NodeJS.ErrnoException): Promise<string[]> {
  if (!isNotFound(error)) throw error;
  const addresses = (await lookup(name, { all: true })).map(({ address }) => address);
  return ipv4First(addresses);
}

function isNotFound({ code }: Failed): boolean {
  return NOT_FOUND.includes(code ?? '');
}

function ipv4First(addresses: string[]): string[] {
  return addresses.sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
}

async function readHosts(): Promise<Map<string, readonly string[]>> {
  return parseHosts((await readTextIfThere(HOSTS_FILE).catch(() => null)) ?? '');
}

/** Names, in lower case, to addresses, IPv4 first, as in hosts(5). */
export function parseHosts(text: string): Map<string, readonly string[]> {
  const hosts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    // An address with a zone, as fe80::1%eth0, is none that can be asked by its own text.
    if (address === undefined || address.includes('%')) continue;
    for (const name of names) hosts.set(name.toLowerCase(), [...(hosts.get(name.toLowerCase()) ?? []), address]);
  }
  for (const addresses of hosts.values()) ipv4First(addresses);
  return hosts;
}

function problemOf({ code }: Failed, timeoutMs: number): string {
  if (isNotFound({ code })) return 'its name does not resolve';
  if (isTimeOut(code)) return `its name was not resolved within ${inSeconds(timeoutMs)}`;
  return `its name does not resolve (${code ?? 'unknown error'})`;
}

function reasonOf({ code }: Failed, timeoutMs: number): string {
  if (isNotFound({ code })) return 'not found';
  return isTimeOut(code) ? `no answer within ${inSeconds(timeoutMs)}` : (code ?? 'unknown error');
}

function isTimeOut(code: string | undefined): boolean {
  return code === 'ETIMEOUT' || code === 'ECANCELLED';
}

function inSeconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} s`;
}
