/** One run of the demo factory in the foreground: what is shown meanwhile, when it ends, and what is said at the end. */

import { archivedRecords } from '../accounting/archive.js';
import { recordFileName } from '../accounting/record.js';
import type { ComposedDaemon } from '../daemon/compose.js';
import type { MachineMemory } from '../daemon/machine-memory.js';
import { isVacError } from '../errors.js';
import { outcomeCode } from '../factory/outcome.js';
import type { StateLayout } from '../machines/layout.js';
import { NETWORK_NAME } from '../machines/network-xml.js';
import { liveView } from './live-view.js';
import { Screen } from './screen.js';

export interface DemoOptions {
  /** The live view, on a terminal; else plain lines. */
  readonly live: boolean;
  readonly json: boolean;
  /** End after so many finished machines; null = go on. */
  readonly machines: number | null;
}

interface FinishedMachine {
  readonly uuid: string;
  readonly machinetype: string;
  readonly shutdownMessage: string | null;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly endDay: string;
}

const REDRAW_MS = 500;
const KEPT_LOG_LINES = 200;

export class DemoRun {
  private readonly log: string[] = [];
  private readonly finished: FinishedMachine[] = [];
  private readonly screen = new Screen(process.stdout);
  private readonly beganMs = performance.now();
  private readonly beganSeconds = Math.floor(Date.now() / 1000);
  private firstRunningAfterSeconds: number | null = null;
  private stopping = false;
  private wakeEnd: () => void = () => {};

  constructor(private readonly options: DemoOptions) {}

  readonly takeLogLine = (line: string): void => {
    this.log.push(line);
    if (this.log.length > KEPT_LOG_LINES) this.log.shift();
    if (!this.options.live) process.stdout.write(`${line}\n`);
  };

  readonly takeCleared = ({ entry }: MachineMemory): void => {
    const { record, startedTimeSeconds, end } = entry;
    // Neither one that never ran, nor one that an earlier run left behind, is a finished machine of this run.
    if (startedTimeSeconds === null || end === null || record.createdTimeSeconds < this.beganSeconds) return;
    const wallSeconds = end.timeSeconds - startedTimeSeconds;
    this.finished.push({
      uuid: record.uuid,
      machinetype: record.machinetype,
      shutdownMessage: end.message,
      wallSeconds,
      cpuSeconds: Math.round(end.cpuSeconds * 10) / 10,
      endDay: recordFileName(end.timeSeconds, record.uuid).day,
    });
    this.wakeEnd();
  };

  /** @returns the exit code: 0 when all was as asked, 1 when the run was cut short */
  async run(composed: ComposedDaemon): Promise<number> {
    try {
      await this.untilDone(composed.daemon);
    } catch (error) {
      this.screen.close();
      // Whoever has the state directory has its services and its network too: they are not ours to end.
      if (!isVacError(error, 'already-running')) await leaveHost(composed);
      throw error;
    }
    this.screen.close();
    await leaveHost(composed);
    await this.summarise(composed.daemon.parts.layout);
    return this.options.machines !== null && !this.hasEnough() ? 1 : 0;
  }

  private hasEnough(): boolean {
    return this.options.machines !== null && this.finished.length >= this.options.machines;
  }

  private async untilDone(daemon: ComposedDaemon['daemon']): Promise<void> {
    daemon.onPass(() => {
      const running = daemon.unclearedMachines().some(({ entry }) => entry.phase === 'running');
      if (this.firstRunningAfterSeconds === null && running) {
        this.firstRunningAfterSeconds = Math.round((performance.now() - this.beganMs) / 100) / 10;
      }
      this.wakeEnd();
    });
    const onSignal = () => {
      if (this.stopping) {
        this.screen.close();
        process.stderr.write('ended at once; machines go on until the next npm start finds them\n');
        process.exit(1);
      }
      this.stopping = true;
      this.takeLogLine('Ctrl-C: draining, machines are asked to stop (up to 30 s); a second Ctrl-C ends at once');
      daemon.stopMachines();
      this.wakeEnd();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    await daemon.start();
    const redraw = this.options.live ? setInterval(() => this.draw(daemon), REDRAW_MS) : null;

    await this.until(() => (this.stopping || this.hasEnough()) && daemon.unclearedMachines().length === 0);
    if (redraw !== null) clearInterval(redraw);
  }

  private until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.wakeEnd = () => {
        if (condition()) resolve();
      };
      this.wakeEnd();
    });
  }

  private draw(daemon: ComposedDaemon['daemon']): void {
    const goal = this.options.machines === null ? '' : ` of ${this.options.machines}`;
    const footer = this.stopping
      ? `stopping: ${daemon.unclearedMachines().length} machines left; Ctrl-C again ends at once`
      : `${this.finished.length}${goal} machines finished; Ctrl-C drains and stops`;
    this.screen.draw(liveView(daemon.status(), this.log, this.screen.size(), footer));
  }

  private async summarise(layout: StateLayout): Promise<void> {
    const archived = await archivedRecords(
      layout,
      this.finished.map((machine) => machine.endDay),
    );
    const records = this.finished.reduce((sum, machine) => sum + (archived.get(machine.uuid) ?? 0), 0);
    const stateDir = layout.root;
    if (this.options.json) {
      const machines = this.finished.map(({ endDay: _, ...machine }) => machine);
      process.stdout.write(
        `${JSON.stringify({ machines, accountingRecords: records, firstRunningAfterSeconds: this.firstRunningAfterSeconds, stateDir })}\n`,
      );
      return;
    }
    const good = this.finished.filter((machine) => (outcomeCode(machine.shutdownMessage) ?? 999) < 300).length;
    const byType = new Map<string, number>();
    for (const { machinetype } of this.finished) byType.set(machinetype, (byType.get(machinetype) ?? 0) + 1);
    const types = [...byType]
      .sort()
      .map(([type, count]) => `${type} ${count}`)
      .join(', ');
    process.stdout.write(
      [
        '',
        `${this.finished.length} machines finished${types === '' ? '' : ` (${types})`}, ${good} of them well; ${records} accounting records in ${stateDir}/apel-archive`,
        `each machine's files are in ${stateDir}/machines, its log in ${stateDir}/logs`,
        '',
      ].join('\n'),
    );
  }
}

/** The demo leaves the host as it found it: only its state directory stays. */
async function leaveHost({ daemon, firewall, nfs, syslog, hypervisor }: ComposedDaemon): Promise<void> {
  await daemon.stop();
  await nfs.stop();
  await syslog?.stop();
  // With machines left (after an error) the network and what contains them stay: the next run finds them.
  if (daemon.unclearedMachines().length === 0) {
    await hypervisor.removeNetwork(NETWORK_NAME).catch(() => {});
    await firewall?.remove().catch(() => {});
  }
  await hypervisor.close();
}
