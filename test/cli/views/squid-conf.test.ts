import { describe, expect, test } from 'vitest';
import { squidConf } from '../../../src/cli/views/squid-conf.js';

const TEMPLATE = 'acl localnet src 169.254.0.0/16\nicp_access allow localnet\nhttp_access allow localnet\n';
const FACTORIES = ['wn2.example.com', 'wn1.example.com', 'wn3.example.com'];

describe('vac squid-conf', () => {
  test('appends an acl and a cache_peer for each other factory', () => {
    expect(squidConf(TEMPLATE, FACTORIES, 'wn3.example.com')).toEqual({
      ok: true,
      text: `${TEMPLATE}acl localnet src wn1.example.com
cache_peer wn1.example.com sibling 3128 3130 proxy-only
acl localnet src wn2.example.com
cache_peer wn2.example.com sibling 3128 3130 proxy-only
`,
    });
  });

  test('says the same whatever the order of the factories', () => {
    const other = [...FACTORIES, 'wn1.example.com'].reverse();
    expect(squidConf(TEMPLATE, other, 'wn3.example.com')).toEqual(squidConf(TEMPLATE, FACTORIES, 'wn3.example.com'));
  });

  test('begins a line of its own', () => {
    expect(squidConf('http_port 3128', ['wn1.example.com'], 'x')).toMatchObject({
      text: 'http_port 3128\nacl localnet src wn1.example.com\ncache_peer wn1.example.com sibling 3128 3130 proxy-only\n',
    });
    expect(squidConf('', ['wn1.example.com'], 'x')).toMatchObject({ text: expect.stringMatching(/^acl /) });
  });

  test('leaves the template of a factory on its own as it is', () => {
    expect(squidConf(TEMPLATE, ['wn1.example.com'], 'wn1.example.com')).toEqual({ ok: true, text: TEMPLATE });
    expect(squidConf(TEMPLATE, [], 'wn1.example.com')).toEqual({ ok: true, text: TEMPLATE });
  });

  test('refuses what it has written before: the template would grow with each run', () => {
    const once = squidConf(TEMPLATE, FACTORIES, 'wn3.example.com');
    expect(once.ok && squidConf(once.text, FACTORIES, 'wn3.example.com')).toEqual({
      ok: false,
      error:
        "the template has a cache_peer wn1.example.com already, and Squid refuses a second one: give the file without the factories' lines",
    });
  });

  test.each([
    ['icp_access allow localnet\nacl localnet src 10.0.0.0/8\n', 1],
    ['# acl localnet src 10.0.0.0/8\nhttp_access deny !localnet\n', 2],
  ])('refuses a template that uses localnet too early: %j', (template, line) => {
    expect(squidConf(template, FACTORIES, 'wn3.example.com')).toEqual({
      ok: false,
      error: expect.stringMatching(new RegExp(`^line ${line} of the template uses localnet before`)),
    });
  });

  test('takes a template that has no localnet, or comments on it alone', () => {
    expect(squidConf('# http_access allow localnet\nhttp_access allow all\n', FACTORIES, 'x').ok).toBe(true);
    expect(squidConf('# cache_peer wn1.example.com sibling\n', FACTORIES, 'x').ok).toBe(true);
  });
});
