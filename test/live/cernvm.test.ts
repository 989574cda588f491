/** The CernVM way: a real guest that boots from a CD, and gets its context on a second one (SPEC 5). */

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';
import { FaultSite, running } from './faults-site.js';

/** A guest boots under emulation on a host that other tests load too. */
vi.setConfig({ testTimeout: 500_000 });

const BUILD_GUEST = fileURLToPath(new URL('../../etc/demo/build-guest.sh', import.meta.url));

test('a guest boots its ISO, takes user_data from the context CD, and finds one empty disk and swap', () =>
  FaultSite.use(async (site) => {
    const image = site.file('guest.iso');
    await promisify(execFile)('bash', [BUILD_GUEST, image]);
    const type = await site.demo({
      machine_model: 'cernvm3',
      root_image: image,
      user_data_option_work_seconds: 1,
      // One machine is enough: its end without work keeps the type away.
      backoff_seconds: 3600,
      user_data_option_result: '300 No work',
    });
    await site.configure({ cernvm: type });
    const daemon = site.start(1);
    const [machine] = (await daemon.until('a machine runs', (s) => running(s).length === 1)).machines;
    await daemon.until('it is over', () => existsSync(site.inMachine(machine!.id, 'cleared')), 300);
    const lines = (await readFile(site.inMachine(machine!.id, 'joboutputs/demo-report'), 'utf8')).trim().split('\n');
    const report = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s) as [string, string]));
    expect(report).toMatchObject({
      context_machinefeatures: '/etc/machinefeatures',
      context_jobfeatures: '/etc/jobfeatures',
      uuid: machine!.uuid,
      // There, and without a file system: the guest would make one.
      scratch: 'unmountable',
      scratch_device: 'vda',
      swap: 'ok',
    });
    expect(report.context_cd).toMatch(/^sr\d$/);
    // What user_data of the CD did, in its own words.
    expect(await readFile(site.inMachine(machine!.id, 'joboutputs/shutdown_message'), 'utf8')).toMatch(/^300 No work/);
    expect(readdirSync(site.inMachine(machine!.id, '.')).filter((name) => /\.(img|iso|qcow2)$/.test(name))).toEqual([]);
    await daemon.stop();
  }));
