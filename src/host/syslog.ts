/**
 * The receiver of machines' syslog (SPEC 8): an rsyslogd of our own, beside and apart from the host's, which writes one
 * file per machine outside of what guests see. Whose line it is follows from the sender's address by a table that
 * vacd keeps, and never from what the line says.
 *
 * Addresses pass from machine to machine, and rsyslogd reads a new table some time after it is told to. So an address goes
 * from its machine to nobody first: what the machine had sent is seen through, its connections are ended, and
 * rsyslogd has confirmed the table without it. Only then may another machine have it, and that is confirmed as well.
 */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SyslogForwarding } from '../config/types.js';
import { VacError } from '../errors.js';
import { type CommandError, run } from './exec.js';
import { readTextIfThere, writeFileAtomic } from './files.js';
import { HelperDaemon, Serial, waitUntil } from './helper-daemon.js';
import type { HelperProcess } from './helper-process.js';
import { addressProblem } from './own-address.js';
import { renderRelayConfig } from './syslog-config.js';
import { type ForwardingFacts, SyslogForwarder } from './syslog-forwarder.js';
import { LogKeeper, type LostLines } from './syslog-keeper.js';
import { SYSLOG_RELP_PORT } from './syslog-limits.js';
import {
  askTable,
  closeConnections,
  hasConnections,
  type ProbeOptions,
  unreadBytes,
  type Way,
} from './syslog-probe.js';
import { type LoggedMachine, type MachineTable, parseMachineTable, renderMachineTable } from './syslog-table.js';

export interface SyslogOptions {
  readonly stateDir: string;
  /** Where guests send to; SPEC 8: 169.254.169.254 and 514. It need not exist on an interface yet. */
  readonly address: string;
  readonly port: number;
  /** Whether RELP is received too; `auto`: where the host has the package for it. */
  readonly relp: 'auto' | 'yes' | 'no';
  /** null: lines stay on this host. */
  readonly forwarding: SyslogForwarding | null;
  readonly factory: string;
  readonly space: string;
  /** Logs are removed so long after their last line; 0: never. */
  readonly days: number;
  /** A machine's log may be as large as this, in 10^6 bytes. */
  readonly maxMegabytes: number;
  /** Datagrams that each address sent to the relay so far, taken or not; null where nobody counts them. */
  readonly datagramsSent?: () => Promise<ReadonlyMap<string, number> | null>;
  /** How long rsyslogd may take to answer; default 10. */
  readonly answerSeconds?: number;
  readonly info: (message: string) => void;
  readonly warn: (message: string) => void;
}

/** The least that rsyslogd takes for a configuration, and the module. */
const RELP_TRIAL = 'module(load="imrelp")\naction(type="omfile" file="/dev/null")\n';
/** rsyslogd answers in milliseconds; a host under load, or a full disk, keeps it busy. */
const ANSWER_SECONDS = 10;
/** More than a disk has left that is as good as full. */
const TRIAL_BYTES = 64 * 1024;
/** Before a machine's address is taken from it, what it sent is read for so long at most. */
const DRAIN_SECONDS = 5;
/** One that did not answer so often, with room on its disk, hangs: it is ended, and the next check starts another. */
const MAX_UNANSWERED = 2;

export class SyslogRelay {
  private readonly directory: string;
  private readonly logs: string;
  private readonly config: string;
  private readonly tablePath: string;
  private readonly rsyslogd: HelperDaemon;
  private readonly keeper: LogKeeper;
  private readonly forwarder: SyslogForwarder | null;
  private readonly serial = new Serial();
  private relpPort: number | null = null;
  /** Whether rsyslogd can load what RELP needs; null: not tried yet. */
  private hasRelp: boolean | null = null;
  /** The table that rsyslogd has confirmed; null: none since vacd runs. */
  private confirmed: string | null = null;
  /** How often it has not answered since it last did. */
  private unanswered = 0;
  /** What vacd said last; null: nothing since it runs. */
  private wanted: ReadonlyMap<string, LoggedMachine> | null = null;

