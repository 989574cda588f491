/**
 * What a factory tells monitors beside answering queries: /metrics for Prometheus, status datagrams for VacMon services,
 * and the census of its space. None of it has a say in what the factory does, and trouble with any of it is only logged.
 */

import { resolveHost } from '../host/resolve.js';
import { addCounts, steadyClock } from '../vacquery/index.js';
import { Census } from './census.js';
import { CensusPoll } from './census-poll.js';
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
  private readonly censusPoll: CensusPoll;

  constructor(private readonly daemon: Pick<Daemon, 'memory' | 'metrics' | 'space' | 'parts' | 'onStep'>) {
    const { memory, metrics, space } = daemon;
    const { log, layout, openTransport } = daemon.parts;
    const clock = steadyClock;
    const rng = Math.random;
    this.server = new MetricsServer(metrics, log);
    this.vacmon = new VacMon({
      memory,
      log,
      clock,
      rng,
      readHost: () => readHostStatus(layout.root),
      openTransport: () => openTransport(0),
      resolve: resolveHost,
    });
    const poll = new CensusPoll({
      memory,
      clock,
      others: () => space.others(),
      signer: () => space.querySigner,
      openTransport: () => openTransport(0),
    });
    this.censusPoll = poll;
    this.census = new Census({
      layout,
      log,
      clock,
      rng,
      nowSeconds: () => Math.floor(Date.now() / 1000),
      ask: () => poll.ask(),
    });
    metrics.watch({
      space: () => space.report(),
      gossip: () => space.gossip(),
      datagrams: () => addCounts(space.counts, poll.counts),
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
    await Promise.all([this.server.close(), this.vacmon.close(), this.censusPoll.close(), this.census.close()]);
  }
}
