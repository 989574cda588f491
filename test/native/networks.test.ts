import { type Connection, open } from 'libvirt';
import { afterEach, beforeEach, expect, it } from 'vitest';

const networkXml = (name: string) => `<network><name>${name}</name><bridge name='vt-${name}'/>
  <ip address='192.168.77.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.77.10' end='192.168.77.20'/></dhcp></ip></network>`;

let connection: Connection;

beforeEach(async () => {
  connection = await open('test:///default');
});

afterEach(() => connection.close());

it('lists networks', async () => {
  expect(await connection.listNetworks()).toMatchObject([
    { name: 'default', active: true, persistent: true, autostart: false, bridge: 'virbr0' },
  ]);
});

it('takes a stored network from definition to removal, by name or UUID', async () => {
  const { uuid } = await connection.defineNetwork(networkXml('stored'));
  expect(await connection.lookupNetwork('stored')).toMatchObject({ uuid, active: false, bridge: 'vt-stored' });
  await connection.startNetwork('stored');
  await expect(connection.startNetwork(uuid)).rejects.toMatchObject({ codeName: 'VIR_ERR_OPERATION_INVALID' });
  await connection.setNetworkAutostart(uuid, true);
  expect(await connection.lookupNetwork(uuid)).toMatchObject({ name: 'stored', active: true, autostart: true });
  await connection.updateNetwork('stored', {
    command: 'addLast',
    section: 'dhcpHost',
    xml: `<host mac='56:4d:a9:fe:a9:01' ip='192.168.77.11'/>`,
    live: true,
  });
  expect(await connection.networkXml('stored')).toContain("ip='192.168.77.11'");
  await connection.destroyNetwork('stored');
  await connection.undefineNetwork('stored');
  await expect(connection.lookupNetwork('stored')).rejects.toMatchObject({ codeName: 'VIR_ERR_NO_NETWORK', code: 43 });
});

it('makes a network that is gone once destroyed', async () => {
  expect(await connection.createNetwork(networkXml('brief'))).toMatchObject({ active: true, persistent: false });
  await connection.destroyNetwork('brief');
  expect((await connection.listNetworks()).map((network) => network.name)).toEqual(['default']);
});

it('says what is wrong with a network that libvirt refuses', async () => {
  await expect(connection.createNetwork('<network/>')).rejects.toMatchObject({ operation: 'createNetwork' });
  await expect(connection.startNetwork('nosuch')).rejects.toMatchObject({ codeName: 'VIR_ERR_NO_NETWORK' });
  await expect(connection.networkDhcpLeases('nosuch')).rejects.toMatchObject({ codeName: 'VIR_ERR_NO_NETWORK' });
});
