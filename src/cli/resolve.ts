/**
 * Addresses of many host names at once, within a bounded time.
 *
 * `dns.lookup` is not asked first: it has four threads, which four names of a dead domain hold for ten seconds, and a
 * process cannot even end before they are let go. So: the hosts file, then DNS beside each other, and only for names
 * that neither has the host's own ways (search domains, other name services).
 */

import { lookup, Resolver } from 'node:dns/promises';
import { readTextIfThere } from '../host/files.js';

export interface Resolved {
  /** IP addresses by the names that were asked for; none where there is a problem. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** What is wrong, for each name without an address, in words that follow its name. */
  readonly problems: ReadonlyMap<string, string>;
}

/** So many names are asked for at one time: name servers drop what comes in larger bursts. */
const NAMES_AT_ONCE = 100;
const HOSTS_FILE = '/etc/hosts';

/** Errors by which a name server says, at once, that it does not have the name, or that there is no server. */
const NOT_FOUND = ['ENOTFOUND', 'ENODATA', 'ECONNREFUSED', 'ENONAME', 'EBADNAME'];

/** Looks up names, and takes no longer than `timeoutMs` whatever name servers do. Never rejects. */
export async function resolveNames(names: readonly string[], timeoutMs: number): Promise<Resolved> {
  const hosts = parseHosts((await readTextIfThere(HOSTS_FILE).catch(() => null)) ?? '');
  const addresses = new Map<string, readonly string[]>();
  const problems = new Map<string, string>();
  const wanted = [...new Set(names)].filter((name) => {
    const known = hosts.get(name.toLowerCase());
    if (known !== undefined) addresses.set(name, known);
    return known === undefined;
  });
  if (wanted.length === 0) return { addresses, problems };

  // Two tries, the second of which takes twice as long.
  const resolver = new Resolver({ timeout: Math.max(1, Math.floor(timeoutMs / 3)), tries: 2 });
  const seconds = `${Math.round(timeoutMs / 100) / 10} s`;
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
        if (!isOver) problems.set(name, problemOf(error as NodeJS.ErrnoException, seconds));
      }
    }
  };
  const workers = Array.from({ length: Math.min(NAMES_AT_ONCE, wanted.length) }, worker);
  await Promise.race([Promise.all(workers), timeUp]);
  isOver = true;
  clearTimeout(timer);
  resolver.cancel();
  for (const name of wanted) {
    if (!addresses.has(name) && !problems.has(name)) problems.set(name, problemOf({ code: 'ETIMEOUT' }, seconds));
  }
  return { addresses, problems };
}

/** A name's addresses; IPv6 only where it has no IPv4, which the predecessor's factories listen on. */
async function addressesOf(name: string, resolver: Resolver): Promise<string[]> {
  try {
    return await resolver.resolve4(name).catch((error: NodeJS.ErrnoException) => {
      if (!NOT_FOUND.includes(error.code ?? '')) throw error;
      return resolver.resolve6(name);
    });
  } catch (error) {
    if (!NOT_FOUND.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return (await lookup(name, { all: true })).map(({ address }) => address);
  }
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
  for (const addresses of hosts.values()) addresses.sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
  return hosts;
}

function problemOf({ code }: Pick<NodeJS.ErrnoException, 'code'>, seconds: string): string {
  if (NOT_FOUND.includes(code ?? '')) return 'its name does not resolve';
  if (code === 'ETIMEOUT' || code === 'ECANCELLED') return `its name was not resolved within ${seconds}`;
  return `its name does not resolve (${code ?? 'unknown error'})`;
}
