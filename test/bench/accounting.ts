/**
 * What a record costs, and whether the records of 10,000 machines over month ends and 1,000 crashes of vacd are their
 * use, each once (test/accounting/many-machines.ts; the test suite does the same with fewer).
 */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountEnd } from '../../src/accounting/account.js';
import { recordsOfMonth } from '../../src/accounting/archive.js';
import { recordText } from '../../src/accounting/formats.js';
import { piecesOfEnd } from '../../src/accounting/pieces.js';
import { StateLayout } from '../../src/machines/layout.js';
import { accountMany } from '../accounting/many-machines.js';
import { SITE } from '../accounting/samples.js';
import { testRecord } from '../machines/record.js';
import { type Figure, figure } from './figure.js';

const RECORDS = 300;
const TEXTS = 20_000;
const STARTED = 1_700_000_000;
const END = { timeSeconds: STARTED + 86_400, message: null, cpuSeconds: 80_000, reason: 'bench' };

/** CPU of this process, milliseconds. */
function cpuMs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

export async function accountingFigures(): Promise<Figure[]> {
  return [...textFigures(), ...(await spoolFigures()), ...(await manyFigures())];
}

function textFigures(): Figure[] {
  const life = { startedTimeSeconds: STARTED, points: [] };
  const point = { timeSeconds: END.timeSeconds, cpuSeconds: END.cpuSeconds, suspendedSeconds: 0 };
  const record = testRecord();
  const began = process.cpuUsage();
  for (let count = 0; count < TEXTS; count += 1) {
    const [piece] = piecesOfEnd(life, [], point, { byMonth: true, nowSeconds: END.timeSeconds });
    recordText({ record, site: SITE, piece: piece!, before: [] });
  }
  return [figure('accounting: text of a record, CPU', (cpuMs(began) * 1000) / TEXTS, 'µs')];
}

/** On the disk of the temporary files, with all that makes it outlive a crash of the host. */
async function spoolFigures(): Promise<Figure[]> {
  const layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-bench-accounting-')));
  try {
    const began = process.cpuUsage();
    const beganMs = performance.now();
    for (let index = 0; index < RECORDS; index += 1) {
      const record = testRecord({ id: `m${index}`, uuid: `uuid-${index}` });
      await mkdir(layout.machine(record.id), { recursive: true });
      const life = { startedTimeSeconds: STARTED, points: [] };
      const how = { byMonth: true, nowSeconds: END.timeSeconds };
      await accountEnd({ layout, record, site: SITE, life }, END, how);
    }
    const [tookMs, usedMs] = [performance.now() - beganMs, cpuMs(began)];
    const readFrom = process.cpuUsage();
    let read = 0;
    for await (const { parsed } of recordsOfMonth(layout, '202311')) read += parsed === null ? 0 : 1;
    return [
      figure('accounting: a record written and spooled', tookMs / RECORDS, 'ms'),
      figure('accounting: a record written and spooled, CPU', usedMs / RECORDS, 'ms'),
      figure('accounting: a record of the archive read, CPU', (cpuMs(readFrom) * 1000) / read, 'µs'),
    ];
  } finally {
    await rm(layout.root, { recursive: true, force: true });
  }
}

async function manyFigures(): Promise<Figure[]> {
  const directory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const began = process.cpuUsage();
  const outcome = await accountMany(1, { machines: 10_000, crashes: 1000, directory });
  const what = `${outcome.records} records of ${outcome.machines} machines, ${outcome.crashes} crashes`;
  for (const problem of outcome.problems.slice(0, 20)) process.stderr.write(`accounting: ${problem}\n`);
  return [
    figure('accounting: differences from what was used', outcome.problems.length, '', { value: 0, what }),
    figure('accounting: all of that, CPU', cpuMs(began) / 1000, 's'),
  ];
}
