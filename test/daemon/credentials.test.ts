import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkLocal } from '../../src/cli/views/check.js';
import type { MachinetypeConfig } from '../../src/config/types.js';
import { Credentials } from '../../src/daemon/credentials.js';
import { Metrics } from '../../src/daemon/metrics.js';
import { factoryStatus } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { credentialFiles } from '../../src/machines/proxy.js';
import { config } from '../factory/builders.js';
import { EC, type Issued, TestAuthority } from '../host/test-authority.js';
import { parseExposition, valuesOf } from './exposition.js';
import { TestFactory } from './test-factory.js';

const DAY_MS = 86_400_000;
let authority: TestAuthority;
let yearly: Issued;
let weekly: Issued;
let factory: TestFactory;
let credentials: Credentials;

beforeAll(async () => {
  authority = await TestAuthority.create();
  yearly = await authority.issue('yearly', { keyOptions: EC });
  weekly = await authority.issue('weekly', { keyOptions: EC, days: 7 });
});
afterAll(() => authority.remove());

beforeEach(() => {
  // Only the clocks: files and openssl take their time.
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() + 60_000 });
});
afterEach(async () => {
  credentials.stop();
  vi.useRealTimers();
  await factory.dispose();
});

async function have(...machinetypes: Partial<MachinetypeConfig>[]): Promise<void> {
  factory = await TestFactory.create({ machinetypes });
  const { memory, layout, log } = factory;
  credentials = new Credentials({ memory, layout, log: log.logger });
}

async function install(issued: Issued, directoryName = 'prod'): Promise<Issued> {
  const files = credentialFiles(factory.layout, directoryName);
  await mkdir(dirname(files.certificate), { recursive: true });
  await copyFile(issued.certificate, files.certificate);
  await copyFile(issued.key, files.key);
  await chmod(files.key, 0o600);
  return files;
}

const problems = () => factoryStatus(factory.memory, new DecisionLog(), '').problems;

const typeOf = (uuid: string) =>
  [...factory.memory.machines.values()].find(({ entry }) => entry.record.uuid === uuid)?.entry.record.machinetype;

/** As time passes, with a look as the daemon has them. */
async function pass(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds);
  await credentials.look();
}

describe('a machinetype with proxies', () => {
  test('has nothing said of it while its certificate is good for months', async () => {
    await have({ userDataProxy: true });
    await install(yearly);
    await credentials.look();
    expect(factory.memory.credentials).toMatchObject([{ machinetype: 'prod', file: 'x509cert.pem', problem: null }]);
    expect(problems()).toEqual([]);
    expect(factory.log.lines).toEqual([]);
  });

  test('is told of before its certificate ends: log, status, vac check, metrics', async () => {
    await have({ userDataProxy: true });
    const { certificate } = await install(weekly);
    await pass(5 * DAY_MS);
    const line = `prod: ${certificate} ends at `;
    expect(factory.log.lines).toEqual([expect.stringContaining(`warning: ${line}`)]);
    expect(problems()).toEqual([expect.stringContaining(line)]);
    const counts = { counts: '0 4 0 4 0', factoryError: null, stateDir: '/', problems: problems() };
    const checked = checkLocal({ ...counts, factoryHeartbeatAgeSeconds: 1, responderHeartbeatAgeSeconds: 1 });
    expect(checked.code).toBe(1);
    expect(checked.lines[0]).toContain(`WARNING: ${line}`);
    const metrics = new Metrics(factory.memory, 0);
    const families = parseExposition(await metrics.text());
    metrics.close();
    expect(valuesOf(families, 'vac_problems')).toEqual({ '': 1 });
    const [fact] = factory.memory.credentials;
    expect(Object.values(valuesOf(families, 'vac_certificate_end_timestamp_seconds'))).toEqual([fact!.endTimeSeconds]);
    expect(families.get('vac_certificate_end_timestamp_seconds')!.series[0]!.labels).toEqual({
      machinetype: 'prod',
      file: 'x509cert.pem',
    });
  });

  test('is told of once a day, when it gets worse, and when it is well again', async () => {
    await have({ userDataProxy: true });
    const { certificate } = await install(weekly);
    await pass(4.8 * DAY_MS);
    for (let minutes = 0; minutes < 20; minutes += 1) await pass(60_000);
    expect(factory.log.lines).toHaveLength(1);
    await pass(DAY_MS);
    expect(factory.log.lines).toHaveLength(2);
    await pass(DAY_MS / 2);
    expect(factory.log.lines[2]).toContain('none starts; renew it');
    await install(yearly);
    await credentials.look();
    expect(factory.log.lines.slice(3)).toEqual([`info: ${certificate} is in order again`]);
    expect(problems()).toEqual([]);
  });

  test('is told of at once when it has none, and files that are put there are seen', async () => {
    await have({ userDataProxy: true });
    await credentials.look();
    const { certificate, key } = credentialFiles(factory.layout, 'prod');
    expect(problems()).toEqual([`prod: no machine starts: ${certificate} cannot be read: there is no such file`]);
    await install(yearly);
    await credentials.look();
    expect(problems()).toEqual([]);
    await chmod(key, 0o644);
    await credentials.look();
    expect(problems()).toEqual([
      `prod: ${key} is a private key that others than its owner may use (mode 0644); chmod 600 it`,
    ]);
    await copyFile(weekly.key, key);
    await credentials.look();
    expect(problems()).toEqual([
      `prod: no machine starts: ${key} is not the key of the certificate in ${certificate}; put the pair there`,
    ]);
  });

  test('of a kind that its certificate cannot have is told of', async () => {
    await have({ userDataProxy: true });
    const { certificate } = await install(authority.root);
    await credentials.look();
    expect(problems()).toEqual([
      `prod: no machine starts: ${certificate} is the certificate of an authority, which cannot have proxies`,
    ]);
  });

  test('uses the directory of the pipe that made it, and one line tells of all of them', async () => {
    const made = { directoryName: 'pipe', userDataProxy: true };
    await have(
      { ...made, name: 'pipe-a' },
      { ...made, name: 'pipe-b' },
      { ...made, name: 'pipe-never', targetShare: 0 },
    );
    await credentials.look();
    expect(problems()).toEqual([expect.stringMatching(/^pipe-a, pipe-b: no machine starts: .*\/pipe\/x509cert\.pem/)]);
    expect(factory.log.lines).toHaveLength(1);
    await install(yearly, 'pipe');
    await credentials.look();
    expect(problems()).toEqual([]);
  });
});

