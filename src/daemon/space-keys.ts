/**
 * The keys of the space in force: signs what this factory tells the others, and judges what comes from them. Without
 * `space_key_file` it does neither. The file is looked at again when the configuration changes, on SIGHUP and each
 * minute; where a changed file is bad, the last good keys stay in force, and the log says so once.
 *
 * A factory that has never had a good file says what it says unsigned, and with `required` believes nothing.
 */

import { VacError } from '../errors.js';
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
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { readSpaceKeyFile, traceOfFile } from './space-key-file.js';

const LOOK_MS = 60_000;
/** The calendar may be set back by so much without harm to what is signed: clocks may differ by a minute. */
const STEP_MS = 2_000;
/** In mixed mode all must have signed for so long before it is said that mixed is needed no more. */
const SETTLED_MS = 3_600_000;

export interface SpaceKeysParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly clock: Clock;
  /** What is believed has changed. */
  readonly onChange: () => void;
}

/** Of one factory: when it last sent us something signed that was believed, and something that was not signed. */
interface Seen {
  signedMs: number;
  unsignedMs: number;
}

export class SpaceKeys implements Signer {
  private path: string | null = null;
  private keys: readonly SpaceKey[] = [];
  private authenticator: Authenticator | null = null;
  private mode: 'mixed' | 'required' = 'mixed';
  private trace = '';
  private problems: readonly string[] = [];
  private readonly seen = new Map<string, Seen>();
  private sinceMs = 0;
  /** Calendar less steady clock, as last seen. */
  private calendarMs = 0;
  /** Readings follow one another. */
  private reading: Promise<void> = Promise.resolve();
  private cancelLook = () => {};
  private isStarted = false;
  private closed = false;

  constructor(private readonly parts: SpaceKeysParts) {}

  /**
   * Reads the file for the first time.
   *
   * @throws VacError `space-key-unusable` when it cannot be used and no machines here are to be looked after
   */
  async start(): Promise<void> {
    const { memory, log } = this.parts;
    await this.configure();
    this.isStarted = true;
    if (this.path === null || this.authenticator !== null) return;
    const message = `space_key_file: ${this.problems.join('; ')}`;
    if (memory.machines.size === 0) throw new VacError('space-key-unusable', message);
    log.error(`${message}; ${this.withoutKeys()} until it is put right`);
  }

  /** Takes what the configuration says now; resolves when the file was read. */
  configure(): Promise<void> {
    const { spaceKeyFile, spaceKeyMode } = this.parts.memory.config.settings;
    const isNewPath = spaceKeyFile !== this.path;
    if (!isNewPath && spaceKeyMode === this.mode) return this.reading;
    this.path = spaceKeyFile;
    this.mode = spaceKeyMode;
    if (spaceKeyFile === null) {
      this.cancelLook();
      this.problems = [];
      this.take([]);
      return this.reading;
    }
    this.take(this.keys);
    return isNewPath ? this.reread() : this.reading;
  }

  /** Reads the file anew. */
  reread(): Promise<void> {
    this.reading = this.reading.then(() => this.read());
    return this.reading;
  }

  close(): void {
    this.closed = true;
    this.cancelLook();
  }

  private get isOn(): boolean {
    return this.path !== null;
  }

  /** Why nothing can be signed, or the last good keys are still in force; empty: all is well. */
  problemsNow(): string[] {
    if (this.problems.length === 0) return [];
    const meanwhile = this.authenticator === null ? this.withoutKeys() : KEPT;
    return [`space_key_file: ${this.problems.join('; ')} (${meanwhile})`];
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

  private withoutKeys(): string {
    return this.mode === 'required' ? 'nothing is believed of other factories' : 'nothing is signed';
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
    if (isSetBack && this.authenticator !== null) this.authenticator = this.make(this.keys);
    return this.authenticator;
  }

  private async read(): Promise<void> {
    const { path } = this;
    this.cancelLook();
    if (path === null || this.closed) return;
    const trace = await traceOfFile(path);
    const file = await readSpaceKeyFile(path);
    if (this.closed || path !== this.path) return;
    this.trace = trace;
    this.lookLater(path);
    const told = this.problems.join('; ');
    this.problems = file.ok ? [] : file.problems;
    const text = this.problems.join('; ');
    if (!file.ok) {
      // At the start it is told, or thrown, by `start`.
      if (text !== told && this.isStarted) {
        const meanwhile = this.authenticator === null ? `${this.withoutKeys()} until it is put right` : KEPT;
        this.parts.log.error(`space_key_file: ${text}; ${meanwhile}`);
      }
      return;
    }
    const isSame = file.keys.map(({ id }) => id).join() === this.keys.map(({ id }) => id).join();
    if (isSame && told === '') return;
    this.take(file.keys);
    const { length } = file.keys;
    this.parts.log.info(
      `the space's ${length === 1 ? 'key is' : `${length} keys are`} in force, the first signs (${path}, ${this.mode})`,
    );
  }

  private take(keys: readonly SpaceKey[]): void {
    this.keys = keys;
    this.authenticator = keys.length === 0 ? null : this.make(keys);
    this.seen.clear();
    this.sinceMs = this.parts.clock.nowMs();
    this.parts.onChange();
  }

  private make(keys: readonly SpaceKey[]): Authenticator {
    return new Authenticator({
      mode: this.mode,
      keys,
      hmac: nodeHmac,
      audience: this.parts.memory.factory,
      unixSeconds: Date.now() / 1000,
      rng: Math.random,
    });
  }

  private lookLater(path: string): void {
    const { clock } = this.parts;
    this.cancelLook = clock.at(clock.nowMs() + LOOK_MS, () => {
      void traceOfFile(path).then((trace) => {
        if (this.closed || path !== this.path) return;
        if (trace === this.trace) this.lookLater(path);
        else void this.reread();
      });
    });
  }
}

const KEPT = 'the keys that it had before stay in force';
const NEVER: Seen = { signedMs: Number.NEGATIVE_INFINITY, unsignedMs: Number.NEGATIVE_INFINITY };
