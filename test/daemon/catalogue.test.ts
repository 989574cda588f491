import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCatalogue, readCatalogue } from '../../src/daemon/catalogue.js';

const PATH = '/state/space-catalogue.json';

test('entries by factory, in lower case', () => {
  const text =
    '{"WN1.example.com": {"max_processors": 64, "max_machines": 32, "max_hs06": 640.5}, "wn2.example.com": {"max_hs06": 0}}';
  const result = parseCatalogue(PATH, text);
  expect(result).toEqual({
    ok: true,
    entries: new Map([
      ['wn1.example.com', { max_processors: 64, max_machines: 32, max_hs06: 640.5 }],
      ['wn2.example.com', { max_hs06: 0 }],
    ]),
  });
});

test('no file, no entries', async () => {
  expect(await readCatalogue('/nonexistent/space-catalogue.json')).toEqual({ ok: true, entries: new Map() });
});

test.each([
  ['', 'is no JSON: '],
  ['{"wn1.example.com": {"max_hs06": 1},}', 'is no JSON: '],
  ['[]', 'expected an object {"factory": {max_processors, max_machines, max_hs06}}'],
  ['null', 'expected an object {"factory"'],
  ['{"wn1": {"max_hs06": 1}}', '"wn1": expected a fully qualified domain name'],
  ['{"a b.example.com": {"max_hs06": 1}}', '"a b.example.com": expected a fully qualified domain name'],
  ['{"wn1.example.com": 64}', '"wn1.example.com": expected an object with max_processors, max_machines, max_hs06'],
  ['{"wn1.example.com": {}}', '"wn1.example.com": expected an object with max_processors'],
  [
    '{"wn1.example.com": {"max_procs": 1}}',
    '"wn1.example.com": unknown key "max_procs"; the keys are max_processors, max_machines, max_hs06',
  ],
  ['{"wn1.example.com": {"__proto__": 1}}', 'unknown key "__proto__"'],
  [
    '{"wn1.example.com": {"max_processors": "64"}}',
    '"wn1.example.com": max_processors = "64": expected a whole number, 0 or more',
  ],
  ['{"wn1.example.com": {"max_machines": 1.5}}', 'max_machines = 1.5: expected a whole number'],
  ['{"wn1.example.com": {"max_machines": -1}}', 'max_machines = -1: expected a whole number, 0 or more'],
  ['{"wn1.example.com": {"max_hs06": -0.1}}', 'max_hs06 = -0.1: expected a number, 0 or more'],
  ['{"wn1.example.com": {"max_hs06": 1e999}}', 'max_hs06 = null: expected a number, 0 or more'],
  [
    '{"wn1.example.com": {"max_hs06": 1}, "WN1.example.com": {"max_hs06": 2}}',
    '"WN1.example.com": is there twice; remove one',
  ],
])('%s is refused as a whole, with its place', (text, problem) => {
  const result = parseCatalogue(PATH, text);
  expect(result.ok).toBe(false);
  expect(!result.ok && result.problem.startsWith(`${PATH}: `)).toBe(true);
  expect(!result.ok && result.problem).toContain(problem);
});

test('one that cannot be read says why', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'vac-catalogue-'));
  try {
    // A directory in its place: root reads files of any mode.
    const result = await readCatalogue(directory);
    expect(result).toEqual({
      ok: false,
      problem: `${directory}: cannot be read: EISDIR: illegal operation on a directory, read`,
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('any JSON gives entries or one line', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      const result = parseCatalogue(PATH, text);
      if (!result.ok) expect(result.problem).toMatch(/^[^\n]+$/);
    }),
  );
});
