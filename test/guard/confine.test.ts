import { describe, expect, it } from 'vitest';
import { dropRoot, rightsLeft } from '../../src/guard/confine.js';

const NOBODY = { uid: 65534, gid: 65533 };

const GOOD = `Name:\tnode
Uid:\t65534\t65534\t65534\t65534
Gid:\t65533\t65533\t65533\t65533
Groups:\t
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t00000000000000c4
CapAmb:\t0000000000000000
NoNewPrivs:\t1
`;

describe('what the kernel says of a process', () => {
  it('is well when it is that user and no more', () => {
    expect(rightsLeft(GOOD, NOBODY)).toBeNull();
  });

  it.each([
    ['a saved user', 'Uid:\t65534\t65534\t65534\t65534', 'Uid:\t65534\t65534\t0\t65534'],
    ['a group', 'Gid:\t65533\t65533\t65533\t65533', 'Gid:\t65533\t0\t65533\t65533'],
    ['a further group', 'Groups:\t', 'Groups:\t6 '],
    ['a capability in effect', 'CapEff:\t0000000000000000', 'CapEff:\t0000000000000400'],
    ['a capability to be had', 'CapPrm:\t0000000000000000', 'CapPrm:\t0000000000000400'],
    ['setuid programs', 'NoNewPrivs:\t1', 'NoNewPrivs:\t0'],
    ['a line that is missing', 'CapAmb:\t0000000000000000\n', ''],
  ])('shows %s', (_what, from, to) => {
    expect(GOOD).toContain(from);
    expect(rightsLeft(GOOD.replace(from, to), NOBODY)).not.toBeNull();
  });

  it('is not asked for where root should stay root', () => {
    expect(() => dropRoot({ uid: 0, gid: 1 })).toThrow('other than root');
    expect(() => dropRoot({ uid: 1, gid: 0 })).toThrow('other than root');
  });
});
