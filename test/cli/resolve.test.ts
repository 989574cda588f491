import { describe, expect, it } from 'vitest';
import { parseHosts } from '../../src/cli/resolve.js';
import { runIsolated } from './isolated-host.js';

describe('the hosts file', () => {
  it('gives names their addresses, IPv4 first, whatever their case', () => {
    const hosts = parseHosts(
      [
        '# 192.0.2.1 not.this',
        '2001:db8::5\tWN05.example.com wn05',
        '192.0.2.5   wn05.example.com # here',
        'fe80::5%eth0 wn06.example.com',
        '',
        '127.0.0.1 localhost',
      ].join('\n'),
    );
    expect(Object.fromEntries(hosts)).toEqual({
      'wn05.example.com': ['192.0.2.5', '2001:db8::5'],
      wn05: ['2001:db8::5'],
      localhost: ['127.0.0.1'],
    });
  });
});

/** Resolves names in a process of its own, as the command does; `endedMs` is when that process could end. */
async function resolveThere(names: readonly string[], timeoutMs: number, nameServers?: readonly string[]) {
  const program = `
    import { resolveNames } from './src/cli/resolve.ts';
    const began = performance.now();
    const { addresses, problems } = await resolveNames(${JSON.stringify(names)}, ${timeoutMs});
    const tookMs = performance.now() - began;
    process.on('exit', () => {
      const endedMs = performance.now() - began;
      const plain = { addresses: Object.fromEntries(addresses), problems: Object.fromEntries(problems) };
      console.log(JSON.stringify({ ...plain, tookMs, endedMs }));
    });
  `;
  const host = { hosts: '192.0.2.5 wn05.example.com\n', ...(nameServers === undefined ? {} : { nameServers }) };
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program];
  const { stdout, stderr } = await runIsolated(host, node);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('names', () => {
  it('of name servers that do not answer hold up neither the others nor the end of the program', async () => {
    const names = ['wn05.example.com', ...Array.from({ length: 20 }, (_, index) => `dead${index}.example.org`)];
    const { addresses, problems, tookMs, endedMs } = await resolveThere(names, 1500);
    expect(addresses).toEqual({ 'wn05.example.com': ['192.0.2.5'] });
    expect(Object.keys(problems)).toHaveLength(20);
    expect(new Set(Object.values(problems))).toEqual(new Set(['its name was not resolved within 1.5 s']));
    expect(tookMs).toBeLessThan(3000);
    // The resolver of the C library would hold the process for half a minute.
    expect(endedMs - tookMs).toBeLessThan(1000);
  });

  it('that no name server has are known at once not to resolve', async () => {
    const names = ['wn05.example.com', 'wn06.example.com'];
    const { addresses, problems, tookMs } = await resolveThere(names, 10_000, ['127.0.0.1']);
    expect(addresses).toEqual({ 'wn05.example.com': ['192.0.2.5'] });
    expect(problems['wn06.example.com']).toMatch(/^its name does not resolve/);
    expect(tookMs).toBeLessThan(8000);
  });
});
