/**
 * The owner of a desktop, as far as the host can tell: all sensors together, as the facts that overnight mode decides
 * from (factory/overnight-types.ts). Two sensors that see one thing are taken by the one that sees more use.
 */

import type { OwnerFacts, OwnerSource, Sensed } from '../../factory/overnight-types.js';
import { InputSensor } from './input-devices.js';
import { LogindSensor, type LoginSession, type Logins } from './logind.js';
import { MeteredSensor } from './metered.js';
import { OtherCpuSensor, type OwnProcesses } from './other-cpu.js';
import { PowerSensor } from './power.js';
import { known, NOT_YET } from './sensor.js';
import { SystemBus } from './system-bus.js';
import { type Terminal, TerminalSensor } from './terminals.js';
import { WakeSensor } from './wake.js';

export type { OwnProcesses } from './other-cpu.js';

/** Input after so long without any begins a new stretch of use, which reasons tell the beginning of. */
const STRETCH_SECONDS = 300;
/** Every PC has this one. */
const FIRST_SEAT = 'seat0';

export interface OwnerSensorOptions {
  readonly own: OwnProcesses;
  /** Told of what a sensor lacks, once each, and when it has it. */
  readonly note: (message: string) => void;
  /** For tests: where to look instead. */
  readonly busAddress?: string | null;
  readonly inputDirectory?: string;
  readonly terminalDirectory?: string;
  readonly powerRoot?: string;
}

export class OwnerSensors {
  private readonly logind: LogindSensor;
  private readonly input: InputSensor;
  private readonly terminals: TerminalSensor;
  private readonly power: PowerSensor;
  private readonly metered: MeteredSensor;
  private readonly otherCpu: OtherCpuSensor;
  private readonly wake = new WakeSensor();
  /** Beginning of the present stretch of use by source, Unix seconds. */
  private readonly stretches = new Map<string, number>();
  private readonly lacking = new Map<string, string>();

  constructor(private readonly options: OwnerSensorOptions) {
    const bus = new SystemBus(options.busAddress ?? null);
    this.logind = new LogindSensor(bus);
    this.metered = new MeteredSensor(bus);
    this.input = new InputSensor(options.inputDirectory);
    this.terminals = new TerminalSensor(options.terminalDirectory);
    this.power = new PowerSensor(options.powerRoot);
    this.otherCpu = new OtherCpuSensor(options.own);
  }

  /** @param changed called when a sensor has news: soon after the owner comes back, above all */
  start(changed: () => void): void {
    for (const sensor of this.all()) sensor.start(changed);
  }

  /**
   * What is known now.
   *
   * @param nowMs on the clock of performance.now()
   */
  facts(nowMs: number, nowSeconds: number): OwnerFacts {
    const logins = this.logind.read();
    const terminals = this.terminals.read(nowMs);
    const input = soonest(this.input.read(nowMs), this.wake.read(nowMs));
    const { onMains, lidClosed } = this.power.read();
    const facts: OwnerFacts = {
      sources: known(
        [...seats(logins, terminals, input), ...pseudoTerminals(logins, terminals)].map((source) =>
          this.dated(source, nowSeconds),
        ),
      ),
      otherCpuPercent: this.otherCpu.read(),
      onMains: either(onMains, logins, ({ onMains: said }) => said),
      lidClosed: either(lidClosed, logins, ({ lidClosed: said }) => said),
      metered: this.metered.read(),
    };
    this.tell('logins', logins);
    this.tell('input', input);
    this.tell('CPU of other programs', facts.otherCpuPercent);
    this.tell('mains', facts.onMains);
    this.tell('lid', facts.lidClosed);
    this.tell('metered network', facts.metered);
    return facts;
  }

  /** Who sits at the host now, as far as logind tells. */
  users(): { readonly user: string; readonly uid: number }[] {
    const logins = this.logind.read();
    if ('unknown' in logins) return [];
    return logins.value.sessions.filter(({ isActive, isRemote }) => isActive && !isRemote);
  }

