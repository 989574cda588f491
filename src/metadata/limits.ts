/** What one client may take of the HTTP server, so that no machine takes it from the others. Pure. */

import { BoundedMap, TokenBucket } from '../vacquery/limits.js';
import { MAX_OPEN_PER_MACHINE } from './messages.js';

/** Of one client at a time, at all addresses. */
export const MAX_CONNECTIONS_PER_CLIENT = 32;
/** cloud-init asks some sixty things in its first seconds, and a job one a minute. */
export const REQUESTS = { perSecond: 20, burst: 300 } as const;
/** Opening a connection costs more than a request on one that is open. */
const CONNECTIONS = { perSecond: 40, burst: 400 } as const;
/** Of one PUT. */
export const MAX_PUT_BYTES = 10 * 2 ** 20;
/** Clients that are remembered; beyond that the one that has been quiet longest is forgotten. */
const MAX_CLIENTS = 4096;

interface Client {
  connections: number;
  pending: number;
}

export class ClientLimits {
  private readonly clients = new Map<string, Client>();
  private readonly requests = new BoundedMap<TokenBucket>(MAX_CLIENTS);
  private readonly openings = new BoundedMap<TokenBucket>(MAX_CLIENTS);

  /** Clients that have a connection or are being answered. */
  get size(): number {
    return this.clients.size;
  }

  /** Counts a connection; false: they come too fast, and it must be closed. Each must be told of by `disconnected`. */
  connected(ip: string, nowMs: number): boolean {
    const client = this.clients.get(ip) ?? { connections: 0, pending: 0 };
    this.clients.set(ip, client);
    client.connections += 1;
    return spend(this.openings, ip, CONNECTIONS, nowMs);
  }

  /** It has more connections than it may have: the newest must be closed. */
  isCrowded(ip: string): boolean {
    return (this.clients.get(ip)?.connections ?? 0) > MAX_CONNECTIONS_PER_CLIENT;
  }

  disconnected(ip: string): void {
    const client = this.clients.get(ip);
    if (client === undefined) return;
    client.connections -= 1;
    if (client.connections === 0 && client.pending === 0) this.clients.delete(ip);
  }

  /** Counts a request; false: it must be refused, and is over with that. Others must be told of by `answered`. */
  begin(ip: string, nowMs: number): boolean {
    const client = this.clients.get(ip) ?? { connections: 0, pending: 0 };
    if (!spend(this.requests, ip, REQUESTS, nowMs) || client.pending >= MAX_OPEN_PER_MACHINE) return false;
    this.clients.set(ip, client);
    client.pending += 1;
    return true;
  }

  answered(ip: string): void {
    const client = this.clients.get(ip);
    if (client === undefined) return;
    client.pending -= 1;
    if (client.connections === 0 && client.pending === 0) this.clients.delete(ip);
  }
}

function spend(
  buckets: BoundedMap<TokenBucket>,
  ip: string,
  { perSecond, burst }: { readonly perSecond: number; readonly burst: number },
  nowMs: number,
): boolean {
  const bucket = buckets.getOrCreate(ip, () => new TokenBucket(perSecond, burst, nowMs));
  if (!bucket.has(nowMs)) return false;
  bucket.spend(1);
  return true;
}
