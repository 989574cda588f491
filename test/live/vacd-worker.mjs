// The built daemon as `vacd` runs it, and ends by SIGKILL at a named point if asked to. For crash tests.
// Argument: JSON {stateDir, configPath, factory, processors, startsLimit, killAt, holdFile, desktop}; see worker.ts. Each
// line of the standard input is JSON {configPath, killAt}, which replace those.
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, statSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { composeDaemon } from '../../dist/daemon/compose.js';
import { loadForDaemon } from '../../dist/daemon/configuration.js';
import { createLogger } from '../../dist/daemon/log.js';
import { OwnerSensors } from '../../dist/host/sessions/index.js';

const { stateDir, configPath, factory, processors, startsLimit, holdFile, desktop, ...given } = JSON.parse(
  process.argv[2],
);
let { killAt } = given;

const die = () => process.kill(process.pid, 'SIGKILL');

/** Entered by what is done to a machine from the step on at which it dies: heartbeats, counts and status files of others are
 * written beside it, at any time. */
const dying = new AsyncLocalStorage();

/** Dies when the next file of a machine's life is written but does not have its name yet. */
function dieAtNextRename() {
  const { rename } = fs;
  fs.rename = (from, to) => {
    if (dying.getStore()) die();
    return rename(from, to);
  };
  syncBuiltinESMExports();
  dying.enterWith(true);
}

/** Dies when libvirtd has taken the order for a domain: the domain's log grows before QEMU is there. */
function dieWhenLibvirtBegins(hostname) {
  const logBytes = () => statSync(`/var/log/libvirt/qemu/${hostname}.log`, { throwIfNoEntry: false })?.size ?? 0;
  const before = logBytes();
  setInterval(() => {
    if (logBytes() > before) die();
  }, 1);
}

function listen(machineId, step, moment) {
  if (`${step} ${moment}` === killAt) die();
  if (moment !== 'begin') return;
  if (killAt === `${step} torn`) dieAtNextRename();
  if (killAt === 'libvirt underway' && step === 'libvirt') dieWhenLibvirtBegins(machineId.split('_')[2]);
  if (step === 'libvirt' && holdFile !== undefined) return whileThere(holdFile);
}

async function whileThere(path) {
  while (existsSync(path)) await delay(20);
}

/** Those of a desktop that the test plays. */
const ownerSensors = (own) => new OwnerSensors({ own, note: (message) => log.info(message), ...desktop });

const { config } = await loadForDaemon([configPath], factory, processors);
const log = createLogger('text', (line) => process.stdout.write(`${line}\n`));
const { daemon, hypervisor } = await composeDaemon(
  { factory, config, stateDir, log },
  { hostProcessors: processors, startsLimit, listen, ...(desktop === undefined ? {} : { ownerSensors }) },
);
await daemon.start();
createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line);
  killAt = order.killAt;
  const { config: changed } = await loadForDaemon([order.configPath], factory, processors);
  daemon.reconfigure(changed);
});
process.on('SIGTERM', async () => {
  await daemon.stop();
  await hypervisor.close();
  process.exit(0);
});
process.on('SIGUSR2', () => daemon.stopMachines());
