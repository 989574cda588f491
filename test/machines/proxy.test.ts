import { channel } from 'node:diagnostics_channel';
import { chmod, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MachinetypeConfig } from '../../src/config/types.js';
import { run } from '../../src/host/exec.js';
import { certificatesIn } from '../../src/host/x509-certificate.js';
import { CREATE_STEPS, newCreation } from '../../src/machines/create.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { credentialFiles, MachineProxy } from '../../src/machines/proxy.js';
import { newRecord } from '../../src/machines/record.js';
import { runSteps } from '../../src/machines/tools.js';
import { machineTools, makeStateDirectory, removeStateDirectory, writeRawImage } from '../daemon/test-factory.js';
import { FACTORY, machinetype, settings } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';
import { type Issued, TestAuthority } from '../host/test-authority.js';

const DAY = 86_400;
const ENCODED_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

let authority: TestAuthority;
let issued: Issued;
let layout: StateLayout;
let nowSeconds: number;

beforeAll(async () => {
  authority = await TestAuthority.create();
  issued = await authority.issue('pilot', { days: 10 });
});
afterAll(() => authority.remove());

beforeEach(async () => {
  nowSeconds = Math.floor(Date.now() / 1000);
  layout = await makeStateDirectory();
  const files = layout.machinetypeFiles('prod');
  await mkdir(files, { recursive: true });
  await writeRawImage(join(files, 'root.img'));
  await writeFile(join(files, 'user_data'), 'proxy:\n##user_data_option_x509_proxy##end');
});
afterEach(() => removeStateDirectory(layout));

async function install(directoryName = 'prod'): Promise<Issued> {
  const files = credentialFiles(layout, directoryName);
  await mkdir(dirname(files.certificate), { recursive: true });
  await copyFile(issued.certificate, files.certificate);
  await copyFile(issued.key, files.key);
  await chmod(files.key, 0o600);
  return files;
}

function creation(changes: Partial<MachinetypeConfig> = {}, lifeSeconds = DAY) {
  const small = { diskGbPerProcessor: 0, swapMibPerProcessor: 0 };
  const type = machinetype('prod', { ...small, userData: 'user_data', userDataProxy: true, ...changes });
  const order = { slot: 3, processors: 1, shutdownTimeSeconds: nowSeconds + lifeSeconds, nowSeconds };
  const tools = machineTools(layout, new FakeHypervisor(), () => settings());
  return newCreation(tools, type, settings(), newRecord(FACTORY, type, settings(), order));
}

async function create(...how: Parameters<typeof creation>): Promise<string> {
  const of = creation(...how);
  await runSteps(CREATE_STEPS, of, of.record.id, () => {});
  return of.record.id;
}

const userData = (id: string) => readFile(layout.inMachine(id, 'user_data'), 'utf8');

