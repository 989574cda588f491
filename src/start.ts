#!/usr/bin/env node
/**
 * `npm start`: a real factory in the foreground, with two demo machinetypes at shares 2:1, real machines, and a state
 * directory of its own. What it shows is what `vacd` does; only the frame around it is different.
 */

import { copyFile, mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DemoRun } from './cli/demo-run.js';
import { formatProblem } from './config/index.js';
import { loadForDaemon } from './daemon/configuration.js';
import { explainEnd, loadWithLibvirt, requireRoot } from './daemon/entry.js';
import { createLogger } from './daemon/log.js';
import { VacError } from './errors.js';
import type { Hypervisor } from './host/hypervisor.js';
import { StateLayout, slotOfHostname } from './machines/layout.js';
import { leaseNames, NETWORK_NAME } from './machines/network-xml.js';

/** A name no site's factory has, so that the demo's machines and a site's are never taken for each other. */
const DEMO_FACTORY = 'vac-demo.localdomain';
const DEMO_FILES = fileURLToPath(new URL('../etc/demo/', import.meta.url));
/** Shares of 2:1 show with three slots or more, whatever the host has. */
const MIN_SLOTS = 3;

const HELP = `npm start -- [options]: a factory in the foreground with two demo machinetypes
  --machines N      end after N finished machines (default: go on until Ctrl-C)
  --json            plain lines instead of the live view; the last line is a JSON summary
  --state-dir DIR   default /var/lib/vac-demo
Ctrl-C drains and stops the machines; a second Ctrl-C ends at once.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      machines: { type: 'string' },
      json: { type: 'boolean', default: false },
      'state-dir': { type: 'string', default: '/var/lib/vac-demo' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const machines = values.machines === undefined ? null : Number(values.machines);
  if (machines !== null && !(Number.isSafeInteger(machines) && machines > 0)) {
    throw new VacError('usage', `--machines "${values.machines}": expected a whole number of at least 1`);
  }
  requireRoot();
  const stateDir = values['state-dir'];
  const slots = Math.max(MIN_SLOTS, availableParallelism());
  const { config, warnings } = await loadForDaemon([`${DEMO_FILES}vac.conf`], DEMO_FACTORY, slots);
  const run = new DemoRun({ live: process.stdout.isTTY && !values.json, json: values.json, machines });
  const log = createLogger('text', run.takeLogLine);
  for (const warning of warnings) log.warn(formatProblem(warning));
  await offerDemoFiles(
    new StateLayout(stateDir),
    config.machinetypes.map((type) => type.name),
  );

  const { composeDaemon } = await loadWithLibvirt(() => import('./daemon/compose.js'));
  const composed = await composeDaemon(
    { factory: DEMO_FACTORY, config, stateDir, log },
    { hostProcessors: slots, onCleared: run.takeCleared, ...(machines === null ? {} : { startsLimit: machines }) },
  );
  await refuseSitesHost(composed.hypervisor);
  return run.run(composed);
}

/**
 * There is one private network a host. A site's factory that is stopped may still have machines on it, which the demo
 * must not touch; one that the demo itself left behind (after a crash) is taken over.
 */
async function refuseSitesHost(hypervisor: Hypervisor): Promise<void> {
  const network = await hypervisor.network(NETWORK_NAME);
  const foreign = leaseNames(network?.xml ?? '').find((name) => slotOfHostname(DEMO_FACTORY, name) === null);
  if (foreign === undefined) return;
  throw new VacError(
    'address-in-use',
    `libvirt network ${NETWORK_NAME} belongs to another factory on this host (it has a lease for ${foreign}); run the demo on a host without one`,
  );
}

/** The demo's user_data where a site would put its experiments' files. */
async function offerDemoFiles(layout: StateLayout, machinetypes: readonly string[]): Promise<void> {
  for (const machinetype of machinetypes) {
    const directory = layout.machinetypeFiles(machinetype);
    await mkdir(directory, { recursive: true });
    await rm(`${directory}/user_data`, { force: true });
    await copyFile(`${DEMO_FILES}user_data`, `${directory}/user_data`);
  }
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    process.stderr.write(explainEnd('vac demo', error));
    process.exit(1);
  },
);
