import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ErrorCode, isVacError } from '../../src/errors.js';
import { bootFilesPart } from '../../src/machines/boot-files.js';
import {
  loadUserData,
  loadUserDataTemplate,
  MAX_USER_DATA_BYTES,
  type UserDataSource,
} from '../../src/machines/user-data-template.js';
import { VERSION } from '../../src/version.js';
import { MACHINE } from './user-data-values.js';

describe('a template', () => {
  let directory: string;
  let server: Server | null = null;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vac-user-data-'));
    await mkdir(join(directory, 'files'));
  });
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
    server = null;
    await rm(directory, { recursive: true, force: true });
  });

  const files = () => join(directory, 'files');
  const type = (userData: string | null, changes: Partial<UserDataSource> = {}): UserDataSource => ({
    name: 'prod',
    userData,
    userDataOptions: {},
    userDataFiles: {},
    rootImage: '/images/root.img',
    ...changes,
  });

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener).listen(0, '127.0.0.1');
    await new Promise((resolve) => server?.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function failure(promise: Promise<unknown>, code: ErrorCode = 'user-data-unavailable'): Promise<string> {
    const error = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!isVacError(error, code)) throw new Error(`not the expected failure: ${error}`);
    expect(error.message).not.toContain('\n');
    return error.message;
  }

  it('are read from files/ or from a path, together with files that go into them', async () => {
    await writeFile(
      join(files(), 'user_data'),
      '##user_data_file_cert##|##user_data_option_key##|##user_data_option_both##',
    );
    await writeFile(join(files(), 'cert.pem'), Buffer.from([0xfe]));
    await writeFile(join(directory, 'key.pem'), 'KEY\n');
    const made = type('user_data', {
      userDataFiles: { cert: 'cert.pem', key: join(directory, 'key.pem'), both: 'cert.pem' },
      userDataOptions: { both: 'text' },
    });
    const expected = Buffer.concat([Buffer.from([0xfe]), Buffer.from('|KEY\n|text')]);
    expect(await loadUserData(made, files(), MACHINE)).toEqual(expected);
    const absolute = { ...made, userData: join(files(), 'user_data') };
    expect(await loadUserData(absolute, files(), MACHINE)).toEqual(expected);
  });

  it('are none where the machinetype has none', async () => {
    expect(await loadUserData(type(null), files(), MACHINE)).toBeNull();
  });

  it('that are missing are told by type and path', async () => {
    const message = await failure(loadUserData(type('user_data'), files(), MACHINE));
    expect(message).toContain(`user_data of machinetype prod cannot be read: ${files()}/user_data: no such file`);
    await writeFile(join(files(), 'user_data'), '');
    const made = type('user_data', { userDataFiles: { cert: 'cert.pem' } });
    expect(await failure(loadUserData(made, files(), MACHINE))).toContain(`user_data_file_cert of machinetype prod`);
  });

  it('are fetched anew each time, and told their URL as configured', async () => {
    const agents: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      agents.push(request.headers['user-agent']);
      if (request.url === '/start') response.writeHead(302, { location: '/template' }).end('moved');
      else response.end(`${agents.length} ##user_data_url## ##user_data_root_image_url##`);
    });
    const made = type(`${url}/start`, { rootImage: 'https://repo.example.org/image.iso' });
    const fetched = async () => (await loadUserData(made, files(), MACHINE))?.toString();
    expect(await fetched()).toBe(`2 ${url}/start https://repo.example.org/image.iso`);
    expect(await fetched()).toBe(`4 ${url}/start https://repo.example.org/image.iso`);
    expect(new Set(agents)).toEqual(new Set([`Vac ${VERSION}`]));
  });

  it('may be redirected five times, not more, and only to http(s)', async () => {
    const url = await serve((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('there');
      else response.writeHead(301, { location: Number.isNaN(left) ? 'file:///etc/passwd' : `/${left - 1}` }).end();
    });
    expect((await loadUserDataTemplate(type(`${url}/5`), files()))?.content.toString()).toBe('there');
    expect(await failure(loadUserDataTemplate(type(`${url}/6`), files()))).toContain('more than 5 times');
    expect(await failure(loadUserDataTemplate(type(`${url}/other`), files()))).toContain('file:///etc/passwd');
  });

  it('that cannot be fetched are told by type, URL and reason', async () => {
    const url = await serve((_request, response) => response.writeHead(404, 'Not Found').end());
    expect(await failure(loadUserData(type(`${url}/x`), files(), MACHINE))).toContain(
      `user_data of machinetype prod: ${url}/x cannot be fetched: the server answered 404; try the URL by hand`,
    );
    await new Promise((resolve) => server?.close(resolve));
    expect(await failure(loadUserData(type(`${url}/x`), files(), MACHINE))).toMatch(
      /^user_data of machinetype prod: http:.* cannot be fetched: /,
    );
  });

  it('are never more than 1 MiB, however they are sent', async () => {
    let closed = false;
    const url = await serve((request, response) => {
      if (request.url === '/fits') return void response.end(Buffer.alloc(MAX_USER_DATA_BYTES));
      response.on('close', () => {
        closed = true;
      });
      const more = () => {
        while (!closed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect((await loadUserDataTemplate(type(`${url}/fits`), files()))?.content.length).toBe(MAX_USER_DATA_BYTES);
    expect(await failure(loadUserDataTemplate(type(`${url}/endless`), files()))).toContain('larger than 1048576 bytes');
    await expect.poll(() => closed).toBe(true);
  });

  it('and the files in it are no devices, and not larger than a machine is given', async () => {
    const large = join(files(), 'large');
    await writeFile(large, '');
    await truncate(large, 10_000_000);
    const refused = (userData: string, userDataFiles = {}) =>
      failure(loadUserData(type(userData, { userDataFiles }), files(), MACHINE));
    expect(await refused('large')).toContain(`${large}: it has 10000000 bytes, more than ${MAX_USER_DATA_BYTES}`);
    expect(await refused('/dev/zero')).toContain('/dev/zero: it is no file');
    await writeFile(join(files(), 'user_data'), '##user_data_file_a##');
    expect(await refused('user_data', { a: 'large' })).toContain('user_data_file_a of machinetype prod cannot be read');
    const url = await serve((_request, response) => response.end(Buffer.alloc(10_000_000)));
    expect(await refused(url)).toContain('larger than 1048576 bytes');
  });

  it('is refused where all that goes into it is too large together', async () => {
    await writeFile(join(files(), 'user_data'), '##user_data_file_a####user_data_file_a##');
    await writeFile(join(files(), 'a'), Buffer.alloc(600_000, 'x'));
    const made = type('user_data', { userDataFiles: { a: 'a' } });
    expect(await failure(loadUserData(made, files(), MACHINE), 'user-data-unusable')).toBe(
      'user_data of machinetype prod has 1200000 bytes with all that goes into it, and a machine is given 1048576 at most; let the machine fetch what is large by itself',
    );
  });

  it('that is packed passes unchanged, unless a part is added', async () => {
    const packed = gzipSync('#!/bin/sh\n# ##user_data_uuid##\n');
    await writeFile(join(files(), 'user_data'), packed);
    expect(await loadUserData(type('user_data'), files(), MACHINE)).toEqual(packed);
    const part = bootFilesPart({ 'etc/a': 'b' });
    const added = gunzipSync((await loadUserData(type('user_data'), files(), MACHINE, part))!).toString();
    expect(added).toContain('text/cloud-boothook');
    expect((await loadUserData(type(null), files(), MACHINE, part))?.toString()).toContain('text/cloud-boothook');
  });

  it.each(['/silent', '/stalls'])('do not hold a start up for ever (%s)', async (path) => {
    const url = await serve((request, response) => {
      if (request.url === '/stalls') response.write('half');
    });
    const message = await failure(loadUserDataTemplate(type(`${url}${path}`), files(), 0.05));
    expect(message).toContain('no complete answer within 0.05 s');
  });
});
