import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  machineFeatures,
  type StartOptions,
  shutdownTimeFiles,
  writeFeatures,
  writeShutdownTime,
} from '../../src/machines/features.js';
import { testRecord } from './record.js';

function startOptions(changes: Partial<StartOptions> = {}): StartOptions {
  return {
    shutdownTimeSeconds: 1_700_086_400,
    nowSeconds: 1_700_000_002,
    space: 'vac01.example.com',
    factory: 'factory1.example.com',
    scratchBytes: 160_000_000_000,
    swapBytes: 4 * 2 ** 30,
    syslog: { host: '169.254.169.254', port: 514 },
    machinefeaturesOptions: { site_note: 'any text\n' },
    ...changes,
  };
}

describe('machineFeatures', () => {
  it('writes every key of SPEC 5, the deprecated ones included', () => {
    expect(machineFeatures(testRecord(), startOptions())).toEqual({
      machinefeatures: {
        total_cpu: '4',
        hs06: '41.2',
        shutdowntime: '1700086400',
        grace_secs: '600',
        syslog: '169.254.169.254:514',
        site_note: 'any text\n',
        phys_cores: '4',
        log_cores: '4',
        jobslots: '1',
        vac_factory: 'factory1.example.com',
        vac_vmtype: 'prod',
        vac_space: 'vac01.example.com',
        vac_uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
      },
      jobfeatures: {
        allocated_cpu: '4',
        hs06_job: '41.2',
        shutdowntime_job: '1700086400',
        grace_secs_job: '600',
        jobstart_secs: '1700000002',
        job_id: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
        wall_limit_secs: '86398',
        cpu_limit_secs: '345592',
        max_rss_bytes: '8589934592',
        max_swap_bytes: '4294967296',
        scratch_limit_bytes: '160000000000',
        cpufactor_lrms: '1.0',
        cpu_limit_secs_lrms: '345592',
        wall_limit_secs_lrms: '86398',
        mem_limit_MB: '8589',
        allocated_CPU: '4',
      },
    });
  });

  it('leaves out what the site has not configured', () => {
    const { machinefeatures, jobfeatures } = machineFeatures(
      testRecord({ hs06PerProcessor: null }),
      startOptions({ syslog: null, machinefeaturesOptions: {} }),
    );
    expect(machinefeatures).not.toHaveProperty('hs06');
    expect(jobfeatures).not.toHaveProperty('hs06_job');
    expect(machinefeatures).not.toHaveProperty('syslog');
  });

  it("does not let the site's own files replace what the factory knows", () => {
    const options = startOptions({ machinefeaturesOptions: { shutdowntime: '0' } });
    expect(machineFeatures(testRecord(), options).machinefeatures.shutdowntime).toBe('1700086400');
  });

  it('promises no negative time when creation was slow', () => {
    const { jobfeatures } = machineFeatures(testRecord(), startOptions({ shutdownTimeSeconds: 1_700_000_000 }));
    expect(jobfeatures).toMatchObject({ wall_limit_secs: '0', cpu_limit_secs: '0' });
  });

  it('writes power without exponent, rounding noise or trailing zeros', () => {
    const power = fc.double({ min: 0.001, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(power, fc.integer({ min: 1, max: 512 }), (hs06PerProcessor, processors) => {
        const text = machineFeatures(testRecord({ hs06PerProcessor, processors }), startOptions()).machinefeatures.hs06;
        expect(text).toMatch(/^(0|[1-9]\d*)(\.\d{0,5}[1-9])?$/);
        expect(Math.abs(Number(text) - hs06PerProcessor * processors)).toBeLessThan(1e-6);
      }),
    );
    const noisy = machineFeatures(testRecord({ hs06PerProcessor: 10.3, processors: 3 }), startOptions());
    expect(noisy.machinefeatures.hs06).toBe('30.9');
  });
});

describe('on disk', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vac-features-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('features are files that anybody may read, without a newline at the end', async () => {
    const features = machineFeatures(testRecord(), startOptions());
    const umask = process.umask(0o077);
    try {
      await writeFeatures(directory, features);
      await writeFeatures(directory, features);
    } finally {
      process.umask(umask);
    }
    for (const [name, files] of Object.entries(features)) {
      const path = join(directory, name);
      expect((await stat(path)).mode & 0o7777).toBe(0o755);
      expect((await readdir(path)).sort()).toEqual(Object.keys(files).sort());
      for (const [key, content] of Object.entries(files)) {
        expect(await readFile(join(path, key), 'utf8'), key).toBe(content);
        expect((await stat(join(path, key))).mode & 0o7777).toBe(0o644);
      }
    }
    expect((await readdir(directory)).sort()).toEqual(['jobfeatures', 'machinefeatures']);
  });

  it('an earlier shutdowntime changes its two files and no other', async () => {
    const features = machineFeatures(testRecord(), startOptions());
    await writeFeatures(directory, features);
    await writeShutdownTime(directory, 1_700_050_000);
    expect(shutdownTimeFiles(1_700_050_000)).toEqual({
      machinefeatures: { shutdowntime: '1700050000' },
      jobfeatures: { shutdowntime_job: '1700050000' },
    });
    const read = (name: string) => readFile(join(directory, name), 'utf8');
    expect(await read('machinefeatures/shutdowntime')).toBe('1700050000');
    expect(await read('jobfeatures/shutdowntime_job')).toBe('1700050000');
    expect(await read('jobfeatures/wall_limit_secs')).toBe('86398');
  });
});
