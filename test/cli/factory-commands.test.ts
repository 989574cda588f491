import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { ControlHandlers, ControlServer } from '../../src/daemon/control.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { NOW } from '../factory/builders.js';
import { controlServer } from './control-server.js';
import { recorded } from './recorded-io.js';
import { factoryView, machineView } from './status.js';

let directory: string;
let server: ControlServer | null;
/** What the daemon says of itself; the handlers change it as a daemon would. */
let status: FactoryStatus;
let orders: unknown[];

const HOUR = 3600;

beforeEach(async () => {
  vi.stubEnv('TZ', 'UTC');
  vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
  directory = await mkdtemp(join(tmpdir(), 'vac-orders-'));
  status = factoryView({
    machines: [
      machineUntil(NOW + HOUR, 0),
      machineUntil(NOW + 30 * HOUR, 1),
      { ...machineUntil(NOW, 2), phase: 'cleared' },
    ],
  });
  orders = [];
  server = null;
});

afterEach(async () => {
  await server?.close();
  await rm(directory, { recursive: true });
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

function machineUntil(shutdownTimeSeconds: number, slot: number) {
  const hostname = `factory1-0${slot}.example.com`;
  return { ...machineView({}, { slot, hostname, id: `id-${slot}` }), shutdownTimeSeconds };
}

/** A daemon that obeys, with grace for machines of one hour: an end that is set is no nearer than that. */
async function listen(handlers: Partial<ControlHandlers> = {}): Promise<void> {
  const limitTo = (timeSeconds: number | null) => {
    status = {
      ...status,
      shutdownTimeSeconds: timeSeconds,
      machines: status.machines.map((machine) => {
        const limit = timeSeconds === null ? Number.POSITIVE_INFINITY : Math.max(timeSeconds, NOW + HOUR);
        return { ...machine, shutdownTimeSeconds: Math.min(machine.shutdownTimeSeconds, limit) };
      }),
    };
  };
  server = controlServer(join(directory, 'vacd.sock'), () => status, undefined, {
    drain: async (order) => {
      orders.push(order);
      status = { ...status, drain: order, standstill: { code: 'draining', reason: order.reason } };
      limitTo(order.byTimeSeconds);
    },
    undrain: async () => {
      orders.push('undrain');
      status = { ...status, drain: null, standstill: null, shutdownTimeSeconds: null };
    },
    shutdownAt: async (timeSeconds) => {
      orders.push(timeSeconds);
      limitTo(timeSeconds);
    },
    stop: (machine) => {
      const found = status.machines.find(({ id, hostname }) =>
        [id, hostname, hostname.split('.')[0]].includes(machine),
      );
      if (found === undefined) throw new Error(`no machine ${machine} runs here`);
      orders.push(found.id);
      return found.id;
    },
    ...handlers,
  });
  await server.listen();
}

function vac(...args: string[]) {
  return recorded((io) => main([...args, '--state-dir', directory], () => io), NOW);
}

describe('vac drain', () => {
  it('says what becomes of the machines, and how it is lifted', async () => {
    await listen();
    expect(await vac('drain', 'new', 'kernel')).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        'factory1.example.com starts nothing more: new kernel',
        '2 machines run; the last ends by 2023-11-17 08:00 UTC (in 30 h) at the latest',
        'This holds, over restarts of vacd too, until: vac undrain',
        '',
      ].join('\n'),
    });
    expect(orders).toEqual([{ reason: 'new kernel', sinceSeconds: NOW, untilSeconds: null, byTimeSeconds: null }]);
  });

  it('--by and --until: says back the times that were understood, and what they come to', async () => {
    await listen();
    const { stdout } = await vac('drain', '--by', '04:30', '--until', '2023-11-17T18:00+01:00');
    expect(stdout.split('\n')).toEqual([
      'factory1.example.com starts nothing more: an administrator asked for it (vac drain)',
      'All machines are to be gone by 2023-11-16 04:30 UTC (in 2 h 30 min)',
      '2 machines run; the last ends by 2023-11-16 04:30 UTC (in 2 h 30 min) at the latest',
      'Draining ends by itself at 2023-11-17 17:00 UTC (in 39 h), or with: vac undrain',
      '',
    ]);
    expect(orders).toMatchObject([{ byTimeSeconds: NOW + 2.5 * HOUR, untilSeconds: NOW + 39 * HOUR }]);
  });

  it('--by: waits until the machines have been told', async () => {
    let asked = 0;
    await listen({
      drain: async (order) => {
        status = { ...status, drain: order, shutdownTimeSeconds: order.byTimeSeconds };
      },
      status: () => {
        asked += 1;
        if (asked < 4) return status;
        return { ...status, machines: [machineUntil(NOW + 2 * HOUR, 0)] };
      },
    });
    const { stdout } = await vac('drain', '--by', '+2h');
    expect(stdout).toContain('1 machine runs; the last ends by 2023-11-16 04:00 UTC (in 2 h) at the latest');
  });

  it('says which machines have longer, because they were promised notice', async () => {
    await listen();
    const { stdout } = await vac('drain', '--by', '+10m');
    expect(stdout).toContain(
      '2 machines run, 2 of which may stay until 2023-11-16 03:00 UTC (in 1 h): they were promised notice (grace_seconds)',
    );
  });

  it('says that no machine runs', async () => {
    await listen();
    status = { ...status, machines: [] };
    expect((await vac('drain')).stdout).toContain('No machine runs\n');
  });

  it('orders nothing when a time cannot be understood', async () => {
    await listen();
    const { code, stdout, stderr } = await vac('drain', '--by', 'tomorrow');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('"tomorrow" is no time; give one like 18:00');
    expect(orders).toEqual([]);
  });

  it('hands on what the daemon refuses', async () => {
    await listen({
      drain: async () => {
        throw new Error('it holds, but /state/orders.json could not be written');
      },
    });
    expect(await vac('drain')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'vac: it holds, but /state/orders.json could not be written\n',
    });
  });

  it('--json is the status that came of it', async () => {
    await listen();
    expect(JSON.parse((await vac('drain', 'x', '--json')).stdout)).toMatchObject({ drain: { reason: 'x' }, slots: 4 });
  });
});

