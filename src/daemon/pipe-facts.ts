/** What is known of the vacuum pipes, for status, monitoring and `vac check`. */

import type { RefusedEntry } from '../config/pipe-document.js';

export interface PipeFacts {
  /** Machinetypes of it that are in force. */
  readonly machinetypes: number;
  readonly refused: readonly RefusedEntry[];
  readonly cacheSeconds: number;
  /** When the copy in force was last given, or confirmed, by the server (Unix seconds); null: there is none. */
  readonly checkedTimeSeconds: number | null;
  /** Null when the last attempt to fetch it went well, or there was none yet. */
  readonly problem: { readonly sinceSeconds: number; readonly message: string } | null;
}

/** A copy is not worth a warning before this, however often its document should be fetched. */
const OLD_SECONDS = 86_400;
/** Nor before so many of the times for which it is good. */
const OLD_CACHE_TIMES = 3;

/** How old the copy in force is; null: there is none. A clock that was set back makes none younger than new. */
export function copyAgeSeconds({ checkedTimeSeconds }: PipeFacts, nowSeconds: number): number | null {
  return checkedTimeSeconds === null ? null : Math.max(0, nowSeconds - checkedTimeSeconds);
}

/** What somebody should look at, a line each. */
export function pipeProblems(pipes: ReadonlyMap<string, PipeFacts>, nowSeconds: number): string[] {
  return [...pipes].flatMap(([prefix, facts]) => {
    const { problem, refused, cacheSeconds } = facts;
    const age = copyAgeSeconds(facts, nowSeconds);
    const lines: string[] = [];
    if (problem !== null && age === null) {
      lines.push(`vacuum pipe ${prefix} gives no machinetypes: ${problem.message}`);
    } else if (problem !== null && age !== null && age > Math.max(OLD_SECONDS, OLD_CACHE_TIMES * cacheSeconds)) {
      lines.push(
        `vacuum pipe ${prefix}: the copy in force is ${(age / 86_400).toFixed(1)} days old: ${problem.message}`,
      );
    }
    const [first, ...more] = refused;
    if (first !== undefined) {
      const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
      lines.push(`vacuum pipe ${prefix}: its machinetype ${first.entry} is refused: ${first.reason}${others}`);
    }
    return lines;
  });
}
