/** vacd's side of the channel against a child that has been taken over. */

import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BadMessage, type Link } from '../../src/guard/part.js';
import type { HostMachine } from '../../src/metadata/machine-files.js';
import { CHUNK_BYTES, COSTS, FAULT_LINES, FILES, MAX_OPEN_PER_MACHINE } from '../../src/metadata/messages.js';
import { MetadataParent } from '../../src/metadata/parent.js';
import { OWNER, TestSite } from './site.js';

const IP = '127.0.0.2';
const NONE = new Uint8Array(0);

interface Sent {
  readonly type: string;
  readonly body: Record<string, unknown>;
  readonly bytes: string;
}

let site: TestSite;
let machine: HostMachine;
let parent: MetadataParent;
let sent: Sent[];
let problems: string[];
const link: Link = {
  send: (type, body, bytes = NONE) => {
    sent.push({ type, body: body as Record<string, unknown>, bytes: Buffer.from(bytes).toString('latin1') });
    return true;
  },
  drained: async () => {},
};

beforeEach(async () => {
  site = await TestSite.make();
  machine = await site.add(IP);
  sent = [];
  problems = [];
  parent = new MetadataParent({
    guestOwner: OWNER,
    machineByIp: site.holder,
    sockets: () => new Map(),
    onProblem: (line) => problems.push(line),
  });
  parent.attach(link);
});
afterEach(async () => {
  parent.detach();
  await site.remove();
});

const about = (more: object = {}) => ({ ip: IP, machine: machine.id, ...more });
const receive = (type: string, body: unknown, bytes: Uint8Array = NONE) => parent.receive(type, body, bytes);
const answers = (request: number) => sent.filter(({ body }) => body.request === request);
async function answer(request: number): Promise<Sent> {
  await expect.poll(() => answers(request)).not.toHaveLength(0);
  return answers(request)[0]!;
}

describe('a child is told', () => {
  it('what a machine may know of itself, and not where its files are', async () => {
    receive('machine', { request: 1, ip: IP });
    const { body } = await answer(1);
    expect(body.machine).toMatchObject({ id: machine.id, uuid: machine.uuid, ip: IP });
    expect(Object.keys(body.machine as object)).not.toContain('directory');
    receive('machine', { request: 2, ip: '127.0.0.9' });
    expect((await answer(2)).body.machine).toBeNull();
  });

  it('nothing of a machine that has another address, or had it before', async () => {
    await site.add('127.0.0.3', { id: 'another' });
    for (const [index, who] of [{ ip: '127.0.0.3' }, { ip: '127.0.0.9' }, { machine: 'gone' }].entries()) {
      const request = index * 10;
      receive('read', { request, ...about(who), place: 'jobfeatures', name: 'job_id' });
      expect(await answer(request)).toMatchObject({ type: 'content', body: { found: false }, bytes: '' });
      receive('list', { request: request + 1, ...about(who), directory: 'jobfeatures' });
      expect((await answer(request + 1)).body.names).toEqual([]);
      receive('put', { request: request + 2, ...about(who), name: 'log' });
      expect((await answer(request + 2)).type).toBe('failed');
    }
  });

  it('nothing of a file that is no plain one in a place that is served', async () => {
    await symlink('/etc/passwd', join(machine.directory, 'joboutputs/link'));
    await mkdir(join(machine.directory, 'joboutputs/directory'));
    for (const [request, name] of ['link', 'directory', 'missing'].entries()) {
      receive('read', { request, ...about(), place: 'joboutputs', name });
      expect(await answer(request)).toMatchObject({ type: 'content', body: { found: false, last: true } });
    }
  });

  it('by nothing more than that there is one of a fault of the host', async () => {
    await rm(join(machine.directory, 'joboutputs'), { recursive: true });
    receive('list', { request: 1, ...about(), directory: 'joboutputs' });
    expect(await answer(1)).toEqual({ type: 'failed', body: { request: 1 }, bytes: '' });
    expect(problems).toEqual([expect.stringMatching(/^metadata: listing joboutputs of .* failed: ENOENT/)]);
  });

  it('of each fault, and the log of not so many that one machine fills it', async () => {
    await rm(join(machine.directory, 'joboutputs'), { recursive: true });
    const other = await site.add('127.0.0.3', { id: 'another' });
    await rm(join(other.directory, 'joboutputs'), { recursive: true });
    const beganMs = performance.now();
    for (let request = 0; request < 60; request += 1) receive('put', { request, ...about(), name: 'log' });
    await expect.poll(() => sent.filter(({ type }) => type === 'failed')).toHaveLength(60);
    // The last of what it may be at once, begun, is a whole one.
    const seconds = (performance.now() - beganMs) / 1000;
    expect(problems.length).toBeLessThanOrEqual(FAULT_LINES.burst + 1 + FAULT_LINES.perSecond * seconds);
    receive('put', { request: 100, ip: '127.0.0.3', machine: other.id, name: 'log' });
    await answer(100);
    expect(problems.at(-1)).toContain('of another failed');
  });
});

