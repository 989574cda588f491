import { expect, test } from 'vitest';
import { defaultDevice, outgoingAddress } from '../../src/host/outgoing-address.js';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const route = (device: string, destination: string, flags: string, metric: number, mask: string) =>
  `${device}\t${destination}\t0101A8C0\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0`;

test('machines leave by the default route with the lowest metric', () => {
  const routes = [
    HEAD,
    route('virbr0', '0000FEA9', '0001', 0, '0000FFFF'),
    route('wlan0', '00000000', '0003', 600, '00000000'),
    route('eth0', '00000000', '0003', 100, '00000000'),
    route('down0', '00000000', '0002', 0, '00000000'),
    route('no0', '00000000', '0201', 0, '00000000'),
    '',
  ].join('\n');
  expect(defaultDevice(routes)).toBe('eth0');
  expect(defaultDevice(HEAD)).toBeNull();
  expect(defaultDevice('')).toBeNull();
});

test('the address is that of the interface, and forward_dev is the only one where it is given', async () => {
  expect(await outgoingAddress('lo')).toEqual({ device: 'lo', address: '127.0.0.1' });
  expect(await outgoingAddress('none9')).toEqual({ device: 'none9', address: null });
  expect(await outgoingAddress(null, '/no/such/file')).toBeNull();
});
