/** One record of each kind, as etc/accounting-samples.md shows them. */

import { type AccountingSite, recordText } from '../../src/accounting/formats.js';
import { type Piece, piecesOfEnd, piecesUntil } from '../../src/accounting/pieces.js';
import { syncText } from '../../src/accounting/sync.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { testRecord } from '../machines/record.js';

export const SITE: AccountingSite = {
  gocdbSitename: 'EXAMPLE-LCG2',
  space: 'vac01.example.com',
  factory: 'factory1.example.com',
  infrastructure: 'grid',
};

const STARTED = Date.UTC(2026, 9, 30, 6, 30) / 1000;
const ENDED = Date.UTC(2026, 10, 2, 7, 0) / 1000;
const MONTH_END = Date.UTC(2026, 10, 1) / 1000;
const LIFE = { startedTimeSeconds: STARTED, points: [] };
const END = { timeSeconds: ENDED, cpuSeconds: 950_000, suspendedSeconds: 0 };
const WHOLE = piecesOfEnd(LIFE, [], END, { byMonth: false, nowSeconds: ENDED });
const PARTS = piecesOfEnd(LIFE, [], END, { byMonth: true, nowSeconds: ENDED });

function sample(changes: Partial<MachineRecord>, pieces: readonly Piece[], index = 0): string {
  return recordText({
    record: testRecord({ hs06PerProcessor: 9.1, ...changes }),
    site: SITE,
    piece: pieces[index]!,
    before: pieces.slice(0, index),
  });
}

const running = piecesUntil({ ...LIFE, points: [END] }, [], MONTH_END);

/** By the title that it has in the documentation. */
export const SAMPLES: Readonly<Record<string, string>> = {
  'apel-v0.3': sample({}, WHOLE),
  'apel-v0.3 with hepscore23_per_processor': sample({ hepscore23PerProcessor: 10 }, WHOLE),
  'apel-v0.4': sample({ accountingFormat: 'apel-v0.4', hepscore23PerProcessor: 10 }, WHOLE),
  'apel-v0.3, the part of October': sample({}, PARTS, 0),
  'apel-v0.3, the rest': sample({}, PARTS, 1),
  'cloud-v0.4, at the end of October': sample({ accountingFormat: 'cloud-v0.4', hepscore23PerProcessor: 10 }, [
    ...running,
  ]),
  'cloud-v0.4, completed': sample({ accountingFormat: 'cloud-v0.4', hepscore23PerProcessor: 10 }, PARTS, 1),
  sync: syncText([
    {
      site: 'EXAMPLE-LCG2',
      submitHost: 'vac01.example.com/vac-factory1.example.com',
      month: '202610',
      jobs: 1204,
    },
  ]),
};