/** Files below the state directory that hold a private key, by their path there. */
async function keyFiles(): Promise<string[]> {
  const entries = await readdir(layout.root, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(paths.map((path) => readFile(path, 'latin1')));
  return paths
    .filter((_path, index) => ENCODED_KEY.test(texts[index]!))
    .map((path) => path.slice(layout.root.length + 1))
    .sort();
}

describe('a machine’s proxy', () => {
  test('stands in its user_data, is named after its machinetype, and ends when it does', async () => {
    await install();
    const text = await userData(await create());
    expect(text).toMatch(/^proxy:\n-----BEGIN CERTIFICATE-----\n[\s\S]*-----END CERTIFICATE-----\nend$/);
    const [proxy, issuer] = certificatesIn(text);
    expect(proxy).toMatchObject({ kind: 'rfc-proxy', endTimeSeconds: nowSeconds + DAY });
    expect(proxy!.x509.subject.split('\n').at(-1)).toBe('CN=prod');
    expect(proxy!.x509.verify(issuer!.x509.publicKey)).toBe(true);
  });

  test('is of the legacy form where the machinetype asks for it', async () => {
    await install();
    const [proxy] = certificatesIn(await userData(await create({ legacyProxy: true })));
    expect(proxy).toMatchObject({ kind: 'legacy-proxy', endTimeSeconds: nowSeconds + DAY });
  });

  test('is made of the files of the pipe that made the machinetype', async () => {
    await install('pipe');
    const files = layout.machinetypeFiles('pipe');
    await mkdir(files, { recursive: true });
    for (const name of ['root.img', 'user_data'])
      await copyFile(join(layout.machinetypeFiles('prod'), name), join(files, name));
    const [proxy] = certificatesIn(await userData(await create({ name: 'pipe-prod', directoryName: 'pipe' })));
    expect(proxy!.x509.subject.split('\n').at(-1)).toBe('CN=pipe-prod');
  });

  test('is another one for each machine', async () => {
    await install();
    const keys = await Promise.all(
      [0, 1].map(async () => {
        const proxy = creation().proxy;
        await proxy.begin();
        return proxy.pem();
      }),
    );
    expect(keys[0]).not.toBe(keys[1]);
  });

  test('is none where the machinetype asks for none, and its certificate is not looked at', async () => {
    expect(await userData(await create({ userDataProxy: false }))).toBe('proxy:\nend');
  });
});

describe('secrets', () => {
  test('are in user_data alone, which root alone may read, and no other program is started for them', async () => {
    const { key } = await install();
    const started: unknown[] = [];
    const note = (message: unknown) => started.push(message);
    channel('child_process').subscribe(note);
    const proxy = new MachineProxy(layout, machinetype('prod', { userDataProxy: true }), {
      machinetype: 'prod',
      firstShutdownTimeSeconds: nowSeconds + DAY,
    });
    await proxy.begin();
    expect(await proxy.pem()).toMatch(ENCODED_KEY);
    expect(started).toEqual([]);
    await run('true', []);
    channel('child_process').unsubscribe(note);
    expect(started).toHaveLength(1);
    const id = await create();
    expect(await keyFiles()).toEqual([`machines/${id}/user_data`, 'machinetypes/prod/x509key.pem']);
    expect((await stat(layout.inMachine(id, 'user_data'))).mode & 0o777).toBe(0o600);
    const ownKey = (await readFile(key, 'utf8')).split('\n')[2]!;
    expect(await userData(id)).not.toContain(ownKey);
  });

  test('are nowhere when creation ends, or vacd dies, before user_data is written', async () => {
    await install();
    const of = creation();
    const dies = async (_id: string, step: string, moment: string) => {
      if (step === 'user-data' && moment === 'begin') throw new Error('died');
    };
    await expect(runSteps(CREATE_STEPS, of, of.record.id, dies)).rejects.toThrow('died');
    expect(await keyFiles()).toEqual(['machinetypes/prod/x509key.pem']);
  });
});

describe('a machine does not start', () => {
  const why = async (...how: Parameters<typeof creation>) => {
    const error = (await create(...how).catch((caught) => caught)) as Error;
    expect(error).toMatchObject({ step: 'proxy', cause: { code: 'credential-unusable' } });
    return error.message;
  };

  test('whose certificate would end before it, and nothing is made for it', async () => {
    const { certificate } = await install();
    expect(await why({}, 11 * DAY)).toMatch(
      new RegExp(
        `^proxy: ${certificate} ends too early: it ends at .* UTC, and the proxy must last until .* UTC; renew it$`,
      ),
    );
    const [id] = await readdir(layout.machines());
    expect(await readdir(layout.machine(id!))).toEqual(['machine.json']);
  });

  test('without certificate or key, and in a form that its certificate cannot have', async () => {
    const { certificate, key } = credentialFiles(layout, 'prod');
    expect(await why()).toBe(`proxy: ${certificate} cannot be read: there is no such file`);
    await install();
    await rm(key);
    nowSeconds += 1;
    expect(await why()).toBe(`proxy: ${key} cannot be read: there is no such file`);
  });
});
