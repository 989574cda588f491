import { expect, it } from 'vitest';
import type { GossipPolicy } from '../../src/sim/gossip.js';
import { DEFAULT_RECIPE, scenarioOf } from '../../src/sim/recipe.js';
import { Simulation } from '../../src/sim/simulation.js';

const FACTORIES = 8;

it('factories that are introduced know all of each other, although no datagram has arrived', () => {
  const recipe = { ...DEFAULT_RECIPE, factories: FACTORIES, slots: 2, types: 2, hours: 0.1 };
  const simulation = new Simulation(scenarioOf(recipe), 'gossip');
  const gossip = simulation.policy as GossipPolicy;
  gossip.network.isDown = true;
  while (simulation.nowSeconds < 30) simulation.step();
  const heardBy = (viewer: number) =>
    simulation.daemons[viewer]!.agent!.peers().reduce((sum, { runningMachines }) => sum + runningMachines, 0);
  expect(gossip.sent().datagrams).toBe(0);
  expect(heardBy(0)).toBe(0);

  gossip.introduceAll();
  for (let viewer = 0; viewer < FACTORIES; viewer += 1) {
    expect(heardBy(viewer)).toBe(2 * (FACTORIES - 1));
    for (let factory = 0; factory < FACTORIES; factory += 1) {
      if (factory !== viewer) expect(gossip.knows(viewer, gossip.lastChange(factory)!)).toBe(true);
    }
  }
  gossip.network.isDown = false;
  while (!gossip.haveAllJoined()) expect(simulation.step()).toBe(true);
});
