import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { SharesOptions } from '../../../src/cli/views/machinetypes.js';
import { sharesView } from '../../../src/cli/views/shares.js';
import { answer, TYPES, type, VIEW, WIDE } from './space.js';

const shown = (view: SharesOptions, answers = TYPES) => sharesView(answers, view).join('\n');

describe('vac shares', () => {
  test('on 80 columns', () => {
    expect(shown(VIEW)).toMatchInlineSnapshot(`
      "GROUP, TYPE  SHARE              NOW  WANTED     DIFF   PROC    HS06
      /lhcb        ######|#####....  76 %    42 %  +34.5 %  +23.1  +242.4
        lhcb-prod  ###|#######.....  72 %    28 %  +43.9 %  +29.4  +308.6
        lhcb-user  #|..............   4 %    14 %   -9.4 %   -6.3   -66.2
      atlas-prod   ........|.......   0 %    56 %  -55.6 %  -37.2  -390.8
      gridpp       |###............  24 %     3 %  +21.1 %  +14.1  +148.5
      no demand for atlas-prod: 300 No more work available from task queue, 11m ago
      67 processors, 703.5 HS06 in use on 3 of 4 factories"
    `);
  });

  test('on 120 columns', () => {
    expect(shown(WIDE)).toMatchInlineSnapshot(`
      "GROUP, TYPE  SHARE                      NOW  WANTED     DIFF   PROC    HS06
      /lhcb        #########|########......  76 %    42 %  +34.5 %  +23.1  +242.4
        lhcb-prod  ######|##########.......  72 %    28 %  +43.9 %  +29.4  +308.6
        lhcb-user  #.|.....................   4 %    14 %   -9.4 %   -6.3   -66.2
      atlas-prod   ............|...........   0 %    56 %  -55.6 %  -37.2  -390.8
      gridpp       |#####..................  24 %     3 %  +21.1 %  +14.1  +148.5
      no demand for atlas-prod: 300 No more work available from task queue, 11m ago
      67 processors, 703.5 HS06 in use on 3 of 4 factories"
    `);
  });

  test('on 40 columns', () => {
    expect(shown({ ...VIEW, columns: 40 })).toMatchInlineSnapshot(`
      "GROUP, TYPE   NOW  WANTED     DIFF
      /lhcb        76 %    42 %  +34.5 %
        lhcb-prod  72 %    28 %  +43.9 %
        lhcb-user   4 %    14 %   -9.4 %
      atlas-prod    0 %    56 %  -55.6 %
      gridpp       24 %     3 %  +21.1 %
      no demand for atlas-prod: 300 No more w…
      67 processors, 703.5 HS06 in use on 3 of
        4 factories"
    `);
  });

  test('by the configuration, where there is one', () => {
    const configured = [
      { name: 'lhcb-prod', machinegroup: 'all', targetShare: 3 },
      { name: 'lhcb-user', machinegroup: 'all', targetShare: 1 },
      { name: 'atlas-prod', machinegroup: 'all', targetShare: 0 },
      { name: 'gridpp', machinegroup: 'all', targetShare: 0 },
    ];
    expect(shown({ ...VIEW, configured })).toMatchInlineSnapshot(`
      "GROUP, TYPE   SHARE               NOW  WANTED     DIFF   PROC    HS06
      all           ###############|  100 %   100 %      0 %      0       0
        atlas-prod  |...............    0 %     0 %      0 %      0       0
        gridpp      |###............   24 %     0 %  +23.9 %    +16    +168
        lhcb-prod   ###########|....   72 %    75 %   -3.4 %   -2.2   -23.6
        lhcb-user   #..|............    4 %    25 %  -20.5 %  -13.7  -144.4
      no demand for atlas-prod: 300 No more work available from task queue, 11m ago
      67 processors, 703.5 HS06 in use on 3 of 4 factories"
    `);
  });

  test('groups the types of factories that tell no group by FQAN, as they do', () => {
    const told = { target_share: null, machinegroup: null };
    const answers = [
      answer('wn1', [
        type('wn1', 'a', { ...told, fqan: '/lhcb/Role=NULL', running_hs06: 30, running_processors: 3 }),
        type('wn1', 'b', { ...told, fqan: '/lhcb/Role=NULL', running_hs06: 10, running_processors: 1 }),
        type('wn1', 'c', told),
      ]),
    ];
    expect(shown(VIEW, answers)).toMatchInlineSnapshot(`
      "GROUP, TYPE      SHARE               NOW  WANTED  DIFF  PROC  HS06
      /lhcb/Role=NULL  ################  100 %       -     -     -     -
        a              ############....   75 %       -     -     -     -
        b              ####............   25 %       -     -     -     -
      c                ................    0 %       -     -     -     -
      4 processors, 40 HS06 in use on 1 of 1 factory
      no target shares are known: these factories do not tell theirs, and no
        configuration was read"
    `);
  });

  test('shows what was used in the long term where history is kept', () => {
    const lhcb = { machinegroup: 'lhcb' };
    const answers = [
      answer('wn1', [
        type('wn1', 'a', { ...lhcb, running_hs06: 30, running_processors: 3, decayed_use: 100_000 }),
        type('wn1', 'b', { ...lhcb, running_hs06: 10, running_processors: 1, decayed_use: 50_000 }),
        type('wn1', 'c', { decayed_use: 150_000 }),
      ]),
      answer('wn2', [type('wn2', 'c', { decayed_use: 100_000 })]),
      answer('wn3', [type('wn3', 'c')]),
    ];
    expect(shown(VIEW, answers)).toMatchInlineSnapshot(`
      "GROUP, TYPE  SHARE               NOW  WANTED     DIFF  LONG TERM  PROC   HS06
      c            ....|...........    0 %    33 %  -33.3 %       63 %  -1.3  -13.3
      lhcb         ##########|#####  100 %    67 %  +33.3 %       38 %  +1.3  +13.3
        a          ####|#######....   75 %    33 %  +41.7 %       25 %  +1.7  +16.7
        b          ####|...........   25 %    33 %   -8.3 %       13 %  -0.3   -3.3
      4 processors, 40 HS06 in use on 3 of 3 factories"
    `);
  });

  test('of nobody, and of a space without types', () => {
    expect(shown(VIEW, [])).toBe('there is no factory to ask');
    expect(shown(VIEW, [answer('wn1', [])])).toBe('0 processors, 0 HS06 in use on 0 of 1 factory');
  });

  test('a type that runs, or whose last machine did well, is not without demand', () => {
    const aborted = { shutdown_message: '300 No work', shutdown_time: VIEW.nowSeconds - 5 };
    const answers = [
      answer('wn1', [
        type('wn1', 'runs', { ...aborted, running_machines: 1, running_hs06: 1 }),
        type('wn1', 'well', { ...aborted, shutdown_message: '200 Success' }),
        type('wn1', 'out', aborted),
      ]),
    ];
    expect(shown(VIEW, answers).match(/no demand.*/g)).toEqual(['no demand for out: 300 No work, 5s ago']);
  });

  test('colours what is far from wanted, and no text', () => {
    const coloured = shown({ ...WIDE, colour: true });
    expect(stripVTControlCharacters(coloured)).toBe(shown(WIDE));
    expect(coloured).toContain('\u001b[33m');
  });
});