describe('what no honest child sends is a bad message', () => {
  it.each([
    ['no request', 'machine', { ip: IP }],
    ['an address that is none', 'machine', { request: 1, ip: 'localhost' }],
    ['a type that is none', 'shell', { request: 1 }],
    ['a place that is none', 'read', { request: 1, ...{ ip: IP, machine: 'm' }, place: '..', name: 'passwd' }],
    ['a directory that is none', 'list', { request: 1, ...{ ip: IP, machine: 'm' }, directory: '.' }],
    ['a path', 'read', { request: 1, ip: IP, machine: 'm', place: 'joboutputs', name: '../user_data' }],
    ['a hidden file', 'put', { request: 1, ip: IP, machine: 'm', name: '.profile' }],
    ['a name for terminals', 'put', { request: 1, ip: IP, machine: 'm', name: 'a\u001b[2J' }],
    ['no body', 'put', null],
  ])('%s', (_what, type, body) => {
    expect(() => receive(type, body)).toThrow(BadMessage);
    expect(sent).toEqual([]);
  });

  it('two questions with one number', () => {
    receive('put', { request: 1, ...about(), name: 'log' });
    expect(() => receive('list', { request: 1, ...about(), directory: 'joboutputs' })).toThrow(BadMessage);
  });

  it('more of a file before it was given what it asked for', async () => {
    await writeFile(join(machine.directory, 'joboutputs/log'), Buffer.alloc(3 * CHUNK_BYTES));
    receive('read', { request: 1, ...about(), place: 'joboutputs', name: 'log' });
    expect(() => receive('more', { request: 1 })).toThrow(BadMessage);
    expect((await answer(1)).body).toMatchObject({ found: true, last: false });
    receive('more', { request: 1 });
    await expect.poll(() => answers(1)).toHaveLength(2);
    receive('stop', { request: 1 });
    receive('more', { request: 1 });
    expect(answers(1)).toHaveLength(2);
  });

  it('more of an upload than vacd has asked for, or too much at a time', async () => {
    for (const [request, pieces] of [
      [1, [CHUNK_BYTES + 1]],
      [2, [10, 10]],
    ] as const) {
      receive('put', { request, ...about(), name: 'log' });
      expect((await answer(request)).type).toBe('taken');
      expect(() => {
        for (const bytes of pieces) receive('chunk', { request }, new Uint8Array(bytes));
      }).toThrow(BadMessage);
    }
    parent.detach();
    await expect.poll(() => readdir(join(machine.directory, 'joboutputs'))).toEqual([]);
  });
});

