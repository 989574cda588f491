import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/index.js';
import type { Config } from '../../src/config/types.js';
import { type PipeFacts, pipeProblems } from '../../src/daemon/pipe-facts.js';
import { Pipes } from '../../src/daemon/pipes.js';
import { serveHttp, type WebServer } from '../host/web-server.js';
import { TestLog, until } from './test-factory.js';

let directory: string;
let server: WebServer;
/** What the server does with a request. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let requests: IncomingMessage[];
let log: TestLog;
let running: Pipes[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-pipes-'));
  requests = [];
  running = [];
  log = new TestLog();
  server = await serveHttp((request, response) => {
    requests.push(request);
    answer(request, response);
  });
});
afterEach(async () => {
  await Promise.all(running.map((pipes) => pipes.close()));
  await server.close();
  await rm(directory, { recursive: true });
});

const entry = (suffix: string, more = {}) => ({
  suffix,
  target_share: 1,
  machine_model: 'vm-raw',
  root_image: 'a.img',
  ...more,
});
const document = (...machinetypes: unknown[]): string => JSON.stringify({ cache_seconds: 60, machinetypes });

const gives =
  (text: string, headers = {}, status = 200): typeof answer =>
  (_, response) => {
    response.writeHead(status, headers).end(text);
  };

function configOf(pipes = `[vacuum_pipe p]\nvacuum_pipe_url = ${server.url}/p\ntarget_share = 2\n`): Config {
  const text = `[settings]\nvac_space = vac01.example.com\n[machinetype own]\nroot_image = /own.img\n${pipes}`;
  const result = loadConfig([{ path: '/vac.conf', text }], { hostFqdn: 'wn01.example.com' });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  return result.config;
}

interface Run {
  readonly pipes: Pipes;
  /** The configurations that came in force by documents. */
  readonly changes: Config[];
  inForce: Config;
  facts: ReadonlyMap<string, PipeFacts>;
}

const names = ({ inForce }: Run): string[] => inForce.machinetypes.map(({ name }) => name);

/** As a vacd that begins; its minutes between two attempts are milliseconds. */
async function begin(config = configOf(), timeoutSeconds = 5, millisecondsPerSecond = 0.2): Promise<Run> {
  const run: { -readonly [K in keyof Run]: Run[K] } = {
    pipes: new Pipes(
      {
        directory,
        log: log.logger,
        timeoutSeconds,
        millisecondsPerSecond,
        onChange: (changed) => {
          run.changes.push(changed);
          run.inForce = changed;
        },
        onFacts: (facts) => {
          run.facts = facts;
        },
      },
      config,
    ),
    changes: [],
    inForce: config,
    facts: new Map(),
  };
  running.push(run.pipes);
  run.inForce = await run.pipes.load();
  run.pipes.begin();
  return run;
}

/** A vacd whose copy is there; it has ended, and its requests are forgotten. */
async function keepCopy(text = document(entry('a')), headers = {}): Promise<void> {
  answer = gives(text, headers);
  const run = await begin(undefined, 5, 1000);
  await until('a copy', async () => (await readdir(directory)).includes('p.json'));
  await run.pipes.close();
  requests = [];
}

const copy = async (): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(directory, 'p.json'), 'utf8'));

