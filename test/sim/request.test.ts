import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/types.js';
import { isVacError } from '../../src/errors.js';
import { requestOf } from '../../src/sim/request.js';

const CONFIG = configOf(`
[settings]
vac_space = vac01.example.com
factories = wn1.example.com wn2.example.com wn3.example.com
total_processors = 8
shutdown_time = 1800000000
[machinetype prod]
target_share = 3
root_image = https://example.com/image
machine_model = cernvm3
user_data_proxy = true
heartbeat_file = heartbeat
max_wallclock_seconds = 36000
[machinetype analysis]
target_share = 1
root_image = /x.img
[vacuum_pipe pipe]
vacuum_pipe_url = https://example.com/pipe
target_share = 1
`);

function configOf(text: string): Config {
  const loaded = loadConfig([{ path: 'vac.conf', text }], { hostFqdn: 'wn1.example.com' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}

describe('without a configuration', () => {
  it('a space of the default size is simulated for a day, with a change of shares half-way', () => {
    const { scenario, notes } = requestOf({}, null);
    expect(scenario.config.settings.factories).toHaveLength(100);
    expect(scenario.config.settings.totalProcessors).toBe(32);
    expect(scenario.config.machinetypes).toHaveLength(10);
    expect(scenario.durationSeconds).toBe(86_400);
    expect(scenario.shareChanges).toEqual([{ atSeconds: 43_200, shares: { type06: 10 } }]);
    expect(notes).toEqual([]);
  });

  it('sizes, faults and times are what was asked for', () => {
    const { scenario } = requestOf(
      {
        factories: '7',
        slots: '4',
        types: '3',
        hours: '1.5',
        seed: '42',
        loss: '30%',
        delay: '100',
        partition: ['30m+600', '1h+5m'],
        restarts: '10',
        skew: '3',
        'black-holes': '2',
        'share-change': ['0.5h:type01=7,type02=0'],
        work: ['type01=never', 'type02=0-0.5,1-1.25', 'type03=half/1'],
        life: '0.5',
        backoff: '30',
        fizzle: '60',
        empty: true,
      },
      null,
    );
    expect(scenario).toMatchObject({
      seed: 42,
      durationSeconds: 5400,
      network: { lossRate: 0.3, maxDelayMs: 100 },
      restartsPerHour: 0.1,
      maxSkewSeconds: 3,
      blackHoles: [0, 1],
      beginsFull: false,
      cuts: [
        { fromSeconds: 1800, toSeconds: 2400 },
        { fromSeconds: 3600, toSeconds: 3900 },
      ],
      shareChanges: [{ atSeconds: 1800, shares: { type01: 7, type02: 0 } }],
    });
    const at = (name: string) => scenario.types[name]!.work.map((step) => [step.fromSeconds, step.processors > 0]);
    expect(at('type01')).toEqual([]);
    expect(at('type02')).toEqual([
      [0, true],
      [1800, false],
      [3600, true],
      [4500, false],
    ]);
    expect(at('type03').slice(0, 3)).toEqual([
      [0, true],
      [1800, false],
      [3600, true],
    ]);
    expect(scenario.types.type01!.life.median).toBe(1800);
    expect(
      scenario.config.machinetypes.map(({ backoffSeconds, fizzleSeconds }) => [backoffSeconds, fizzleSeconds]),
    ).toEqual(Array(3).fill([30, 60]));
  });
});

describe('with a configuration', () => {
  it('its factories, slots and types are simulated, and not what a host of the model does not need', () => {
    const { scenario, notes } = requestOf({}, CONFIG);
    expect(scenario.config.settings.factories).toEqual(['wn1.example.com', 'wn2.example.com', 'wn3.example.com']);
    expect(scenario.config.settings.totalProcessors).toBe(8);
    expect(scenario.config.settings.shutdownTimeSeconds).toBeNull();
    const [prod] = scenario.config.machinetypes;
    expect(prod).toMatchObject({ name: 'prod', userDataProxy: false, heartbeatFile: null, rootImage: '/sim.img' });
    expect(scenario.types.prod!.life.median).toBe(18_000);
    expect(scenario.types.prod!.work[0]!.processors).toBe(Number.POSITIVE_INFINITY);
    expect(notes).toEqual([
      'machinetypes of vacuum pipes are not simulated: pipe',
      'shutdown_time and draining are left out',
    ]);
  });

  it('another number of factories or slots may be asked for', () => {
    const { scenario } = requestOf({ factories: '50', slots: '16' }, CONFIG);
    expect(scenario.config.settings.factories).toHaveLength(50);
    expect(scenario.config.settings.totalProcessors).toBe(16);
  });

  it('that would never start anything is refused', () => {
    const idle = configOf('[settings]\nvac_space = x.example.com\n[machinetype a]\nroot_image = /x\n');
    expect(() => requestOf({}, idle)).toThrow(/target_share above 0/);
  });
});

describe('what cannot be understood', () => {
  it.each([
    [{ factories: '0' }, /--factories "0": expected a whole number from 1/],
    [{ factories: 'many' }, /--factories "many"/],
    [{ hours: '-1' }, /--hours "-1": expected a number above 0/],
    [{ loss: '100' }, /--loss "100": expected a number from 0 up to 99/],
    [{ partition: ['6h'] }, /--partition "6h": expected when it begins and how long it lasts/],
    [{ partition: ['6h+x'] }, /--partition/],
    [{ 'share-change': ['type01=3'] }, /--share-change "type01=3": expected a time/],
    [{ 'share-change': ['1h:nobody=3'] }, /one of the machinetypes type01, type02/],
    [{ work: ['nobody=always'] }, /one of the machinetypes/],
    [{ work: ['type01=6-2'] }, /--work "type01=6-2": expected always, never/],
    [{ 'black-holes': '101' }, /--black-holes "101": expected a whole number from 0 up to 100/],
    [{ seed: '1.5' }, /--seed "1.5": expected a whole number/],
  ])('%j is a mistake on the command line, and named', (values, message) => {
    expect(() => requestOf(values, null)).toThrow(message);
    try {
      requestOf(values, null);
    } catch (error) {
      expect(isVacError(error, 'usage')).toBe(true);
    }
  });

  it('types beside a configuration are one, too', () => {
    expect(() => requestOf({ types: '3' }, CONFIG)).toThrow(/--types: the configuration has its own/);
  });
});

it.each([
  ['30', 0.3],
  ['30%', 0.3],
  ['0.3', 0.3],
  ['0.5%', 0.005],
  ['1', 0.01],
  ['0', 0],
])('a loss of %s is %d of all datagrams', (loss, part) => {
  expect(requestOf({ loss }, null).scenario.network.lossRate).toBeCloseTo(part, 12);
});

it('what a configuration leaves open is said', () => {
  const open = configOf(
    '[settings]\nvac_space = x.example.com\n[machinetype a]\ntarget_share = 1\nroot_image = /x.img\n',
  );
  expect(requestOf({}, open).notes).toEqual([
    'total_processors is not set: 32 processors are taken for each factory (--slots N for others)',
  ]);
  expect(requestOf({ slots: '8' }, open).notes).toEqual([]);
});

it('too many factories for polling are refused before they run', () => {
  expect(() => requestOf({ factories: '201', polling: true }, null)).toThrow(/--polling: 201 factories .* up to 200/);
});
