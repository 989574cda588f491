import { describe, expect, it } from 'vitest';
import { configOf, DEFAULT_RECIPE, type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import { requestOf } from '../../src/sim/request.js';
import type { Scenario } from '../../src/sim/scenario.js';
import { withShares } from '../../src/sim/scenario.js';
import { Simulation } from '../../src/sim/simulation.js';
import type { SpreadDelays } from '../../src/sim/spread-delays.js';
import { ALWAYS, cyclic } from '../../src/sim/work.js';

const HOUR = 3600;
const QUICK: SpreadDelays = {
  news: [0.2, 0.5, 1],
  joining: [1, 1],
  datagramsPerMinute: 0,
  bytesPerMinute: 0,
  heardAgeP99Seconds: null,
};

/** Three types of equal shares on small factories, with a history or without. */
function scenario(changes: Partial<Recipe>, shareHalfLifeHours: number): Scenario {
  const recipe: Recipe = { ...DEFAULT_RECIPE, slots: 16, types: 3, unsteady: 0, creationFailures: 0, ...changes };
  const config = configOf(recipe);
  const equal = withShares(config, { type01: 1, type02: 1, type03: 1 });
  return scenarioOf(recipe, { ...equal, settings: { ...equal.settings, shareHalfLifeHours } });
}

describe('long-term shares of a space with a type that has work half of the time', () => {
  const hours = 4 * 24;

  function halfTime(shareHalfLifeHours: number) {
    const all = scenario({ factories: 4, hours, lifeSeconds: 2 * HOUR }, shareHalfLifeHours);
    const { life } = all.types.type01!;
    const types = {
      type01: { work: cyclic(12 * HOUR, 0.5, 0, hours * HOUR), life },
      type02: { work: ALWAYS, life },
      type03: { work: ALWAYS, life },
    };
    const simulation = new Simulation({ ...all, types }, 'gossip', { delays: QUICK });
    while (simulation.step());
    return simulation.measures(0);
  }

  it('come much closer to the targets with history, and as many slots are in use', () => {
    const [without, with48] = [halfTime(0), halfTime(48)];
    const [part, partWith] = [without, with48].map(({ longTermShares }) => longTermShares[0]!.heldSecondHalf!);
    expect(part).toBeLessThan(0.24);
    expect(partWith).toBeGreaterThan(0.3);
    expect(partWith).toBeLessThan(1 / 3 + 0.005);
    const [, second, third] = with48.longTermShares;
    expect(Math.abs(second!.held! - third!.held!)).toBeLessThan(0.01);
    expect(with48.idleSlotHours).toBeLessThan(without.idleSlotHours + hours * 0.1);
  });
});

describe('history of a space in which all have work', () => {
  it('changes nothing: no swing, and a changed share holds as soon as without', () => {
    // Of 192 slots one is half a per cent, so when a single run counts as settled is a matter of luck.
    const seeds = [1, 2, 3, 4, 5, 6];
    const [without, withHistory] = [0, 72].map((halfLife) => {
      const measured = seeds.map((seed) => {
        const shareChanges = [{ atSeconds: 18 * HOUR, shares: { type01: 2 } }];
        const all = scenario({ seed, factories: 12, hours: 36, lifeSeconds: 2 * HOUR, shareChanges }, halfLife);
        const simulation = new Simulation(all, 'gossip', { delays: QUICK });
        while (simulation.step());
        return simulation.measures(0);
      });
      const mean = (of: (number | null)[]) => of.reduce<number>((sum, value) => sum + value!, 0) / seeds.length;
      return {
        worst: mean(measured.map(({ shareErrorWorst }) => shareErrorWorst)),
        settleSeconds: mean(measured.map(({ settleSeconds }) => settleSeconds)),
      };
    });
    expect(withHistory!.worst).toBeLessThanOrEqual(without!.worst + 0.005);
    expect(withHistory!.settleSeconds).toBeLessThanOrEqual(without!.settleSeconds * 1.3);
  });
});

describe('history by the real gossip', () => {
  it('is known to all factories alike, and outlives a restart of vacd', () => {
    const crashes = [{ factory: 1, at: { seconds: 900 }, downSeconds: 30, what: 'vacd' as const }];
    const all = scenario({ factories: 4, hours: 0.5, loss: 0.1, crashes }, 2);
    const simulation = new Simulation(all, 'gossip');
    while (simulation.step());
    const own = simulation.daemons.map((daemon) => daemon.ownUses()!);
    const whole = own.reduce((sum, uses) => sum + uses.get('type02')!, 0);
    // A third of 64 processors, always.
    expect(whole * (Math.LN2 / (2 * HOUR))).toBeGreaterThan(20);
    expect(whole * (Math.LN2 / (2 * HOUR))).toBeLessThan(22.7);
    for (const daemon of simulation.daemons) {
      expect(Math.abs(daemon.spaceUses().get('type02')! - whole)).toBeLessThan(0.02 * whole);
    }
  });

  it('is empty where none is kept', () => {
    const simulation = new Simulation(scenario({ factories: 2, hours: 0.1 }, 0), 'gossip');
    while (simulation.step());
    expect(simulation.daemons.map((daemon) => daemon.spaceUses().size)).toEqual([0, 0]);
  });
});

describe('vac simulate --half-life', () => {
  it('stands for share_half_life_hours', () => {
    const hours = (values: Parameters<typeof requestOf>[0]) =>
      requestOf(values, null).scenario.config.settings.shareHalfLifeHours;
    expect([hours({}), hours({ 'half-life': '72.5' })]).toEqual([0, 72.5]);
    expect(() => hours({ 'half-life': 'long' })).toThrow('--half-life "long": expected a number from 0 up to 10000');
  });
});
