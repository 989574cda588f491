/**
 * A space in full operation from the first moment: every host has as many machines as it takes, in the proportion that is
 * wanted, each some way into its life, and of the types without work the last scout came back a while ago. A run need then
 * not wait for hours until its beginning is forgotten.
 */

import type { MachinetypeConfig } from '../config/types.js';
import { slotHostname } from '../machines/layout.js';
import type { SimDaemon } from './daemon.js';
import { newDirectory } from './machine.js';
import type { Spread } from './random.js';
import { draw, type Rng, stream } from './random.js';
import type { Simulation } from './simulation.js';
import { wanted } from './wanted.js';

export function fill(simulation: Simulation): void {
  const { scenario, daemons, queues } = simulation;
  const { machinetypes, settings } = scenario.config;
  const slots = settings.totalProcessors ?? 1;
  const rng = stream(scenario.seed, 'fill');
  const due = wanted(
    machinetypes.map(({ name, targetShare }) => ({ share: targetShare, held: 0, work: queues.get(name)!.capacity(0) })),
    daemons.length * slots,
  );
  const given = machinetypes.map(() => 0);
  for (const daemon of daemons) {
    let free = slots;
    for (let slot = 0; slot < slots && free > 0; slot += 1) {
      const type = pick(machinetypes, due, given, free, rng);
      if (type === null) break;
      const { minProcessors, maxProcessors } = machinetypes[type]!;
      const processors = Math.max(minProcessors, Math.min(maxProcessors, free));
      given[type]! += processors;
      free -= processors;
      place(simulation, daemon, machinetypes[type]!, slot, processors, rng);
    }
  }
  for (const type of machinetypes) {
    if (queues.get(type.name)!.capacity(0) > 0) continue;
    const timeSeconds = rng() * type.backoffSeconds;
    for (const daemon of daemons) comeBack(daemon, type, timeSeconds);
  }
  for (const daemon of daemons) daemon.tellWatchers();
}

/**
 * The last scout of a type without work. Every host keeps it as if it had been its own: whoever starts first knows of it
 * before it hears the others.
 */
function comeBack(daemon: SimDaemon, { name }: MachinetypeConfig, agoSeconds: number): void {
  const timeSeconds = Math.floor(daemon.nowSeconds() - agoSeconds);
  daemon.host.finishes.set(name, {
    createdTimeSeconds: timeSeconds - SCOUT_SECONDS,
    timeSeconds,
    message: '300 No more work',
    hostname: slotHostname(daemon.name, 0),
  });
}

/** A scout's boot and its look for work. */
const SCOUT_SECONDS = 150;

function pick(
  types: readonly MachinetypeConfig[],
  due: readonly number[],
  given: readonly number[],
  free: number,
  rng: Rng,
) {
  let chosen: number | null = null;
  let most = 0;
  types.forEach(({ minProcessors }, index) => {
    const lack = due[index]! <= 0 ? 0 : ((due[index]! - given[index]!) / due[index]!) * (0.999 + 0.001 * rng());
    if (minProcessors > free || lack <= most) return;
    chosen = index;
    most = lack;
  });
  return chosen;
}

function place(
  simulation: Simulation,
  daemon: SimDaemon,
  type: MachinetypeConfig,
  slot: number,
  processors: number,
  rng: Rng,
): void {
  simulation.serial += 1;
  const life = drawRunning(simulation.scenario.types[type.name]!.life, rng);
  const left = life * rng();
  const startedTimeSeconds = Math.floor(daemon.nowSeconds() - (life - left));
  const directory = newDirectory(type, daemon.config.settings, {
    factory: daemon.name,
    slot,
    processors,
    shutdownTimeSeconds: startedTimeSeconds + type.maxWallclockSeconds,
    nowSeconds: startedTimeSeconds,
    serial: simulation.serial,
  });
  directory.phase = 'running';
  directory.startedTimeSeconds = startedTimeSeconds;
  directory.lastTraceTimeSeconds = startedTimeSeconds;
  daemon.host.resume(directory, left);
}

/** The life of a machine that is met running: long lives are met more often, in proportion to their length. */
function drawRunning(life: Spread, rng: Rng): number {
  return draw({ ...life, median: life.median * Math.exp(life.sigma ** 2) }, rng);
}
