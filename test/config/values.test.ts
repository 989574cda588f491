import { expect, it } from 'vitest';
import { OPTION_TABLES } from '../../src/config/options.js';
import * as types from '../../src/config/values.js';

const accepted: (readonly [name: string, type: types.ValueType<unknown>, text: string, value: unknown])[] = [
  ['integer', types.integer(1, 1024), '8', 8],
  ['integer with a sign', types.integer(-5, 5), '-5', -5],
  ['number', types.decimal(0, 10), '1.25', 1.25],
  ['number without leading digits', types.decimal(0, 10), '.5', 0.5],
  ['number with exponent', types.decimal(0, 1e6), '1e3', 1000],
  ...['1', 'yes', 'TRUE', 'On'].map((word) => ['boolean', types.boolean, word, true] as const),
  ...['0', 'No', 'false', 'OFF'].map((word) => ['boolean', types.boolean, word, false] as const),
  ['Unix time', types.unixTime, '1767225600', 1767225600],
  ['FQDN, keeping its case', types.fqdn, 'Vac01.Example.com', 'Vac01.Example.com'],
  ['factories over several lines', types.factoryList, '\n. \n A.example.com', ['.', 'a.example.com']],
  ['no factories', types.factoryList, '', []],
  ['host:port', types.hostPort, 'Host:514', { host: 'host', port: 514 }],
  ['host:port by IPv6 address', types.hostPort, '[fe80::1]:514', { host: 'fe80::1', port: 514 }],
  ['no host:port', types.hostPortOrEmpty, '', null],
  [
    'host:port list',
    types.hostPortList,
    'a.b:1 c:65535',
    [
      { host: 'a.b', port: 1 },
      { host: 'c', port: 65535 },
    ],
  ],
  [
    'IP networks of both families',
    types.ipNetworkList,
    '192.0.2.0/24 \n 198.51.100.7 2001:db8::/32 ::1 0.0.0.0/0 ::/0 2001:db8::192.0.2.1',
    [
      { address: '192.0.2.0', prefix: 24, family: 'ipv4' },
      { address: '198.51.100.7', prefix: 32, family: 'ipv4' },
      { address: '2001:db8::', prefix: 32, family: 'ipv6' },
      { address: '::1', prefix: 128, family: 'ipv6' },
      { address: '0.0.0.0', prefix: 0, family: 'ipv4' },
      { address: '::', prefix: 0, family: 'ipv6' },
      { address: '2001:db8::192.0.2.1', prefix: 128, family: 'ipv6' },
    ],
  ],
  ['no IP networks', types.ipNetworkList, '', []],
  ['path', types.path, '/a b/c', '/a b/c'],
  ['file name with folders', types.pathOrFileName, 'sub/file.iso', 'sub/file.iso'],
  ['URL', types.urlOrPath, 'https://x.example/y#frag', 'https://x.example/y#frag'],
  ['docker image', types.urlOrPath, 'docker://a/b', 'docker://a/b'],
  ['image path', types.urlOrPath, '/cvmfs/x/y', '/cvmfs/x/y'],
  ['image file name', types.urlOrPath, 'image.iso', 'image.iso'],
  ['file name', types.fileName, 'vm-heartbeat', 'vm-heartbeat'],
  ['regular expression', types.regex, '^/DC=ch/CN=.*$', '^/DC=ch/CN=.*$'],
  ['enumeration', types.oneOf('a', 'b'), 'b', 'b'],
  ['text of several lines', types.text, 'a\nb', 'a\nb'],
  ['FQAN', types.fqan, '/lhcb/Role=NULL/Capability=NULL', '/lhcb/Role=NULL/Capability=NULL'],
  ...['wheel', '_vac', 'unix-admins', 'EXAMPLE\\Domain-Admins', 'ops@example.com'].map(
    (name) => ['group of users', types.userGroup, name, name] as const,
  ),
  ['path list', types.pathList, '/tmp\n/scratch', ['/tmp', '/scratch']],
];

it.each(accepted)('accepts %s: %3$s', (_name, type, text, value) => {
  expect(type.parse(text)).toEqual(value);
});

const refused: [name: string, type: types.ValueType<unknown>, texts: string[]][] = [
  ['integer', types.integer(1, 1024), ['0', '1025', '', '1.0', '1e2', '0x10', '8 cores', 'NaN', '9'.repeat(400)]],
  ['number', types.decimal(0, 10), ['', '.', '-1', '11', 'inf', 'nan', '1,5', '1_0', '0x1']],
  ['boolean', types.boolean, ['', '2', 'y', 'ja', 'true false']],
  ['Unix time', types.unixTime, ['1767225600000', '2026-01-01', '-1']],
  ['FQDN', types.fqdn, ['', 'host', 'a..b', '-a.b', 'a.b.', 'a_b.c', `${'a.'.repeat(130)}b`, 'a.b c.d']],
  ['factories', types.factoryList, ['host', 'a.b, c.d', '..']],
  ['group of users', types.userGroup, ['', '-x', 'a b', 'a:b', 'a\nb', 'x'.repeat(65)]],
  ['host:port', types.hostPort, ['', 'host', 'host:', 'host:0', 'host:65536', ':514', 'a:1:2', 'http://a:1']],
  [
    'IP networks',
    types.ipNetworkList,
    [
      'monitor.example.com',
      '192.0.2.1/24',
      '192.0.2.0/33',
      '192.0.2.0/',
      '192.0.2.0/24/24',
      '192.0.2',
      '192.0.2.0/-1',
      '192.0.2.0/24,198.51.100.0/24',
      '010.0.0.1',
      '2001:db8::1/32',
      '2001:db8::/129',
      '2001:db8::/32x',
      'fe80::1%eth0',
      '[::1]',
      '::ffff:192.0.2.1',
      '0:0:0:0:0:ffff:c000:201',
      '::ffff:0:0/96',
    ],
  ],
  ['path', types.path, ['', 'a', '/a\nb', '/a\0']],
  ['file name under files/', types.pathOrFileName, ['', '../x', 'a/../../x', ' x', 'a\nb']],
  ['URL or path', types.urlOrPath, ['ftp://x/y', 'file:///x', 'http://', 'https://a b', '../x']],
  ['file name', types.fileName, ['', '.', '..', 'a/b', '/a']],
  ['regular expression', types.regex, ['(', '[a', '(?i)x']],
  ['device', types.device, ['', 'vd_a', 'VDA', '/dev/vda']],
  ['network interface', types.networkInterface, ['', 'a'.repeat(16), 'a/b', '..']],
  ['site name', types.siteName, ['', 'None', 'a b']],
  ['one line', types.line, ['', 'a\nb']],
];

it.each(refused)('refuses what is no %s', (_name, type, texts) => {
  expect(texts.filter((text) => type.parse(text) !== undefined)).toEqual([]);
});

it('has a type for each default that accepts it', () => {
  for (const table of Object.values(OPTION_TABLES)) {
    for (const [name, option] of Object.entries(table)) {
      const ways = [option.default, option.whenUnset, option.required].filter((way) => way !== undefined);
      expect(ways, name).toHaveLength(1);
      if (option.default !== undefined) expect(option.type.parse(option.default), name).not.toBeUndefined();
    }
  }
});
