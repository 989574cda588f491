/** Shutdown messages: what a machine's one line at the end means for what is started next (SPEC 4). */

/** First three digits of a message, or null when it does not begin with three digits. */
export function outcomeCode(message: string | null): number | null {
  const digits = message === null ? null : /^(\d{3})(?:\D|$)/.exec(message);
  return digits ? Number(digits[1]) : null;
}

/** Codes of 300 and more mean that starting more of the type now is pointless (SPEC 4). */
export function isAbort(message: string | null): boolean {
  const code = outcomeCode(message);
  return code !== null && code >= 300;
}

const STOPPED = 'stopped: ';

/** A machine's end as its `finished` file tells it when this factory asked for it; `wasStopped` knows it again. */
export function stoppedReason(why: string): string {
  return `${STOPPED}${why}`;
}

/** Whether the factory itself asked the machine to stop, from the reason of its end. */
export function wasStopped(endReason: string): boolean {
  return endReason.startsWith(STOPPED);
}

const FIZZLE = /^300 Vac detects fizzle after \d+ seconds$/;

/** Whether a message was given by the factory for want of the machine's own words. */
export function isFizzleMessage(message: string): boolean {
  return FIZZLE.test(message);
}

/** What is said of a machine that ended within fizzle_seconds without a word (SPEC 3). */
export function fizzleMessage(ranSeconds: number): string {
  return `300 Vac detects fizzle after ${ranSeconds} seconds`;
}

/**
 * The message that a machine's end is known by: the factory's verdict where it overrides, else the machine's own
 * words, else what the factory asked of it, else a fizzle if it was too short to have worked.
 */
export function endMessage(facts: {
  readonly own: string | null;
  readonly asked: { readonly message: string; readonly overrides: boolean } | null;
  readonly ranSeconds: number;
  readonly fizzleSeconds: number;
}): string | null {
  if (facts.asked?.overrides) return facts.asked.message;
  if (facts.own !== null) return facts.own;
  if (facts.asked !== null) return facts.asked.message;
  return facts.ranSeconds < facts.fizzleSeconds ? fizzleMessage(facts.ranSeconds) : null;
}
