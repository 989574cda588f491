import { expect, test } from 'vitest';
import { fillTemplate, type RelayConfig, renderRelayConfig } from '../../src/host/syslog-config.js';

const WISH: RelayConfig = {
  directory: '/s/syslog',
  logs: '/s/logs',
  address: '169.254.169.254',
  port: 1514,
  relpPort: 20514,
  forward: true,
  factory: 'factory1.example.com',
  space: 'vac01.example.com',
};

test('it listens where it is told, and nowhere else', async () => {
  const inputs = (text: string) => text.match(/^input\(.*$/gm)!.map((line) => line.replace(/ ruleset.*/, ''));
  expect(inputs(await renderRelayConfig(WISH))).toEqual([
    'input(type="imudp" name="udp" address="169.254.169.254" port="1514"',
    'input(type="imptcp" name="tcp" address="169.254.169.254" port="1514"',
    'input(type="imrelp" name="relp" address="169.254.169.254" port="20514"',
  ]);
  const { length } = inputs(await renderRelayConfig({ ...WISH, relpPort: null }));
  expect(length).toBe(2);
});

test('what does not apply is left out, and nothing of the template is left', async () => {
  const all = await renderRelayConfig(WISH);
  expect(all).toContain('factory=\\"factory1.example.com\\" space=\\"vac01.example.com\\"');
  const least = await renderRelayConfig({ ...WISH, relpPort: null, forward: false });
  for (const text of [all, least]) expect(text).not.toMatch(/^@|^##|@[A-Z]/m);
  expect(least).not.toMatch(/relp|forward/i);
});

test('values are quoted, names that are not known are a mistake', () => {
  expect(fillTemplate('a="@X@"', { X: 'b"\\c' }, {})).toBe('a="b\\"\\\\c"');
  expect(fillTemplate('1\n@if A\n2\n@end\n3\n@if B\n4\n@end', {}, { A: true, B: false })).toBe('1\n2\n3');
  expect(() => fillTemplate('@Y@', { X: '' }, {})).toThrow('Y is not known');
  expect(() => fillTemplate('@if Z', {}, {})).toThrow('Z is not known');
});