describe('vac undrain', () => {
  it('says that starts may go on', async () => {
    await listen();
    await vac('drain');
    expect((await vac('undrain')).stdout).toBe('factory1.example.com drains no longer: it may start machines\n');
    expect((await vac('undrain')).stdout).toBe(
      'factory1.example.com was not drained by order: it may start machines\n',
    );
  });

  it('says what holds on', async () => {
    await listen({
      undrain: async () => {
        const reason = 'draining = yes in the configuration';
        status = { ...status, drain: null, standstill: { code: 'draining', reason }, shutdownTimeSeconds: NOW + HOUR };
      },
    });
    await vac('drain');
    expect((await vac('undrain')).stdout.split('\n')).toEqual([
      'factory1.example.com drains no longer, but it starts nothing: draining = yes in the configuration',
      'vac undrain does not lift that: change the configuration',
      'By configuration or another order, all are to be gone by 2023-11-16 03:00 UTC (in 1 h), all the same',
      '',
    ]);
  });
});

describe('vac stop', () => {
  it('stops machines by any of their names, and says that their slots are filled again', async () => {
    await listen();
    expect(await vac('stop', 'factory1-00', 'id-1')).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        'factory1-00.example.com (prod) is asked to shut down now, and destroyed if it has not in half a minute',
        'factory1-01.example.com (prod) is asked to shut down now, and destroyed if it has not in half a minute',
        'slots that get free are filled again, unless: vac drain',
        '',
      ].join('\n'),
    });
    expect(orders).toEqual(['id-0', 'id-1']);
  });

  it('does not say of one in quarantine that it is shut down', async () => {
    const held = { machine: 'id-0', phase: 'running', domain: 'paused', directory: 'machines/id-0' } as const;
    const order = { who: 'ann', reason: 'it scans', sinceSeconds: NOW, memory: null, release: null };
    status = { ...status, quarantines: [{ ...held, ...order }] };
    await listen();
    const { stdout } = await vac('stop', 'factory1-00');
    expect(stdout).toContain('is in quarantine and stays as it is; vac release id-0 --destroy ends it');
    expect(stdout).not.toContain('asked to shut down');
  });

  it('stops those that there are, and says which are not', async () => {
    await listen();
    const { code, stdout, stderr } = await vac('stop', 'factory1-07', 'factory1-01');
    expect(code).toBe(1);
    expect(stderr).toBe('vac: no machine factory1-07 runs here\n');
    expect(stdout).toMatch(/^factory1-01/);
    await vac('drain');
    expect((await vac('stop', 'factory1-01')).stdout).not.toContain('filled again');
  });

  it('says once that no vacd runs', async () => {
    const { code, stderr } = await vac('stop', 'a', 'b');
    expect(code).toBe(1);
    expect(stderr.match(/no vacd runs there/g)).toHaveLength(1);
  });
});

describe('vac shutdown-at', () => {
  it('says by when all are gone', async () => {
    await listen();
    expect((await vac('shutdown-at', '06:00')).stdout.split('\n')).toEqual([
      'All machines of factory1.example.com are to be gone by 2023-11-16 06:00 UTC (in 4 h)',
      '2 machines run; the last ends by 2023-11-16 06:00 UTC (in 4 h) at the latest',
      'This holds, over restarts of vacd too, until: vac shutdown-at never',
      '',
    ]);
    expect(orders).toEqual([NOW + 4 * HOUR]);
  });

  it('never: takes the time back, and says what else holds', async () => {
    await listen({
      shutdownAt: async (timeSeconds) => {
        orders.push(timeSeconds);
        status = { ...status, shutdownTimeSeconds: NOW + 40 * HOUR };
      },
    });
    expect((await vac('shutdown-at', 'never')).stdout.split('\n')).toEqual([
      'factory1.example.com: the shutdown time that was ordered is taken back',
      'By configuration or another order, all are to be gone by 2023-11-17 18:00 UTC (in 40 h), all the same',
      '2 machines run; the last ends by 2023-11-17 08:00 UTC (in 30 h) at the latest',
      '',
    ]);
    expect(orders).toEqual([null]);
  });
});

describe('vac why', () => {
  it('is cut to nothing without a terminal', async () => {
    await listen();
    expect((await vac('why')).stdout).toMatch(
      /^factory1\.example\.com: 0 of 4 processors in use, KVM \(vmx\)\nslots:\n/,
    );
  });
});