describe('a document', () => {
  it('comes into force when it was fetched, and its copy is for root alone', async () => {
    answer = gives(document(entry('a'), entry('b', { target_share: 3 })));
    const run = await begin();
    expect(names(run)).toEqual(['own']);
    await until('machinetypes', () => run.changes.length > 0);
    expect(run.inForce.machinetypes.map(({ name, targetShare }) => [name, targetShare])).toEqual([
      ['own', 0],
      ['p-a', 0.5],
      ['p-b', 1.5],
    ]);
    expect(run.facts.get('p')).toMatchObject({ machinetypes: 2, refused: [], cacheSeconds: 60, problem: null });
    expect((await stat(join(directory, 'p.json'))).mode & 0o777).toBe(0o600);
    expect(requests[0]!.headers).toMatchObject({ accept: 'application/json' });
  });

  it('is asked for again when its time is over, and takes the place of the one before', async () => {
    answer = gives(document(entry('a'), entry('b')));
    const run = await begin();
    await until('both', () => names(run).join() === 'own,p-a,p-b');
    answer = gives(document(entry('b'), entry('c')));
    await until('the others', () => names(run).join() === 'own,p-b,p-c');
    expect(run.changes).toHaveLength(2);
    expect(log.with('machinetypes p-b, p-c')).toHaveLength(1);
  });

  it('that is the same is no change, and makes the copy younger', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('many requests', () => requests.length > 4);
    expect(run.changes).toHaveLength(1);
    expect(log.with('vacuum pipe p')).toEqual(['info: vacuum pipe p: machinetypes p-a']);
  });

  it('that says the same in other words is no change either', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    answer = gives(JSON.stringify({ machinetypes: [entry('a')] }, null, 2));
    await until('the other words', () => run.facts.get('p')?.cacheSeconds === 3600);
    expect(run.changes).toHaveLength(1);
    expect(log.with('vacuum pipe p')).toHaveLength(1);
  });

  it('may take all its machinetypes away', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('one', () => names(run).join() === 'own,p-a');
    answer = gives(document());
    await until('none', () => names(run).join() === 'own');
  });

  it('is asked for by what the server said of it, and 304 confirms it', async () => {
    await keepCopy(document(entry('a')), { etag: '"one"', 'last-modified': 'Sat, 21 Nov 2026 12:00:00 GMT' });
    await writeFile(join(directory, 'p.json'), JSON.stringify({ ...(await copy()), checkedTimeSeconds: 1_000_000 }));
    answer = gives('', {}, 304);
    const run = await begin();
    expect(names(run)).toEqual(['own', 'p-a']);
    await until('two requests', () => requests.length > 1);
    expect(requests[0]!.headers).toMatchObject({
      'if-none-match': '"one"',
      'if-modified-since': 'Sat, 21 Nov 2026 12:00:00 GMT',
    });
    expect(run.changes).toEqual([]);
    expect(run.facts.get('p')).toMatchObject({ machinetypes: 1, problem: null });
    expect((await copy()).checkedTimeSeconds).toBeGreaterThan(1_000_000);
  });

  it('is not asked for with what could not be a header', async () => {
    await keepCopy(document(entry('a')), { etag: `"${'x'.repeat(300)}"` });
    expect(await copy()).toMatchObject({ etag: null, lastModified: null });
  });
});

describe('a pipe that fails', () => {
  it.each<[string, () => typeof answer, RegExp]>([
    ['says no', () => gives('gone', {}, 404), /answers 404, not with a document$/],
    ['says 304 to one that has nothing', () => gives('', {}, 304), /answers 304/],
    ['sends HTML', () => gives('<html></html>'), /is HTML or XML, and no JSON$/],
    ['sends half', () => gives('{"machinetypes": ['), /is no JSON/],
    ['sends too much', () => gives(' '.repeat(2_000_000)), /larger than 262144 bytes$/],
    [
      'sends only what cannot be used',
      () => gives(document(entry('a', { root_image: '/x' }))),
      /has no machinetype that can be used: a root_image = "\/x"/,
    ],
    ['hangs', () => () => {}, /no complete answer within 0.3 s$/],
    ['breaks off', () => (request) => request.socket.destroy(), /cannot be fetched/],
    ['redirects for ever', () => gives('', { location: '/p' }, 302), /redirects more than 3 times$/],
  ])('because its server %s gives nothing, says why once, and is tried again', async (_, make, reason) => {
    answer = make();
    const run = await begin(undefined, 0.3);
    await until('three attempts', () => requests.length > 2);
    await until('a problem', () => run.facts.get('p')?.problem != null);
    expect(run.facts.get('p')?.problem?.message).toMatch(reason);
    expect(run.changes).toEqual([]);
    expect(log.with('it gives no machinetypes')).toHaveLength(1);
    answer = gives(document(entry('a')));
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    expect(run.facts.get('p')?.problem).toBeNull();
    expect(log.with('can be had again')).toHaveLength(1);
  });

  it('leaves the last good copy in force', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    for (const bad of [gives('no'), gives('{}'), gives(document({}, {})), gives('', {}, 500)]) {
      const before = requests.length;
      answer = bad;
      await until('two attempts', () => requests.length > before + 1);
      expect(names(run)).toEqual(['own', 'p-a']);
    }
    expect(run.changes).toHaveLength(1);
    expect(log.with('the last good copy stays in force').length).toBeGreaterThan(2);
    expect(JSON.parse((await copy()).text as string)).toMatchObject({ machinetypes: [{ suffix: 'a' }] });
  });

  it('leaves it in force over a restart, however old, and is asked at once', async () => {
    await keepCopy();
    await writeFile(join(directory, 'p.json'), JSON.stringify({ ...(await copy()), checkedTimeSeconds: 1_000_000 }));
    answer = gives('', {}, 503);
    const run = await begin();
    expect(names(run)).toEqual(['own', 'p-a']);
    await until('a problem', () => run.facts.get('p')?.problem != null);
    expect(names(run)).toEqual(['own', 'p-a']);
    const [problem] = pipeProblems(run.facts, 1_000_000 + 2.5 * 86_400);
    expect(problem).toMatch(/^vacuum pipe p: the copy in force is 2\.5 days old: .*answers 503/);
  });

  it('with some machinetypes that are wrong gives the others', async () => {
    answer = gives(document(entry('a'), entry('b', { root_image: '/etc/shadow' }), entry('../c')));
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    expect(run.facts.get('p')?.refused.map((refused) => refused.entry)).toEqual(['number 3', 'b']);
    expect(log.with('is refused')).toHaveLength(2);
  });

  it('is held up by no other, and holds none up', async () => {
    answer = (request, response) => {
      if (request.url === '/q') response.end(document(entry('a')));
    };
    const two = `[vacuum_pipe p]\nvacuum_pipe_url = ${server.url}/p\n[vacuum_pipe q]\nvacuum_pipe_url = ${server.url}/q\n`;
    const run = await begin(configOf(two), 60);
    await until('the other', () => names(run).join() === 'own,q-a');
    expect(run.facts.get('p')).toMatchObject({ machinetypes: 0, checkedTimeSeconds: null, problem: null });
  });
});

