import { describe, expect, test, vi } from 'vitest';
import { machineLogs, metadataService, networkService, nfsService, syslogService } from '../../src/daemon/services.js';
import type { Guard } from '../../src/guard/guard.js';
import { NoNfs } from '../../src/host/nfs.js';
import type { SyslogRelay } from '../../src/host/syslog.js';
import { METADATA_IP } from '../../src/machines/layout.js';
import { NETWORK_NAME } from '../../src/machines/network-xml.js';
import type { LoggedRecord } from '../../src/machines/tools.js';
import type { MetadataSockets } from '../../src/metadata/sockets.js';
import { FACTORY } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';

describe('the network', () => {
  const wish = { factory: FACTORY, slots: 2, forwardDev: null, mayRepair: true, machineUuids: [] };

  test('is made by ensure, again and again, and then checks well', async () => {
    const hypervisor = new FakeHypervisor();
    const service = networkService(hypervisor, () => wish, null);
    await expect(service.check()).rejects.toMatchObject({ code: 'network-wrong' });
    await service.ensure();
    await service.ensure();
    await service.check();
    expect(hypervisor.calls.filter((call) => call.startsWith('createNetwork'))).toHaveLength(1);
  });

  test('is asked for with the slots of now, so that more slots get their leases', async () => {
    const hypervisor = new FakeHypervisor();
    let slots = 2;
    const service = networkService(hypervisor, () => ({ ...wish, slots }), null);
    await service.ensure();
    slots = 5;
    await expect(service.check()).rejects.toThrow('lacks 3 of its DHCP leases');
    await service.ensure();
    await service.check();
    expect(hypervisor.networks.get(NETWORK_NAME)!.hosts).toHaveLength(5);
  });
});

test('NFS is checked by asking it for its exports', async () => {
  const nfs = new NoNfs({ address: METADATA_IP });
  const ensureRunning = vi.spyOn(nfs, 'ensureRunning');
  const list = vi.spyOn(nfs, 'list').mockRejectedValue(new Error('no answer'));
  const service = nfsService(nfs);
  await service.ensure();
  expect(ensureRunning).toHaveBeenCalledTimes(1);
  await expect(service.check()).rejects.toThrow('no answer');
  list.mockResolvedValue(new Set());
  await service.check();
});

describe('metadata', () => {
  const made = (bind: () => void) => {
    const calls: string[] = [];
    let bound = 0;
    const sockets = {
      bind: () => {
        calls.push('bind');
        bound += 1;
        bind();
      },
      bound: () => Array(bound),
    };
    const guard = {
      prepare: async () => void calls.push('prepare'),
      renew: async () => void calls.push('renew'),
      ensureRunning: async () => void calls.push('ensureRunning'),
      check: async () => void calls.push('check'),
    };
    const service = metadataService(sockets as unknown as MetadataSockets, guard as unknown as Guard);
    return { calls, service, nothingMore: () => Object.assign(sockets, { bind: () => void calls.push('bind') }) };
  };

  test('is brought up by binding and handing over, and then only looked after', async () => {
    const { calls, service, nothingMore } = made(() => {});
    await service.ensure();
    nothingMore();
    await service.ensure();
    await service.check();
    expect(calls).toEqual(['prepare', 'bind', 'renew', 'prepare', 'bind', 'ensureRunning', 'check']);
  });

  test('serves what it has got when another address fails, and says so', async () => {
    const { calls, service } = made(() => {
      throw new Error('in use');
    });
    await expect(service.ensure()).rejects.toThrow('in use');
    expect(calls).toEqual(['prepare', 'bind', 'renew']);
  });
});

const machine = (ip: string, id: string): LoggedRecord => ({
  ip,
  id,
  uuid: 'u',
  machinetype: 'prod',
  hostname: 'h',
});

describe('syslog', () => {
  test('is always well where the site has no receiver of ours', async () => {
    const service = syslogService(null);
    await service.ensure();
    await service.check();
    const logs = machineLogs(null);
    await logs.assign(machine('169.254.169.1', 'a'));
    await logs.release('169.254.169.1', 'a');
  });

  test('a check of the receiver starts it again where it died', async () => {
    const calls: string[] = [];
    const service = syslogService({
      ensureRunning: async () => calls.push('ensureRunning'),
      keep: async () => calls.push('keep'),
    } as unknown as SyslogRelay);
    await service.check();
    await service.ensure();
    expect(calls).toEqual(['ensureRunning', 'keep', 'ensureRunning']);
  });
});

describe('whose address is whose, for the log', () => {
  function relayed(isBroken = false) {
    const tables: Record<string, string>[] = [];
    const relay = {
      setMachines: async (holders: ReadonlyMap<string, LoggedRecord>) => {
        tables.push(Object.fromEntries([...holders].map(([ip, { id }]) => [ip, id])));
        if (isBroken) throw new Error('no answer');
      },
    };
    return { tables, logs: machineLogs(relay as unknown as SyslogRelay) };
  }

  test('is told to the receiver whole at each change', async () => {
    const { tables, logs } = relayed();
    await logs.restore([machine('169.254.169.1', 'a')]);
    await logs.assign(machine('169.254.169.2', 'b'));
    await logs.release('169.254.169.1', 'a');
    expect(tables).toEqual([
      { '169.254.169.1': 'a' },
      { '169.254.169.1': 'a', '169.254.169.2': 'b' },
      { '169.254.169.2': 'b' },
    ]);
  });

  test('a machine that is over does not take its successor’s address away', async () => {
    const { tables, logs } = relayed();
    await logs.assign(machine('169.254.169.1', 'old'));
    await logs.assign(machine('169.254.169.1', 'new'));
    await logs.release('169.254.169.1', 'old');
    expect(tables.at(-1)).toEqual({ '169.254.169.1': 'new' });
  });

  test('all who wait for a slow receiver share its next table', async () => {
    const tables: number[] = [];
    const answers: (() => void)[] = [];
    const logs = machineLogs({
      setMachines: (holders: ReadonlyMap<string, LoggedRecord>) => {
        tables.push(holders.size);
        return new Promise<void>((resolve) => answers.push(resolve));
      },
    } as unknown as SyslogRelay);
    const first = logs.assign(machine('169.254.169.1', '1'));
    const others = [2, 3, 4, 5].map((number) => logs.assign(machine(`169.254.169.${number}`, `${number}`)));
    answers[0]!();
    await first;
    await expect.poll(() => tables).toEqual([1, 5]);
    answers[1]!();
    await Promise.all(others);
    const last = logs.release('169.254.169.1', '1');
    answers[2]!();
    await last;
    expect(tables).toEqual([1, 5, 4]);
  });

  test('a receiver that does not answer holds back new machines, not the end of old ones', async () => {
    const { logs } = relayed(true);
    await logs.restore([machine('169.254.169.1', 'a')]);
    await logs.release('169.254.169.1', 'a');
    await expect(logs.assign(machine('169.254.169.1', 'b'))).rejects.toThrow('no answer');
  });
});
