/** Machines that log, the relay and the collector: what of them is stopped, and how far their lines came. */

import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachineStatus } from '../../../src/daemon/status.js';
import { Firewall } from '../../../src/host/firewall.js';
import { SYSLOG_RELP_PORT } from '../../../src/host/syslog-limits.js';
import type { FaultSite } from '../faults-site.js';
import { COLLECTOR_PORT, Collector } from '../syslog-site.js';

/** Between two looks: emulated machines shall have the processors. */
const LOOK_MS = 200;
/** What vacd does every 10 s, on a host that is busy. */
const PATIENCE_SECONDS = 120;
/** Datagrams that are sent while nobody receives. */
const DATAGRAMS = 20;

export class LoggingSite {
  private constructor(
    private readonly site: FaultSite,
    private readonly machines: readonly MachineStatus[],
    readonly collector: Collector,
    private readonly firewall: Firewall,
  ) {}

  static async create(site: FaultSite, machines: readonly MachineStatus[]): Promise<LoggingSite> {
    const { host } = site;
    const collector = await Collector.create(
      {
        stateDir: host.directory,
        spawnInFactory: (command, ...args) => spawn(...host.inside(command, args), { stdio: 'ignore' }),
      },
      'relp',
    );
    return new LoggingSite(site, machines, collector, new Firewall(host.inside('nft', []).flat()));
  }

  /** Ends the receiver of machines' syslog while lines of each machine wait in its sockets, and waits until it is gone. */
  async stopRelay(signal: NodeJS.Signals): Promise<void> {
    await this.stop('syslog/rsyslog.conf', signal, async () => {
      const waiting = await this.unread(SYSLOG_RELP_PORT);
      return this.machines.every(({ ip }) => waiting.has(ip));
    });
  }

  /** Ends the collector while lines wait in its socket, and waits until it is gone. */
  async stopCollector(signal: NodeJS.Signals): Promise<void> {
    await this.stop('collector.conf', signal, async () => (await this.unread(COLLECTOR_PORT)).size > 0);
  }

  /** Waits until the relay has taken lines of each machine from now on. */
  async untilRelayed(what: string): Promise<void> {
    const bytes = () => Promise.all(this.machines.map(({ id }) => this.logBytes(id)));
    const before = await bytes();
    await this.until(what, async () => (await bytes()).every((size, index) => size > before[index]!));
  }

  /** Waits until the collector has taken lines of each machine from now on. */
  async untilCollected(what: string, seconds?: number): Promise<void> {
    const before = await this.collector.bytes();
    const condition = async () => {
      const text = await this.collector.since(before);
      return this.machines.every(({ uuid }) => text.includes(`${uuid} relp line `));
    };
    await this.until(what, condition, seconds);
  }

  /** Waits until the machines have sent more datagrams. */
  async untilDatagramsSent(what: string): Promise<void> {
    const sent = async () =>
      [...((await this.firewall.syslogDatagrams()) ?? [])].reduce((sum, [, count]) => sum + count, 0);
    const before = await sent();
    await this.until(what, async () => (await sent()) >= before + DATAGRAMS);
  }

  /** Holds the rsyslogd with this configuration until lines are on their way to it: those are lost with it. */
  private async stop(config: string, signal: NodeJS.Signals, isUnderWay: () => Promise<boolean>): Promise<void> {
    const [pid, ...others] = await this.rsyslogds(config);
    if (pid === undefined || others.length > 0)
      throw new Error(`no single rsyslogd with ${config}: ${[pid, ...others]}`);
    process.kill(pid, 'SIGSTOP');
    await this.until(`lines are on their way to rsyslogd with ${config}`, isUnderWay);
    process.kill(pid, signal);
    if (signal !== 'SIGKILL') process.kill(pid, 'SIGCONT');
    await this.until(`it ends by ${signal}`, async () => !(await this.rsyslogds(config)).includes(pid));
  }

  /** Whose connections to the port hold bytes that were not read yet. */
  private async unread(port: number): Promise<Set<string>> {
    const connections = (await this.site.host.run('ss', ['-Htn', 'sport', '=', `:${port}`])).split('\n');
    const found = connections.map((line) => /^ESTAB +[1-9]\d* +\d+ +\S+ +([\d.]+):\d+/.exec(line)?.[1]);
    return new Set(found.filter((ip) => ip !== undefined));
  }

  private async rsyslogds(config: string): Promise<number[]> {
    const pids = await this.site.host.pidsOf('rsyslogd');
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
    // As the argument ends: vacd also lets one look at a candidate for it.
    return pids.filter((_, index) => lines[index]!.includes(`${config}\0`));
  }

  private async logBytes(id: string): Promise<number> {
    const path = this.site.host.seenInside(`${this.site.stateDir}/logs/${id}.log`);
    return (await stat(path).catch(() => null))?.size ?? 0;
  }

  private async until(what: string, condition: () => Promise<boolean>, seconds = PATIENCE_SECONDS): Promise<void> {
    const paced = async () => {
      await delay(LOOK_MS);
      return condition();
    };
    await this.site.host.until(what, paced, seconds);
  }
}
