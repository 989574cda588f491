import { beforeEach, describe, expect, it } from 'vitest';
import { VacError } from '../../src/errors.js';
import { checkNetwork, ensureNetwork, type NetworkWish } from '../../src/host/network.js';
import { dhcpHosts, NETWORK_NAME, networkXml } from '../../src/machines/network-xml.js';
import { FakeHypervisor } from './fake-hypervisor.js';

const FACTORY = 'factory1.example.com';
const MACHINES = ['uuid-1', 'uuid-2'];

let hypervisor: FakeHypervisor;

beforeEach(() => {
  hypervisor = new FakeHypervisor();
});

function wish(changes: Partial<NetworkWish> = {}): NetworkWish {
  return { factory: FACTORY, slots: 2, forwardDev: null, mayRepair: true, machineUuids: [], ...changes };
}

/** A network as an earlier vacd, or somebody else, left it; then what was called is forgotten. */
async function given(document: string): Promise<void> {
  await hypervisor.createNetwork(document);
  hypervisor.calls.length = 0;
}

const calls = (method: string) => hypervisor.calls.filter((call) => call.startsWith(method));
const altered = () => networkXml(FACTORY, 2, null).replace("mode='nat'", "mode='route'");

describe('ensureNetwork', () => {
  it('makes a network that is missing', async () => {
    await ensureNetwork(hypervisor, wish());
    await checkNetwork(hypervisor, wish());
    expect(calls('createNetwork')).toHaveLength(1);
  });

  it('changes nothing about one that is as it should be', async () => {
    await given(networkXml(FACTORY, 2, null));
    await ensureNetwork(hypervisor, wish());
    for (const method of ['createNetwork', 'removeNetwork', 'startNetwork', 'storeNetwork', 'changeDhcpHost']) {
      expect(calls(method)).toEqual([]);
    }
  });

  it('starts one that is not active, and looks for the interfaces of all machines that run', async () => {
    await given(networkXml(FACTORY, 2, null));
    hypervisor.networks.get(NETWORK_NAME)!.active = false;
    await ensureNetwork(hypervisor, wish({ machineUuids: MACHINES }));
    expect(calls('startNetwork')).toHaveLength(1);
    expect(calls('domainInterfaces')).toEqual(MACHINES.map((uuid) => `domainInterfaces ${uuid}`));
    await checkNetwork(hypervisor, wish());
  });

  it('stores one that somebody undefined while it runs, and leaves it up', async () => {
    await given(networkXml(FACTORY, 2, null));
    hypervisor.networks.get(NETWORK_NAME)!.persistent = false;
    await ensureNetwork(hypervisor, wish());
    expect(calls('storeNetwork')).toHaveLength(1);
    expect(calls('removeNetwork')).toEqual([]);
    await checkNetwork(hypervisor, wish());
  });

  it('makes one that was altered again, and looks for the interfaces of all machines that run', async () => {
    await given(altered());
    await ensureNetwork(hypervisor, wish({ machineUuids: MACHINES }));
    expect(calls('removeNetwork')).toHaveLength(1);
    expect(calls('createNetwork')).toHaveLength(1);
    expect(calls('domainInterfaces')).toHaveLength(2);
    await checkNetwork(hypervisor, wish());
  });

  it('leaves one that was altered as it is where it must not repair it, and says what to do', async () => {
    await given(altered());
    await expect(ensureNetwork(hypervisor, wish({ mayRepair: false }))).rejects.toMatchObject({
      code: 'network-wrong',
      message: expect.stringMatching(/its forward mode is route, not nat.*fix_networking/),
    });
    expect(calls('removeNetwork')).toEqual([]);
  });

  it('makes a missing one, and adds leases, even where it must not repair', async () => {
    await ensureNetwork(hypervisor, wish({ slots: 1, mayRepair: false }));
    await ensureNetwork(hypervisor, wish({ slots: 3, mayRepair: false }));
    await checkNetwork(hypervisor, wish({ slots: 3 }));
    expect(calls('createNetwork')).toHaveLength(1);
    expect(calls('changeDhcpHost add')).toHaveLength(2);
  });

  it('replaces leases of another name while the network runs', async () => {
    await given(networkXml('old.example.com', 2, null));
    await ensureNetwork(hypervisor, wish({ machineUuids: MACHINES }));
    expect(calls('changeDhcpHost').map((call) => call.split(' ')[1])).toEqual(['delete', 'delete', 'add', 'add']);
    expect(calls('removeNetwork'), 'the network stays up, and machines on it').toEqual([]);
    await checkNetwork(hypervisor, wish());
  });

  it('replaces a lease without a name, as somebody else may have made it', async () => {
    const [, second] = dhcpHosts(FACTORY, 2);
    await given(networkXml(FACTORY, 2, null).replace(` name='${second!.name}'`, ''));
    await ensureNetwork(hypervisor, wish());
    await checkNetwork(hypervisor, wish());
  });

  it('passes on what libvirt says', async () => {
    hypervisor.failNext('createNetwork', new VacError('hypervisor-refused', 'libvirt refused: address in use'));
    await expect(ensureNetwork(hypervisor, wish())).rejects.toThrow('address in use');
    await ensureNetwork(hypervisor, wish());
    await checkNetwork(hypervisor, wish());
  });
});

describe('checkNetwork', () => {
  it.each([
    ['missing', async () => {}, 'is missing'],
    [
      'not active',
      async () => {
        await given(networkXml(FACTORY, 2, null));
        hypervisor.networks.get(NETWORK_NAME)!.active = false;
      },
      'is not active',
    ],
    [
      'transient',
      async () => {
        await given(networkXml(FACTORY, 2, null));
        hypervisor.networks.get(NETWORK_NAME)!.persistent = false;
      },
      'is transient',
    ],
    ['altered', () => given(altered()), 'was altered: its forward mode is route'],
    ['too small', () => given(networkXml(FACTORY, 1, null)), 'lacks 1 of its DHCP leases'],
  ])('says that the network is %s', async (_, make, words) => {
    await make();
    await expect(checkNetwork(hypervisor, wish())).rejects.toMatchObject({
      code: 'network-wrong',
      message: expect.stringContaining(words),
    });
  });
});
