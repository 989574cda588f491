/** The system's D-Bus, by `busctl` of systemd: it is there wherever there is something on the bus to be asked. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CommandError, run } from '../exec.js';

const CALL_SECONDS = 5;
/** A bus that is away, or a monitor that was thrown off, is tried again after this. */
const WATCH_AGAIN_MS = 5_000;

export class SystemBus {
  /** @param address of another bus than the system's, as D-Bus writes them; for tests */
  constructor(private readonly address: string | null = null) {}

  /**
   * All properties of an object's interface, by name.
   *
   * @throws CommandError `command-missing`, `command-failed` (see {@link isAbsent}), `command-timeout`
   */
  async properties(service: string, path: string, iface: string): Promise<ReadonlyMap<string, unknown>> {
    const answer = await this.call(service, path, 'org.freedesktop.DBus.Properties', 'GetAll', 's', iface);
    const [values] = answer as [Record<string, { data: unknown }>];
    return new Map(Object.entries(values).map(([name, { data }]) => [name, data]));
  }

  /** @returns what the method gives back, one element each */
  async call(service: string, path: string, iface: string, method: string, ...args: string[]): Promise<unknown> {
    const { stdout } = await run(
      'busctl',
      [...this.common(), `--timeout=${CALL_SECONDS}`, 'call', service, path, iface, method, ...args],
      { timeoutSeconds: CALL_SECONDS + 1 },
    );
    return (JSON.parse(stdout) as { data: unknown }).data;
  }

  /**
   * Calls back on every signal of a service, when it comes and goes, and when the watch was begun anew, for what was
   * missed meanwhile.
   *
   * @returns ends it
   */
  watch(service: string, signalled: () => void): () => void {
    let child: ChildProcess | null = null;
    let again: NodeJS.Timeout | null = null;
    let isOver = false;
    const begin = () => {
      again = null;
      const matches = [
        `--match=type='signal',sender='${service}'`,
        `--match=type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${service}'`,
      ];
      child = spawn('busctl', [...this.common(), ...matches, 'monitor'], { stdio: ['ignore', 'pipe', 'ignore'] });
      // busctl says a line when it listens, and one for each signal.
      createInterface({ input: child.stdout! }).on('line', signalled);
      let ended = false;
      const retry = () => {
        if (ended || isOver) return;
        ended = true;
        again = setTimeout(begin, WATCH_AGAIN_MS);
      };
      child.on('error', retry);
      child.on('exit', retry);
    };
    begin();
    return () => {
      isOver = true;
      if (again !== null) clearTimeout(again);
      child?.kill();
    };
  }

  private common(): string[] {
    return [...(this.address === null ? ['--system'] : [`--address=${this.address}`]), '--json=short'];
  }
}

/** Whether a call failed because this host has no such service, or no bus at all; then it may be told once and for all. */
export function isAbsent(error: unknown): boolean {
  if (!(error instanceof CommandError)) return false;
  if (error.code === 'command-missing') return true;
  return /not provided by any|ServiceUnknown|not activatable|No such file or directory|Connection refused/.test(
    error.message,
  );
}