test('a machine whose certificate ends before it does not start, `vac why` tells the reason, and other types go on', async () => {
  await have({ userDataProxy: true, maxWallclockSeconds: 8 * 86_400 }, { name: 'user', targetShare: 0.001 });
  const { certificate } = await install(weekly);
  factory.pass();
  await factory.settle();
  await factory.settle();
  const { decisions } = factory.pass();
  const why = decisions.find(({ machinetype, slot }) => machinetype === 'prod' && slot === null);
  expect(why).toMatchObject({ code: 'creation-failed' });
  expect(why!.reason).toContain(`(proxy: ${certificate} ends too early: it ends at `);
  expect(factory.log.with('PRIVATE')).toEqual([]);
  const { domains } = factory.hypervisor;
  expect(new Set([...domains.values()].map(({ uuid }) => typeOf(uuid)))).toEqual(new Set(['user']));
});

describe('files of user_data', () => {
  test('that hold a certificate of somebody are looked after, those of authorities, and all else, are not', async () => {
    await have({});
    const files = factory.layout.machinetypeFiles('prod');
    await mkdir(files, { recursive: true });
    await copyFile(weekly.certificate, join(files, 'proxy.pem'));
    await copyFile(authority.root.certificate, join(files, 'ca.pem'));
    await writeFile(join(files, 'script'), 'echo -----BEGIN CERTIFICATE-----');
    const hostcert = await authority.write('hostcert.pem', '');
    await copyFile(weekly.certificate, hostcert);
    const [type] = factory.memory.config.machinetypes;
    const userDataFiles = { hostcert, proxy: 'proxy.pem', ca: 'ca.pem', script: 'script', none: 'none' };
    factory.memory.reconfigure(config([{ ...type!, userDataFiles }]));
    await pass(6 * DAY_MS);
    expect(factory.memory.credentials.map(({ file }) => file)).toEqual([
      'user_data_file_hostcert',
      'user_data_file_proxy',
    ]);
    expect(problems()).toEqual([
      expect.stringContaining(`prod: ${hostcert} (user_data_file_hostcert) ends at `),
      expect.stringContaining(`prod: ${join(files, 'proxy.pem')} (user_data_file_proxy) ends at `),
    ]);
    await rm(hostcert);
    await credentials.look();
    expect(problems()).toHaveLength(1);
  });
});

test('a step of the clock, forth or back, is told of, and forgotten when it is put right', async () => {
  await have({ userDataProxy: true });
  await install(yearly);
  const right = Date.now();
  vi.setSystemTime(right + 2000 * DAY_MS);
  await credentials.look();
  expect(problems()).toEqual([expect.stringContaining('has expired')]);
  vi.setSystemTime(right - 2000 * DAY_MS);
  expect(problems()).toEqual([expect.stringContaining("is this host's clock right?")]);
  vi.setSystemTime(right);
  expect(problems()).toEqual([]);
});

test('looks that overlap are one', async () => {
  await have({ userDataProxy: true });
  const first = credentials.look();
  expect(credentials.look()).toBe(first);
  await first;
  expect(credentials.look()).not.toBe(first);
  await credentials.look();
});
