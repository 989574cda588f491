import { expect, it } from 'vitest';
import { isMachinesAddress } from '../../src/config/addresses.js';
import { loadConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';

it.each([
  '169.254.0.0',
  '169.254.169.254',
  '169.254.255.255',
  '::ffff:169.254.1.2',
  '::ffff:a9fe:102',
  '::FFFF:169.254.1.2%eth0',
])('%s is in the machines’ network', (address) => {
  expect(isMachinesAddress(address)).toBe(true);
});

it.each([
  '169.253.255.255',
  '169.255.0.0',
  '127.0.0.1',
  '0.0.0.0',
  '::',
  '::1',
  'fe80::1%virbr0',
  'a9fe::1',
  '169.254.1',
  'localhost',
  '',
])('"%s" is not', (address) => {
  expect(isMachinesAddress(address)).toBe(false);
});

/** Errors of a configuration with this metrics_listen, without the path of its one file. */
function errorsWith(metricsListen: string): string[] {
  const text = `[settings]\nvac_space = vac01.example.com\nmetrics_listen = ${metricsListen}\n`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'node1.example.com' });
  return result.ok ? [] : result.errors.map((problem) => formatProblem(problem));
}

it.each(['169.254.169.254:10195', '[::ffff:169.254.169.253]:80'])('metrics_listen = %s is refused', (value) => {
  expect(errorsWith(value)).toEqual([
    `/vac.conf:3: [settings] metrics_listen = "${value}": is in 169.254.0.0/16, the machines' network, and machines must not read it; give another address of this host, or 127.0.0.1`,
  ]);
});

it.each(['', '0.0.0.0:10195', '[::]:9100', 'node1.example.com:10195'])('metrics_listen = "%s" is fine', (value) => {
  expect(errorsWith(value)).toEqual([]);
});

it('metrics_listen without a port says what is expected', () => {
  expect(errorsWith('0.0.0.0')).toEqual([
    '/vac.conf:3: [settings] metrics_listen = "0.0.0.0": expected host:port with a port from 1 to 65535, or nothing',
  ]);
});
