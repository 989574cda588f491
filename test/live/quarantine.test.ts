/** A real guest in quarantine: halted, cut off, its memory kept, over a crash of vacd and past its end; then let go for good. */

import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import { writeShutdownTime } from '../../src/machines/features.js';
import { StateLayout } from '../../src/machines/layout.js';
import { FaultSite, machineOf, running } from './faults-site.js';

const VAC = fileURLToPath(new URL('../../dist/vac.js', import.meta.url));
/** It is over when the test says so: a busy host takes its time to start it and to take the order. */
const LIFE_SECONDS = 3600;
/** vacd looks every two seconds. */
const SOME_LOOKS_SECONDS = 20;

afterAll(() => FaultSite.destroyAll());

test(
  'a machine that is held is not ended by its time or a crash, and is accounted once when it is released',
  () =>
    FaultSite.use(async (site) => {
      const layout = new StateLayout(site.stateDir);
      const vac = async (...args: string[]) => {
        const command = site.host.inside(process.execPath, [VAC, ...args, '--state-dir', site.stateDir]);
        return (await promisify(execFile)(...command)).stdout;
      };
      const recipe = await site.demo({ max_wallclock_seconds: LIFE_SECONDS, min_wallclock_seconds: 1 });
      // Its log is another test's.
      await site.configure({ suspect: recipe }, { syslog: '' });
      const first = site.start(1, { startsLimit: 1 });
      const started = await first.until('it runs', (s) => running(s, 'suspect').length === 1);
      const [suspect] = running(started, 'suspect') as [(typeof started.machines)[number]];
      const { id, uuid } = suspect;

      const said = await vac('quarantine', '0', '--by', 'ann', 'it', 'scans');
      expect(said).toContain(`${id} is halted, and its network is cut`);
      expect(said).toContain('This holds, over restarts of vacd too, until: vac release');
      const [dump] = (await readdir(layout.quarantine(id))).filter((name) => /^memory-\d{8}T\d{6}Z\.elf$/.test(name));
      const memory = `${layout.quarantine(id)}/${dump}`;
      expect((await readFile(memory)).subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect((await stat(memory)).size).toBeGreaterThan(256 * 2 ** 20);
      expect((await site.host.virsh('domstate', uuid)).trim()).toBe('paused');
      expect(await site.host.run('nft', ['list', 'table', 'bridge', 'vac'])).toMatch(/set isolated[^}]*"vac-p0"/);
      expect(await vac('why')).toContain(`${id} is in quarantine`);

      await first.kill();
      // As vacd does when its time is made shorter.
      await writeShutdownTime(site.host.seenInside(layout.machine(id)), suspect.createdTimeSeconds + 1);
      const second = site.start(1, { startsLimit: 0 });
      const seen = await second.until('its time is over, and libvirt was asked', (s) => {
        const machine = machineOf(s, uuid);
        return machine?.domain === 'paused' && machine.shutdownTimeSeconds < s.timeSeconds;
      });
      await second.until('it was looked at again', (s) => s.timeSeconds > seen.timeSeconds + SOME_LOOKS_SECONDS);
      expect((await site.host.virsh('domstate', uuid)).trim()).toBe('paused');
      await site.host.until('the next vacd says so', () => second.output.includes('IN QUARANTINE STILL, by ann'));
      await site.host.until('its network is cut again', async () =>
        /set isolated[^}]*"vac-p0"/.test(await site.host.run('nft', ['list', 'table', 'bridge', 'vac'])),
      );

      expect(await vac('trace', '--machine', '0')).toContain('IN QUARANTINE');
      expect(await vac('release', '0', '--by', 'ann', '--destroy')).toContain('destroyed, accounted and cleaned up');
      expect(await site.host.domains()).toEqual([]);
      const trace = await vac('trace', '--at', String(suspect.createdTimeSeconds + 1), '--ip', suspect.ip);
      expect(trace).toMatch(/quarantined .*by ann: it scans/);
      expect(trace).toMatch(/released .*by ann: it is destroyed/);
      expect(trace).toContain('"100 Destroyed after quarantine"');
      expect(trace).toMatch(/sha256 [0-9a-f]{64}/);
      expect(await vac('trace', '--verify')).toContain('whole');
      const records = await archivedRecords(layout, await readdir(layout.apelArchive()));
      expect(records).toEqual(new Map([[uuid, 1]]));
      await second.stop();
      console.log(trace);
    }),
  400_000,
);
