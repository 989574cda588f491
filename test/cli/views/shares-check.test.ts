import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sharesCheck } from '../../../src/cli/views/shares-check.js';
import type { MachinetypeStatus } from '../../../src/vacquery/messages.js';
import { answer, TYPES, type, VIEW } from './space.js';

type Changes = Partial<MachinetypeStatus>;

/** Three factories with types a, b and c of shares 10, 20 and 30, and what is other on the third. */
function space(changes: Readonly<Record<string, Changes>> = {}, without: readonly string[] = []) {
  return ['wn1', 'wn2', 'wn10'].map((name) =>
    answer(
      name,
      ['a', 'b', 'c']
        .map((each, index) =>
          type(name, each, { target_share: 10 * (index + 1), ...(name === 'wn10' ? changes[each] : {}) }),
        )
        .filter(({ machinetype }) => name !== 'wn10' || !without.includes(machinetype)),
    ),
  );
}

describe('vac shares --check', () => {
  test('of factories that mean the same is one line', () => {
    expect(sharesCheck(space(), VIEW)).toEqual({
      lines: ['no differences: 3 machinetypes on 3 of 3 factories'],
      differs: false,
    });
  });

  test('takes the same proportions for the same shares', () => {
    const third = { a: { target_share: 1 / 3 }, b: { target_share: 2 / 3 }, c: { target_share: 1 } };
    expect(sharesCheck(space(third), VIEW).differs).toBe(false);
  });

  test.each<[string, Changes, string]>([
    ['a share', { target_share: 25 }, 'b: target_share is 25 on wn10; 20 on 2 other factories'],
    ['a share of nothing', { target_share: 0 }, 'b: target_share is 0 on wn10; 20 on 2 other factories'],
    [
      'a history',
      { decayed_use: 0 },
      'b: use history (share_half_life_hours) is kept on wn10; not kept on 2 other factories',
    ],
    ['a group', { machinegroup: 'g' }, 'b: machinegroup is g on wn10; b on 2 other factories'],
    ['max_processors', { max_processors: 1 }, 'b: max_processors is 1 on wn10; 8 on 2 other factories'],
    [
      'max_wallclock_seconds',
      { max_wallclock_seconds: 7200 },
      'b: max_wallclock_seconds is 7200 on wn10; 86400 on 2 other factories',
    ],
    [
      'memory',
      { bytes_per_processor: 2 ** 30 },
      'b: memory per processor is 1024 MiB on wn10; 2048 MiB on 2 other factories',
    ],
    ['an FQAN', { fqan: '/x' }, 'b: accounting_fqan is /x on wn10; none on 2 other factories'],
  ])('names %s that is other on one factory', (_, changes, text) => {
    const { lines, differs } = sharesCheck(space({ b: changes }), { ...VIEW, columns: 200 });
    expect(lines).toEqual([text]);
    expect(differs).toBe(true);
  });

  test('names a type that a factory lacks, once, although all other shares are other parts there', () => {
    expect(sharesCheck(space({}, ['a']), VIEW).lines).toEqual(['a: missing on wn10; on 2 other factories']);
  });

  test('names a type that one factory has alone', () => {
    const [first, ...others] = space();
    const more = { ...first!, statuses: [...first!.statuses, { status: type('wn1', 'd'), receivedMs: 0 }] };
    expect(sharesCheck([more, ...others], VIEW).lines).toEqual(['d: only on wn1; not on 2 other factories']);
  });

  test('is not misled by what is not told, or did not arrive', () => {
    const [first, second, third] = space({
      b: { target_share: null, machinegroup: null, max_processors: null, max_wallclock_seconds: null },
    });
    const partial = { ...second!, outcome: 'partial' as const, statuses: second!.statuses.slice(0, 1) };
    expect(sharesCheck([first!, partial, third!, answer('wn4', [])], VIEW)).toEqual({
      lines: ['no differences: 3 machinetypes on 3 of 4 factories'],
      differs: false,
    });
  });

  test('of as many factories for the one as for the other takes the first for the usual ones', () => {
    const answers = [8, 8, 4, 4].map((most, index) =>
      answer(`wn${index}`, [type(`wn${index}`, 'a', { max_processors: most })]),
    );
    const { lines } = sharesCheck(answers, VIEW);
    expect(lines).toEqual(['a: max_processors is 4 on wn2, wn3; 8 on 2 other factories']);
    expect(sharesCheck(answers.toReversed(), VIEW).lines).toEqual(lines);
  });

  test('goes on in further lines where one is too narrow', () => {
    expect(sharesCheck(TYPES, VIEW).lines.join('\n')).toMatchInlineSnapshot(
      `"gridpp: missing on wn2; on 2 other factories"`,
    );
  });

  test('of nobody', () => {
    expect(sharesCheck([], VIEW)).toEqual({ lines: ['there is no factory to ask'], differs: false });
  });

  test('finds one changed share and nothing else, whatever the shares and scales are', () => {
    const share = fc.double({ min: 0.01, max: 1000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(share, { minLength: 3, maxLength: 6 }),
        share,
        fc.double({ min: 1.01, max: 3, noNaN: true }),
        fc.nat(),
        (shares, scale, factor, which) => {
          const index = which % shares.length;
          const answers = ['wn1', 'wn2', 'wn3'].map((name) =>
            answer(
              name,
              shares.map((value, each) =>
                type(name, `t${each}`, {
                  target_share: value * (name === 'wn3' ? scale * (each === index ? factor : 1) : 1),
                }),
              ),
            ),
          );
          const { lines } = sharesCheck(answers, { ...VIEW, columns: 500 });
          expect(lines).toHaveLength(1);
          expect(lines[0]).toMatch(new RegExp(`^t${index}: target_share is .* on wn3; .* on 2 other factories$`));
        },
      ),
    );
  });
});
