import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEgressDestination } from '../../src/config/egress.js';
import { egressChain, egressOf } from '../../src/machines/egress.js';
import { testRecord } from './record.js';

/** What becomes of a packet, by the text of the rules alone. */
function verdict(chain: readonly string[], to: string, port: number | null): 'passes' | 'dropped' {
  const bits = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  for (const rule of chain) {
    const [, address, prefix, , onPort] = /^ip daddr ([\d.]+)\/(\d+)( .*th dport (\d+))?/.exec(rule) ?? [];
    if (address !== undefined) {
      const size = 2 ** (32 - Number(prefix));
      if (Math.floor(bits(address) / size) !== Math.floor(bits(to) / size)) continue;
      if (onPort !== undefined && Number(onPort) !== port) continue;
    }
    return rule.endsWith('return') ? 'passes' : 'dropped';
  }
  return 'passes';
}

describe('egressChain', () => {
  it('lets everything pass but what is denied', () => {
    const chain = egressChain({ deny: ['10.0.0.0/8', '192.0.2.7:25'], allow: [] });
    expect(verdict(chain, '10.9.9.9', 443)).toBe('dropped');
    expect(verdict(chain, '192.0.2.7', 25)).toBe('dropped');
    expect(verdict(chain, '192.0.2.7', 80)).toBe('passes');
    expect(verdict(chain, '192.0.2.8', null)).toBe('passes');
  });

  it('with an allow-list lets nothing else pass', () => {
    const chain = egressChain({ deny: [], allow: ['192.0.2.0/24', '198.51.100.1:3128'] });
    expect(verdict(chain, '192.0.2.200', null)).toBe('passes');
    expect(verdict(chain, '198.51.100.1', 3128)).toBe('passes');
    expect(verdict(chain, '198.51.100.1', 80)).toBe('dropped');
    expect(verdict(chain, '203.0.113.1', 443)).toBe('dropped');
  });

  it('decides by the narrowest that fits, then by the port, then denies', () => {
    const chain = egressChain({
      deny: ['10.0.0.0/8', '192.0.2.1', '192.0.2.2:80'],
      allow: ['0.0.0.0/0', '10.1.2.3:3128', '192.0.2.1', '192.0.2.2'],
    });
    expect(verdict(chain, '10.1.2.3', 3128)).toBe('passes');
    expect(verdict(chain, '10.1.2.3', 22)).toBe('dropped');
    expect(verdict(chain, '192.0.2.1', 443)).toBe('dropped');
    expect(verdict(chain, '192.0.2.2', 80)).toBe('dropped');
    expect(verdict(chain, '192.0.2.2', 81)).toBe('passes');
    expect(verdict(chain, '203.0.113.1', 443)).toBe('passes');
  });

  it('denies everything where what was noted cannot be read', () => {
    expect(egressChain({ deny: ['10.0.0.0/8; flush ruleset'], allow: ['0.0.0.0/0'] })).toEqual([
      'counter name egress goto dropped',
    ]);
  });

  it('puts nothing of a text into a rule but addresses, prefixes and ports', () => {
    const network = fc.tuple(fc.ipV4(), fc.option(fc.nat(40)), fc.option(fc.nat(99_999)));
    const text = fc.oneof(
      fc.string(),
      network.map(([ip, bits, port]) => `${ip}${bits === null ? '' : `/${bits}`}${port === null ? '' : `:${port}`}`),
    );
    fc.assert(
      fc.property(fc.array(text), fc.array(text), (deny, allow) => {
        for (const rule of egressChain({ deny, allow })) {
          expect(rule).toMatch(
            /^(ip daddr [\d.]+\/\d+ (meta l4proto \{ tcp, udp \} th dport \d+ )?)?(counter name egress goto dropped|return)$/,
          );
        }
      }),
    );
  });
});

describe('egressOf', () => {
  it('gives what the machine was started with, and null where there was nothing', () => {
    expect(egressOf(testRecord())).toBeNull();
    expect(egressOf(testRecord({ egressAllow: '192.0.2.1 192.0.2.0/24:80' }))).toEqual({
      deny: [],
      allow: ['192.0.2.1', '192.0.2.0/24:80'],
    });
  });
});

describe('parseEgressDestination', () => {
  it.each([
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, port: null }],
    ['192.0.2.7', { address: '192.0.2.7', prefix: 32, port: null }],
    ['192.0.2.7:3128', { address: '192.0.2.7', prefix: 32, port: 3128 }],
    ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0, port: null }],
  ])('reads %s', (text, expected) => {
    expect(parseEgressDestination(text)).toEqual(expected);
  });

  it.each([
    '',
    '10.0.0.1/8',
    '10.0.0.0/33',
    '192.0.2.7:0',
    '192.0.2.7:65536',
    '192.0.2.7:',
    'squid:3128',
    '2001:db8::/32',
  ])('refuses %j', (text) => {
    expect(parseEgressDestination(text)).toBeUndefined();
  });
});
