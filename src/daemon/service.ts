/** A daemon as a service: started, told to systemd, kept up to date with its configuration, ended by a signal. */

import { formatProblem, watchConfig } from '../config/index.js';
import type { Config } from '../config/types.js';
import { composeDaemon, type HostOptions } from './compose.js';
import { expectations, hostProblems } from './configuration.js';
import { notifySystemd } from './systemd.js';

/**
 * Returns once the daemon runs; the process then lives until SIGTERM or SIGINT, which leave its machines running.
 *
 * @param configPaths files or directories to watch; undefined = where a site's configuration is
 * @throws VacError as `Daemon.start`
 */
export async function runService(host: HostOptions, configPaths: readonly string[] | undefined): Promise<void> {
  const { log } = host;
  const { daemon, hypervisor } = await composeDaemon(host);
  await daemon.start();
  notifySystemd(daemon, log);

  let inForce = JSON.stringify(host.config);
  const takeIntoForce = (changed: Config) => {
    inForce = JSON.stringify(changed);
    daemon.reconfigure(changed);
    log.info('the changed configuration is in force');
  };
  const watcher = watchConfig({
    ...(configPaths === undefined ? {} : { paths: configPaths }),
    hostFqdn: host.factory,
    onChange: (changed, warnings) => {
      if (JSON.stringify(changed) === inForce) return;
      const problems = hostProblems(changed);
      for (const problem of problems) log.error(`configuration changed but is not used: ${formatProblem(problem)}`);
      if (problems.length > 0) return;
      for (const warning of [...warnings.map(formatProblem), ...expectations(changed)]) log.warn(warning);
      takeIntoForce(changed);
    },
    onBad: (errors) => {
      for (const error of errors) log.error(`configuration changed but is not used: ${formatProblem(error)}`);
    },
  });
  process.on('SIGHUP', () => void watcher.reloadNow());

  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, async () => {
      if (stopping) return;
      stopping = true;
      log.info(`${signal}: vacd ends, its machines go on`);
      watcher.close();
      await daemon.stop();
      await hypervisor.close();
      process.exit(0);
    });
  }
}
