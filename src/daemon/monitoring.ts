/**
 * What a factory tells monitors beside answering queries: /metrics for Prometheus, status datagrams for VacMon services,
 * and the census of its space. None of it has a say in what the factory does, and trouble with any of it is only logged.
 */

import { openDgramTransport, steadyClock } from '../vacquery/index.js';
import { Census } from './census.js';
import type { Daemon } from './daemon.js';
import { MetricsServer } from './metrics-server.js';
import { readHostStatus } from './snapshot.js';
import { VacMon } from './vacmon.js';

/** The step of clearing a machine after which it is accounted for: then its status is told (SPEC 5). */
const ACCOUNTED_STEP = 'accounting';

export class Monitoring {
  private readonly server: MetricsServer;
  private readonly vacmon: VacMon;
  private readonly census: Census;

  constructor(private readonly daemon: Pick<Daemon, 'memory' | 'metrics' | 'space' | 'parts' | 'onStep'>) {
    const { memory, metrics, space } = daemon;
    const { log, layout } = daemon.parts;
    const clock = steadyClock;
    const rng = Math.random;
    this.server = new MetricsServer({
      scrapes: daemon.parts.scrapes(metrics),
      log,
      resolve: (host) => space.resolve(host),
    });
    this.vacmon = new VacMon({
      memory,
      log,
      clock,
      rng,
      readHost: () => readHostStatus(layout.root),
      // Only to send from: what comes is not read.
      openTransport: () => openDgramTransport({ port: 0, onProblem: (message) => log.warn(message) }),
      resolve: (host) => space.resolve(host),
    });
    this.census = new Census({
      layout,
      log,
      clock,
      rng,
      nowSeconds: () => Math.floor(Date.now() / 1000),
      ask: () => space.census(),
    });
    metrics.watch({
      look: () => space.look(),
      space: () => space.report(),
      gossip: () => space.gossip(),
      datagrams: () => space.counts,
      vacmon: () => this.vacmon.counts(),
      census: () => this.census.last,
    });
    daemon.onStep((machine, step, moment) => {
      if (step === ACCOUNTED_STEP && moment === 'end') this.vacmon.machineEnded(machine);
    });
  }

  /** Resolves when all has begun, or failed for now; never rejects. */
  async start(): Promise<void> {
    await Promise.all([this.reconfigure(), this.census.start()]);
  }

  /** Takes what the configuration says now; called with each change of it. Never rejects. */
  async reconfigure(): Promise<void> {
    this.vacmon.reconfigure();
    await this.server.listen(this.daemon.memory.config.settings.metricsListen);
  }

  async close(): Promise<void> {
    await Promise.all([this.server.close(), this.vacmon.close(), this.census.close()]);
  }
}