  constructor(private readonly options: SyslogOptions) {
    this.directory = join(options.stateDir, 'syslog');
    this.logs = join(options.stateDir, 'logs');
    this.config = join(this.directory, 'rsyslog.conf');
    this.tablePath = join(this.directory, 'machines.json');
    const hasReadAll = () => this.hasReadAll();
    this.keeper = new LogKeeper({ ...options, logs: this.logs, directory: this.directory, hasReadAll });
    const { forwarding, ...rest } = options;
    this.forwarder = forwarding === null ? null : new SyslogForwarder({ ...rest, forwarding });
    this.rsyslogd = new HelperDaemon({
      name: 'vac-syslog',
      command: 'rsyslogd',
      args: ['-n', '-i', 'NONE', '-f', this.config],
      mark: this.config,
      directory: this.directory,
      isReady: async (process) => (await this.listensEverywhere()) && (await handlesHangup(process)),
    });
  }

  /** `<state directory>/logs/<machine id>.log`; exists once the machine sent a line. */
  logPath(machineId: string): string {
    return join(this.logs, `${machineId}.log`);
  }

  /** Whether the receiver has ended by itself since it was last to run; true once for each end. */
  hasEnded(): Promise<boolean> {
    return this.rsyslogd.hasEnded();
  }

  /**
   * Starts the receiver if it does not run, and again if its configuration changed.
   *
   * @throws VacError `syslog-unavailable`, `address-in-use`
   */
  ensureRunning(): Promise<void> {
    return this.serial.run(async () => {
      const kept = this.forwarder !== null ? [join(this.directory, 'forward')] : [];
      for (const path of [this.directory, this.logs, ...kept]) await mkdir(path, { recursive: true, mode: 0o750 });
      if ((await readTextIfThere(this.tablePath)) === null) {
        await writeFileAtomic(this.tablePath, this.render({ machines: new Map(), full: new Set() }).text);
      }
      const wanted = await this.wantedConfig();
      if ((await readTextIfThere(this.config)) !== wanted) {
        await this.validate(wanted);
        await this.rsyslogd.stop();
        await writeFileAtomic(this.config, wanted);
      }
      if ((await this.rsyslogd.status()) === null) await this.refuseInVain();
      try {
        await this.rsyslogd.ensureRunning();
      } catch (cause) {
        throw new VacError('syslog-unavailable', (cause as Error).message, { cause });
      }
      this.forwarder?.start();
    });
  }

  /**
   * Says which machine holds which address from now on; complete each time. Resolves once no line that arrives from now on
   * is put to anybody else, and none that a machine before had sent is put to these. Does nothing when that is so already.
   *
   * @throws VacError `syslog-unavailable` when rsyslogd does not confirm it
   */
  setMachines(holders: ReadonlyMap<string, LoggedMachine>): Promise<void> {
    // As it is now: whoever else is taken out of it meanwhile loses its address in a turn of its own.
    const machines = new Map(holders);
    this.wanted = machines;
    return this.serial.run(() => this.apply(machines));
  }

  /**
   * What is to be done every few seconds: logs that became too large are closed, old ones removed, losses said.
   *
   * @throws VacError as {@link setMachines}
   */
  keep(): Promise<void> {
    return this.serial.run(async () => {
      // Of those that have addresses by now: what is missing of one that is to lose its own is said when it does.
      const { machines } = await this.readTable();
      await this.keeper.look(machines);
      await this.apply(this.wanted ?? machines);
    });
  }

  /** Lines that are known to be lost since vacd runs, by reason. */
  lostLines(): LostLines {
    return this.keeper.lost;
  }

  /** null: nothing is forwarded. */
  forwarding(): ForwardingFacts | null {
    return this.forwarder?.facts() ?? null;
  }

  /** For tests and the demo: ends the receiver, and the forwarding. */
  stop(): Promise<void> {
    return this.serial.run(async () => {
      await this.forwarder?.stop();
      await this.rsyslogd.stop();
      this.confirmed = null;
    });
  }

