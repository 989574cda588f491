import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { isVacError } from '../../src/errors.js';
import { fetchBounded, type HttpOptions, isHttpUrl, openHttp } from '../../src/host/http-fetch.js';
import { VERSION } from '../../src/version.js';
import { type Authority, makeAuthority, serveBytes, serveHttp, serveHttps, type WebServer } from './web-server.js';

const OPTIONS: HttpOptions = { timeoutSeconds: 100, maxBytes: 1000 };

let server: WebServer | null = null;
afterEach(async () => {
  vi.useRealTimers();
  await server?.close();
  server = null;
});

async function at(listener: RequestListener): Promise<string> {
  server = await serveHttp(listener);
  return server.url;
}

async function atBytes(head: string): Promise<string> {
  server = await serveBytes((socket) => socket.end(head.replace(/\n/g, '\r\n')));
  return server.url;
}

async function failure(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(isVacError(error, 'fetch-failed'), String(error)).toBe(true);
  return (error as Error).message;
}

describe('an answer', () => {
  it('comes with status, headers in lower case, and the URL that gave it', async () => {
    const url = await at((request, response) => {
      if (request.url === '/old') response.writeHead(302, { Location: '/new' }).end('moved');
      else response.writeHead(200, { ETag: '"1"', 'X-Two': ['a', 'b'] }).end('content');
    });
    const answer = await fetchBounded(`${url}/old`, OPTIONS);
    expect(answer).toMatchObject({ status: 200, url: `${url}/new` });
    expect(answer.body.toString()).toBe('content');
    expect(answer.headers.get('etag')).toBe('"1"');
    expect(answer.headers.get('x-two')).toBe('a, b');
  });

  it('comes after a redirect whose own content never ends', async () => {
    const url = await at((request, response) => {
      if (request.url === '/new') response.end('content');
      else response.writeHead(302, { location: '/new' }).write('x'.repeat(1e6));
    });
    expect((await fetchBounded(url, OPTIONS)).body.toString()).toBe('content');
  });

  it.each([304, 404, 503])('of status %i is the caller’s to judge', async (status) => {
    const url = await at((_request, response) => response.writeHead(status).end());
    expect((await fetchBounded(url, OPTIONS)).status).toBe(status);
  });

  it('is asked for as Vac, plain, with the headers of the caller', async () => {
    let asked: Record<string, unknown> = {};
    const url = await at((request, response) => {
      asked = request.headers;
      response.end();
    });
    await fetchBounded(url, { ...OPTIONS, headers: { 'if-none-match': '"1"' } });
    expect(asked).toMatchObject({
      'user-agent': `Vac ${VERSION}`,
      'accept-encoding': 'identity',
      'if-none-match': '"1"',
    });
  });

  it('may take its reader longer than a server may be silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let goOn = () => {};
    const url = await at((_request, response) => {
      response.write('first');
      goOn = () => response.end('second');
    });
    const stream = await openHttp(url, { ...OPTIONS, idleSeconds: 2 });
    const parts: string[] = [];
    for await (const part of stream.body) {
      parts.push(part.toString());
      vi.advanceTimersByTime(4000);
      goOn();
    }
    expect(parts.join('')).toBe('firstsecond');
  });

  it('is let go of by a reader who has enough', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const url = await at((_request, response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
      response.write('first');
    });
    const stream = await openHttp(url, OPTIONS);
    for await (const _part of stream.body) break;
    await closed;
  });

  it('can be ended from outside, with the reason from outside', async () => {
    const url = await at(() => {});
    const abort = new AbortController();
    const asked = fetchBounded(url, { ...OPTIONS, signal: abort.signal });
    abort.abort(new Error('vacd stops'));
    await expect(asked).rejects.toThrow(/^vacd stops$/);
    await expect(fetchBounded(url, { ...OPTIONS, signal: abort.signal })).rejects.toThrow(/^vacd stops$/);
  });
});

