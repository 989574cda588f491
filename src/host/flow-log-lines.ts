/**
 * The lines of the log of connections: what `conntrack -E -o timestamp,id,extended` says, made short. Pure.
 *
 *     1795279498.745 new tcp 169.254.169.3:59666 > 198.51.100.7:443 as 192.0.2.10:40112
 *     1795279499.001 end tcp 169.254.169.3:59666 > 198.51.100.7:443 as 192.0.2.10:40112
 *     1795279500.000 left-out 1234 a machine opens connections faster than is logged
 *
 * `as` is what the other side saw: address and port after translation (NAT).
 */

export interface Flow {
  readonly timeSeconds: number;
  readonly event: 'new' | 'end';
  readonly protocol: string;
  readonly from: string;
  /** 0 for protocols without ports. */
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly as: string;
  readonly asPort: number;
}

/** A stretch of time of which not all is known. */
export interface Gap {
  readonly timeSeconds: number;
  /** -1: nobody knows how many. */
  readonly count: number;
  readonly why: string;
}

const EVENT = /^\[(\d{1,12})\.(\d{3})\d*\]\s+\[(NEW|DESTROY)\]\s+ipv4\s+\d+\s+(\w{1,16})\s+\d+\s/;
const FIELD = /\b(src|dst|sport|dport)=([0-9.]{1,15})(?=\s|$)/g;

/** A line of conntrack; null: it is no beginning or end of an IPv4 connection. */
export function parseConntrack(line: string): Flow | null {
  const head = EVENT.exec(line);
  if (head === null) return null;
  const [original, reply] = [new Map<string, string>(), new Map<string, string>()];
  for (const [, name, value] of line.matchAll(FIELD)) {
    // First the connection as it was begun, then as the answer comes.
    const side = original.has(name!) ? reply : original;
    if (!side.has(name!)) side.set(name!, value!);
  }
  const [from, to, as] = [original.get('src'), original.get('dst'), reply.get('dst')];
  if (from === undefined || to === undefined || as === undefined) return null;
  return {
    timeSeconds: Number(`${head[1]}.${head[2]}`),
    event: head[3] === 'NEW' ? 'new' : 'end',
    protocol: head[4]!,
    from,
    fromPort: port(original.get('sport')),
    to,
    toPort: port(original.get('dport')),
    as,
    asPort: port(reply.get('dport')),
  };
}

export function flowLine(flow: Flow): string {
  const { timeSeconds, event, protocol, from, fromPort, to, toPort, as, asPort } = flow;
  return `${timeSeconds.toFixed(3)} ${event} ${protocol} ${from}:${fromPort} > ${to}:${toPort} as ${as}:${asPort}`;
}

export function gapLine({ timeSeconds, count, why }: Gap): string {
  return `${timeSeconds.toFixed(3)} left-out ${count} ${why}`;
}

const FLOW = /^(\d+\.\d{3}) (new|end) (\w+) ([\d.]+):(\d+) > ([\d.]+):(\d+) as ([\d.]+):(\d+)$/;
const GAP = /^(\d+\.\d{3}) left-out (-?\d+) (.*)$/;

export function parseFlowLine(line: string): Flow | Gap | null {
  const gap = GAP.exec(line);
  if (gap !== null) return { timeSeconds: Number(gap[1]), count: Number(gap[2]), why: gap[3]! };
  const flow = FLOW.exec(line);
  if (flow === null) return null;
  return {
    timeSeconds: Number(flow[1]),
    event: flow[2] as Flow['event'],
    protocol: flow[3]!,
    from: flow[4]!,
    fromPort: Number(flow[5]),
    to: flow[6]!,
    toPort: Number(flow[7]),
    as: flow[8]!,
    asPort: Number(flow[9]),
  };
}

export function isGap(line: Flow | Gap): line is Gap {
  return 'count' in line;
}

function port(text: string | undefined): number {
  const number = Number(text ?? 0);
  return Number.isInteger(number) && number >= 0 && number <= 65_535 ? number : 0;
}
