import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { ControlServer } from '../../src/daemon/control.js';
import type { OvernightReport } from '../../src/daemon/overnight-report.js';
import type { OvernightPause } from '../../src/factory/overnight-types.js';
import { NOW, overnight } from '../factory/builders.js';
import { owner, seat } from '../factory/desk.js';
import { controlServer } from './control-server.js';
import { recorded } from './recorded-io.js';
import { factoryView } from './status.js';

let directory: string;
let server: ControlServer;
let report: OvernightReport | null;
let pauses: (OvernightPause | null)[];

beforeEach(async () => {
  vi.stubEnv('TZ', 'UTC');
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
  directory = await mkdtemp(join(tmpdir(), 'vac-overnight-'));
  pauses = [];
  report = {
    factory: 'desk1.example.com',
    verdict: overnight({
      state: 'suspended',
      reason: 'machines are suspended: owner active on seat0 since 08:12',
      blockers: [
        { code: 'owner', reason: 'owner active on seat0 since 08:12' },
        { code: 'other-cpu', reason: 'other programs use 60 % of the CPU' },
      ],
      next: { timeSeconds: NOW + 600, what: 'machines are stopped' },
    }),
    owner: owner({ sources: { value: [seat(3), seat(7200, { name: 'pts/3', kind: 'remote', user: null })] } }),
    pause: null,
    machines: [
      {
        hostname: 'desk1-00.example.com',
        machinetype: 'prod',
        suspension: { by: 'overnight', sinceSeconds: NOW - 90, reason: 'owner' },
        shutdownTimeSeconds: NOW + 3600,
      },
    ],
  };
  server = controlServer(join(directory, 'vacd.sock'), () => factoryView({}), undefined, {
    overnight: () => report,
    overnightPause: async (pause) => {
      pauses.push(pause);
    },
  });
  await server.listen();
});

afterEach(async () => {
  await server.close();
  await rm(directory, { recursive: true });
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const vac = (...args: string[]) =>
  recorded((io) => main(['overnight', '--state-dir', directory, ...args], () => io), NOW);

describe('vac overnight', () => {
  it('says what it does, why, what else speaks against it, what comes next, and who is seen', async () => {
    const { code, stdout } = await vac();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^desk1\.example\.com: machines are suspended, since /);
    expect(stdout).toContain('why: machines are suspended: owner active on seat0 since 08:12\n');
    expect(stdout).toContain('also: other programs use 60 % of the CPU\n');
    expect(stdout).toMatch(/^next: machines are stopped, \d{4}-/m);
    expect(stdout).toMatch(/^desk1-00\.example\.com +prod +suspended 90 s/m);
    expect(stdout).toMatch(/^seat0 +anna +3 s +open$/m);
    expect(stdout).toMatch(/^pts\/3 +- +2 h +open$/m);
    expect(stdout).toContain('on mains; lid open or none; network not metered');
  });

  it('is for programs what vacd tells', async () => {
    expect(JSON.parse((await vac('--json')).stdout)).toEqual(JSON.parse(JSON.stringify(report)));
  });

  it.each([
    ['2h', NOW + 7200],
    ['+30m', NOW + 1800],
    ['1d12h', NOW + 129_600],
  ])('pause %s gives the host to its owner until then', async (time, untilSeconds) => {
    const { code, stdout } = await vac('pause', time);
    expect(code).toBe(0);
    expect(pauses).toEqual([{ who: expect.any(String), sinceSeconds: NOW, untilSeconds }]);
    expect(stdout).toMatch(/^This host is yours until /);
  });

  it('resume ends it', async () => {
    expect((await vac('resume')).code).toBe(0);
    expect(pauses).toEqual([null]);
  });

  it.each([
    [['pause'], 'for how long?'],
    [['pause', '2h', 'please'], 'for how long?'],
    [['pause', 'tomorrow'], '"tomorrow" is no time'],
    [['sleep'], '"sleep" is nothing that overnight can do'],
    [['resume', 'now'], 'resume takes nothing more'],
  ])('%j is refused with what may be said', async (args, words) => {
    const { code, stderr } = await vac(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    expect(pauses).toEqual([]);
  });

  it('says so where the host has no overnight mode', async () => {
    report = null;
    const { code, stderr } = await vac();
    expect([code, stderr]).toEqual([1, expect.stringContaining('no section [overnight]')]);
  });
});
