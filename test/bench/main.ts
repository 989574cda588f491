/**
 * `npm run bench [-- --only NAME] [--json]`: what the factory costs, each figure beside what it is to be compared with.
 * Ratios and CPU time say more than seconds here: hosts for tests are shared and noisy.
 */

import { parseArgs } from 'node:util';
import { accountingFigures } from './accounting.js';
import { containmentFigures } from './containment.js';
import { type Figure, formatFigure, jsonFigure } from './figure.js';
import { fillFigures } from './fill.js';
import { gossipFigures } from './gossip.js';
import { imagesFigures } from './images.js';
import { machineFigures } from './machine.js';
import { metadataFigures } from './metadata.js';
import { proxyFigures } from './proxy.js';
import { syslogFigures } from './syslog.js';
import { vacqueryFigures } from './vacquery.js';

/** By the name that `--only` takes: benchmarks whose figures' names begin with it. */
const BENCHMARKS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  machine: machineFigures,
  containment: containmentFigures,
  fill: fillFigures,
  images: imagesFigures,
  proxy: proxyFigures,
  metadata: metadataFigures,
  vacquery: vacqueryFigures,
  gossip: gossipFigures,
  accounting: accountingFigures,
  syslog: syslogFigures,
};

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean', default: false } } });
const chosen = Object.entries(BENCHMARKS).filter(
  ([name]) => values.only === undefined || name === values.only.split(' ')[0],
);
if (chosen.length === 0) {
  process.stderr.write(
    `bench: no benchmark is named "${values.only}"; there are: ${Object.keys(BENCHMARKS).join(', ')}\n`,
  );
  process.exit(2);
}
for (const [name, run] of chosen) {
  process.stderr.write(`bench ${name} …\n`);
  for (const figure of await run())
    process.stdout.write(`${values.json ? jsonFigure(figure) : formatFigure(figure)}\n`);
}
process.exit(0);
