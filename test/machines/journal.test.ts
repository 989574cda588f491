import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import type { MachineEnd, StopRequest } from '../../src/factory/types.js';
import { Journal } from '../../src/machines/journal.js';
import { JOURNAL, StateLayout } from '../../src/machines/layout.js';
import { testRecord } from './record.js';

const RECORD = testRecord();
const NOW = RECORD.createdTimeSeconds + 100;
const END: MachineEnd = { timeSeconds: 1_700_050_000, message: '200 Success', cpuSeconds: 123.4, reason: 'by itself' };
const STOP: StopRequest = {
  reason: 'its time is over',
  message: '100 Past shutdowntime',
  overrides: false,
  politely: true,
  requestedTimeSeconds: 1_700_049_000,
};

let root: string;
let layout: StateLayout;
let journal: Journal;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-journal-'));
  layout = new StateLayout(root);
  for (const directory of layout.directories()) await mkdir(directory, { recursive: true });
  journal = new Journal(layout);
});

afterEach(() => rm(root, { recursive: true }));

/** The one machine that the directories tell of. */
async function only() {
  const { entries, unreadable } = await journal.readAll();
  expect(unreadable).toEqual([]);
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

describe("a machine's life, as a vacd that starts at each point finds it", () => {
  it('is a start from its intent on', async () => {
    await journal.open(RECORD);
    expect(await only()).toEqual({
      record: { version: 1, ...RECORD },
      phase: 'starting',
      startedTimeSeconds: null,
      heartbeatTimeSeconds: null,
      cpuSeconds: 0,
      shutdownTimeSeconds: RECORD.firstShutdownTimeSeconds,
      stop: null,
      suspension: null,
      pastSuspensions: NO_SUSPENSIONS,
      end: null,
    });
    expect(await readdir(layout.tmp())).toEqual([]);
  });

  it('is a start still, after the domain was written and before libvirt had it', async () => {
    await journal.open(RECORD);
    await journal.takeSlot(RECORD);
    await journal.writeDomain(RECORD, '<domain/>');
    expect((await only()).phase).toBe('starting');
  });

  it('runs from its started file on, with its latest heartbeat and shutdowntime', async () => {
    await journal.open(RECORD);
    await journal.started(RECORD, 1_700_000_009);
    await journal.heartbeat(RECORD, 456.7, 98.76);
    await mkdir(layout.inMachine(RECORD.id, 'machinefeatures'));
    await writeFile(layout.inMachine(RECORD.id, 'machinefeatures/shutdowntime'), '1700040000');
    await utimes(layout.inMachine(RECORD.id, JOURNAL.heartbeat), 1_700_000_500, 1_700_000_500);
    expect(await only()).toMatchObject({
      phase: 'running',
      startedTimeSeconds: 1_700_000_009,
      heartbeatTimeSeconds: 1_700_000_500,
      cpuSeconds: 457,
      shutdownTimeSeconds: 1_700_040_000,
    });
    expect(await readFile(layout.inMachine(RECORD.id, JOURNAL.heartbeat), 'utf8')).toBe('457 98.8');
  });

  it('keeps what it was asked, its end, and that it was cleared', async () => {
    await journal.open(RECORD);
    await journal.started(RECORD, 1_700_000_009);
    await journal.stopping(RECORD, STOP);
    expect(await only()).toMatchObject({ phase: 'running', stop: STOP, end: null });
    await journal.finished(RECORD, END);
    expect(await only()).toMatchObject({ phase: 'ended', stop: STOP, end: END });
    await journal.cleared(RECORD);
    expect(await only()).toMatchObject({ phase: 'cleared', end: END });
  });

  it('is suspended as long as its file says so, and what is over of it is counted once', async () => {
    const suspension = { by: 'overnight' as const, sinceSeconds: 1_700_000_100, reason: 'owner active on seat0' };
    await journal.open(RECORD);
    await journal.started(RECORD, 1_700_000_009);
    await journal.suspended(RECORD, suspension);
    expect(await only()).toMatchObject({ phase: 'running', suspension, pastSuspensions: { count: 0, seconds: 0 } });
    expect(await journal.resumed(RECORD, suspension, 1_700_000_160)).toEqual({ count: 1, seconds: 60 });
    expect(await only()).toMatchObject({ suspension: null, pastSuspensions: { count: 1, seconds: 60 } });
    // vacd died between the two writes: the file was still there, and the machine is resumed again.
    await journal.suspended(RECORD, suspension);
    expect(await journal.resumed(RECORD, suspension, 1_700_000_900)).toEqual({ count: 1, seconds: 60 });
    await journal.resumed(RECORD, { ...suspension, sinceSeconds: 1_700_001_000 }, 1_700_001_001);
    expect(await only()).toMatchObject({ suspension: null, pastSuspensions: { count: 2, seconds: 61 } });
  });

  it.each(['', '{', '7', '{"by": 1}'])('is not lost over a suspension that cannot be read: %j', async (text) => {
    await journal.open(RECORD);
    await journal.started(RECORD, 1_700_000_009);
    await writeFile(layout.inMachine(RECORD.id, JOURNAL.suspended), text);
    await writeFile(layout.inMachine(RECORD.id, JOURNAL.suspensions), text);
    expect(await only()).toMatchObject({ suspension: null, pastSuspensions: { count: 0, seconds: 0 } });
  });

  it('is over without a started file when its creation failed', async () => {
    await journal.open(RECORD);
    await journal.finished(RECORD, END);
    expect(await only()).toMatchObject({ phase: 'ended', startedTimeSeconds: null });
  });

  it('is forgotten with its directory, but not with its log; again, nothing happens', async () => {
    await journal.open(RECORD);
    await mkdir(`${layout.root}/logs`, { recursive: true });
    await writeFile(layout.machineLog(RECORD.id), 'said');
    await journal.forget(RECORD);
    await journal.forget(RECORD);
    expect(await readdir(layout.machines())).toEqual([]);
    expect(await readdir(layout.tmp())).toEqual([]);
    expect(await readFile(layout.machineLog(RECORD.id), 'utf8')).toBe('said');
  });
});

describe('an intent', () => {
  it('takes the place of what a vacd left that died while it made the same', async () => {
    await mkdir(join(layout.tmp(), RECORD.id, 'rest'), { recursive: true });
    await journal.open(RECORD);
    expect(await readdir(layout.machine(RECORD.id))).toEqual([JOURNAL.record]);
  });

  it('never takes the place of a machine', async () => {
    await journal.open(RECORD);
    await journal.started(RECORD, 1_700_000_009);
    await expect(journal.open(RECORD)).rejects.toMatchObject({ code: 'ENOTEMPTY' });
    expect((await only()).phase).toBe('running');
  });
});

describe('the time of a start that was never recorded', () => {
  it('is when libvirt was asked, by the age of the domain file', async () => {
    await journal.open(RECORD);
    await journal.writeDomain(RECORD, '<domain/>');
    await utimes(layout.inMachine(RECORD.id, JOURNAL.domain), 1_700_000_005.9, 1_700_000_005.9);
    expect(await journal.askedTimeSeconds(RECORD)).toBe(1_700_000_005);
  });

  it('is its creation where that is later, or there is no such file', async () => {
    await journal.open(RECORD);
    expect(await journal.askedTimeSeconds(RECORD)).toBe(RECORD.createdTimeSeconds);
    await journal.writeDomain(RECORD, '<domain/>');
    await utimes(layout.inMachine(RECORD.id, JOURNAL.domain), 5, 5);
    expect(await journal.askedTimeSeconds(RECORD)).toBe(RECORD.createdTimeSeconds);
  });
});

describe('slots', () => {
  it('say who has them (SPEC 5), and are given back', async () => {
    await journal.takeSlot(RECORD);
    expect(await readFile(layout.slot(RECORD.hostname), 'utf8')).toBe('1700000000 prod vm-raw');
    await journal.freeSlot(RECORD);
    await journal.freeSlot(RECORD);
    expect(await readdir(layout.slots())).toEqual([]);
  });

  it('are not given back by an earlier machine than has them now', async () => {
    await journal.takeSlot(testRecord({ createdTimeSeconds: RECORD.createdTimeSeconds + 60 }));
    await journal.freeSlot(RECORD);
    expect(await readdir(layout.slots())).toEqual([RECORD.hostname]);
  });
});

describe('last ends', () => {
  it('are kept by machinetype, that of the most recently created machine', async () => {
    const later = testRecord({ createdTimeSeconds: RECORD.createdTimeSeconds + 60, hostname: 'later' });
    await journal.keepLastEnd(later, { ...END, message: '300 No more work' }, NOW);
    await journal.keepLastEnd(RECORD, END, NOW);
    await journal.keepLastEnd(testRecord({ machinetype: 'test' }), END, NOW);
    expect([...(await journal.lastEnds())].sort()).toEqual([
      [
        'prod',
        {
          createdTimeSeconds: later.createdTimeSeconds,
          timeSeconds: END.timeSeconds,
          message: '300 No more work',
          hostname: 'later',
        },
      ],
      ['test', expect.objectContaining({ message: '200 Success' })],
    ]);
  });

  it('are not hidden by one from before the clock was set back', async () => {
    const ahead = testRecord({ createdTimeSeconds: RECORD.createdTimeSeconds + 3600, hostname: 'ahead' });
    await journal.keepLastEnd(ahead, END, ahead.createdTimeSeconds);
    await journal.keepLastEnd(RECORD, END, NOW);
    expect((await journal.lastEnds()).get('prod')?.hostname).toBe(RECORD.hostname);
    // Clocks of one host that differ by minutes are no reason to forget what came later.
    const soon = testRecord({ createdTimeSeconds: NOW + 299, hostname: 'soon' });
    await journal.keepLastEnd(soon, END, NOW);
    await journal.keepLastEnd(RECORD, END, NOW);
    expect((await journal.lastEnds()).get('prod')?.hostname).toBe('soon');
  });

  it('are written anew over a file that cannot be read', async () => {
    await writeFile(layout.finish('prod'), 'torn{');
    expect(await journal.lastEnds()).toEqual(new Map());
    await journal.keepLastEnd(RECORD, END, NOW);
    expect((await journal.lastEnds()).get('prod')?.message).toBe('200 Success');
  });
});

describe('directories that tell of no machine', () => {
  it('are reported by name, and hide no other machine', async () => {
    await journal.open(RECORD);
    await mkdir(layout.machine('empty'));
    await mkdir(layout.machine('torn'));
    await writeFile(layout.inMachine('torn', JOURNAL.record), '{');
    await mkdir(layout.machine('copied'));
    await writeFile(layout.inMachine('copied', JOURNAL.record), JSON.stringify({ version: 1, ...RECORD }));
    await mkdir(layout.machine('newer'));
    await writeFile(layout.inMachine('newer', JOURNAL.record), JSON.stringify({ version: 2, ...RECORD, id: 'newer' }));
    await writeFile(layout.machine('a-file'), '');
    const { entries, unreadable } = await journal.readAll();
    expect(entries.map(({ record }) => record.id)).toEqual([RECORD.id]);
    expect(unreadable.map(({ name }) => name)).toEqual(['a-file', 'copied', 'empty', 'newer', 'torn']);
    expect(unreadable.find(({ name }) => name === 'newer')?.problem).toContain('version 2');
    expect(unreadable.find(({ name }) => name === 'empty')?.problem).toBe('no machine.json in it');
  });
});
