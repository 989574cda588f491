#!/usr/bin/env node
/** vacd, the factory daemon: arguments and configuration; what runs then is daemon/service.ts. */

import { parseArgs } from 'node:util';
import { formatProblem } from './config/index.js';
import { expectations, loadForDaemon } from './daemon/configuration.js';
import { explainEnd, hostFqdn, loadWithLibvirt, requireRoot } from './daemon/entry.js';
import { createLogger } from './daemon/log.js';
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
  const format = values['log-format'] === 'json' ? 'json' : 'text';
  const log = createLogger(format, (line) => process.stdout.write(`${line}\n`));
  const { config, warnings } = await loadForDaemon(values.config, values.factory);
  for (const warning of [...warnings.map(formatProblem), ...expectations(config)]) log.warn(warning);
  const { runService } = await loadWithLibvirt(() => import('./daemon/service.js'));
  await runService({ factory: values.factory, config, stateDir: values['state-dir'], log }, values.config);
}

main().catch((error: Error) => {
  process.stderr.write(explainEnd('vacd', error));
  process.exit(1);
});
