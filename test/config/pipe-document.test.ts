import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PIPE_LIMITS, type PipeDocument, parsePipeDocument } from '../../src/config/pipe-document.js';
import { pipeOptionNames } from '../../src/config/spelling.js';

const data = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'data', name));
const parse = (value: unknown) =>
  parsePipeDocument(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

function good(value: unknown): PipeDocument {
  const parsed = parse(value);
  expect(parsed).toMatchObject({ ok: true });
  return (parsed as { document: PipeDocument }).document;
}

/** What this process computed since, and not what it waited for a processor. */
function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const one = (entry: Record<string, unknown>): PipeDocument => good({ machinetypes: [{ suffix: 'a', ...entry }] });
const refusal = (entry: unknown): string | undefined => good({ machinetypes: [entry] }).refused[0]?.reason;

describe('a document', () => {
  it('is its entries with their options as texts', () => {
    const { cacheSeconds, entries, refused, warnings } = good(data('pipe-ordinary.json').toString());
    expect({ cacheSeconds, refused, warnings }).toEqual({ cacheSeconds: 3600, refused: [], warnings: [] });
    expect(entries.map(({ suffix }) => suffix)).toEqual(['prod', 'test']);
    expect(Object.fromEntries(entries[0]!.options)).toMatchObject({
      target_share: '9',
      user_data_proxy: 'true',
      max_processors: '8',
      user_data_option_cvmfs_proxy:
        'http://squid1.collider.example.org:3128|http://squid2.collider.example.org:3128;DIRECT',
    });
  });

  it('may have the faults that real ones have, each told once', () => {
    const { cacheSeconds, entries, refused, warnings } = good(data('pipe-with-quirks.json').toString());
    expect(cacheSeconds).toBe(7200);
    expect(refused).toEqual([]);
    expect(Object.fromEntries(entries[0]!.options)).toEqual({
      target_share: '2.5',
      machine_model: 'vm-raw',
      root_image: 'https://grid.example.net/image.img',
      user_data: 'https://grid.example.net/user_data',
      user_data_proxy: 'true',
      legacy_proxy: 'False',
      min_processors: '2',
      max_processors: '2',
      max_wallclock_seconds: '86400',
      disk_gb_per_processor: '20',
      image_signing_dn: '/DC=org/DC=example/CN=signer-[0-9]+\\.example\\.org',
      user_data_option_queue: '17',
    });
    expect(warnings).toEqual([
      '"comment" is ignored',
      'cache_seconds is given as text instead of a number',
      'target_share is given as text instead of a number (in small)',
      'vm_model is deprecated; write machine_model (in small)',
      'user_data_proxy is given as text instead of true or false (in small, large)',
      'legacy_proxy is given as text instead of true or false (in small)',
      'vcpu_per_machine is deprecated; write min_processors and max_processors (in small)',
      'vcpu_per_machine is given as text instead of a number (in small)',
      'max_wallclock_seconds is given as text instead of a number (in small)',
      'disk_gb_per_cpu is deprecated; write disk_gb_per_processor (in small)',
      'disk_gb_per_cpu is given as text instead of a number (in small)',
      'cernvm_signing_dn is deprecated; write image_signing_dn (in small)',
      'there is more of this kind',
    ]);
  });

  it.each([
    ['', 'is empty'],
    ['\n', 'is empty'],
    ['<!DOCTYPE html><html></html>', 'is HTML or XML, and no JSON'],
    ['[]', 'is no JSON object'],
    ['null', 'is no JSON object'],
    ['{}', 'has no list "machinetypes"'],
    ['{"machinetypes": {"0": {}}}', 'has no list "machinetypes"'],
    [`{"machinetypes": [${'{},'.repeat(64)}{}]}`, 'has 65 machinetypes, a pipe may have 64'],
    [' '.repeat(PIPE_LIMITS.documentBytes + 1), 'is larger than 262144 bytes'],
  ])('that is none is refused as a whole: %.30j', (text, problem) => {
    expect(parse(text)).toEqual({ ok: false, problem });
  });

  it('is strict JSON, and the message tells where it is not, without a sign that steers terminals', () => {
    const parsed = parse('{"machinetypes": [{"suffix": "a"},]}\u001b[31m');
    expect(parsed).toMatchObject({ ok: false, problem: expect.stringMatching(/^is no JSON: [ -~]*not valid JSON$/) });
  });

  it('is UTF-8, with a byte order mark or without', () => {
    expect(parsePipeDocument(Buffer.from([0x7b, 0xff, 0x7d]))).toEqual({ ok: false, problem: 'is not UTF-8 text' });
    expect(good('\ufeff{"machinetypes": []}')).toMatchObject({ entries: [], refused: [], warnings: [] });
  });

  it.each([
    [undefined, 3600, []],
    [null, 3600, []],
    [60, 60, []],
    [1, 60, ['cache_seconds is 1; 60 is taken (60 to 86400)']],
    [-5, 60, ['cache_seconds is -5; 60 is taken (60 to 86400)']],
    [1e300, 86_400, ['cache_seconds is 1e+300; 86400 is taken (60 to 86400)']],
    [90.5, 91, ['cache_seconds is 90.5; 91 is taken (60 to 86400)']],
    ['soon', 3600, ['cache_seconds is no number; 3600 is taken']],
    [[60], 3600, ['cache_seconds is no number; 3600 is taken']],
  ])('is good for so long: cache_seconds %j is %i', (cache_seconds, cacheSeconds, warnings) => {
    expect(good({ cache_seconds, machinetypes: [] })).toMatchObject({ cacheSeconds, warnings });
  });

  it('may give a number without end as its time', () => {
    expect(good('{"cache_seconds": 1e400, "machinetypes": []}').cacheSeconds).toBe(86_400);
  });
});

describe('an entry', () => {
  it.each([
    [null, 'is no JSON object'],
    [['prod'], 'is no JSON object'],
    [{}, 'has no suffix; it must be text of letters a-z, digits and "-"'],
    [{ suffix: '../x' }, 'has the suffix "../x"; it must be text of letters a-z, digits and "-"'],
    [{ suffix: '' }, 'has the suffix ""; it must be text of letters a-z, digits and "-"'],
    [{ suffix: 'Prod' }, 'has the suffix "Prod"; it must be text of letters a-z, digits and "-"'],
    [{ suffix: 'pr\u043ed' }, 'has the suffix "pr\\u043ed"; it must be text of letters a-z, digits and "-"'],
    [{ suffix: 'a\n' }, 'has the suffix "a\\u000a"; it must be text of letters a-z, digits and "-"'],
    [{ suffix: 3 }, 'has the suffix 3; it must be text of letters a-z, digits and "-"'],
    [{ suffix: { a: 1 } }, 'has the suffix of another kind; it must be text of letters a-z, digits and "-"'],
    [{ suffix: 'a'.repeat(65) }, 'has a suffix longer than 64 characters'],
    [
      { suffix: 'a', 'user_data_option_x-y': '1' },
      '"user_data_option_x-y": what follows user_data_option_ must be of letters a-z, digits and "_", and not empty',
    ],
    [{ suffix: 'a', max_processors: [1] }, 'max_processors must be text, a number, true or false, not a list'],
    [{ suffix: 'a', root_image: {} }, 'root_image must be text, a number, true or false, not an object'],
    [{ suffix: 'a', root_image: 'a\u0000b' }, 'root_image has characters that do not print: "a\\u0000b"'],
    [{ suffix: 'a', user_data: 'a\u202eb' }, 'user_data has characters that do not print: "a\\u202eb"'],
    [{ suffix: 'a', user_data_option_x: '\ud800' }, 'user_data_option_x has characters that do not print: "\\ud800"'],
    [{ suffix: 'a', root_image: 'x'.repeat(2049) }, 'root_image is longer than 2048 characters'],
    [{ suffix: 'a', user_data_option_x: 'x'.repeat(65_537) }, 'user_data_option_x is longer than 65536 characters'],
  ])('that is wrong is refused by itself: %.60j', (entry, reason) => {
    expect(refusal(entry)).toBe(reason);
    const { entries } = good({ machinetypes: [{ suffix: 'before' }, entry, { suffix: 'after' }] });
    expect(entries.map(({ suffix }) => suffix)).toEqual(['before', 'after']);
  });

  it('with a number beyond all bounds is refused', () => {
    const { refused } = good('{"machinetypes": [{"suffix": "a", "max_processors": 1e400}]}');
    expect(refused).toEqual([{ entry: 'a', reason: 'max_processors is a number beyond all bounds' }]);
  });

  it('with more options than any needs is refused', () => {
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`user_data_option_${index}`, 'x']));
    expect(refusal({ suffix: 'a', ...many })).toBe('has 129 options, it may have 128');
  });

  it('of a suffix that was there already is refused, and the first holds', () => {
    const { entries, refused } = good({
      machinetypes: [
        { suffix: 'a', target_share: 1 },
        { suffix: 'a', target_share: 2 },
      ],
    });
    expect(entries.map(({ options }) => options.get('target_share'))).toEqual(['1']);
    expect(refused).toEqual([{ entry: 'a', reason: 'number 2 has the suffix of one before it, which holds' }]);
  });

  it('may set what the table gives to pipes, and nothing else', () => {
    const { entries, warnings } = one({
      machinegroup: 'x',
      machines_dir_days: 1,
      firmware: 'uefi',
      machineoutputs_days: 3,
    });
    expect([...entries[0]!.options]).toEqual([]);
    expect(warnings).toEqual([
      'machinegroup is not for a pipe to say, and is ignored; a site may set it in its [vacuum_pipe] section (in a)',
      'machines_dir_days is not for a pipe to say, and is ignored; a site may set it in its [vacuum_pipe] section (in a)',
      'firmware is not for a pipe to say, and is ignored; a site may set it in its [vacuum_pipe] section (in a)',
      'machineoutputs_days is not for a pipe to say, and is ignored (in a)',
    ]);
  });

  it('has no options by names that all objects have', () => {
    const text =
      '{"machinetypes": [{"suffix": "a", "__proto__": {"root_image": "/x"}, "constructor": "y", "toString": 1}]}';
    const { entries, warnings } = good(text);
    expect([...entries[0]!.options]).toEqual([]);
    expect(warnings).toHaveLength(3);
    expect(refusal(JSON.parse('{"__proto__": {"suffix": "a"}}'))).toMatch(/has no suffix/);
    const list = parse('{"__proto__": {"machinetypes": []}}');
    expect(list).toEqual({ ok: false, problem: 'has no list "machinetypes"' });
  });

  it('has of an old and a new spelling the new one, in whatever order', () => {
    expect([...one({ max_processors: 4, cpu_per_machine: 2 }).entries[0]!.options].sort()).toEqual([
      ['max_processors', '4'],
      ['min_processors', '2'],
    ]);
    expect([...one({ cpu_per_machine: 2, max_processors: 4 }).entries[0]!.options].sort()).toEqual([
      ['max_processors', '4'],
      ['min_processors', '2'],
    ]);
  });

  it('keeps the lines and blanks of substitutions', () => {
    expect(one({ user_data_option_x: ' a\n\tb ' }).entries[0]!.options.get('user_data_option_x')).toBe(' a\n\tb ');
  });
});

