/**
 * What is wrong, or soon will be, with the certificates that machines are given: days ahead, so that whoever renews them
 * has the time. Pure: when it is, is an argument, so a step of the clock leaves nothing behind.
 */

import { utcTime } from '../factory/orders.js';

/** A certificate of a machinetype, as last looked at. */
export interface CredentialFact {
  readonly machinetype: string;
  /** `x509cert.pem`, or the option that names the file: `user_data_file_hostcert`. */
  readonly file: string;
  readonly path: string;
  /** Unix seconds: when the first certificate of its chain ends, and when that began; null: it cannot be read. */
  readonly endTimeSeconds: number | null;
  readonly startTimeSeconds: number | null;
  /** How long before its end it is of no use any more: a proxy must last as long as its machine. */
  readonly neededSeconds: number;
  /** Why no proxy can be made with it, whatever time it is. */
  readonly problem: string | null;
  /** What is not as it should be, but works. */
  readonly warnings: readonly string[];
}

export interface CredentialProblem {
  /** By kind, path and machinetypes it is known to be the same one tomorrow, in other words. */
  readonly kind: 'unusable' | 'ended' | 'ending' | 'careless';
  readonly path: string;
  readonly machinetypes: readonly string[];
  /** One line, with the machinetypes. */
  readonly text: string;
}

/** Told so long ahead. */
export const AHEAD_SECONDS = 14 * 86_400;
/** Of what lives briefly, like a proxy that is renewed every day: told in the last quarter of its life. */
const LAST_PART = 1 / 4;

/** The worst first. */
export function credentialProblems(facts: readonly CredentialFact[], nowSeconds: number): CredentialProblem[] {
  const found = new Map<string, { kind: CredentialProblem['kind']; path: string; words: string; types: string[] }>();
  for (const fact of facts) {
    for (const [kind, words] of judge(fact, nowSeconds)) {
      const key = `${kind} ${words}`;
      const known = found.get(key) ?? { kind, path: fact.path, words, types: [] };
      known.types.push(fact.machinetype);
      found.set(key, known);
    }
  }
  const order = ['unusable', 'ended', 'ending', 'careless'];
  return [...found.values()]
    .map(({ kind, path, words, types }) => ({ kind, path, machinetypes: types, text: `${types.join(', ')}: ${words}` }))
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

function judge(fact: CredentialFact, nowSeconds: number): [CredentialProblem['kind'], string][] {
  const careless = fact.warnings.map((words): [CredentialProblem['kind'], string] => ['careless', words]);
  if (fact.problem !== null) return [['unusable', `no machine starts: ${fact.problem}`], ...careless];
  const { startTimeSeconds, endTimeSeconds } = fact;
  if (startTimeSeconds === null || endTimeSeconds === null) return careless;
  return [...judgeTime({ ...fact, startTimeSeconds, endTimeSeconds }, nowSeconds), ...careless];
}

type ReadFact = CredentialFact & { readonly startTimeSeconds: number; readonly endTimeSeconds: number };

function judgeTime(
  { file, path, startTimeSeconds, endTimeSeconds, neededSeconds }: ReadFact,
  nowSeconds: number,
): [CredentialProblem['kind'], string][] {
  const isForProxies = neededSeconds > 0;
  const what = isForProxies ? path : `${path} (${file})`;
  const ends = `ends at ${utcTime(endTimeSeconds)}`;
  if (isForProxies && startTimeSeconds > nowSeconds) {
    return [
      [
        'unusable',
        `no machine starts: ${what} is not valid before ${utcTime(startTimeSeconds)}; is this host's clock right?`,
      ],
    ];
  }
  if (endTimeSeconds <= nowSeconds) {
    const therefore = isForProxies ? 'no machine starts' : 'machines get it all the same';
    return [['ended', `${what} has expired, it ended at ${utcTime(endTimeSeconds)}: ${therefore}; renew it`]];
  }
  const lastStartSeconds = endTimeSeconds - neededSeconds;
  if (isForProxies && lastStartSeconds < nowSeconds) {
    return [
      [
        'ended',
        `${what} ${ends}, before a machine that starts now must (max_wallclock_seconds): none starts; renew it`,
      ],
    ];
  }
  const lifeSeconds = endTimeSeconds - startTimeSeconds;
  if (lastStartSeconds - nowSeconds >= Math.min(AHEAD_SECONDS, lifeSeconds * LAST_PART)) return [];
  const last = isForProxies ? `, and no machine starts after ${utcTime(lastStartSeconds)}` : '';
  return [['ending', `${what} ${ends}${last}; renew it`]];
}
