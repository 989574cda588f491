import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.js';
import { recorded } from './recorded-io.js';

let directory: string;
const at = (name: string) => join(directory, name);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-desktops-'));
});
afterEach(() => rm(directory, { recursive: true }));

const run = (...args: string[]) => recorded((io) => main(args, () => io));

async function configuration(overnight: string): Promise<string> {
  const path = at('vac.conf');
  const text = `[settings]\nvac_space = vac01.example.com\ntotal_processors = 1\n[machinetype prod]\ntarget_share = 1\nroot_image = /x.img\nmachine_model = vm-raw\nmin_wallclock_seconds = 3600\nmax_wallclock_seconds = 7200\n${overnight}`;
  await writeFile(path, text);
  return path;
}

describe('vac simulate --desktops', () => {
  it('tells people what the windows bring, and what windows alone would', async () => {
    const path = await configuration('[overnight]\nwindows = daily 20:00-06:00\n');
    const { code, stdout } = await run('simulate', '--desktops', '1', '--hours', '24', '--config', path);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^1 desktops for 1 days from \d{4}-\d\d-\d\d, 24 h of processors\n/);
    expect(stdout).toMatch(/OVERNIGHT +WINDOWS ALONE\n/);
    expect(stdout).toMatch(/the same, after his first second +0 s/);
  });

  it('and programs one object', async () => {
    const path = await configuration('[overnight]\nuse = idle\n');
    const { code, stdout } = await run('simulate', '--desktops', '1', '--hours', '24', '--config', path, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      desktops: 1,
      days: 1,
      ours: { machineHours: expect.any(Number), sharedBeyondFirstSeconds: 0 },
      naive: { machineHours: 0 },
      problems: [],
    });
  });

  it('says what it makes up', async () => {
    const { stderr } = await run(
      'simulate',
      '--desktops',
      '1',
      '--hours',
      '24',
      '--config',
      await configuration(''),
      '--json',
    );
    expect(stderr).toContain('the configuration has no section [overnight]: nights (19:00 to 07:30) and weekends');
  });

  it('refuses a file of holidays that cannot be read, which check-config tells of', async () => {
    const path = await configuration(`[overnight]\nwindows = daily all\nholidays_file = ${at('holidays')}\n`);
    const { code, stderr } = await run('simulate', '--desktops', '1', '--config', path);
    expect(code).not.toBe(0);
    expect(stderr).toContain(`holidays_file ${at('holidays')}: there is no such file`);
    const checked = await run('check-config', path);
    expect(checked.stdout).toContain(`warning: holidays_file ${at('holidays')}: there is no such file`);
    expect(checked.stdout).toContain('overnight: the window is always open');
  });
});