describe('any document', () => {
  const key = fc.oneof(
    fc.constantFrom(...pipeOptionNames(), 'suffix', '__proto__', 'vm_model', 'user_data_option_x', 'user_data_file_x'),
    fc.string({ unit: 'binary', maxLength: 8 }),
  );
  const value = fc.oneof(
    fc.constantFrom('a', 'b-1', '../x', 'true', '8', 'https://x.example/i', 1, 0, -1, 1e308, true, null),
    fc.jsonValue(),
  );
  const entry = fc.oneof(
    { weight: 5, arbitrary: fc.dictionary(key, value, { maxKeys: 12 }).map((rest) => ({ suffix: 'a', ...rest })) },
    fc.jsonValue(),
  );
  const text = fc.oneof(
    fc.record({ cache_seconds: value, machinetypes: fc.array(entry, { maxLength: 6 }) }).map((v) => JSON.stringify(v)),
    fc.json(),
    fc.string({ unit: 'binary' }),
  );

  it('gives a result, and every entry of it is told of in one way', () => {
    fc.assert(
      fc.property(text, (json) => {
        const parsed = parse(json);
        if (!parsed.ok) {
          expect(parsed.problem).toMatch(/^[ -~…]+$/);
          return;
        }
        const { entries, refused, warnings, cacheSeconds } = parsed.document;
        expect(entries.length + refused.length).toBe(
          (JSON.parse(json) as { machinetypes: unknown[] }).machinetypes.length,
        );
        expect(cacheSeconds).toBeGreaterThanOrEqual(60);
        expect(cacheSeconds).toBeLessThanOrEqual(86_400);
        for (const { suffix, options } of entries) {
          expect(suffix).toMatch(/^[a-z0-9-]{1,64}$/);
          for (const name of options.keys()) expect(name).toMatch(/^[a-z0-9_]+$/);
        }
        for (const line of [...warnings, ...refused.map(({ reason }) => reason)])
          expect(line).toMatch(/^[ -~…]{1,400}$/);
      }),
      { numRuns: 1000 },
    );
  });

  it('of bytes too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(typeof parsePipeDocument(bytes).ok).toBe('boolean');
      }),
    );
  });

  it.each([
    ['100,000 entries', () => `{"machinetypes":[${'1,'.repeat(99_999)}1]}`, /has 100000 machinetypes/],
    ['brackets without end', () => '['.repeat(250_000), /is no JSON/],
    ['a deep nest', () => `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`, /has no list/],
  ])('is refused, and soon: %s', (_, make, problem) => {
    const text = make();
    const before = process.cpuUsage();
    expect(parse(text)).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
    expect(cpuSecondsSince(before)).toBeLessThan(5);
  });

  it('is read soon however deep what is ignored in it, and however many names nobody knows', () => {
    const deep = `${'['.repeat(120_000)}${']'.repeat(120_000)}`;
    expect(good(`{"machinetypes":[{"suffix":"a","unknown":${deep}}]}`).entries).toHaveLength(1);
    const unknown = (entry: number) =>
      Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`${entry}_${index}maks_processors`, 1]));
    const machinetypes = Array.from({ length: 64 }, (_, index) => ({ suffix: `s${index}`, ...unknown(index) }));
    const before = process.cpuUsage();
    const { entries, warnings } = good({ machinetypes });
    expect(cpuSecondsSince(before)).toBeLessThan(5);
    expect(entries).toHaveLength(64);
    expect(warnings).toHaveLength(13);
  });
});
