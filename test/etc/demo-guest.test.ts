import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { DemoGuest, demoDirectory, demoUserData, type GuestOptions } from './demo-guest.js';

const image = '/var/cache/vac-demo/vac-demo.qcow2';
const bootSeconds = 150;

// Each guest is busy with booting, on one processor; more of them would only wait for each other.
vi.setConfig({ maxConcurrency: 2 });

beforeAll(() => {
  execFileSync(join(demoDirectory, 'build-guest.sh'), [image], { stdio: 'inherit' });
}, 300_000);

/** Boots a guest, and takes it away when the test of it is over. */
async function withGuest(
  userData: string | undefined,
  options: Partial<GuestOptions>,
  test: (guest: DemoGuest) => Promise<void> | void,
): Promise<void> {
  const guest = DemoGuest.start({
    machine: 'q35',
    features: 'http',
    hostname: 'vac-05.example.com',
    uuid: '6f1c3c5e-8d1f-4b0c-9a57-000000000005',
    image,
    userData,
    ...options,
  });
  try {
    await test(guest);
  } finally {
    await guest.destroy();
  }
}

/** A guest that has powered itself off. */
async function withEndedGuest(
  userData: string | undefined,
  options: Partial<GuestOptions>,
  test: (guest: DemoGuest) => void,
): Promise<void> {
  await withGuest(userData, options, async (guest) => {
    await guest.ended;
    test(guest);
  });
}

describe.concurrent('the demo guest', { timeout: 2 * bootSeconds * 1000 }, () => {
  it.for([
    { features: 'nfs4', machine: 'q35', nfs_version: '4.1' },
    { features: 'nfs3', machine: 'pc', nfs_version: '3' },
  ] as const)('mounts by NFS and reports what it found ($features, $machine)', async ({ nfs_version, ...options }, {
    skip,
  }) => {
    skip(spawnSync('ganesha.nfsd', ['-v']).error !== undefined, 'this host has no nfs-ganesha to mount from');
    const userData = demoUserData({ option_work_seconds: '2', space: 'vac01.example.com', option_mode: 'work' });
    await withEndedGuest(userData, options, (machine) => {
      expect(machine.report()).toMatchObject({
        access: 'nfs',
        nfs_version,
        ro_refused: 'yes',
        machinefeatures_total_cpu: '1',
        jobfeatures_job_id: '6f1c3c5e-8d1f-4b0c-9a57-000000000005',
        uuid: '6f1c3c5e-8d1f-4b0c-9a57-000000000005',
        hostname: 'vac-05.example.com',
        address: '169.254.169.5',
        scratch: 'ok',
        scratch_device: 'vdc',
        swap: 'ok',
        syslog: 'sent',
        power_button: 'yes',
        user_data_space: 'vac01.example.com',
        user_data_unknown: '',
      });
      expect(machine.read('joboutputs/heartbeat')).toMatch(/^\d+\n$/);
      expect(machine.read('joboutputs/shutdown_message')).toBe('200 Success\n');
      // From the first line on, which was written before the destination was known.
      expect(machine.read('syslog.log')).toMatch(/^<14>... .\d \d\d:\d\d:\d\d \S+ vac-demo: .* processors/);
      expect(machine.read('syslog.log')).toContain('vac-05.example.com vac-demo: finished: 200 Success');
      expect(machine.read('console.log')).toContain('finished: 200 Success');
    });
  });

  it('uses HTTP where the metadata names no NFS exports', async () => {
    const result = '300 No more work';
    await withEndedGuest(demoUserData({ option_work_seconds: '1', option_result: result }), {}, (machine) => {
      expect(machine.report()).toMatchObject({ access: 'http', machinefeatures_total_cpu: '1', scratch: 'ok' });
      expect(machine.read('joboutputs/heartbeat')).toMatch(/^\d+\n$/);
      expect(machine.read('joboutputs/shutdown_message')).toBe(`${result}\n`);
    });
  });

  it.each(['q35', 'pc'] as const)('stops when the power button is pressed (%s)', async (machineKind) => {
    await withGuest(demoUserData({ option_work_seconds: '600' }), { machine: machineKind }, async (machine) => {
      await heartbeatOf(machine);
      machine.pressPowerButton();
      await machine.ended;
      expect(machine.read('joboutputs/shutdown_message')).toBe('100 Shutdown requested\n');
    });
  });

  it('ignores the power button when asked to', async () => {
    await withGuest(demoUserData({ option_work_seconds: '600', option_mode: 'ignore-acpi' }), {}, async (machine) => {
      await heartbeatOf(machine);
      machine.pressPowerButton();
      await vi.waitFor(() => expect(machine.read('console.log')).toContain('pressed, and ignored'), 60_000);
      expect(machine.read('joboutputs/shutdown_message')).toBeUndefined();
    });
  });

  it('hangs without a heartbeat when asked to', async () => {
    await withGuest(demoUserData({ option_mode: 'hang' }), {}, async (machine) => {
      await vi.waitFor(() => expect(machine.report().demo_mode).toBe('hang'), bootSeconds * 1000);
      machine.pressPowerButton();
      await vi.waitFor(() => expect(machine.read('console.log')).toContain('pressed, and ignored'), 60_000);
      expect(machine.read('joboutputs/heartbeat')).toBeUndefined();
    });
  });

  it.each(['crash', 'none'])('ends without a message in mode %s', async (mode) => {
    await withEndedGuest(demoUserData({ option_mode: mode }), {}, (machine) => {
      expect(machine.report().demo_mode).toBe(mode);
      expect(machine.read('joboutputs/shutdown_message')).toBeUndefined();
      if (mode === 'crash') expect(machine.read('console.log')).toContain('Kernel panic');
      else expect(machine.read('console.log')).not.toContain('Kernel panic');
    });
  });

  it('stops by itself when shutdowntime is near', async () => {
    const userData = demoUserData({ option_work_seconds: '600', option_cpu: 'busy' });
    await withEndedGuest(userData, { shutdowntimeSeconds: Math.floor(Date.now() / 1000) + 5 }, (machine) => {
      expect(machine.read('joboutputs/shutdown_message')).toBe('100 shutdowntime reached\n');
    });
  });

  it('says what is wrong with user_data that it cannot run', async () => {
    await withEndedGuest(undefined, {}, (machine) => {
      expect(machine.read('joboutputs/shutdown_message')).toBe('500 No user_data script\n');
    });
  });

  it('says so when user_data ends without a word', async () => {
    await withEndedGuest('#!/bin/sh\nexit 3\n', {}, (machine) => {
      expect(machine.read('joboutputs/shutdown_message')).toBe('700 user_data ended with exit status 3\n');
    });
  });
});

async function heartbeatOf(machine: DemoGuest): Promise<void> {
  await vi.waitFor(() => expect(machine.read('joboutputs/heartbeat')).toBeDefined(), bootSeconds * 1000);
}