it('a machine has so many questions open and no more, and the others theirs', async () => {
  await site.add('127.0.0.3', { id: 'another' });
  for (let request = 0; request < 3 * MAX_OPEN_PER_MACHINE; request += 1)
    receive('put', { request, ...about(), name: `log${request}` });
  await expect.poll(() => sent.filter(({ type }) => type === 'taken').length).toBe(2 * MAX_OPEN_PER_MACHINE);
  expect(sent.filter(({ type }) => type === 'busy')).toHaveLength(MAX_OPEN_PER_MACHINE);
  const request = 1000;
  receive('put', { request, ip: '127.0.0.3', machine: 'another', name: 'log' });
  expect((await answer(request)).type).toBe('taken');
  receive('abort', { request: 0 });
  await expect
    .poll(() => readdir(join(machine.directory, 'joboutputs')).then((names) => names.length))
    .toBe(2 * MAX_OPEN_PER_MACHINE - 1);
});

it('a machine has so many listings a second and no more, and the others theirs', async () => {
  await site.add('127.0.0.3', { id: 'another' });
  let request = 0;
  const listed = async (who: object) => {
    request += 1;
    receive('list', { request, ...about(who), directory: 'joboutputs' });
    while (answers(request).length === 0) await new Promise((resolve) => setImmediate(resolve));
    sent = answers(request);
    return sent[0]!.type;
  };
  const untilBusy = async () => {
    let count = 0;
    while ((await listed({})) !== 'busy') count += 1;
    return count;
  };
  expect(await untilBusy()).toBeGreaterThanOrEqual(FILES.burst / COSTS.list);
  const beganMs = performance.now();
  expect(await listed({ ip: '127.0.0.3', machine: 'another' })).toBe('names');
  // Another child does not get it anew.
  parent.detach();
  parent.attach(link);
  const again = await untilBusy();
  const seconds = (performance.now() - beganMs) / 1000;
  // What was left, and the last of it, begun, is a whole one.
  expect(again).toBeLessThanOrEqual((FILES.perSecond * seconds) / COSTS.list + 2);
});

it('whatever a child sends, it gets nothing but what machines can have, and writes nothing else', async () => {
  await writeFile(join(machine.directory, 'machine.json'), 'SECRET');
  await writeFile(join(machine.directory, 'joboutputs/log'), 'x'.repeat(100_000));
  const text = fc.oneof(
    fc.constantFrom('..', '.', '', 'log', 'machine.json', '../machine.json', 'user_data', '/etc/passwd', 'total_cpu'),
    fc.constantFrom('joboutputs', 'machinefeatures', IP, '127.0.0.9', '1700000000_prod_factory1-02.example.com'),
    fc.string(),
  );
  const body = fc.oneof(
    { weight: 1, arbitrary: fc.jsonValue() },
    {
      weight: 9,
      arbitrary: fc.record(
        {
          request: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.jsonValue()),
          ip: fc.oneof(fc.constant(IP), text),
          machine: fc.oneof(fc.constant(machine.id), text),
          place: text,
          directory: text,
          name: text,
        },
        { requiredKeys: ['request'] },
      ),
    },
  );
  const type = fc.constantFrom('machine', 'list', 'read', 'more', 'stop', 'put', 'chunk', 'end', 'abort', 'x');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(type, body, fc.uint8Array({ maxLength: 9 })), { maxLength: 30 }),
      async (all) => {
        parent.attach(link);
        for (const [kind, content, bytes] of all) {
          try {
            receive(kind, content, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(BadMessage);
          }
        }
        await new Promise((resolve) => setImmediate(resolve));
        parent.detach();
      },
    ),
    { numRuns: 300 },
  );
  expect(JSON.stringify(sent)).not.toContain('SECRET');
  expect(await readFile(join(machine.directory, 'machine.json'), 'utf8')).toBe('SECRET');
  expect((await readdir(machine.directory)).sort()).toEqual([
    'jobfeatures',
    'joboutputs',
    'machine.json',
    'machinefeatures',
    'user_data',
  ]);
  expect(await readFile(join(machine.directory, 'machinefeatures/total_cpu'), 'utf8')).toBe('4');
});
