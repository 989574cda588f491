/** The state directory nearly full. */

import { expect, test, vi } from 'vitest';
import { FaultSite, machineOf, running, slotVerdict, typeVerdict } from './faults-site.js';

vi.setConfig({ testTimeout: 300_000 });

test('with less than 1 GB free nothing starts and what runs goes on; with space again the slot is filled', () =>
  FaultSite.use(async (site) => {
    const { host, stateDir } = site;
    // 1048 MB: over the limit with two machines on it, under it with the file below.
    await host.run('mount', ['-t', 'tmpfs', '-o', 'size=1000m,mode=755', 'tmpfs', stateDir]);
    await site.configure({ halt: site.halting() }, { joboutputs_mb: 1 });
    const daemon = site.start(2);
    const before = await daemon.until('two machines run', (s) => running(s).length === 2);
    const [kept, ended] = running(before);

    await host.run('fallocate', ['-l', '60M', `${stateDir}/ballast`]);
    await daemon.until('vacd sees it', (s) => typeVerdict(s, 'halt')?.code === 'disk-full');
    await host.virsh('destroy', ended!.hostname);
    const full = await daemon.until('the slot stays free', (s) => slotVerdict(s, ended!.slot)?.code === 'disk-full');
    expect(slotVerdict(full, ended!.slot)!.reason).toMatch(/only \d+ MB are free in the state directory/);
    expect(machineOf(full, ended!.uuid)?.phase).toBe('cleared');
    expect(machineOf(full, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'running', stopping: null });
    expect(await host.domains()).toEqual([kept!.hostname]);

    await host.run('rm', [`${stateDir}/ballast`]);
    const after = await daemon.until('the slot is filled', (s) => running(s).length === 2);
    expect(machineOf(after, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
    await daemon.stop();
  }));
