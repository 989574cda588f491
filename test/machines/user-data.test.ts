import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isVacError } from '../../src/errors.js';
import {
  loadUserData,
  loadUserDataTemplate,
  MAX_TEMPLATE_BYTES,
  type MachineValues,
  substituteUserData,
  type UserDataSource,
  type UserDataValues,
} from '../../src/machines/user-data.js';
import { VERSION } from '../../src/version.js';

const MACHINE: MachineValues = {
  space: 'vac01.example.com',
  machinetype: 'prod',
  hostname: 'factory1-03.example.com',
  managerVersion: 'Vac 0.1.0',
  managerHostname: 'factory1.example.com',
  uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
  machinefeaturesUrl: 'http://169.254.169.253/machinefeatures',
  jobfeaturesUrl: 'http://169.254.169.253/jobfeatures',
  joboutputsUrl: 'http://169.254.169.253/joboutputs',
};
const VALUES: UserDataValues = {
  ...MACHINE,
  url: 'https://repo.example.org/user_data',
  rootImageUrl: 'https://repo.example.org/image.iso',
  options: { queue: 'long', x509_proxy: 'PROXY\n', hostcert: Buffer.from([0xff, 0x0a]) },
};

const fill = (template: string, changes: Partial<UserDataValues> = {}) =>
  substituteUserData(template, { ...VALUES, ...changes }).toString('utf8');

describe('substituteUserData', () => {
  it.each([
    ['space', 'vac01.example.com'],
    ['machinetype', 'prod'],
    ['vmtype', 'prod'],
    ['machine_hostname', 'factory1-03.example.com'],
    ['vm_hostname', 'factory1-03.example.com'],
    ['manager_version', 'Vac 0.1.0'],
    ['vmlm_version', 'Vac 0.1.0'],
    ['manager_hostname', 'factory1.example.com'],
    ['vmlm_hostname', 'factory1.example.com'],
    ['uuid', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['manager_uuid', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['machinefeatures_url', 'http://169.254.169.253/machinefeatures'],
    ['jobfeatures_url', 'http://169.254.169.253/jobfeatures'],
    ['joboutputs_url', 'http://169.254.169.253/joboutputs'],
    ['manager_machinefeatures_url', 'http://169.254.169.253/machinefeatures'],
    ['manager_jobfeatures_url', 'http://169.254.169.253/jobfeatures'],
    ['manager_joboutputs_url', 'http://169.254.169.253/joboutputs'],
    ['url', 'https://repo.example.org/user_data'],
    ['root_image_url', 'https://repo.example.org/image.iso'],
    ['option_queue', 'long'],
    ['file_queue', 'long'],
    ['option_x509_proxy', 'PROXY\n'],
  ])('fills in %s', (name, value) => {
    expect(fill(`a ##user_data_${name}## b ##user_data_${name}####user_data_${name}##`)).toBe(
      `a ${value} b ${value}${value}`,
    );
  });

  it('removes patterns without a value', () => {
    const template =
      '# ##user_data___##,##user_data_##,##user_data_a,b##,##user_data_option_other##,##user_data_no_such##.';
    expect(fill(template)).toBe('# ,,,,.');
    expect(fill('<##user_data_url##|##user_data_root_image_url##>', { url: null, rootImageUrl: null })).toBe('<|>');
  });

  it('knows no names that JavaScript has on every object', () => {
    expect(fill('##user_data_constructor####user_data_option_constructor####user_data_option___proto__##')).toBe('');
  });

  it('leaves alone what is no pattern', () => {
    const text = '##user_data_Space## ##user_data_a-b## #user_data_space# ##user_data_space# ## $1 $& \\1';
    expect(fill(text)).toBe(text);
  });

  it('puts values in as they are: neither expanded, nor removed, nor read as replacement patterns', () => {
    const value = '##user_data_space## ##user_data_none## $& $1 $$';
    expect(fill('[##user_data_option_queue##]', { options: { queue: value } })).toBe(`[${value}]`);
    expect(fill('##user_data_option_a##data_space##', { options: { a: '##user_' } })).toBe('##user_data_space##');
  });

  it('keeps every byte that is not part of a pattern, and those of files', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), (before, after, file) => {
        // A # would make other patterns of what stands beside it.
        const [head, tail] = [before, after].map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x23)));
        const template = Buffer.concat([head!, Buffer.from('##user_data_file_any##'), tail!]);
        const filled = substituteUserData(template, { ...VALUES, options: { any: Buffer.from(file) } });
        expect(filled).toEqual(Buffer.concat([head!, Buffer.from(file), tail!]));
      }),
    );
  });

  it('writes options as UTF-8 between text of any encoding', () => {
    const template = Buffer.concat([Buffer.from([0xe9]), Buffer.from('##user_data_option_queue##')]);
    const filled = substituteUserData(template, { ...VALUES, options: { queue: 'é€' } });
    expect(filled).toEqual(Buffer.concat([Buffer.from([0xe9]), Buffer.from('é€', 'utf8')]));
  });
});

describe('templates', () => {
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

  async function failure(promise: Promise<unknown>): Promise<string> {
    const error = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!isVacError(error, 'user-data-unavailable')) throw new Error(`not the expected failure: ${error}`);
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
      `user_data of machinetype prod cannot be fetched: ${url}/x: the server answered 404 Not Found`,
    );
    await new Promise((resolve) => server?.close(resolve));
    expect(await failure(loadUserData(type(`${url}/x`), files(), MACHINE))).toContain('ECONNREFUSED');
  });

  it('are never more than 1 MiB, however they are sent', async () => {
    let closed = false;
    const url = await serve((request, response) => {
      if (request.url === '/fits') return void response.end(Buffer.alloc(MAX_TEMPLATE_BYTES));
      response.on('close', () => {
        closed = true;
      });
      const more = () => {
        while (!closed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    expect((await loadUserDataTemplate(type(`${url}/fits`), files()))?.content.length).toBe(MAX_TEMPLATE_BYTES);
    expect(await failure(loadUserDataTemplate(type(`${url}/endless`), files()))).toContain('larger than 1048576 bytes');
    await expect.poll(() => closed).toBe(true);
  });

  it.each(['/silent', '/stalls'])('do not hold a start up for ever (%s)', async (path) => {
    const url = await serve((request, response) => {
      if (request.url === '/stalls') response.write('half');
    });
    const message = await failure(loadUserDataTemplate(type(`${url}${path}`), files(), 0.05));
    expect(message).toContain('no complete answer within 0.05 s');
  });
});
