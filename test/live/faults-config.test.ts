/** The program vacd while its configuration changes under it. */

import { appendFile, readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { FaultSite, machineOf, running, slotVerdict } from './faults-site.js';

vi.setConfig({ testTimeout: 300_000 });

/** Longer than the test takes: the machine lives on by its notice. */
const GRACE_SECONDS = 1000;
/** Of every machinetype that does not say otherwise (max_wallclock_seconds). */
const MAX_WALLCLOCK_SECONDS = 86_400;

test('shutdown_time is passed on with notice, a bad change is told once and not used, draining starts nothing new', () =>
  FaultSite.use(async (site) => {
    const { host } = site;
    const types = { halt: site.halting({ min_wallclock_seconds: 1 }) };
    const settings = { total_processors: 1, grace_seconds: GRACE_SECONDS };
    await site.configure(types, settings);
    const beganSeconds = Math.floor(Date.now() / 1000);
    const daemon = site.startVacd();
    const first = running(await daemon.until('a machine runs', (s) => running(s).length === 1))[0]!;
    const shown = async () => Number(await readFile(site.inMachine(first.id, 'machinefeatures/shutdowntime'), 'utf8'));
    const shownToJob = () => readFile(site.inMachine(first.id, 'jobfeatures/shutdowntime_job'), 'utf8');
    const before = await shown();
    // Counted from the decision, which comes a moment before the machine.
    expect(before).toBeGreaterThanOrEqual(beganSeconds + MAX_WALLCLOCK_SECONDS);
    expect(before).toBeLessThanOrEqual(first.createdTimeSeconds + MAX_WALLCLOCK_SECONDS);

    const farSeconds = Math.floor(Date.now() / 1000) + 10 * GRACE_SECONDS;
    await site.configure(types, { ...settings, shutdown_time: farSeconds });
    await host.until('the machine is told the new time', async () => (await shown()) !== before);
    expect(await shown()).toBe(farSeconds);

    // Sooner than the notice that it was promised: it gets the notice.
    const soonSeconds = Math.floor(Date.now() / 1000) + 5;
    await site.configure(types, { ...settings, shutdown_time: soonSeconds });
    await host.until('the machine is told the new time', async () => (await shown()) !== farSeconds);
    expect(await shown()).toBeGreaterThanOrEqual(soonSeconds - 5 + GRACE_SECONDS);
    expect(await shown()).toBeLessThan(farSeconds);
    const promised = await shown();
    // The one file is written after the other.
    await host.until('the job is told the same', async () => (await shownToJob()) === `${promised}`);

    // A later time again changes nothing for this machine, only for those to come.
    await site.configure(types, settings);
    await host.until('it is in force', () => count(daemon.output, 'the changed configuration is in force') === 3);
    await appendFile(site.configPath, 'no_such_option = 1\nmax_processors = many\n');
    await host.until('the bad change is told', () => daemon.output.includes('max_processors'));
    const complaint = /is not used: .*vac\.conf.*max_processors.*/;
    expect(daemon.output).toMatch(complaint);
    // The same content once more, as an editor or configuration management writes it: nothing new to be told.
    const bad = await readFile(site.configPath, 'utf8');
    await site.configure(types, { ...settings, draining: 'yes' });
    await daemon.until('the next good one is used', () => count(daemon.output, 'configuration is in force') === 4);
    expect(daemon.output.match(new RegExp(complaint, 'g'))).toHaveLength(1);
    expect(bad).toContain('max_processors = many');
    expect(await shown()).toBe(promised);

    await host.virsh('destroy', first.hostname);
    const drained = await daemon.until('the slot stays free', (s) => slotVerdict(s, 0)?.code === 'draining');
    expect(slotVerdict(drained, 0)!.reason).toContain('draining = yes');
    expect(machineOf(drained, first.uuid)?.phase).toBe('cleared');
    expect(await host.domains()).toEqual([]);

    await site.configure(types, settings);
    const again = await daemon.until('the slot is filled once it may', (s) => running(s).length === 1);
    expect(again.machines).toHaveLength(2);
  }));

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
