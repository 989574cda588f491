/**
 * The receiver of machines' syslog (SPEC 8): an rsyslogd of our own, beside and apart from the host's, which writes one
 * file per machine outside of what guests see. Whose line it is follows from the sender's address by a table that
 * vacd keeps, since a slot's address passes from machine to machine, and never from what the line says.
 */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { run } from './exec.js';
import { writeFileAtomic } from './files.js';
import { HelperDaemon, Serial } from './helper-daemon.js';
import type { HelperProcess } from './helper-process.js';

export interface SyslogOptions {
  readonly stateDir: string;
  /** Where guests send to; SPEC 8: 169.254.169.254 and 514. It need not exist on an interface yet. */
  readonly address: string;
  readonly port: number;
}

export class SyslogRelay {
  private readonly directory: string;
  private readonly logs: string;
  private readonly config: string;
  private readonly table: string;
  private readonly rsyslogd: HelperDaemon;
  private readonly serial = new Serial();

  constructor(private readonly options: SyslogOptions) {
    this.directory = join(options.stateDir, 'syslog');
    this.logs = join(options.stateDir, 'logs');
    this.config = join(this.directory, 'rsyslog.conf');
    this.table = join(this.directory, 'machines.json');
    this.rsyslogd = new HelperDaemon({
      name: 'vac-syslog',
      command: 'rsyslogd',
      args: ['-n', '-i', 'NONE', '-f', this.config],
      mark: this.config,
      directory: this.directory,
      isReady: async (process) => (await listensOn(options)) && (await handlesHangup(process)),
    });
  }

  /** `<state directory>/logs/<machine id>.log`; exists once the machine sent a line. */
  logPath(machineId: string): string {
    return join(this.logs, `${machineId}.log`);
  }

  /**
   * Starts the receiver if it does not run, and again if its configuration changed.
   *
   * @throws VacError `syslog-unavailable`, `address-in-use`
   */
  ensureRunning(): Promise<void> {
    return this.serial.run(async () => {
      await mkdir(this.directory, { recursive: true, mode: 0o750 });
      await mkdir(this.logs, { recursive: true, mode: 0o750 });
      if ((await readFile(this.table, 'utf8').catch(() => null)) === null) {
        await writeFileAtomic(this.table, renderMachineTable(new Map()));
      }
      const wanted = renderRsyslogConfig({ ...this.options, logs: this.logs, table: this.table });
      if ((await readFile(this.config, 'utf8').catch(() => null)) !== wanted) {
        await this.validate(wanted);
        await this.rsyslogd.stop();
        await writeFileAtomic(this.config, wanted);
      }
      if ((await this.rsyslogd.status()) === null && (await listensOn(this.options))) {
        const { address, port } = this.options;
        throw new VacError(
          'address-in-use',
          `another program receives UDP on ${address} port ${port}: end it, or give another port as [settings] syslog`,
        );
      }
      try {
        await this.rsyslogd.ensureRunning();
      } catch (cause) {
        throw new VacError('syslog-unavailable', (cause as Error).message, { cause });
      }
    });
  }

  /**
   * Says which machine holds which address from now on; complete each time. Resolves once the table is on disk and
   * rsyslogd was told. Does nothing when the table says so already.
   */
  setMachines(machines: ReadonlyMap<string, string>): Promise<void> {
    return this.serial.run(async () => {
      const wanted = renderMachineTable(machines);
      if ((await readFile(this.table, 'utf8').catch(() => null)) === wanted) return;
      await mkdir(this.directory, { recursive: true, mode: 0o750 });
      await writeFileAtomic(this.table, wanted);
      await this.rsyslogd.signal('SIGHUP');
    });
  }

  /** For tests and the demo: ends the receiver. */
  stop(): Promise<void> {
    return this.serial.run(() => this.rsyslogd.stop());
  }

  /** The candidate has a path of its own, so that the check is never taken for the receiver. */
  private async validate(config: string): Promise<void> {
    const candidate = `${this.config}.candidate`;
    await writeFileAtomic(candidate, config);
    try {
      await run('rsyslogd', ['-N1', '-f', candidate]);
    } catch (cause) {
      throw new VacError('syslog-unavailable', `rsyslogd does not accept ${candidate}: ${(cause as Error).message}`, {
        cause,
      });
    }
    await rm(candidate);
  }
}

/** Lines a second that are taken from all machines together, averaged over RATE_SECONDS: floods must not fill the disk. */
const LINES_PER_SECOND = 1000;
const RATE_SECONDS = 5;
/** Lines that wait in memory while the disk is slow. */
const QUEUE_LINES = 20_000;
const MAX_LINE_BYTES = 8192;
/** More than the slots of a hypervisor, so that no file is opened and closed for every line. */
const OPEN_FILES = 512;

/** The whole configuration of our rsyslogd. Quoted strings: paths come from the state directory. */
export function renderRsyslogConfig(wish: SyslogOptions & { readonly logs: string; readonly table: string }): string {
  const { address, port, logs, table } = wish;
  return `# Written by vacd; changes are lost.
global(
  maxMessageSize="${MAX_LINE_BYTES}"
  # A guest must not make us ask name servers.
  net.enableDNS="off"
  # A guest must not write escape sequences or forged lines into a log.
  parser.escapeControlCharactersOnReceive="on"
)
main_queue(queue.type="LinkedList" queue.size="${QUEUE_LINES}" queue.timeoutEnqueue="0")
module(load="imudp")

lookup_table(name="machines" file=${quote(table)} reloadOnHUP="on")
# Begins with what we know ourselves: time of arrival and sender. A guest's clock and host name are its own claims.
template(name="line" type="string"
  string="%timegenerated:::date-rfc3339% %fromhost-ip% %syslogfacility-text%.%syslogseverity-text% %timestamp:::date-rfc3339% %hostname% %syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%\\n")
template(name="file" type="string" string=${quote(`${logs}/%$.machine%.log`)})

ruleset(name="machines") {
  set $.machine = lookup("machines", $fromhost-ip);
  action(type="omfile" dynaFile="file" template="line" dynaFileCacheSize="${OPEN_FILES}"
    fileCreateMode="0640" dirCreateMode="0750")
}
input(type="imudp" address="${address}" port="${port}" ruleset="machines"
  rateLimit.interval="${RATE_SECONDS}" rateLimit.burst="${LINES_PER_SECOND * RATE_SECONDS}")
`;
}

function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** Where lines go whose sender is no machine of ours: `unknown.log`. */
const UNKNOWN = 'unknown';

/** rsyslog's lookup table, address → machine id, sorted so that equal maps make equal files. */
export function renderMachineTable(machines: ReadonlyMap<string, string>): string {
  const table = [...machines].map(([index, value]) => ({ index, value }));
  table.sort((a, b) => (a.index < b.index ? -1 : 1));
  return `${JSON.stringify({ version: 1, nomatch: UNKNOWN, type: 'string', table }, null, 1)}\n`;
}

/** Whether any process has a UDP socket at the address, by the kernel's table (proc(5), /proc/net/udp). */
async function listensOn({ address, port }: Pick<SyslogOptions, 'address' | 'port'>): Promise<boolean> {
  return isBound(await readFile('/proc/net/udp', 'utf8'), address, port);
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
