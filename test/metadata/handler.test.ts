import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountTmpfs, unmount } from '../../src/host/mounts.js';
import { handle } from '../../src/metadata/handler.js';
import { MAX_PUT_BYTES } from '../../src/metadata/limits.js';
import type { HostMachine } from '../../src/metadata/machine-files.js';
import { LIMITS, TestSite } from './site.js';

const MACHINE_IP = '127.0.0.2';

let site: TestSite;
let machine: HostMachine;
const output = (name: string) => join(machine.directory, 'joboutputs', name);

beforeEach(async () => {
  site = await TestSite.make();
  machine = await site.add(MACHINE_IP);
});
afterEach(() => site.remove());

async function send(method: string, target: string, body: AsyncIterable<Uint8Array> = pieces(), clientIp = MACHINE_IP) {
  const answer = await handle({ method, target, clientIp, announcedBytes: null, body }, site);
  const content = answer.body instanceof Readable ? await buffer(answer.body) : Buffer.from(answer.body);
  return { status: answer.status, type: answer.contentType, body: content.toString('latin1') };
}
const get = (target: string, clientIp?: string) => send('GET', target, pieces(), clientIp);
const put = (target: string, ...parts: (string | Buffer | Error)[]) => send('PUT', target, pieces(...parts));

async function* pieces(...parts: (string | Buffer | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

describe('EC2 metadata', () => {
  const LISTING =
    'ami-id\nami-launch-index\nhostname\ninstance-id\ninstance-type\nlocal-hostname\nlocal-ipv4\nplacement/\npublic-keys/';

  it.each([
    ['', '1.0\n2009-04-04\nlatest'],
    ['latest', 'meta-data/\nuser-data'],
    ['latest/meta-data', LISTING],
    ['latest/meta-data/', LISTING],
    ['latest/meta-data/ami-id', 'prod'],
    ['latest/meta-data/instance-id', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['latest/meta-data/local-hostname', 'factory1-02.example.com'],
    ['latest/meta-data/hostname', 'factory1-02.example.com'],
    ['latest/meta-data/local-ipv4', MACHINE_IP],
    ['latest/meta-data/placement/', 'availability-zone'],
    ['latest/meta-data/placement/availability-zone', 'factory1.example.com'],
    ['latest/meta-data/public-keys', '0=vac'],
    ['latest/meta-data/public-keys/', '0=vac'],
    ['latest/meta-data/public-keys/0', 'openssh-key'],
    ['latest/meta-data/public-keys/0/', 'openssh-key'],
    ['latest/meta-data/public-keys/0/openssh-key', 'ssh-rsa AAAA root@factory1\n'],
    ['2009-04-04/meta-data/instance-id', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['1.0/meta-data/instance-id', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
    ['latest/user-data', '#!/bin/sh\n# of 127.0.0.2 \xff\n'],
    ['2011-01-01/user-data?x=/../y', '#!/bin/sh\n# of 127.0.0.2 \xff\n'],
    ['latest//meta-data/%69nstance-id', '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4'],
  ])('/%s', async (path, body) => {
    expect(await get(`/${path}`)).toEqual({ status: 200, type: 'text/plain', body });
  });

  it.each([
    'v1',
    'latest/meta-data/iam',
    'latest/user-data/x',
    'latest/meta-data/public-keys/1/openssh-key',
    '2009-4-4/user-data',
  ])('/%s is not there', async (path) => {
    expect((await get(`/${path}`)).status).toBe(404);
  });

  it('offers no keys when there is none, and no user_data when there is none', async () => {
    site.machines.set(MACHINE_IP, { ...machine, rootPublicKey: null });
    await rm(join(machine.directory, 'user_data'));
    expect((await get('/latest/meta-data/')).body).not.toContain('public-keys');
    expect((await get('/latest/meta-data/public-keys/0/openssh-key')).status).toBe(404);
    expect((await get('/latest/user-data')).status).toBe(404);
    expect((await get('/openstack/latest/user_data')).status).toBe(404);
    expect(JSON.parse((await get('/openstack/latest/meta_data.json')).body).public_keys).toEqual({});
  });

  it('answers the question for a token as a service without tokens does', async () => {
    expect((await put('/latest/api/token')).status).toBe(404);
  });
});

describe('OpenStack metadata', () => {
  const VERSIONS =
    '2012-08-10\n2013-04-04\n2013-10-17\n2015-10-15\n2016-06-30\n2016-10-06\n2017-02-22\n2018-08-27\nlatest';
  const DOCUMENTS = 'meta_data.json\nuser_data\nvendor_data.json\nvendor_data2.json';

  it.each(['/openstack/latest/meta_data.json', '/openstack/2012-08-10/meta-data.json'])('%s', async (path) => {
    const { status, type, body } = await get(path);
    expect({ status, type }).toEqual({ status: 200, type: 'application/json' });
    expect(JSON.parse(body)).toEqual({
      uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
      name: 'factory1-02.example.com',
      hostname: 'factory1-02.example.com',
      launch_index: 0,
      availability_zone: 'factory1.example.com',
      public_keys: { vac: 'ssh-rsa AAAA root@factory1' },
      meta: { machinefeatures: 'http://169.254.169.253/machinefeatures', machinetype: 'prod' },
    });
  });

  it.each([
    ['', VERSIONS],
    ['/', VERSIONS],
    ['/latest', DOCUMENTS],
    ['/2013-04-04/', DOCUMENTS],
    ['/latest/user_data', '#!/bin/sh\n# of 127.0.0.2 \xff\n'],
    ['/2015-10-15/user-data', '#!/bin/sh\n# of 127.0.0.2 \xff\n'],
    ['/latest/vendor_data.json', '{}'],
    ['/2018-08-27/vendor_data2.json', '{}'],
  ])('/openstack%s', async (path, body) => {
    expect(await get(`/openstack${path}`)).toMatchObject({ status: 200, body });
  });

  it.each([
    'latest/network_data.json',
    'latest/user_data/x',
    'content/0000',
  ])('/openstack/%s is not there', async (path) => {
    expect((await get(`/openstack/${path}`)).status).toBe(404);
  });
});

describe('NoCloud by URL', () => {
  it('has meta-data, which is YAML, user-data and an empty vendor-data', async () => {
    expect(JSON.parse((await get('/nocloud/meta-data')).body)).toEqual({
      'instance-id': '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
      'local-hostname': 'factory1-02.example.com',
      'availability-zone': 'factory1.example.com',
      'public-keys': { vac: 'ssh-rsa AAAA root@factory1' },
      meta: { machinefeatures: 'http://169.254.169.253/machinefeatures', machinetype: 'prod' },
    });
    expect(await get('/nocloud/user-data')).toMatchObject({ status: 200, body: '#!/bin/sh\n# of 127.0.0.2 \xff\n' });
    expect(await get('/nocloud/vendor-data')).toMatchObject({ status: 200, body: '' });
    expect((await get('/nocloud/')).body).toBe('meta-data\nuser-data\nvendor-data');
  });

  it('has user-data in any case: cloud-init would give up without', async () => {
    await rm(join(machine.directory, 'user_data'));
    expect(await get('/nocloud/user-data')).toMatchObject({ status: 200, body: '' });
  });

  it.each(['network-config', 'meta-data/x', '..'])('/nocloud/%s is not there', async (path) => {
    expect((await get(`/nocloud/${path}`)).status).toBe(404);
  });
});

describe('machine/job features', () => {
  it('are listed and read, a slash more or less', async () => {
    for (const path of ['/machinefeatures', '/machinefeatures/'])
      expect((await get(path)).body).toBe('hs06\ntotal_cpu');
    expect((await get('/jobfeatures/')).body).toBe('job_id');
    expect(await get('/machinefeatures/total_cpu')).toEqual({ status: 200, type: 'text/plain', body: '4' });
    expect((await get('/machinefeatures//hs06')).body).toBe('41.2');
  });

  it('are those of the machine that asks', async () => {
    await site.add('127.0.0.3');
    expect((await get('/jobfeatures/job_id')).body).toBe('127.0.0.2');
    expect((await get('/jobfeatures/job_id', '127.0.0.3')).body).toBe('127.0.0.3');
  });

  it('cannot be written', async () => {
    expect((await put('/machinefeatures/total_cpu', '400')).status).toBe(404);
    expect((await get('/machinefeatures/total_cpu')).body).toBe('4');
  });
});

describe('for an address without a machine', () => {
  it.each(['GET', 'HEAD', 'PUT', 'POST'])('there is nothing: %s', async (method) => {
    for (const path of ['/', '/latest/user-data', '/machinefeatures/', '/joboutputs/x', '/openstack']) {
      expect(await send(method, path, pieces('x'), '127.0.0.9'), path).toMatchObject({
        status: 404,
        body: 'not found\n',
      });
    }
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
  });
});

describe('PUT /joboutputs', () => {
  it('makes a file, and replaces it whole', async () => {
    expect((await put('/joboutputs/shutdown_message', '300 no', ' work\n')).status).toBe(201);
    expect((await put('/joboutputs/shutdown_message', '200 Success\n')).status).toBe(201);
    expect(await readFile(output('shutdown_message'), 'utf8')).toBe('200 Success\n');
    expect((await get('/joboutputs/shutdown_message')).body).toBe('200 Success\n');
    expect((await get('/joboutputs/')).body).toBe('shutdown_message');
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual(['shutdown_message']);
  });

  it.runIf(process.getuid?.() === 0)("makes it the guests' file, as by NFS", async () => {
    await put('/joboutputs/log', '');
    const { uid, gid, mode } = await stat(output('log'));
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 65534, gid: 65534, mode: 0o644 });
  });

  it.each([
    '/joboutputs',
    '/joboutputs/',
    '/joboutputs/.hidden',
    '/joboutputs/-rf',
    '/joboutputs/..',
    '/joboutputs/../machinefeatures/total_cpu',
    '/joboutputs/%2e%2e/user_data',
    '/joboutputs/..%2fuser_data',
    '/joboutputs/a%2Fb',
    '/joboutputs/a/b',
    '/joboutputs/a%00b',
    '/joboutputs/a%zz',
    '/joboutputs/%252e%252e',
    '/joboutputs/a%0ab',
    '/joboutputs/a%20b',
    '/joboutputs/%c3%a9',
    `/joboutputs/${'x'.repeat(129)}`,
  ])('refuses %s', async (path) => {
    expect((await put(path, 'x')).status).toBe(403);
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
    expect(await readFile(join(machine.directory, 'machinefeatures/total_cpu'), 'utf8')).toBe('4');
  });

  it('takes the longest name and one as careful as they get', async () => {
    for (const name of ['x'.repeat(128), '_a.b-C.9']) expect((await put(`/joboutputs/${name}`, 'x')).status).toBe(201);
  });

  it('follows no link and leaves the file it named alone', async () => {
    await symlink(join(machine.directory, 'user_data'), output('log'));
    expect((await put('/joboutputs/log', 'x')).status).toBe(201);
    expect(await readFile(output('log'), 'utf8')).toBe('x');
    expect(await readFile(join(machine.directory, 'user_data'), 'latin1')).toContain('#!/bin/sh');
  });

  it('is refused where the machine has made a directory of that name', async () => {
    await mkdir(output('log'));
    expect((await put('/joboutputs/log', 'x')).status).toBe(403);
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual(['log']);
  });

  it('keeps the file as it was when the upload breaks off', async () => {
    await put('/joboutputs/log', 'old');
    await expect(put('/joboutputs/log', 'half', new Error('client gone'))).rejects.toThrow('client gone');
    expect(await readFile(output('log'), 'utf8')).toBe('old');
    expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual(['log']);
  });

  it('takes 10 MiB and no more', async () => {
    const most = Buffer.alloc(MAX_PUT_BYTES);
    expect((await put('/joboutputs/log', most)).status).toBe(201);
    expect((await put('/joboutputs/log', most, 'x')).status).toBe(413);
    expect((await stat(output('log'))).size).toBe(MAX_PUT_BYTES);
  });

  it('lets no machine fill the host with bytes', async () => {
    await writeFile(output('large'), '');
    await truncate(output('large'), LIMITS.bytes - 10);
    expect((await put('/joboutputs/log', 'x'.repeat(11))).status).toBe(507);
    expect((await put('/joboutputs/log', 'x'.repeat(10))).status).toBe(201);
    expect((await put('/joboutputs/more', 'x')).status).toBe(507);
    expect((await put('/joboutputs/log', 'y'.repeat(10))).status).toBe(201);
  });

  it('lets no machine fill the host with files', async () => {
    for (let index = 0; index < LIMITS.files; index += 1) await symlink('nowhere', output(`link${index}`));
    expect((await put('/joboutputs/log', 'x')).status).toBe(507);
  });

  describe.runIf(process.getuid?.() === 0)('where joboutputs is a file system of its own', () => {
    beforeEach(() => mountTmpfs(join(machine.directory, 'joboutputs'), { bytes: 65_536, files: 20 }));
    afterEach(() => unmount(join(machine.directory, 'joboutputs')));

    it('says when that is full of bytes, and leaves what was there', async () => {
      expect((await put('/joboutputs/log', 'old')).status).toBe(201);
      expect((await put('/joboutputs/log', Buffer.alloc(100_000))).status).toBe(507);
      expect(await readFile(output('log'), 'utf8')).toBe('old');
      expect(await readdir(join(machine.directory, 'joboutputs'))).toEqual(['log']);
    });

    it('says when that is full of files', async () => {
      const statuses: number[] = [];
      for (let index = 0; index < 30; index += 1) statuses.push((await put(`/joboutputs/log${index}`, 'x')).status);
      expect(new Set(statuses)).toEqual(new Set([201, 507]));
      expect((await get('/joboutputs/log0')).body).toBe('x');
    });
  });

  it('does not bring back the directory of a machine that is gone', async () => {
    await rm(machine.directory, { recursive: true });
    await expect(put('/joboutputs/log', 'x')).rejects.toThrow('ENOENT');
    await expect(stat(machine.directory)).rejects.toThrow('ENOENT');
  });
});

describe('GET /joboutputs', () => {
  it('lists and serves regular files alone, whatever else the guest has made there', async () => {
    await writeFile(output('log'), 'x');
    await writeFile(output('empty'), '');
    await writeFile(output('.hidden'), 'x');
    await writeFile(output('new\nline'), 'x');
    await symlink(join(machine.directory, 'user_data'), output('link'));
    await mkdir(output('directory'));
    execFileSync('mkfifo', [output('fifo')]);
    expect((await get('/joboutputs/')).body).toBe('empty\nlog');
    expect((await get('/joboutputs/empty')).body).toBe('');
    for (const name of [
      '.hidden',
      'new%0aline',
      'link',
      'directory',
      'fifo',
      'missing',
      'directory/x',
      '../user_data',
    ]) {
      expect((await get(`/joboutputs/${name}`)).status, name).toBe(404);
    }
  });
});

it('no other method does anything', async () => {
  for (const method of ['POST', 'DELETE', 'PATCH', 'OPTIONS'])
    expect((await send(method, '/joboutputs/x')).status).toBe(405);
});

it('no path makes an exception, or comes out of the directories that are served', async () => {
  await writeFile(join(machine.directory, 'machine.json'), 'SECRET');
  await writeFile(join(machine.directory, 'console.log'), 'SECRET');
  const part = fc.oneof(
    fc.constantFrom(
      '',
      '.',
      '..',
      '%2e%2e',
      '%2f',
      '%00',
      '%',
      '%25',
      '?',
      'latest',
      'openstack',
      'machinefeatures',
      'meta-data',
      'nocloud',
    ),
    fc.constantFrom(
      'joboutputs',
      'machine.json',
      'console.log',
      'user_data',
      '.log.0123456789ab.tmp',
      'public-keys',
      '0',
      '__proto__',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), fc.boolean(), async (parts, rooted) => {
      const { status, body } = await get((rooted ? '/' : '') + parts.join('/'));
      expect([200, 404]).toContain(status);
      expect(body).not.toContain('SECRET');
    }),
    { numRuns: 500 },
  );
});