  private async apply(machines: ReadonlyMap<string, LoggedMachine>): Promise<void> {
    const before = await this.readTable();
    const wanted = this.render({ machines, full: this.keeper.full });
    const given = [...before.machines].filter(([address, { id }]) => machines.get(address)?.id !== id);
    const taken = [...machines].filter(([address, { id }]) => before.machines.get(address)?.id !== id);
    const leaving = given.map(([address]) => address);
    const gone = given.map(([, { id }]) => id);
    const isOurs = async () => (await readTextIfThere(this.config)) === (await this.wantedConfig());
    if ((await this.rsyslogd.status()) === null || !(await isOurs())) {
      // One with another configuration is about to be replaced; what is started then reads the file.
      if (gone.length > 0) await this.keeper.close(gone);
      await this.write(wanted.text);
      await this.keeper.open(taken);
      this.confirmed = wanted.name;
      return;
    }
    if (wanted.name === this.confirmed) return;
    if (leaving.length > 0) {
      await this.drain(leaving);
      await this.keeper.close(gone);
      const without = new Map([...before.machines].filter(([address]) => !leaving.includes(address)));
      await this.install({ machines: without, full: this.keeper.full });
    } else if (this.confirmed === null) {
      // Of a vacd before this one: rsyslogd may still have a table that is older than the file.
      await this.install(before);
    }
    // What came while an address was nobody's stays nobody's, also where rsyslogd has still to read it.
    if (taken.length > 0) await this.drain(taken.map(([address]) => address));
    await this.install({ machines, full: this.keeper.full });
    await this.keeper.open(taken);
  }

  /** Sees through what these addresses have sent, as the table in force has it, and ends their connections. */
  private async drain(addresses: readonly string[]): Promise<void> {
    const probe = this.probe();
    const ports = [probe.port, ...(probe.relpPort === null ? [] : [probe.relpPort])];
    await waitUntil(async () => (await unreadBytes(addresses, ports)) === 0, DRAIN_SECONDS);
    const wereConnected = await hasConnections(addresses, ports);
    if (wereConnected) await closeConnections(addresses, ports);
    // Only now: what a thread of rsyslogd has still to read of a connection, its end included, comes before our own line.
    const streams: Way[] = ['tcp', ...(probe.relpPort === null ? [] : (['relp'] as const))];
    const ways: Way[] = ['udp', ...(wereConnected ? streams : [])];
    const seconds = this.answerSeconds;
    if ((await Promise.all(ways.map((way) => askTable(probe, way, seconds)))).includes(null)) {
      throw new VacError(
        'syslog-unavailable',
        `the syslog receiver does not read what machines sent in ${seconds} s: ${await this.whyUnanswered()}`,
      );
    }
    if (!wereConnected || !(await hasConnections(addresses, ports))) return;
    // A kernel that cannot end a connection of others'.
    await this.rsyslogd.stop();
    await this.rsyslogd.ensureRunning();
  }

  /** Writes the table, and waits until rsyslogd says that it is in force. */
  private async install(table: MachineTable): Promise<void> {
    const { text, name } = this.render(table);
    if (this.confirmed === name) return;
    // Until it says, it may have the one or the other.
    this.confirmed = null;
    await this.write(text);
    await this.rsyslogd.signal('SIGHUP');
    const seconds = this.answerSeconds;
    if (!(await waitUntil(async () => (await askTable(this.probe(), 'udp', 1)) === name, seconds))) {
      throw new VacError(
        'syslog-unavailable',
        `the syslog receiver does not take its new table of machines in ${seconds} s: ${await this.whyUnanswered()}`,
      );
    }
    this.confirmed = name;
    this.unanswered = 0;
  }

  /** Where its disk is full it waits for room like us. Where it is not, it hangs, and nothing would start any more. */
  private async whyUnanswered(): Promise<string> {
    const trial = join(this.directory, 'room');
    try {
      await writeFileAtomic(trial, ' '.repeat(TRIAL_BYTES));
      await rm(trial);
    } catch (error) {
      return `nothing can be written to ${this.directory}: ${(error as Error).message}`;
    }
    this.unanswered += 1;
    if (this.unanswered < MAX_UNANSWERED) return 'it may be busy, and is asked again';
    this.unanswered = 0;
    await this.rsyslogd.stop();
    this.options.warn('the syslog receiver did not answer again and again: it was ended, and is started anew');
    return 'it was ended, and is started anew';
  }

  /** Whether all datagrams that came so far are in the logs, or lost with one that does not run any more. */
  private async hasReadAll(): Promise<boolean> {
    return (await this.rsyslogd.status()) === null || (await askTable(this.probe(), 'udp', 1)) !== null;
  }

  private get answerSeconds(): number {
    return this.options.answerSeconds ?? ANSWER_SECONDS;
  }

  private async write(text: string): Promise<void> {
    if ((await readTextIfThere(this.tablePath)) === text) return;
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    await writeFileAtomic(this.tablePath, text);
  }

