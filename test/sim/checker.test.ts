/** A checker that finds nothing is worth nothing: each rule is broken once, on purpose. */

import { describe, expect, it } from 'vitest';
import { STRICT } from '../../src/sim/checker.js';
import { newDirectory } from '../../src/sim/machine.js';
import { DEFAULT_RECIPE, type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import { Simulation } from '../../src/sim/simulation.js';

const CALM: Recipe = {
  ...DEFAULT_RECIPE,
  factories: 3,
  slots: 2,
  types: 2,
  hours: 0.2,
  unsteady: 0,
  fizzleSeconds: 60,
  backoffSeconds: 30,
  creationFailures: 0,
  maxSkewSeconds: 0,
  startSpreadSeconds: 1,
};

const NO_WORK: Partial<Recipe> = {
  unsteady: 1,
  workPeriodHours: 100,
  hours: 1,
  fizzleSeconds: 600,
  backoffSeconds: 60,
  lifeSeconds: 150,
  maxWallclockSeconds: 1000,
};

function simulation(changes: Partial<Recipe> = {}): Simulation {
  return new Simulation(scenarioOf({ ...CALM, ...changes }), 'gossip', { check: STRICT });
}

/** What is found when something is done to a running space. */
function problemsAfter(harm: (space: Simulation) => void, changes: Partial<Recipe> = {}): string {
  const space = simulation(changes);
  while (space.nowSeconds < 300) space.step();
  expect(space.checker!.problems).toEqual([]);
  harm(space);
  while (space.step());
  return space.checker!.problems.join('\n');
}

function strayDirectory(space: Simulation, slot: number) {
  const daemon = space.daemons[0]!;
  const [type] = daemon.config.machinetypes;
  return newDirectory(type!, daemon.config.settings, {
    factory: daemon.name,
    slot,
    processors: 1,
    shutdownTimeSeconds: 2e9,
    nowSeconds: Math.floor(daemon.nowSeconds()),
    serial: 999_999,
  });
}

describe('the checker', () => {
  it('finds nothing in a sound space', () => {
    expect(problemsAfter(() => {})).toBe('');
  });

  it('finds machines that hold more processors than there are', () => {
    const found = problemsAfter((space) => {
      const directory = strayDirectory(space, 7);
      space.daemons[0]!.host.directories.set(directory.record.id, directory);
    });
    expect(found).toMatch(/factory 0: machines hold 3 of 2 processors/);
  });

  it('finds a domain that nobody looks after', () => {
    const found = problemsAfter((space) => {
      const { host } = space.daemons[0]!;
      // Its daemon is never told.
      space.daemons[0]!.listSoon = () => {};
      host.createDomain(strayDirectory(space, 7));
    });
    expect(found).toMatch(/the domain of .* is forgotten/);
  });

  it('finds a machine that is over and never cleared', () => {
    const found = problemsAfter((space) => {
      space.daemons[0]!.listSoon = () => {};
      const [domain] = space.daemons[0]!.host.domains.keys();
      space.daemons[0]!.host.destroyDomain(domain!);
    });
    expect(found).toMatch(/is over, and running/);
  });

  it('finds a record of accounting that is missing, and one that is there twice', () => {
    expect(
      problemsAfter((space) => {
        for (const { host } of space.daemons) host.account = () => {};
        for (const { host } of space.daemons) for (const uuid of [...host.domains.keys()]) host.destroyDomain(uuid);
      }),
    ).toMatch(/cleared without its accounting record/);
    expect(
      problemsAfter((space) => {
        const { host } = space.daemons[0]!;
        const directory = [...host.directories.values()][0]!;
        for (const timeSeconds of [1_800_000_000, 1_800_000_001]) {
          host.account({ ...directory, end: { timeSeconds, message: null, cpuSeconds: 0, reason: 'x' } });
        }
      }),
    ).toMatch(/two accounting records that differ/);
  });

  it('finds news that does not arrive', () => {
    const found = problemsAfter((space) => {
      const policy = space.policy as unknown as { agents: { receive(): void }[] };
      policy.agents[1]!.receive = () => {};
      for (const uuid of [...space.daemons[0]!.host.domains.keys()]) space.daemons[0]!.host.destroyDomain(uuid);
    });
    expect(found).toMatch(/factory 1 holds of factory 0: /);
  });

  it('finds sums that are not those of what is known', () => {
    const found = problemsAfter((space) => {
      const agent = space.daemons[1]!.agent!;
      const peers = agent.peers.bind(agent);
      agent.peers = () => peers().map((news) => ({ ...news, beforeFizzle: news.beforeFizzle + 1 }));
    });
    expect(found).toMatch(/factory 1 decides by sums of type01 that are not those of what it knows/);
  });

  it('finds domains that have more processors than there are', () => {
    const found = problemsAfter((space) => {
      const { host } = space.daemons[0]!;
      // Its daemon would end it at once.
      space.daemons[0]!.listSoon = () => {};
      host.createDomain(strayDirectory(space, 7));
    });
    expect(found).toMatch(/factory 0: domains have 3 of 2 processors/);
  });

  it('finds a slot that stays empty', () => {
    const found = problemsAfter((space) => {
      const { agent } = space.daemons[0]!;
      const plan = agent!.plan.bind(agent);
      agent!.plan = (state, config, rng) => plan({ ...state, orders: { ...state.orders, startsLeft: 0 } }, config, rng);
      const [uuid] = space.daemons[0]!.host.domains.keys();
      space.daemons[0]!.host.destroyDomain(uuid!);
    });
    expect(found).toMatch(/factory 0 has had an empty slot since/);
  });

  it('finds a second scout, sent by one who should know of the first', () => {
    const space = simulation({ ...NO_WORK, factories: 4 });
    while (space.nowSeconds < 20) space.step();
    for (const daemon of space.daemons) {
      const agent = daemon.agent!;
      const plan = agent.plan.bind(agent);
      agent.plan = (state, config, rng) => plan({ ...state, peers: [] }, config, rng);
    }
    while (space.step());
    expect(space.checker!.problems.join('\n')).toMatch(/starts type0\d while \d+ scouts are out, the first for/);
  });

  it('finds a plan that breaks its own rules', () => {
    const space = simulation({ ...NO_WORK, hours: 0.2 });
    while (space.nowSeconds < 20) space.step();
    const agent = space.daemons[2]!.agent!;
    agent.plan = (state) => {
      const shutdownTimeSeconds = state.nowSeconds + 43_200;
      const start = { slot: 0, machinetype: 'type01', processors: 1, shutdownTimeSeconds, reason: 'x' };
      return { actions: [{ kind: 'createMachine', ...start }], decisions: [], standstill: null };
    };
    expect(() => {
      while (space.step());
    }).not.toThrow();
    expect(space.checker!.problems.join('\n')).toMatch(/factory 2: slot 0 is given while/);
  });
});
