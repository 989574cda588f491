import { describe, expect, it } from 'vitest';
import { parseHosts, resolveHost } from '../../src/host/resolve.js';
import { runIsolated } from '../cli/isolated-host.js';

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

/** Its resolver would hold the program, or its end, for half a minute for name servers that do not answer. */
const C_LIBRARY_MS = 25_000;

/** Runs statements in a process of its own, as the command does; `heldMs` is how long that process takes to end then. */
async function runThere(statements: string, nameServers?: readonly string[]) {
  const program = `
    import { resolveHost, resolveNames } from './src/host/resolve.ts';
    const began = performance.now();
    ${statements}
    const tookMs = performance.now() - began;
    process.on('exit', () => console.log(JSON.stringify({ result, tookMs, exitMs: Date.now() })));
    process.exit(0);
  `;
  const host = { hosts: '192.0.2.5 wn05.example.com\n', ...(nameServers === undefined ? {} : { nameServers }) };
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', program];
  const { stdout, stderr } = await runIsolated(host, node);
  expect(stderr).toBe('');
  const { exitMs, ...told } = JSON.parse(stdout);
  return { ...told, heldMs: Date.now() - exitMs };
}

async function resolveThere(names: readonly string[], timeoutMs: number, nameServers?: readonly string[]) {
  const { result, ...times } = await runThere(
    `const { addresses, problems } = await resolveNames(${JSON.stringify(names)}, ${timeoutMs});
    const result = { addresses: Object.fromEntries(addresses), problems: Object.fromEntries(problems) };`,
    nameServers,
  );
  return { ...result, ...times };
}

describe('one host', () => {
  const resolveOne = (name: string, timeoutMs: number, nameServers?: readonly string[]) =>
    runThere(`const result = await resolveHost('${name}', ${timeoutMs}).catch((error) => error.message);`, nameServers);

  it('by an address is that address, in either family', async () => {
    expect(await resolveHost('192.0.2.5')).toEqual(['192.0.2.5']);
    expect(await resolveHost('2001:db8::5')).toEqual(['2001:db8::5']);
  });

  it('in the hosts file is found there, whatever name servers do', async () => {
    const { result, tookMs } = await resolveOne('WN05.example.com', 60_000);
    expect(result).toEqual(['192.0.2.5']);
    // Name servers would have been given a third of the time at the least.
    expect(tookMs).toBeLessThan(20_000);
  });

  it('of name servers that do not answer holds up neither its asker nor the end of the program', async () => {
    const { result, tookMs, heldMs } = await resolveOne('dead.example.org', 1500);
    expect(result).toBe('no answer within 1.5 s');
    expect(tookMs).toBeLessThan(C_LIBRARY_MS);
    expect(heldMs).toBeLessThan(C_LIBRARY_MS);
  });

  it('that nobody has is not found', async () => {
    expect((await resolveOne('wn06.example.com', 60_000, ['127.0.0.1'])).result).toMatch(/^(not found|EAI_AGAIN)$/);
  });
});

describe('names', () => {
  it('of name servers that do not answer hold up neither the others nor the end of the program', async () => {
    const names = ['wn05.example.com', ...Array.from({ length: 20 }, (_, index) => `dead${index}.example.org`)];
    const { addresses, problems, tookMs, heldMs } = await resolveThere(names, 1500);
    expect(addresses).toEqual({ 'wn05.example.com': ['192.0.2.5'] });
    expect(Object.keys(problems)).toHaveLength(20);
    expect(new Set(Object.values(problems))).toEqual(new Set(['its name was not resolved within 1.5 s']));
    expect(tookMs).toBeLessThan(C_LIBRARY_MS);
    expect(heldMs).toBeLessThan(C_LIBRARY_MS);
  });

  it('that no name server has are known at once not to resolve', async () => {
    const names = ['wn05.example.com', 'wn06.example.com'];
    const { addresses, problems, tookMs } = await resolveThere(names, 60_000, ['127.0.0.1']);
    expect(addresses).toEqual({ 'wn05.example.com': ['192.0.2.5'] });
    expect(problems['wn06.example.com']).toMatch(/^its name does not resolve/);
    expect(tookMs).toBeLessThan(50_000);
  });
});
