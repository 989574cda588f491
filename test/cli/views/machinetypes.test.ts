import { describe, expect, test } from 'vitest';
import { machinetypesView, machinetypeView } from '../../../src/cli/views/machinetypes.js';
import { answer, NOW, TYPES, type, VIEW, WIDE } from './space.js';

type View = Parameters<typeof machinetypesView>[1];
const all = (view: View, answers = TYPES) => machinetypesView(answers, view).join('\n');
const one = (name: string, view: View, answers = TYPES) => machinetypeView(name, answers, view)?.join('\n') ?? null;

describe('vac machinetypes', () => {
  test('on 80 columns', () => {
    expect(all(VIEW)).toMatchInlineSnapshot(`
      "MACHINETYPE  WANTED   NOW  MACH  PROC   HS06  ENDED  LAST OUTCOME
      atlas-prod     56 %   0 %     0     0      0    11m  300 No more work available…
      gridpp          3 %  24 %     2    16    168     1m  ended without a word
      lhcb-prod      28 %  72 %     6    48    504    59m  200 Success
      lhcb-user      14 %   4 %     3     3   31.5
      total                        11    67  703.5
      4 machinetypes on 3 of 4 factories"
    `);
  });

  test('on 120 columns', () => {
    expect(all(WIDE)).toMatchInlineSnapshot(`
      "MACHINETYPE  WANTED   NOW  MACH  PROC   HS06  NEW  FACT  ENDED  HOST    LAST OUTCOME
      atlas-prod     56 %   0 %     0     0      0    0     3    11m  wn1-02  300 No more work available from task queue
      gridpp          3 %  24 %     2    16    168    0     2     1m  wn1-02  ended without a word
      lhcb-prod      28 %  72 %     6    48    504    3     3    59m  wn2-01  200 Success
      lhcb-user      14 %   4 %     3     3   31.5    0     3
      total                        11    67  703.5
      4 machinetypes on 3 of 4 factories"
    `);
  });

  test('counts shares by the configuration where there is one, with types that no factory has', () => {
    const configured = [
      { name: 'lhcb-prod', machinegroup: 'lhcb', targetShare: 3 },
      { name: 'planned', machinegroup: 'planned', targetShare: 1 },
    ];
    const text = all(VIEW, [answer('wn1', [type('wn1', 'lhcb-prod', { target_share: 99 })])]);
    expect(text).toMatch(/^lhcb-prod +100 %/m);
    const withConfiguration = all({ ...VIEW, configured }, [answer('wn1', [type('wn1', 'lhcb-prod')])]);
    expect(withConfiguration).toMatch(/^lhcb-prod +75 % .*\nplanned +25 % +0 % +0 /m);
  });

  test('knows no shares where no factory tells its own, as the predecessor’s do not', () => {
    const answers = [
      answer('wn1', [type('wn1', 'a', { target_share: null }), type('wn1', 'b', { target_share: null })]),
    ];
    expect(all(VIEW, answers)).toMatch(/^a +- +0 %/m);
  });

  test('believes most factories where they tell different shares', () => {
    const answers = [4, 1, 1].map((share, index) =>
      answer(`wn${index}`, [type(`wn${index}`, 'a', { target_share: share }), type(`wn${index}`, 'b')]),
    );
    expect(all(VIEW, answers)).toMatch(/^a +50 % /m);
  });

  test('shows the newest end, by the clocks of the factories', () => {
    const at = (name: string, time_sent: number, shutdown_time: number, message: string) =>
      answer(name, [type(name, 'a', { time_sent, shutdown_time, shutdown_message: message })]);
    const answers = [
      at('wn1', NOW + 9_000, NOW + 8_000, '200 late clock'),
      at('wn2', NOW, NOW - 500, '300 right clock'),
    ];
    expect(all(VIEW, answers)).toMatch(/ 8m +wn2 +300 right clock$/m);
  });

  test('of nobody', () => {
    expect(all(VIEW, [])).toBe('there is no factory to ask');
    expect(all(VIEW, [answer('wn1', [])])).toBe('0 machinetypes on 0 of 1 factory');
  });
});

describe('vac machinetype NAME', () => {
  test('on 80 columns', () => {
    expect(one('atlas-prod', VIEW)).toMatchInlineSnapshot(`
      "FACTORY  SHARE  MACH  PROC  HS06  NEW  ENDED  HOST     LAST OUTCOME
      wn1         20     0     0     0    0    11m  wn1-02   300 No more work availab…
      wn2         20     0     0     0    0    11m  wn2-02   300 No more work availab…
      wn10        20     0     0     0    0    11m  wn10-02  300 No more work availab…
      total              0     0     0    0
      atlas-prod: now 0 % of the running power on 3 of 4 factories, 56 % wanted;
        newest end 11m ago on wn1-02.example.com: 300 No more work available from task
        queue"
    `);
  });

  test('on 120 columns, of one that not all have', () => {
    expect(one('gridpp', WIDE)).toMatchInlineSnapshot(`
      "FACTORY  SHARE  MACH  PROC  HS06  NEW  ENDED  HOST     LAST OUTCOME
      wn1          1     1     8    84    0     1m  wn1-02   ended without a word
      wn10         1     1     8    84    0     1m  wn10-02  ended without a word
      total              2    16   168    0
      gridpp: now 24 % of the running power on 3 of 4 factories, 3 % wanted; newest end 1m ago on wn1-02.example.com: ended
        without a word
      not configured on wn2"
    `);
  });

  test('is nothing for one that nobody has', () => {
    expect(one('nosuch', VIEW)).toBeNull();
  });

  test('of one that only the configuration has', () => {
    const configured = [{ name: 'planned', machinegroup: 'planned', targetShare: 1 }];
    expect(one('planned', { ...VIEW, configured })).toMatchInlineSnapshot(`
      "planned: now 0 % of the running power on 3 of 4 factories, 3 % wanted
      not configured on wn1, wn2, wn10"
    `);
  });
});
