/**
 * The keys of the space in force: signs what this factory tells the others, and judges what comes from them. Without
 * keys it does neither. Which they are the daemon says, which alone reads their file (daemon/space-keys.ts).
 *
 * A factory that has never had a good file says what it says unsigned, and with `required` believes nothing.
 */

import {
  Authenticator,
  type AuthVerdict,
  type Clock,
  MAX_SENT_BYTES,
  nodeHmac,
  type QuerySigner,
  type Signer,
  type SpaceKey,
} from '../vacquery/index.js';
import type { KeysGiven } from './messages.js';

/** The calendar may be set back by so much without harm to what is signed: clocks may differ by a minute. */
const STEP_MS = 2_000;
/** In mixed mode all must have signed for so long before it is said that mixed is needed no more. */
const SETTLED_MS = 3_600_000;

export interface KeysInForceParts {
  readonly clock: Clock;
  /** This factory's FQDN. */
  readonly factory: () => string;
  /** What is believed has changed. */
  readonly onChange: () => void;
}

/** Of one factory: when it last sent us something signed that was believed, and something that was not signed. */
interface Seen {
  signedMs: number;
  unsignedMs: number;
}

export class KeysInForce implements Signer {
  private isOn = false;
  private keys: readonly SpaceKey[] = [];
  private authenticator: Authenticator | null = null;
  private mode: 'mixed' | 'required' = 'mixed';
  private readonly seen = new Map<string, Seen>();
  private sinceMs = 0;
  /** Calendar less steady clock, as last seen. */
  private calendarMs = 0;

  constructor(private readonly parts: KeysInForceParts) {}

  /** From now on these are in force. */
  take({ isOn, mode, keys }: KeysGiven): void {
    this.isOn = isOn;
    this.mode = mode;
    this.keys = keys.map(({ id, secretBase64 }) => ({ id, secret: Buffer.from(secretBase64, 'base64') }));
    this.authenticator = keys.length === 0 ? null : this.make();
    this.seen.clear();
    this.sinceMs = this.parts.clock.nowMs();
    this.parts.onChange();
  }

  /** Whether a factory signs what it sends here; null: not known, or no keys. */
  signs(factory: string): boolean | null {
    const seen = this.seen.get(factory);
    return seen === undefined ? null : seen.signedMs >= seen.unsignedMs;
  }

  /** What is to be said of the roll-out, with these others in the space; null: nothing. */
  hint(others: readonly string[]): string | null {
    if (this.authenticator === null || this.mode !== 'mixed' || others.length === 0) return null;
    const nowMs = this.parts.clock.nowMs();
    const settled = others.every((factory) => {
      const { signedMs, unsignedMs } = this.seen.get(factory) ?? NEVER;
      return nowMs - signedMs < SETTLED_MS && nowMs - Math.max(unsignedMs, this.sinceMs) > SETTLED_MS;
    });
    if (!settled) return null;
    return 'all other factories sign: set space_key_mode = required, or what is not signed goes on being believed';
  }

  sign(datagram: Uint8Array, audience: string, unixSeconds: number): Uint8Array {
    return this.current()?.sign(datagram, audience, unixSeconds) ?? datagram;
  }

  check(datagram: Uint8Array, sender: string, unixSeconds: number, isAnswer = false): AuthVerdict {
    const authenticator = this.current();
    if (authenticator === null) {
      // Required, but there is no key: what is signed cannot be told from what only looks like it.
      return this.isOn && this.mode === 'required'
        ? { ok: false, reason: 'unknown-key', skewSeconds: null }
        : { ok: true, isSigned: false };
    }
    const verdict = authenticator.check(datagram, sender, unixSeconds, isAnswer);
    if (verdict.ok || verdict.reason === 'unsigned') this.note(sender, verdict.ok && verdict.isSigned);
    return verdict;
  }

  private readonly querySigner: QuerySigner = {
    sign: (query, factory) => this.sign(query, factory, Date.now() / 1000),
    refusalOf: (answer, factory) => {
      const verdict = this.check(answer, factory, Date.now() / 1000, true);
      // An answer has the cookie of its question: it is none of another time, however slow the factory's clock is.
      return verdict.ok || verdict.reason === 'replayed' ? null : verdict.reason;
    },
  };

  /** For polls; null: nothing is signed, and nothing asked to be. */
  get signer(): QuerySigner | null {
    return this.isOn ? this.querySigner : null;
  }

  /** Answers to a query, signed if that was signed, and rightly: who does not sign has no use for it. */
  answersTo(query: Uint8Array, sender: string, answers: readonly Uint8Array[]): readonly Uint8Array[] {
    const unixSeconds = Date.now() / 1000;
    const verdict = this.current()?.check(query, sender, unixSeconds);
    if (verdict?.ok !== true || !verdict.isSigned) return answers;
    return answers.map((answer) => {
      const signed = this.sign(answer, '', unixSeconds);
      return signed.length > MAX_SENT_BYTES ? answer : signed;
    });
  }

  private note(factory: string, isSigned: boolean): void {
    const seen = this.seen.get(factory) ?? { ...NEVER };
    seen[isSigned ? 'signedMs' : 'unsignedMs'] = this.parts.clock.nowMs();
    this.seen.set(factory, seen);
  }

  /**
   * What was signed before this process began is not believed, as it may be a replay. Where the calendar was set back
   * since, that moment is still to come, and all would be refused until then: so it begins anew.
   */
  private current(): Authenticator | null {
    const calendarMs = Date.now() - this.parts.clock.nowMs();
    const isSetBack = calendarMs < this.calendarMs - STEP_MS;
    this.calendarMs = isSetBack ? calendarMs : Math.max(calendarMs, this.calendarMs);
    if (isSetBack && this.authenticator !== null) this.authenticator = this.make();
    return this.authenticator;
  }

  private make(): Authenticator {
    return new Authenticator({
      mode: this.mode,
      keys: this.keys,
      hmac: nodeHmac,
      audience: this.parts.factory(),
      unixSeconds: Date.now() / 1000,
      rng: Math.random,
    });
  }
}

const NEVER: Seen = { signedMs: Number.NEGATIVE_INFINITY, unsignedMs: Number.NEGATIVE_INFINITY };
