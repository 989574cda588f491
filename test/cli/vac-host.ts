/** The command itself, on a host of its own with factories that answer, and a vacd's control socket. */

import { expect } from 'vitest';
import type { SpaceReport } from '../../src/daemon/space-report.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { type Ended, runIsolated } from './isolated-host.js';
import { hostsFile, type LoopbackShape, namesOf } from './loopback-space.js';

export interface VacHost {
  readonly shape: LoopbackShape;
  readonly siteConfig?: string;
  /** By name; in commands they are named `@name`. */
  readonly files: Readonly<Record<string, string>>;
  /** What the control socket of the state directory `@state` answers; undefined: there is none. */
  readonly space?: SpaceReport;
  readonly status?: Partial<FactoryStatus>;
}

export interface Said extends Ended {
  readonly tookMs: number;
}

/** The configuration of a space of these factories. */
export function configOf(shape: LoopbackShape): string {
  const settings = [
    'vac_space = vac01.example.com',
    'udp_timeout_seconds = 5',
    `factories = ${namesOf(shape).join(' ')}`,
  ];
  return `[settings]\n${settings.join('\n')}\n`;
}

export function reportOf(shape: LoopbackShape, changes: Partial<SpaceReport> = {}): SpaceReport {
  const factories = namesOf(shape);
  const [factory] = factories as [string];
  const space = 'vac01.example.com';
  const rest = { alone: false, peers: [], problems: [], hint: null, keys: null };
  return { space, factory, factories, queryPort: 995, udpTimeoutSeconds: 5, ...rest, ...changes };
}

/** Runs `vac` with each list of arguments, one after the other; `['sh', line]` is a line of a shell instead. */
export async function runVac(host: VacHost, commands: readonly (readonly string[])[]): Promise<Said[]> {
  const input = JSON.stringify({ ...host, commands });
  const worker = [process.execPath, '--import', 'tsx', 'test/cli/vac-host-worker.ts', input];
  const { siteConfig } = host;
  const there = { hosts: hostsFile(host.shape), ...(siteConfig === undefined ? {} : { siteConfig }) };
  const { stdout, stderr, code } = await runIsolated(there, worker);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Said[];
}
