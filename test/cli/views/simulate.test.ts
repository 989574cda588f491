import { describe, expect, test } from 'vitest';
import { type SimulatedRun, simulateView, simulationProgress } from '../../../src/cli/views/simulate.js';
import { widthOf } from '../../../src/cli/views/text.js';

const VIEW = { columns: 80, nowSeconds: 0, colour: false, notes: [] };

function run(name: string, changes: Partial<SimulatedRun> = {}): SimulatedRun {
  return {
    name,
    figures: {
      datagramsPerMinute: 165_432.4,
      bytesPerMinute: 98_765_432,
      newsAgeP99Seconds: 6.4,
      heardAgeP99Seconds: 21.5,
      shareErrorRms: 0.000_52,
      shareErrorWorst: 0.004_93,
      settleSeconds: 1056,
      futileStarts: 146,
      futileStartsPerBackoff: 0.5069,
      idleSlotHours: 12.44,
      starts: 205_000,
      wallSeconds: 301.2,
    },
    types: ['prod', 'analysis'],
    samples: Array.from({ length: 600 }, (_, at) => ({
      atSeconds: (at + 1) * 144,
      held: [0.2 + at / 1000, at < 300 ? 0 : 0.1],
      wanted: [0.8, 0.2],
    })),
    problems: [],
    ...changes,
  };
}

describe('vac simulate', () => {
  test('has the figures of both beside each other, and the shares of each over time', () => {
    expect(simulateView([run('ours'), run('predecessor')], VIEW).join('\n')).toMatchInlineSnapshot(`
      "                                        OURS  PREDECESSOR
      datagrams a minute, in all           165 432      165 432
      bytes a second, in all             1 646 091    1 646 091
      age of news, 99 %                      6.4 s        6.4 s
      last heard of each other, 99 %        21.5 s       21.5 s
      error of shares, root mean square     0.05 %       0.05 %
      error of shares, worst                0.49 %       0.49 %
      settled after                            17m          17m
      starts                               205 000      205 000
      starts of a type without work            146          146
      the same, for each backoff period       0.51         0.51
      idle slot-hours                         12.4         12.4
      time that the simulation took        301.2 s      301.2 s

      shares over 1d0h, ours                                              NOW  WANTED
      prod     ▃▃▃▃▃▃▃▃▃▄▄▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇█████████  79.9 %    80 %
      analysis                            ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂    10 %    20 %

      shares over 1d0h, predecessor                                       NOW  WANTED
      prod     ▃▃▃▃▃▃▃▃▃▄▄▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇█████████  79.9 %    80 %
      analysis                            ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂    10 %    20 %"
    `);
  });

  test('says what could not be measured, and which rules were broken', () => {
    const figures = { ...run('ours').figures, newsAgeP99Seconds: null, shareErrorRms: null, settleSeconds: null };
    const lines = simulateView([run('ours', { figures, problems: ['12.000 s: factory 0: x'], samples: [] })], {
      ...VIEW,
      notes: ['types of pipes are left out'],
    });
    const text = lines.join('\n');
    expect(text).toMatch(/age of news, 99 % +-$/m);
    expect(text).toMatch(/settled after +not settled$/m);
    expect(text).toContain('1 rule broken in the run of ours:\n12.000 s: factory 0: x');
    expect(lines.at(-1)).toBe('types of pipes are left out');
  });

  test.each([30, 40, 80, 200])('keeps to %i columns', (columns) => {
    for (const line of simulateView([run('ours'), run('predecessor')], { ...VIEW, columns })) {
      expect(widthOf(line)).toBeLessThanOrEqual(columns);
    }
  });

  test('without a terminal is no wider than can be read', () => {
    const lines = simulateView([run('ours')], { ...VIEW, columns: Number.POSITIVE_INFINITY });
    expect(Math.max(...lines.map(widthOf))).toBeLessThan(160);
  });
});

test('its progress is one line', () => {
  const stages = [
    { name: 'ours', stage: 'measuring', part: 0.419 },
    { name: 'predecessor', stage: 'running', part: 1 },
  ];
  expect(simulationProgress(stages, 95)).toBe('ours: measuring 41 %; predecessor: running 100 %; 1m');
});
