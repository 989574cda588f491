import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askDaemon } from '../../src/daemon/control.js';
import { OvernightMode } from '../../src/daemon/overnight-mode.js';
import { holidaysIn } from '../../src/daemon/owner-watch.js';
import type { OvernightConfig, OwnerFacts } from '../../src/factory/overnight-types.js';
import type { OwnerSensors } from '../../src/host/sessions/index.js';
import { overnightConfig, owner } from '../factory/desk.js';
import { controlHandlers } from './control-handlers.js';
import { TestFactory, until } from './test-factory.js';

let factory: TestFactory;
let mode: OvernightMode;
/** What the sensors say; `changed` is what they call. */
let facts: OwnerFacts;
let changed: () => void;
let sensing: number;

beforeEach(async () => {
  factory = await TestFactory.create();
  facts = owner();
  changed = () => {};
  sensing = 0;
  mode = overnightMode();
});

afterEach(async () => {
  await mode.close();
  await factory.dispose();
});

function overnightMode(): OvernightMode {
  const { memory, layout, log } = factory;
  const sensors: Pick<OwnerSensors, 'start' | 'facts' | 'users' | 'close'> = {
    start: (told) => {
      sensing += 1;
      changed = told;
    },
    facts: () => facts,
    users: () => [],
    close: () => {
      sensing -= 1;
    },
  };
  return new OvernightMode({
    memory,
    layout,
    log: log.logger,
    wake: () => {
      factory.wakes += 1;
    },
    handlers: controlHandlers({ overnight: () => mode.report(), overnightPause: (pause) => mode.pause(pause) }),
    sensors: () => sensors as OwnerSensors,
  });
}

async function start(overnight: OvernightConfig | null): Promise<void> {
  factory.memory.config = { ...factory.memory.config, overnight };
  await mode.start(factory.memory.config);
}

const now = () => Math.floor(Date.now() / 1000);
const judge = () => factory.memory.state(now(), performance.now());
const idle = (changes: Partial<OvernightConfig> = {}) => overnightConfig({ use: 'idle', ...changes });

describe('the owner', () => {
  test('is looked at while there is overnight mode, and only then', async () => {
    await start(null);
    expect(sensing).toBe(0);
    await mode.configure({ ...factory.memory.config, overnight: idle() });
    await mode.configure({ ...factory.memory.config, overnight: idle({ idleSeconds: 5 }) });
    expect(sensing).toBe(1);
    await mode.configure({ ...factory.memory.config, overnight: null });
    expect(sensing).toBe(0);
  });

  test('wakes the loop at once, also right after other news, as long as machines may run', async () => {
    await start(idle());
    const woken = () => {
      const before = factory.wakes;
      changed();
      return factory.wakes > before;
    };
    expect([woken(), judge().overnight?.state]).toEqual([true, 'open']);
    facts = owner({}, 0);
    expect([woken(), judge().overnight?.state]).toEqual([true, 'waiting']);
    expect(woken()).toBe(false);
  });

  test('wakes the loop at once on coming back, and then no more than once a second', async () => {
    await start(idle());
    facts = owner({}, 0);
    const before = factory.wakes;
    for (let key = 0; key < 50; key += 1) changed();
    expect(factory.wakes).toBe(before + 1);
    judge();
    expect(mode.report()?.verdict.blockers.map(({ code }) => code)).toContain('owner');
  });

  test('changes of state are told once each, with their reason', async () => {
    await start(idle());
    changed();
    judge();
    for (let pass = 0; pass < 3; pass += 1) mode.passed();
    facts = owner({}, 0);
    changed();
    judge();
    mode.passed();
    expect(factory.log.with('overnight:')).toEqual([
      expect.stringMatching(/^info: overnight: open: /),
      expect.stringMatching(/^info: overnight: waiting: .*seat0/),
    ]);
  });
});