describe('the copy', () => {
  it('is enough while its time is not over: nobody is asked', async () => {
    await keepCopy();
    const run = await begin(undefined, 5, 1000);
    expect(names(run)).toEqual(['own', 'p-a']);
    expect(run.facts.get('p')).toMatchObject({ machinetypes: 1, problem: null });
    await run.pipes.close();
    expect(requests).toEqual([]);
  });

  it('of a time to come is not believed to be fresh', async () => {
    await keepCopy();
    const checkedTimeSeconds = Math.floor(Date.now() / 1000) + 3600;
    await writeFile(join(directory, 'p.json'), JSON.stringify({ ...(await copy()), checkedTimeSeconds }));
    await begin(undefined, 5, 1000);
    await until('a request', () => requests.length > 0);
  });

  it('of another URL is not used', async () => {
    await keepCopy();
    const other = configOf(`[vacuum_pipe p]\nvacuum_pipe_url = ${server.url}/other\n`);
    answer = gives('', {}, 500);
    const run = await begin(other);
    expect(names(run)).toEqual(['own']);
    await until('a problem', () => run.facts.get('p')?.problem != null);
    expect(pipeProblems(run.facts, 0)).toEqual([
      expect.stringMatching(/^vacuum pipe p gives no machinetypes: http.*answers 500/),
    ]);
  });

  it.each([
    '',
    'no JSON',
    '[]',
    '{"version": 2}',
    '{"version": 1, "url": "x", "checkedTimeSeconds": 1, "text": "{}"}',
  ])('that is damaged is told of and fetched anew: %s', async (text) => {
    await writeFile(join(directory, 'p.json'), text);
    answer = gives(document(entry('a')));
    const run = await begin();
    expect(log.with(/p\.json cannot be read: .*; it is fetched anew/)).toHaveLength(1);
    await until('machinetypes', () => names(run).join() === 'own,p-a');
  });

  it('that cannot be written is told of, and the document is in force all the same', async () => {
    answer = gives(document(entry('a')));
    await rm(directory, { recursive: true });
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    expect(log.with('cannot be kept for a restart').length).toBeGreaterThan(0);
    directory = await mkdtemp(join(tmpdir(), 'vac-pipes-'));
  });
});

describe('a changed configuration', () => {
  it('keeps documents that are there, and what it says of options holds at once', async () => {
    answer = gives(document(entry('a')));
    const run = await begin(undefined, 5, 1000);
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    const changed = run.pipes.reconfigure(
      configOf(`[vacuum_pipe p]\nvacuum_pipe_url = ${server.url}/p\ntarget_share = 7\nmax_processors = 8\n`),
    );
    expect(changed.machinetypes[1]).toMatchObject({ name: 'p-a', targetShare: 7, maxProcessors: 8 });
    expect(requests).toHaveLength(1);
  });

  it('brings a pipe, and takes one away', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    const without = run.pipes.reconfigure(configOf(`[vacuum_pipe q]\nvacuum_pipe_url = ${server.url}/q\n`));
    expect(without.machinetypes.map(({ name }) => name)).toEqual(['own']);
    expect([...run.facts.keys()]).toEqual(['q']);
    await until('the new one', () => names(run).join() === 'own,q-a');
    expect(requests.at(-1)!.url).toBe('/q');
  });

  it('with another URL trusts what the old one gave no longer', async () => {
    answer = gives(document(entry('a')));
    const run = await begin();
    await until('machinetypes', () => names(run).join() === 'own,p-a');
    answer = (request, response) => {
      if (request.url === '/new') response.end(document(entry('b')));
    };
    const changed = run.pipes.reconfigure(configOf(`[vacuum_pipe p]\nvacuum_pipe_url = ${server.url}/new\n`));
    expect(changed.machinetypes.map(({ name }) => name)).toEqual(['own']);
    await until('the new one', () => names(run).join() === 'own,p-b');
  });
});

it('after the end nothing is asked, and nothing changes', async () => {
  answer = () => {};
  const run = await begin();
  await until('a request', () => requests.length > 0);
  await run.pipes.close();
  expect(run.changes).toEqual([]);
  expect(log.lines).toEqual([]);
});
