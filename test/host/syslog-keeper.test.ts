import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type KeeperOptions, LogKeeper, parseRefused } from '../../src/host/syslog-keeper.js';
import type { LoggedMachine } from '../../src/host/syslog-table.js';

const IP = '169.254.169.1';
const MACHINE: LoggedMachine = { id: '1_prod_h-01', uuid: 'u', machinetype: 'prod', hostname: 'h-01' };
const HOLDERS = new Map([[IP, MACHINE]]);

let root: string;
let logs: string;
let counters: Map<string, number> | null;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-keeper-'));
  logs = join(root, 'logs');
  await mkdir(logs);
  counters = new Map();
});

afterEach(() => rm(root, { recursive: true }));

const keeper = (changes: Partial<Pick<KeeperOptions, 'days' | 'maxMegabytes' | 'hasReadAll'>> = {}) =>
  new LogKeeper({
    logs,
    directory: root,
    factory: 'f.example.com',
    days: 90,
    maxMegabytes: 1,
    datagramsSent: async () => counters,
    ...changes,
  });
const path = () => join(logs, `${MACHINE.id}.log`);
const receive = (count: number, way = 'udp') =>
  appendFile(path(), `2026-11-21T07:00:00Z ${IP} ${way} user.info 2026-11-21T07:00:00Z g t: x\n`.repeat(count));
const said = async () => [...(await readFile(path(), 'utf8')).matchAll(/ vacd: (.*)/g)].map(([, text]) => text);

describe('lines lost by UDP', () => {
  test('are those that were sent and are not in the log, said once, when they had time to come', async () => {
    const keep = keeper();
    await keep.open([[IP, MACHINE]]);
    counters = new Map([[IP, 10]]);
    await receive(7);
    await receive(5, 'tcp');
    await keep.look(HOLDERS);
    expect(await said()).toEqual([]);
    await receive(1);
    await keep.look(HOLDERS);
    await keep.look(HOLDERS);
    const line = '2 lines lost that were sent by UDP: too many at once, or the receiver was away';
    expect(await said()).toEqual([line]);
    expect(keep.lost).toEqual({ udp: 2, full: 0 });
    counters = new Map([[IP, 14]]);
    await keep.close([MACHINE.id]);
    expect(await said()).toEqual([line, line.replace('2 lines', '4 lines')]);
  });

  test('are not those that wait for a receiver that is held up', async () => {
    let isHeldUp = true;
    const keep = keeper({ hasReadAll: async () => !isHeldUp });
    await keep.open([[IP, MACHINE]]);
    counters = new Map([[IP, 5]]);
    for (let look = 0; look < 3; look++) await keep.look(HOLDERS);
    isHeldUp = false;
    await receive(4);
    await keep.look(HOLDERS);
    await keep.look(HOLDERS);
    expect(keep.lost.udp).toBe(1);
  });

  test('are known to a vacd that comes after', async () => {
    const keep = keeper();
    await keep.open([[IP, MACHINE]]);
    await receive(3);
    counters = new Map([[IP, 5]]);
    await keep.look(HOLDERS);
    const next = keeper();
    counters = new Map([[IP, 6]]);
    await next.close([MACHINE.id]);
    expect(next.lost.udp).toBe(3);
  });

  test('are not the lines of the machine before, nor unknown where nobody counts', async () => {
    counters = new Map([[IP, 1000]]);
    const keep = keeper();
    await keep.open([[IP, MACHINE]]);
    await receive(2);
    counters = new Map([[IP, 1002]]);
    await keep.close([MACHINE.id]);
    expect(await said()).toEqual([]);
    counters = null;
    await keep.look(HOLDERS);
    await receive(4);
    counters = new Map([[IP, 5000]]);
    await keep.look(HOLDERS);
    await keep.look(HOLDERS);
    expect(keep.lost.udp).toBe(0);
  });

  test('are counted on when the firewall counts from 0 again', async () => {
    const keep = keeper();
    await keep.open([[IP, MACHINE]]);
    counters = new Map([[IP, 5]]);
    await receive(5);
    await keep.look(HOLDERS);
    counters = new Map([[IP, 2]]);
    await receive(1);
    await keep.close([MACHINE.id]);
    expect(keep.lost.udp).toBe(1);
  });
});

describe('a log that is as large as it may be', () => {
  test('is closed, and says so once; a machine that has its address gone is forgotten', async () => {
    const keep = keeper();
    await writeFile(path(), 'x'.repeat(1_000_000));
    await keep.look(HOLDERS);
    await keep.look(HOLDERS);
    expect([...keep.full]).toEqual([MACHINE.id]);
    expect(await said()).toEqual(['this log has 1 MB (syslog_mb): no more lines are kept here']);
    const bucket = (count: number) =>
      `Sat Nov 21 17:00:00 2026: ${JSON.stringify({ name: 'full', origin: 'dynstats.bucket', values: { [MACHINE.id]: count } })}\n`;
    await writeFile(join(root, 'statistics'), `${bucket(3)}${bucket(8)}`);
    await keep.look(HOLDERS);
    expect(keep.lost.full).toBe(8);
    await keep.close([MACHINE.id]);
    expect((await said()).at(-1)).toBe('at least 8 more lines were not kept here');
    expect([...keep.full]).toEqual([]);
    // rsyslogd tells of it for a day.
    await keep.look(new Map());
    expect(keep.lost.full).toBe(8);
  });

  test('counts are read from what rsyslogd is still writing', () => {
    const values = '"values": {"a": 2}';
    const text = `x: {"name":"global","origin":"dynstats"}\nx: {"name":"full","origin":"dynstats.bucket",${values}}\nx: {"name":"full","origin":"dynstats.bucket","val`;
    expect(parseRefused(text)).toEqual(new Map([['a', 2]]));
  });
});

test('logs are removed after their days, but those of machines that live, and other files', async () => {
  const old = ['2_prod_h-02.log', `${MACHINE.id}.log`, 'note.txt', 'unknown.log'];
  for (const name of [...old, '3_prod_h-03.log']) await writeFile(join(logs, name), 'x\n');
  const longAgo = Date.now() / 1000 - 91 * 86_400;
  for (const name of old) await utimes(join(logs, name), longAgo, longAgo);
  await keeper({ days: 0 }).look(HOLDERS);
  expect(await readdir(logs)).toHaveLength(5);
  await keeper().look(HOLDERS);
  expect((await readdir(logs)).sort()).toEqual([`${MACHINE.id}.log`, '3_prod_h-03.log', 'note.txt'].sort());
});