describe('a server that', () => {
  it('does not answer', async () => {
    const url = await at(() => {});
    expect(await failure(fetchBounded(url, { ...OPTIONS, idleSeconds: 0.1 }))).toBe(
      `${url} cannot be fetched: the server did not answer within 0.1 s`,
    );
    expect(await failure(fetchBounded(url, { ...OPTIONS, timeoutSeconds: 0.1 }))).toContain(
      'no complete answer within 0.1 s',
    );
  });

  it('falls silent', async () => {
    const url = await at((_request, response) => response.write('half'));
    const options = { ...OPTIONS, answerSeconds: 60, idleSeconds: 0.1 };
    expect(await failure(fetchBounded(url, options))).toContain('nothing came for 0.1 s');
  });

  it('drips, within the idle time', async () => {
    const url = await at((_request, response) => {
      const timer = setInterval(() => response.write('x'), 10);
      response.on('close', () => clearInterval(timer));
    });
    const options = { ...OPTIONS, idleSeconds: 60, rateWindowSeconds: 0.3, minBytesPerSecond: 200 };
    expect(await failure(fetchBounded(url, options))).toContain('sends less than 200 bytes a second');
    expect(await failure(fetchBounded(url, { ...OPTIONS, timeoutSeconds: 0.3 }))).toContain(
      'no complete answer within',
    );
  });

  it('drips its headers', async () => {
    server = await serveBytes((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('X-Y: z\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await failure(fetchBounded(server.url, { ...OPTIONS, idleSeconds: 0.2 }))).toContain(
      'did not answer within',
    );
  });

  it('sends less than it announced', async () => {
    const url = await atBytes('HTTP/1.1 200 OK\nContent-Length: 10\n\nshort');
    expect(await failure(fetchBounded(url, OPTIONS))).toMatch(/the connection ended after [05] bytes of 10$/);
  });

  it('breaks off what it sends in chunks', async () => {
    const url = await atBytes('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nshort\n');
    expect(await failure(fetchBounded(url, OPTIONS))).toMatch(/the connection ended after [05] bytes$/);
  });

  it('sends more than it announced', async () => {
    const url = await atBytes('HTTP/1.1 200 OK\nContent-Length: 3\n\nlong enough');
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('is no HTTP');
  });

  it('sends more than is wanted, announced or not', async () => {
    const url = await at((request, response) => {
      if (request.url === '/announced') response.setHeader('content-length', 5000);
      response.write('x'.repeat(3000));
      response.end('x'.repeat(2000));
    });
    expect(await failure(fetchBounded(`${url}/announced`, OPTIONS))).toContain('is larger than 1000 bytes');
    expect(await failure(fetchBounded(`${url}/chunks`, OPTIONS))).toContain('is larger than 1000 bytes');
  });

  it('packs what was asked for plain', async () => {
    const url = await at((_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('packed (gzip)');
  });

  it('redirects for ever', async () => {
    let asked = 0;
    const url = await at((_request, response) => {
      asked += 1;
      response.writeHead(302, { location: `/${asked}` }).end();
    });
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('redirects more than 5 times');
    expect(asked).toBe(6);
  });

  it.each(['file:///etc/shadow', 'ftp://127.0.0.1/', 'http://[', 'data:,x'])('redirects to %s', async (location) => {
    const url = await at((_request, response) => response.writeHead(301, { location }).end());
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('which is no http(s) URL');
  });

  it('is not there', async () => {
    const url = await at(() => {});
    await server?.close();
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('nothing listens there');
  });

  it('has no address', async () => {
    expect(await failure(fetchBounded('http://no-such-host.invalid/', OPTIONS))).toMatch(
      /^http:\/\/no-such-host.invalid\/ cannot be fetched: the name no-such-host.invalid: /,
    );
  });

  it('speaks no HTTP', async () => {
    const url = await atBytes('SSH-2.0-OpenSSH_9.2\n');
    expect(await failure(fetchBounded(url, OPTIONS))).toContain('is no HTTP');
  });
});

describe('secrets', () => {
  it('in a URL are used, and not told', async () => {
    let authorization: string | undefined;
    const url = await at((request, response) => {
      authorization = request.headers.authorization;
      response.writeHead(302, { location: 'file:///' }).end();
    });
    const message = await failure(fetchBounded(url.replace('//', '//me:p%40ss@'), OPTIONS));
    expect(authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
    expect(message).not.toContain('p%40ss');
    expect(message).toContain(url);
  });

  it('in headers do not follow to another server', async () => {
    let authorization: string | undefined = 'none asked';
    const other = await serveHttp((request, response) => {
      authorization = request.headers.authorization;
      response.end();
    });
    const url = await at((_request, response) => response.writeHead(302, { location: other.url }).end());
    await fetchBounded(url, { ...OPTIONS, headers: { authorization: 'Bearer x' } });
    await other.close();
    expect(authorization).toBeUndefined();
  });
});

describe('https', () => {
  let directory: string;
  let authority: Authority;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'vac-https-'));
    authority = makeAuthority(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is believed when an authority of the directory stands for it, and not otherwise', async () => {
    server = await serveHttps(authority, (_request, response) => response.end('content'));
    const answer = await fetchBounded(server.url, { ...OPTIONS, caDirectory: authority.directory });
    expect(answer.body.toString()).toBe('content');
    expect(await failure(fetchBounded(server.url, OPTIONS))).toContain('an authority that this host does not trust');
    const elsewhere = server.url.replace('localhost', '127.0.0.1');
    expect(await failure(fetchBounded(elsewhere, { ...OPTIONS, caDirectory: authority.directory }))).toContain(
      'is for another name',
    );
  });

  it('does not lead to http', async () => {
    server = await serveHttps(authority, (_request, response) =>
      response.writeHead(302, { location: 'http://localhost/' }).end(),
    );
    expect(await failure(fetchBounded(server.url, { ...OPTIONS, caDirectory: authority.directory }))).toContain(
      'redirects from https to plain http',
    );
  });

  it('is not spoken by a server of http', async () => {
    const url = await at((_request, response) => response.end());
    expect(await failure(fetchBounded(url.replace('http:', 'https:'), OPTIONS))).toContain('no TLS connection');
  });
});

it('takes http and https for URLs, and nothing else', () => {
  expect(['http://a', 'HTTPS://a', 'file:///a', '/http://a', 'a'].map(isHttpUrl)).toEqual([true, true, false, false, false]); // biome-ignore format: a line
});
