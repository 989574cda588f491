/**
 * Which keys of the space are in force: read from `space_key_file`, as only root may, and given to the member that uses
 * them (space/keys.ts). The file is looked at again when the configuration changes, on SIGHUP and each minute; where a
 * changed file is bad, the last good keys stay in force, and the log says so once.
 */

import { VacError } from '../errors.js';
import type { KeysGiven } from '../space/messages.js';
import type { Clock, SpaceKey } from '../vacquery/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { readSpaceKeyFile, traceOfFile } from './space-key-file.js';

const LOOK_MS = 60_000;

export interface SpaceKeysParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly clock: Clock;
  /** Other keys are in force, or the same ones otherwise. */
  readonly give: (keys: KeysGiven) => void;
}

export class SpaceKeys {
  private path: string | null = null;
  private keys: readonly SpaceKey[] = [];
  private mode: 'mixed' | 'required' = 'mixed';
  private trace = '';
  private problems: readonly string[] = [];
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
    if (this.path === null || this.keys.length > 0) return;
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

  /** Those in force now, for a member that has just begun. */
  current(): KeysGiven {
    const keys = this.keys.map(({ id, secret }) => ({ id, secretBase64: Buffer.from(secret).toString('base64') }));
    return { isOn: this.path !== null, mode: this.mode, keys };
  }

  close(): void {
    this.closed = true;
    this.cancelLook();
  }

  /** Why nothing can be signed, or the last good keys are still in force; empty: all is well. */
  problemsNow(): string[] {
    if (this.problems.length === 0) return [];
    const meanwhile = this.keys.length === 0 ? this.withoutKeys() : KEPT;
    return [`space_key_file: ${this.problems.join('; ')} (${meanwhile})`];
  }

  private withoutKeys(): string {
    return this.mode === 'required' ? 'nothing is believed of other factories' : 'nothing is signed';
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
        const meanwhile = this.keys.length === 0 ? `${this.withoutKeys()} until it is put right` : KEPT;
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
    this.parts.give(this.current());
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
