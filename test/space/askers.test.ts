import { describe, expect, it } from 'vitest';
import { parseIpNetwork } from '../../src/config/networks.js';
import type { IpNetwork } from '../../src/config/types.js';
import { Askers, plainAddress } from '../../src/space/askers.js';

const FACTORIES = ['192.0.2.1', '2001:db8::1', '169.254.10.10'];

function askers(networks: () => readonly IpNetwork[], ownAddresses: () => string[] = () => [], nowMs = () => 0) {
  return new Askers({ isFactory: (address) => FACTORIES.includes(address), networks, nowMs, ownAddresses });
}

const networks = (...texts: string[]): IpNetwork[] => texts.map((text) => parseIpNetwork(text)!);

describe('who may ask', () => {
  const configured = networks('198.51.100.0/25', '203.0.113.7', '2001:db8:1::/48');
  const some = askers(
    () => configured,
    () => ['192.0.2.200', '169.254.169.254', 'fe80::5'],
  );

  it.each([
    ['a factory', '192.0.2.1'],
    ['a factory by IPv6', '2001:db8::1'],
    ['a factory on a socket of both families', '::ffff:192.0.2.1'],
    ['this host', '127.0.0.1'],
    ['this host, as some name it', '127.0.1.1'],
    ['this host by IPv6', '::1'],
    ['this host by an address of its own', '192.0.2.200'],
    ['a configured network', '198.51.100.127'],
    ['a configured network, mapped', '::FFFF:198.51.100.127'],
    ['a configured address', '203.0.113.7'],
    ['a configured IPv6 network', '2001:db8:1:ffff::9'],
  ])('%s may: %s', (_who, address) => {
    expect(some.mayAsk(address)).toBe(true);
  });

  it.each([
    ['a stranger', '192.0.2.3'],
    ['a neighbour of a configured network', '198.51.100.128'],
    ['a neighbour of a configured address', '203.0.113.8'],
    ['an IPv6 stranger', '2001:db8:2::1'],
    ['a machine', '169.254.169.7'],
    ['a machine whose address a factory name resolves to', '169.254.10.10'],
    ['a machine, mapped', '::ffff:169.254.169.7'],
    ["this host by its address on the machines' network", '169.254.169.254'],
    ['a machine by its link-local address', 'fe80::5054:ff:fe00:1%vac0'],
    ['what is no address', 'localhost'],
    ['nothing', ''],
  ])('%s may not: %s', (_who, address) => {
    expect(some.mayAsk(address)).toBe(false);
  });

  it('machines may not even where everybody else may', () => {
    const all = networks('0.0.0.0/0', '::/0');
    const open = askers(() => all);
    expect(['192.0.2.3', '2001:db8:2::1', '::ffff:192.0.2.3'].map((address) => open.mayAsk(address))).toEqual([
      true,
      true,
      true,
    ]);
    expect(['169.254.169.7', '::ffff:169.254.169.7', 'fe80::1%vac0'].map((address) => open.mayAsk(address))).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('one family does not open the other', () => {
    const [v4, v6] = [networks('0.0.0.0/0'), networks('::/0')];
    expect(askers(() => v4).mayAsk('2001:db8:2::1')).toBe(false);
    expect(askers(() => v6).mayAsk('192.0.2.3')).toBe(false);
  });

  it('a changed configuration holds at once', () => {
    let configuredNow = networks('198.51.100.0/24');
    const changing = askers(() => configuredNow);
    expect(changing.mayAsk('198.51.100.1')).toBe(true);
    configuredNow = networks('203.0.113.0/24');
    expect(changing.mayAsk('198.51.100.1')).toBe(false);
    expect(changing.mayAsk('203.0.113.1')).toBe(true);
  });

  it('strangers do not have the interfaces looked at each time; a new address of this host is known within 30 s', () => {
    let [looked, nowMs] = [0, 0];
    const addresses: string[] = [];
    const own = askers(
      () => [],
      () => {
        looked += 1;
        return addresses;
      },
      () => nowMs,
    );
    for (let index = 0; index < 100; index += 1) expect(own.mayAsk(`192.0.2.${index + 10}`)).toBe(false);
    expect(looked).toBe(1);
    addresses.push('192.0.2.99');
    nowMs = 30_000;
    expect(own.mayAsk('192.0.2.99')).toBe(true);
  });
});

it('addresses are compared without their zone, and IPv4 as IPv4', () => {
  expect(['fe80::1%eth0', '::ffff:192.0.2.1', '192.0.2.1', '2001:db8::1'].map(plainAddress)).toEqual([
    'fe80::1',
    '192.0.2.1',
    '192.0.2.1',
    '2001:db8::1',
  ]);
});
