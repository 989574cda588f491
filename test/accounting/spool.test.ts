import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RecordFile } from '../../src/accounting/record.js';
import { placeOutgoing, SPOOL_STEPS, spoolRecord } from '../../src/accounting/spool.js';
import { StateLayout } from '../../src/machines/layout.js';

const FILE: RecordFile = { day: '20231114', name: '23133099999999' };
const record = (uuid: string, queue = 'prod') => `Queue: ${queue}\nLocalJobId: ${uuid}\n%%\n`;

/** Called back whenever directories have been made, in the moment before they are used. */
const directoriesMade = vi.hoisted(() => ({ moment: async () => {} }));
vi.mock('../../src/host/files.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../src/host/files.js')>();
  const makeDirs: typeof real.makeDirs = async (paths) => {
    await real.makeDirs(paths);
    await directoriesMade.moment();
  };
  return { ...real, makeDirs };
});

let layout: StateLayout;

beforeEach(async () => {
  layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-spool-')));
});
afterEach(async () => {
  directoriesMade.moment = async () => {};
  await rm(layout.root, { recursive: true, force: true });
});

/** All records below a directory, by `<day>/<name>`. */
async function recordsIn(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found[path.slice(directory.length + 1)] = await readFile(path, 'utf8');
  }
  return found;
}

/** As ssmsend does it: takes every record and removes the directories that it has emptied. */
class Sender {
  readonly sent: string[] = [];

  async run(): Promise<void> {
    const days = await readdir(layout.apelOutgoing()).catch(() => []);
    for (const day of days.map((name) => join(layout.apelOutgoing(), name))) {
      for (const name of await readdir(day)) {
        this.sent.push(await readFile(join(day, name), 'utf8'));
        await rm(join(day, name));
      }
      await rmdir(day).catch((error) => expect(error.code).toBe('ENOTEMPTY'));
    }
  }
}

async function machine(id: string): Promise<string> {
  await mkdir(layout.machine(id), { recursive: true });
  return layout.machine(id);
}

async function spool(
  uuid: string,
  options: { outgoing?: boolean; queue?: string; onStep?: (name: string) => void | Promise<void> } = {},
) {
  const { outgoing = true, queue, onStep } = options;
  await spoolRecord(layout, await machine(uuid), record(uuid, queue), FILE, { outgoing }, onStep);
}

const crashAt = (step: string) => (name: string) => {
  if (name === step) throw new Error(`crash at ${step}`);
};

describe('spoolRecord', () => {
  it('tells its steps in order, and none when all is done', async () => {
    const told: string[] = [];
    await spool('a', { onStep: (name) => void told.push(name) });
    expect(told).toEqual(SPOOL_STEPS);
    await spool('a', { onStep: (name) => void told.push(name) });
    expect(told).toEqual(SPOOL_STEPS);
  });

  it('puts the record into both places under one name, readable, and leaves nothing in the machine', async () => {
    await spool('a');
    const expected = { '20231114/23133099999999': record('a') };
    expect(await recordsIn(layout.apelArchive())).toEqual(expected);
    expect(await recordsIn(layout.apelOutgoing())).toEqual(expected);
    expect(await readdir(layout.machine('a'))).toEqual([]);
    expect((await stat(join(layout.apelOutgoing(), '20231114/23133099999999'))).mode & 0o777).toBe(0o644);
  });

  it('keeps it in the archive alone when it is not to be sent', async () => {
    await spool('a', { outgoing: false });
    await spool('a', { outgoing: false });
    expect(Object.values(await recordsIn(layout.apelArchive()))).toEqual([record('a')]);
    expect(await recordsIn(layout.apelOutgoing())).toEqual({});
    expect(await readdir(layout.machine('a'))).toEqual([]);
  });

  it('does not send later what was kept for the archive', async () => {
    await spool('a', { outgoing: false });
    await spool('a', { outgoing: true });
    expect(await recordsIn(layout.apelOutgoing())).toEqual({});
  });
});

