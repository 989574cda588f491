/** A daemon as a service: started, told to systemd, kept up to date with its configuration, ended by a signal. */

import { formatProblem, watchConfig, withRestartOptionsOf } from '../config/index.js';
import { composeDaemon, type HostOptions } from './compose.js';
import { expectations, hostProblems } from './configuration.js';
import { endAll } from './ending.js';
import { Monitoring } from './monitoring.js';
import { notifySystemd } from './systemd.js';

/** For what ends beside the daemon itself. */
const CLOSE_SECONDS = 3;

/**
 * Returns once the daemon runs; the process then lives until SIGTERM or SIGINT, which leave its machines running.
 *
 * @param configPaths files or directories to watch; undefined = where a site's configuration is
 * @throws VacError as `Daemon.start`
 */
export async function runService(host: HostOptions, configPaths: readonly string[] | undefined): Promise<void> {
  const { log } = host;
  const { daemon, hypervisor } = await composeDaemon(host);
  const monitoring = new Monitoring(daemon);
  await daemon.start();
  // Not waited for: a name that resolves slowly is the monitor's trouble, not the start's.
  void monitoring.start();
  notifySystemd(daemon, log);

  const watcher = watchConfig({
    ...(configPaths === undefined ? {} : { paths: configPaths }),
    hostFqdn: host.factory,
    inForce: host.config,
    check: (config) => hostProblems(config),
    onChange: (changed, warnings) => {
      for (const warning of [...warnings.map(formatProblem), ...expectations(changed)]) log.warn(warning);
      const { config, kept } = withRestartOptionsOf(changed, daemon.memory.config);
      daemon.reconfigure(config);
      void monitoring.reconfigure();
      log.info('the changed configuration is in force');
      if (kept.length > 0) log.warn(`${kept.join(', ')}: changed, but taken into use only at the next start of vacd`);
    },
    onBad: (errors) => {
      for (const error of errors) log.error(`configuration changed but is not used: ${formatProblem(error)}`);
    },
    onGoodAgain: () => log.info('the configuration is good again'),
  });
  process.on('SIGHUP', () => {
    void watcher.reloadNow();
    daemon.space.rereadKeys();
  });

  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, async () => {
      if (stopping) return;
      stopping = true;
      log.info(`${signal}: vacd ends, its machines go on`);
      watcher.close();
      // Beside each other: the loop starts nothing from here on, whatever monitoring is in the middle of.
      await Promise.all([daemon.stop(), endAll({ monitoring: () => monitoring.close() }, CLOSE_SECONDS, log)]);
      await endAll({ libvirt: () => hypervisor.close() }, CLOSE_SECONDS, log);
      process.exit(0);
    });
  }
}
