/** A week of desktops in overnight mode, with the real policy and the real decision. */

import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { ownerWeek, SpanCursor } from '../../src/sim/desktop-owner.js';
import { type DesktopsReport, simulateDesktops } from '../../src/sim/desktops.js';
import { desktopsRequest } from '../../src/sim/desktops-request.js';
import { stream } from '../../src/sim/random.js';

const NOW = Date.parse('2026-11-18T12:00Z') / 1000;

function run(overnight: string, changes: { desktops?: number; days?: number; seed?: number; now?: number } = {}) {
  const text = `[settings]\nvac_space = vac01.example.com\n[machinetype prod]\ntarget_share = 1\nroot_image = /x.img
machine_model = vm-raw\nmax_wallclock_seconds = 43200\nmin_wallclock_seconds = 7200\n[overnight]\n${overnight}\n`;
  const loaded = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'desk01.example.com' });
  if (!loaded.ok) throw new Error('bad configuration');
  const { desktops = 3, days = 7, seed = 1, now = NOW } = changes;
  return simulateDesktops({
    desktops,
    days,
    seed,
    slots: 4,
    config: loaded.config,
    holidays: new Set(),
    nowSeconds: now,
  });
}

const NIGHTS = 'windows = mon-fri 19:00-07:30, sat,sun all\ntime_zone = Europe/Berlin';

const figures = ({ ours, naive }: DesktopsReport) => ({ ours, naive });

describe('a week of desktops', () => {
  const week = run(NIGHTS);

  it('begins on the Monday of the week that is asked for, and breaks no rule', () => {
    expect(week).toMatchObject({ firstDay: '2026-11-16', problems: [] });
  });

  it('no owner shares his CPU beyond the first second, and windows alone have him share it for hours', () => {
    expect(week.ours.sharedBeyondFirstSeconds).toBe(0);
    expect(week.ours.sharedSeconds).toBeLessThan(60);
    expect(week.naive.sharedBeyondFirstSeconds).toBeGreaterThan(1000);
  });

  it('and next to nothing of the machine hours is lost by it', () => {
    expect(week.ours.machineHours).toBeGreaterThan(0.9 * week.naive.machineHours);
    expect(week.ours.lostHours).toBeLessThan(0.06 * week.ours.machineHours);
    for (const { machineHours, jobHours, lostHours } of [week.ours, week.naive]) {
      expect(jobHours + lostHours).toBeLessThan(machineHours);
    }
  });

  it('is the same for the same seed', () => {
    const one = { desktops: 1, days: 2 };
    expect(figures(run(NIGHTS, one))).toEqual(figures(run(NIGHTS, one)));
    expect(figures(run(NIGHTS, { ...one, seed: 2 }))).not.toEqual(figures(run(NIGHTS, one)));
  });

  it('machines that are suspended at once and stopped late lose less than those that are stopped at once', () => {
    const idle = (steps: string) => run(`use = idle\non_return = ${steps}`, { desktops: 1, days: 4 }).ours;
    const [suspended, stopped] = [idle('suspend 0s, stop 1h'), idle('stop 0s')];
    expect(suspended.lostHours / suspended.machineHours).toBeLessThan(stopped.lostHours / stopped.machineHours);
    expect(suspended.suspensions).toBeGreaterThan(0);
  });

  it.each(['2026-03-25T12:00Z', '2026-10-21T12:00Z'])('with a change of clocks: %s', (now) => {
    const changed = run(NIGHTS, { desktops: 1, now: Date.parse(now) / 1000 });
    expect(changed).toMatchObject({ problems: [], ours: { sharedBeyondFirstSeconds: 0 } });
  });
});

describe('owners', () => {
  it('come and go in order, on weekdays for most of the day', () => {
    for (let index = 0; index < 20; index++) {
      const { desk, present, remote, programs } = ownerWeek(stream(1, 'owner', index), 7);
      for (const spans of [desk, present, remote, programs]) {
        spans.forEach(({ start, end }, at) => {
          if (end <= start || start <= (spans[at - 1]?.end ?? Number.NEGATIVE_INFINITY)) throw new Error(`span ${at}`);
        });
      }
      const hours = present.reduce((sum, { start, end }) => sum + (end - start) / 3600, 0);
      expect(hours).toBeGreaterThan(5);
      expect(hours).toBeLessThan(70);
    }
  });

  it('are looked up at moments that go forward', () => {
    const cursor = new SpanCursor([
      { start: 10, end: 20 },
      { start: 30, end: 40 },
    ]);
    expect(cursor.look(5)).toMatchObject({ inside: false, changesAt: 10 });
    expect(cursor.look(10)).toEqual({ inside: true, since: 10, changesAt: 20, agoSeconds: 0 });
    expect(cursor.look(20)).toMatchObject({ inside: false, changesAt: 30, agoSeconds: 0 });
    expect(cursor.look(29)).toMatchObject({ inside: false, agoSeconds: 9 });
    expect(cursor.look(50)).toMatchObject({ inside: false, changesAt: Number.POSITIVE_INFINITY, agoSeconds: 10 });
  });
});

describe('what is asked for', () => {
  it('without a configuration is made up, and said', () => {
    const { options, notes } = desktopsRequest({ desktops: '50' }, null);
    expect(options).toMatchObject({ desktops: 50, days: 7, slots: 4, seed: 1 });
    expect(notes).toHaveLength(2);
  });

  it.each([
    [{ desktops: '0' }, '--desktops 0: expected a whole number from 1 to 10000'],
    [{ desktops: 'many' }, '--desktops many: expected a whole number from 1 to 10000'],
    [{ desktops: '5', hours: '3' }, '--hours 3: expected a whole number from 24 to 8784'],
    [{ desktops: '5', loss: '30' }, '--loss has no meaning with --desktops; leave one of them out'],
  ])('%j', (values, message) => {
    expect(() => desktopsRequest(values, null)).toThrow(message);
  });
});