describe('whatever crashes', () => {
  // A crash before each step, and one after the last, before the caller could note that all is done.
  const crashPoints = [...SPOOL_STEPS, 'after all'];
  const pairs = crashPoints.flatMap((first) => crashPoints.map((second) => [first, second] as const));

  it.each(pairs)('the record is sent once and archived once (%s, then %s)', async (first, second) => {
    const sender = new Sender();
    for (const crashPoint of [first, second, 'never']) {
      await spool('a', {
        onStep: async (name) => {
          await sender.run();
          crashAt(crashPoint)(name);
        },
      }).catch((error: Error) => expect(error.message).toBe(`crash at ${crashPoint}`));
      await sender.run();
    }
    expect(sender.sent).toEqual([record('a')]);
    expect(Object.values(await recordsIn(layout.apelArchive()))).toEqual([record('a')]);
    expect(await readdir(layout.machine('a'))).toEqual([]);
  });

  it.each(SPOOL_STEPS)('one record is made, of the configuration in force at the end (%s)', async (step) => {
    await expect(spool('a', { queue: 'before', onStep: crashAt(step) })).rejects.toThrow(`crash at ${step}`);
    await spool('a', { queue: 'after' });
    expect(Object.values(await recordsIn(layout.apelArchive()))).toEqual([record('a', 'after')]);
    expect(Object.values(await recordsIn(layout.apelOutgoing()))).toEqual([record('a', 'after')]);
  });
});

it('a sender that removes an empty directory just before it is used does no harm', async () => {
  const sender = new Sender();
  let removals = 3;
  directoriesMade.moment = async () => {
    if (removals > 0 && (await readdir(layout.apelOutgoing()).catch(() => [])).length > 0) {
      removals -= 1;
      await sender.run();
    }
  };
  await spool('a');
  expect(removals).toBe(0);
  await sender.run();
  expect(sender.sent).toEqual([record('a')]);
});

describe('records that want one name', () => {
  const expected = {
    '20231114/23133099999999': record('a'),
    '20231114/23133000000000': record('b'),
    '20231114/23133000000001': record('c'),
  };

  it('get the next digits, find themselves again, and never replace each other', async () => {
    for (const uuid of ['a', 'b', 'c', 'c', 'b', 'a']) await spool(uuid);
    expect(await recordsIn(layout.apelArchive())).toEqual(expected);
    expect(await recordsIn(layout.apelOutgoing())).toEqual(expected);
  });

  it('find their own name again after a crash', async () => {
    await spool('a');
    await expect(spool('b', { onStep: crashAt('record-released') })).rejects.toThrow();
    await spool('c');
    await spool('b');
    expect(await recordsIn(layout.apelArchive())).toEqual(expected);
    expect(await recordsIn(layout.apelOutgoing())).toEqual(expected);
  });

  it('do so when they come at the same moment', async () => {
    const uuids = Array.from({ length: 16 }, (_, index) => `machine-${index}`);
    await Promise.all(uuids.map((uuid) => spool(uuid)));
    expect(Object.values(await recordsIn(layout.apelArchive())).sort()).toEqual(
      uuids.map((uuid) => record(uuid)).sort(),
    );
    expect(Object.values(await recordsIn(layout.apelOutgoing())).sort()).toEqual(
      uuids.map((uuid) => record(uuid)).sort(),
    );
  });
});

describe('placeOutgoing', () => {
  const outgoing = () => recordsIn(layout.apelOutgoing());

  it('puts a message under its name once, and another text beside it', async () => {
    expect(await placeOutgoing(layout, 'one', FILE)).toBe(true);
    expect(await placeOutgoing(layout, 'one', FILE)).toBe(false);
    expect(await placeOutgoing(layout, 'other', FILE)).toBe(true);
    expect(await outgoing()).toEqual({ '20231114/23133099999999': 'one', '20231114/23133000000000': 'other' });
  });

  it('does so while a sender removes the directory just before it is used', async () => {
    const sender = new Sender();
    let removals = 3;
    directoriesMade.moment = async () => {
      removals -= 1;
      if (removals >= 0) await sender.run();
    };
    await placeOutgoing(layout, 'one', FILE);
    expect(removals).toBeLessThan(0);
    expect(await outgoing()).toEqual({ '20231114/23133099999999': 'one' });
  });

  it('leaves nothing half done', async () => {
    for (const step of ['message-staged', 'message-placed']) {
      await expect(placeOutgoing(layout, 'one', FILE, crashAt(step))).rejects.toThrow(`crash at ${step}`);
    }
    expect(await outgoing()).toEqual({});
  });
});