describe('a pause', () => {
  const pause = () => ({ who: 'ann', sinceSeconds: now(), untilSeconds: now() + 7200 });

  test('holds at once, over restarts of vacd, and until it is ended', async () => {
    await start(idle());
    changed();
    await mode.pause(pause());
    expect(mode.report()).toMatchObject({ pause: { who: 'ann' }, verdict: { mayStart: false } });
    await mode.close();
    factory.memory.overnight.pause = null;
    mode = overnightMode();
    await start(idle());
    expect(factory.memory.overnight.pause).toMatchObject({ who: 'ann' });
    await mode.pause(null);
    await mode.close();
    mode = overnightMode();
    await start(idle());
    expect(factory.memory.overnight.pause).toBeNull();
  });

  test('whose file cannot be read counts as one: the host is its owner’s', async () => {
    await writeFile(`${factory.layout.root}/overnight-pause.json`, '{"who": 1}');
    await start(idle());
    expect(factory.memory.overnight.pause?.untilSeconds).toBeGreaterThan(now() + 3600);
    expect(factory.log.with('error: ')).toEqual([expect.stringContaining('vac overnight resume ends it')]);
  });

  test('that cannot be written down holds, and the asker is told', async () => {
    await mkdir(`${factory.layout.root}/overnight-pause.json`);
    await mode.configure({ ...factory.memory.config, overnight: idle() });
    await expect(mode.pause(pause())).rejects.toThrow('not after a restart of vacd');
    expect(factory.memory.overnight.pause).toMatchObject({ who: 'ann' });
  });
});

describe("the owners' socket", () => {
  const path = () => `${factory.layout.root}/overnight.sock`;

  test('is there for owner_group, for looking and pausing, and for nothing else', async () => {
    await start(idle({ ownerGroup: 'nogroup' }));
    changed();
    judge();
    const { gid, mode: bits } = await stat(path());
    const group = /^nogroup:[^:]*:(\d+):/m.exec(await readFile('/etc/group', 'utf8'))![1];
    expect([gid, bits & 0o777]).toEqual([Number(group), 0o660]);
    const untilSeconds = now() + 600;
    expect(await askDaemon(path(), { command: 'overnightPause', who: 'ann', untilSeconds })).toMatchObject({
      ok: true,
      overnight: { pause: { who: 'ann', untilSeconds } },
    });
    for (const request of [{ command: 'undrain' }, { command: 'status' }, { command: 'stop', machine: '0' }] as const) {
      expect(await askDaemon(path(), request)).toEqual({
        ok: false,
        error: `${request.command} may not be asked here`,
      });
    }
  });

  test('is gone without owner_group, and a group that nobody knows is told of', async () => {
    await start(idle({ ownerGroup: 'nogroup' }));
    await mode.configure({ ...factory.memory.config, overnight: idle() });
    await expect(stat(path())).rejects.toThrow('ENOENT');
    await mode.configure({ ...factory.memory.config, overnight: idle({ ownerGroup: 'no-such-group' }) });
    expect(factory.log.with('owner_group = no-such-group')).toHaveLength(1);
  });

  test('says so where there is no overnight mode', async () => {
    await start(idle({ ownerGroup: 'nogroup' }));
    factory.memory.config = { ...factory.memory.config, overnight: null };
    judge();
    expect(await askDaemon(path(), { command: 'overnight' })).toEqual({
      ok: false,
      error: expect.stringContaining('no section [overnight]'),
    });
  });
});

describe('holidays', () => {
  test('are dates, one to a line; what is none is named by its line', () => {
    expect(holidaysIn('# of 2026\n2026-12-25 Christmas\n\n  2027-01-01\n')).toEqual(
      new Set(['2026-12-25', '2027-01-01']),
    );
    for (const bad of ['2026-02-30', '25.12.2026', '2026-12-251']) {
      expect(() => holidaysIn(`2026-12-25\n${bad}\n`)).toThrow('line 2 does not begin with a date');
    }
  });

  test('are read from their file, and a bad file leaves those that were known', async () => {
    const holidaysFile = `${factory.layout.root}/holidays`;
    await writeFile(holidaysFile, '2026-12-25\n');
    await start(idle({ holidaysFile }));
    await until('they are read', () => factory.memory.overnight.holidays.has('2026-12-25'));
    await writeFile(holidaysFile, 'never\n');
    await mode.configure(factory.memory.config);
    await until('it is told', () => factory.log.with('holidays_file').length === 1);
    expect(factory.memory.overnight.holidays).toEqual(new Set(['2026-12-25']));
  });
});
