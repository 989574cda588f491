#!/usr/bin/env node
/** vacd, the factory daemon: arguments, configuration, and the daemon composed of real parts. */

import { parseArgs } from 'node:util';
import { formatProblem, watchConfig } from './config/index.js';
import { composeDaemon, hostFqdn, requireRoot } from './daemon/compose.js';
import { expectations, hostProblems, loadForDaemon } from './daemon/configuration.js';
import { createLogger } from './daemon/log.js';
import { notifySystemd } from './daemon/systemd.js';
import { VacError } from './errors.js';
import { VERSION } from './version.js';

const HELP = `vacd ${VERSION}: creates virtual machines on this host by itself, by target shares

usage: vacd [options]
  --config FILE        read this file instead of /etc/vac.d/*.conf, /etc/vac.conf, /run/vac.conf (may be repeated)
  --state-dir DIR      where machines, accounting and history are kept (default /var/lib/vac)
  --factory NAME       this factory's FQDN (default: this host's name)
  --log-format FORMAT  text (default) or json
  --help, --version

SIGTERM ends vacd and leaves its machines running: the next vacd finds them again.
SIGHUP reads the configuration again. Ask a running vacd with: vac why
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', multiple: true },
      'state-dir': { type: 'string', default: '/var/lib/vac' },
      factory: { type: 'string', default: hostFqdn() },
      'log-format': { type: 'string', default: 'text' },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.version) {
    process.stdout.write(values.help ? HELP : `${VERSION}\n`);
    return;
  }
  requireRoot();
  const log = createLogger(values['log-format'] === 'json' ? 'json' : 'text', (line) =>
    process.stdout.write(`${line}\n`),
  );
  const { config, warnings } = await loadForDaemon(values.config, values.factory);
  for (const warning of [...warnings.map(formatProblem), ...expectations(config)]) log.warn(warning);

  const { daemon, hypervisor } = await composeDaemon({
    factory: values.factory,
    config,
    stateDir: values['state-dir'],
    log,
  });
  await daemon.start();
  notifySystemd(daemon);

  let inForce = JSON.stringify(config);
  const watcher = watchConfig({
    ...(values.config === undefined ? {} : { paths: values.config }),
    hostFqdn: values.factory,
    onChange: (changed, changedWarnings) => {
      if (JSON.stringify(changed) === inForce) return;
      const problems = hostProblems(changed);
      for (const problem of problems) log.error(`configuration changed but is not used: ${formatProblem(problem)}`);
      if (problems.length > 0) return;
      for (const warning of [...changedWarnings.map(formatProblem), ...expectations(changed)]) log.warn(warning);
      inForce = JSON.stringify(changed);
      daemon.reconfigure(changed);
      log.info('the changed configuration is in force');
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

main().catch((error: Error) => {
  process.stderr.write(`vacd: ${error instanceof VacError ? error.message : error.stack}\n`);
  process.exit(1);
});
