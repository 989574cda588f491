#!/usr/bin/env node
/** vacd, the factory daemon: arguments and configuration; what runs then is daemon/service.ts. */

import { readLine } from './cli/parse.js';
import { VACD_OPTIONS, vacdHelp } from './cli/vacd-command.js';
import { formatProblem } from './config/index.js';
import { expectations, loadForDaemon } from './daemon/configuration.js';
import { explainEnd, hostFqdn, loadWithLibvirt, requireRoot } from './daemon/entry.js';
import { createLogger } from './daemon/log.js';
import { isVacError, VacError } from './errors.js';
import { VERSION } from './version.js';

async function main(): Promise<void> {
  const line = readLine(process.argv.slice(2), VACD_OPTIONS, 'vacd');
  if (line.positionals.length > 0) {
    throw new VacError('usage', `"${line.positionals[0]}": vacd takes options only; see vacd --help`);
  }
  if (line.has('help') || line.has('version')) {
    const text = line.has('help') ? vacdHelp(process.stdout.columns ?? Number.POSITIVE_INFINITY).join('\n') : VERSION;
    process.stdout.write(`${text}\n`);
    return;
  }
  requireRoot();
  const format = line.text('log-format') === 'json' ? 'json' : 'text';
  const log = createLogger(format, (text) => process.stdout.write(`${text}\n`));
  const configPaths = line.texts('config');
  const factory = line.text('factory')?.toLowerCase() ?? hostFqdn();
  const { config, warnings } = await loadForDaemon(configPaths, factory);
  for (const warning of [...warnings.map(formatProblem), ...expectations(config)]) log.warn(warning);
  const { runService } = await loadWithLibvirt(() => import('./daemon/service.js'));
  await runService({ factory, config, stateDir: line.text('state-dir')!, log }, configPaths);
}

main().catch((error: Error) => {
  process.stderr.write(explainEnd('vacd', error));
  process.exit(isVacError(error, 'usage') ? 2 : 1);
});
