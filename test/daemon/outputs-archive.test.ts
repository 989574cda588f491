/** The archive of joboutputs against a real HTTP server that fails, hangs up and refuses. */

import { chmod, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OutputsArchive } from '../../src/daemon/outputs-archive.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { readTrail } from '../../src/trail/read.js';
import { testRecord } from '../machines/record.js';
import { makeStateDirectory, TestLog, testTrail, until } from './test-factory.js';

const RECORD = testRecord();

let layout: StateLayout;
let server: Server;
let archive: OutputsArchive;
let log: TestLog;
let stored: Map<string, string>;
let asked: string[];
let authFile: string | null;
/** What the server does with the next requests; when there are no more it stores. */
let faults: ((request: IncomingMessage, response: ServerResponse) => void)[];

beforeEach(async () => {
  layout = await makeStateDirectory();
  [stored, asked, faults, authFile, log] = [new Map(), [], [], null, new TestLog()];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.authorization ?? '-'}`);
    const fault = faults.shift();
    if (fault !== undefined) {
      fault(request, response);
      return;
    }
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      stored.set(request.url!, text);
      response.writeHead(201).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const outputs = layout.inMachine(RECORD.id, 'joboutputs');
  await mkdir(outputs, { recursive: true });
  await writeFile(`${outputs}/a.log`, 'one');
  await writeFile(`${outputs}/b c#?.log`, 'two');
  await writeFile(`${outputs}/empty`, '');
  await symlink('/etc/passwd', `${outputs}/link`);
  await mkdir(`${outputs}/directory`);
  archive = newArchive();
});
afterEach(async () => {
  await archive.close();
  server.closeAllConnections();
  server.close();
  await rm(layout.root, { recursive: true });
});

const base = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/store/`;
const place = `/store/vac01.example.com/factory1.example.com/${encodeURIComponent(RECORD.id)}`;
const ALL = new Map([
  [`${place}/a.log`, 'one'],
  [`${place}/b%20c%23%3F.log`, 'two'],
  [`${place}/empty`, ''],
]);

function newArchive(url: () => string | null = base): OutputsArchive {
  return new OutputsArchive({
    layout,
    trail: testTrail(layout),
    log: log.logger,
    space: () => 'vac01.example.com',
    factory: 'factory1.example.com',
    urlOf: url,
    authFile: () => authFile,
    firstRetryMs: 1,
  });
}

const order = async () => JSON.parse(await readFile(layout.inMachine(RECORD.id, 'archive.json'), 'utf8'));
const isDone = async () => (await order()).state === 'done';

describe('outputs of a machine that is over', () => {
  test('are put where they belong, without links and directories, and the trail says so', async () => {
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(stored).toEqual(ALL);
    expect(await readTrail(layout.trail(), () => true)).toMatchObject([
      { kind: 'note', what: 'archived', text: expect.stringMatching(/^3 files in http:/) },
    ]);
    expect(archive.problem()).toBeNull();
  });

  test('arrive after all when the server fails first, in any way', async () => {
    faults = [
      (_request, response) => response.writeHead(503).end('<p>down\n for now</p>'),
      (request) => request.socket.destroy(),
      (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    ];
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(stored).toEqual(ALL);
    expect(log.with('the server answered 503 (down for now)')).toHaveLength(1);
    await until('it is told', () => log.with('archived after all').length === 1);
  });

  test('go on after a restart with what has not arrived', async () => {
    faults = [
      (request, response) => {
        request.resume().on('end', () => response.writeHead(201).end());
      },
      ...Array.from({ length: 1000 }, () => (_request: IncomingMessage, response: ServerResponse) => {
        response.writeHead(500).end();
      }),
    ];
    await archive.start([]);
    await archive.order(RECORD);
    await until('the first is there', async () => (await order()).arrived.length === 1);
    await until('it is told', () => archive.problem() !== null);
    expect(archive.problem()).toContain('joboutputs of 1 machines wait to be archived');
    await archive.close();
    faults = [];
    archive = newArchive();
    await archive.start([RECORD]);
    await until('all is there', isDone);
    expect([...stored.keys()]).toEqual([...ALL.keys()].slice(1));
  });

  test('that were ordered by a vacd that died before the machine was cleared are sent by the next', async () => {
    await archive.order(RECORD);
    await archive.close();
    archive = newArchive();
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(stored).toEqual(ALL);
  });

  test('do not wait for one whose name is no text', async () => {
    const outputs = Buffer.from(`${layout.inMachine(RECORD.id, 'joboutputs')}/`);
    await writeFile(Buffer.concat([outputs, Buffer.from([0x61, 0xff])]), 'never');
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(stored).toEqual(ALL);
    expect(log.with('1 left out')).toHaveLength(1);
  });

  test('are sent again where a server says that it has all before it can', async () => {
    await writeFile(`${layout.inMachine(RECORD.id, 'joboutputs')}/a.log`, Buffer.alloc(20e6, 'x'));
    faults = [(_request, response) => response.writeHead(201).end()];
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(stored.get(`${place}/a.log`)).toHaveLength(20e6);
    expect(log.with('of 20000000 bytes at most')).toHaveLength(1);
  });

  test('that never arrive are given up before the directory goes, and that is told and in the trail', async () => {
    faults = Array.from({ length: 1000 }, () => (_request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(507).end();
    });
    await archive.start([]);
    await archive.order(RECORD);
    await until('it was tried', () => asked.length > 2);
    await archive.giveUp(RECORD);
    expect((await order()).state).toBe('given-up');
    expect(log.with('its time here is over')).toHaveLength(1);
    expect(await readTrail(layout.trail(), () => true)).toMatchObject([{ what: 'archive-given-up' }]);
    const tries = asked.length;
    await archive.giveUp(RECORD);
    expect(asked).toHaveLength(tries);
  });

  test('stay here where no URL is configured', async () => {
    archive = newArchive(() => null);
    await archive.start([]);
    await archive.order(RECORD);
    await expect(order()).rejects.toThrow('ENOENT');
    await archive.giveUp(RECORD);
  });

  test.each([
    ['Bearer abc', 'Bearer abc'],
    ['user:secret\n', 'Basic dXNlcjpzZWNyZXQ='],
    ['token', 'Bearer token'],
  ])('are sent with the authorization of the file (%j)', async (content, header) => {
    authFile = `${layout.root}/auth`;
    await writeFile(authFile, content, { mode: 0o600 });
    await archive.start([]);
    await archive.order(RECORD);
    await until('all is there', isDone);
    expect(new Set(asked)).toEqual(new Set([`PUT ${header}`]));
  });

  test('are not sent with a secret that others can read', async () => {
    authFile = `${layout.root}/auth`;
    await writeFile(authFile, 'secret');
    await chmod(authFile, 0o644);
    await archive.start([]);
    await archive.order(RECORD);
    await until('it is told', () => archive.problem()?.includes('chmod 600') ?? false);
    expect([asked, log.with('secret')]).toEqual([[], []]);
  });
});