  private render(table: MachineTable): { text: string; name: string } {
    return renderMachineTable(table, this.options.address);
  }

  private async readTable(): Promise<MachineTable> {
    return parseMachineTable((await readTextIfThere(this.tablePath)) ?? '');
  }

  private probe(): ProbeOptions {
    return { ...this.options, relpPort: this.relpPort, answers: join(this.directory, 'answers') };
  }

  private async wantedConfig(): Promise<string> {
    this.relpPort = await this.chooseRelpPort();
    return renderRelayConfig({
      ...this.options,
      directory: this.directory,
      logs: this.logs,
      relpPort: this.relpPort,
      forward: this.forwarder !== null,
    });
  }

  private async chooseRelpPort(): Promise<number | null> {
    const { relp } = this.options;
    if (relp === 'no') return null;
    this.hasRelp ??= await this.accepts(RELP_TRIAL).then(
      () => true,
      () => false,
    );
    if (this.hasRelp) return SYSLOG_RELP_PORT;
    if (relp === 'auto') return null;
    throw new VacError(
      'syslog-unavailable',
      'syslog_relp = yes needs rsyslog’s module imrelp: install the package rsyslog-relp, or set it to no',
    );
  }

  private async validate(config: string): Promise<void> {
    try {
      await this.accepts(config);
    } catch (cause) {
      const { message } = cause as CommandError;
      throw new VacError('syslog-unavailable', `rsyslogd does not accept its configuration: ${message}`, { cause });
    }
  }

  /** The candidate has a path of its own, so that the check is never taken for the receiver. */
  private async accepts(config: string): Promise<void> {
    const candidate = `${this.config}.candidate`;
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    await writeFileAtomic(candidate, config);
    await run('rsyslogd', ['-N1', '-f', candidate]);
    await rm(candidate);
  }

  private sockets(): { readonly table: 'udp' | 'tcp'; readonly port: number }[] {
    const { port } = this.options;
    const relp = this.relpPort === null ? [] : [{ table: 'tcp' as const, port: this.relpPort }];
    return [{ table: 'udp', port }, { table: 'tcp', port }, ...relp];
  }

  private async listensEverywhere(): Promise<boolean> {
    const bound = await Promise.all(
      this.sockets().map(({ table, port }) => listens(table, this.options.address, port)),
    );
    return !bound.includes(false);
  }

  private async refuseInVain(): Promise<void> {
    const { address } = this.options;
    const problem = await addressProblem(address);
    if (problem !== null) throw new VacError('syslog-unavailable', `rsyslogd cannot listen on ${problem}`);
    for (const { table, port } of this.sockets()) {
      if (!(await listens(table, address, port))) continue;
      throw new VacError(
        'address-in-use',
        `another program receives ${table.toUpperCase()} on ${address} port ${port}: end it, or give another port as [settings] syslog`,
      );
    }
  }
}

/** Whether any process listens at the address, by the kernel's table (proc(5), /proc/net/udp and tcp). */
async function listens(table: 'udp' | 'tcp', address: string, port: number): Promise<boolean> {
  const text = await readFile(`/proc/net/${table}`, 'utf8');
  // 0A: of TCP's sockets only those that listen, not connections.
  const sockets =
    table === 'udp'
      ? text
      : text
          .split('\n')
          .filter((line) => / 0A /.test(line))
          .join('\n');
  return isBound(sockets, address, port);
}

/** Addresses there are hexadecimal in the host's byte order, here little-endian; one bound to all addresses counts. */
export function isBound(procNetUdp: string, address: string, port: number): boolean {
  const hex = (value: string | number) => Number(value).toString(16).toUpperCase();
  const reversed = address
    .split('.')
    .reverse()
    .map((byte) => hex(byte).padStart(2, '0'))
    .join('');
  const portHex = hex(port).padStart(4, '0');
  return [reversed, '00000000'].some((ip) => procNetUdp.includes(` ${ip}:${portHex} `));
}

/** Before rsyslogd has set its handler, SIGHUP would end it (proc(5), SigCgt: bit 0 is SIGHUP). */
async function handlesHangup({ pid }: HelperProcess): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const match = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status);
  return match !== null && (BigInt(`0x${match[1]}`) & 1n) === 1n;
}