  close(): void {
    for (const sensor of this.all()) sensor.close();
  }

  private all() {
    return [this.logind, this.input, this.terminals, this.power, this.metered, this.otherCpu, this.wake];
  }

  /** Adds since when the source has been in use without a long break. */
  private dated(source: Source, nowSeconds: number): OwnerSource {
    const idle = source.idleForSeconds;
    if ('unknown' in idle || idle.value >= STRETCH_SECONDS) {
      this.stretches.delete(source.name);
      return { ...source, activeSinceSeconds: null };
    }
    const since = this.stretches.get(source.name) ?? Math.floor(nowSeconds - idle.value);
    this.stretches.set(source.name, since);
    return { ...source, activeSinceSeconds: since };
  }

  private tell(what: string, sensed: Sensed<unknown>): void {
    if (sensed === NOT_YET) return;
    const lacks = 'unknown' in sensed ? sensed.unknown : null;
    const before = this.lacking.get(what) ?? null;
    if (lacks === before) return;
    if (lacks === null) this.lacking.delete(what);
    else this.lacking.set(what, lacks);
    if (lacks === null) this.options.note(`overnight: ${what}: known again`);
    else this.options.note(`overnight: ${what}: not known (${lacks})`);
  }
}

type Source = Omit<OwnerSource, 'activeSinceSeconds'>;

/**
 * Each seat, by input devices and text consoles. Which device belongs to which of several seats is not looked at: input
 * counts for all of them.
 */
function seats(logins: Sensed<Logins>, terminals: readonly Terminal[], input: Sensed<number>): Source[] {
  const sessions = 'unknown' in logins ? [] : logins.value.sessions.filter(({ isRemote }) => !isRemote);
  const names = new Set([FIRST_SEAT, ...sessions.flatMap(({ seat }) => (seat === '' ? [] : [seat]))]);
  const typed = terminals.filter(({ name }) => name.startsWith('tty')).map(({ idleForSeconds }) => idleForSeconds);
  const idleForSeconds = 'unknown' in input ? input : known(Math.min(input.value, ...typed));
  return [...names].map((name) => {
    const shown = sessions.find(({ seat, isActive }) => seat === name && isActive);
    return {
      name,
      kind: 'local',
      user: shown?.user ?? null,
      idleForSeconds,
      locked: 'unknown' in logins ? logins : known(shown?.isLocked ?? false),
    };
  });
}

/** Pseudo terminals: remote logins, and windows of a desktop, which are the seat's as well. */
function pseudoTerminals(logins: Sensed<Logins>, terminals: readonly Terminal[]): Source[] {
  const sessions = 'unknown' in logins ? [] : logins.value.sessions;
  return terminals
    .filter(({ name }) => name.startsWith('pts/'))
    .map(({ name, uid, idleForSeconds }) => {
      const session = sessions.find((each) => each.uid === uid && each.isRemote);
      return {
        name: session === undefined ? name : `${name} ${remoteName(session)}`,
        kind: 'remote',
        user: session?.user ?? null,
        idleForSeconds: known(idleForSeconds),
        locked: known(false),
      };
    });
}

function remoteName({ remoteHost }: LoginSession): string {
  return remoteHost === '' ? '(remote login)' : `(login from ${remoteHost})`;
}

/** Waking the host is input too, by a lid or a key that no device tells of. */
function soonest(input: Sensed<number>, awakeSeconds: number): Sensed<number> {
  return 'unknown' in input ? input : known(Math.min(input.value, awakeSeconds));
}

/** What the kernel says; where it says nothing, what logind says. */
function either(
  kernel: Sensed<boolean>,
  logins: Sensed<Logins>,
  said: (logins: Logins) => boolean | null,
): Sensed<boolean> {
  if ('value' in kernel || 'unknown' in logins) return kernel;
  const value = said(logins.value);
  return value === null ? kernel : known(value);
}
