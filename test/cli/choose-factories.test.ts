import { describe, expect, it } from 'vitest';
import { chooseFactories } from '../../src/cli/choose-factories.js';

const facts = {
  space: 'vac01.example.com',
  ownSpace: 'vac01.example.com',
  source: 'the configuration',
  factories: ['wn01.example.com', 'wn02.example.com', 'wn02.example.org', 'wn10.example.com'],
};

describe('factories named on the command line', () => {
  it('are all of the space when none is', () => {
    expect(chooseFactories([], facts)).toEqual(facts.factories);
  });

  it('are found by their first label, or by their name, in any case and each once', () => {
    expect(chooseFactories(['wn10', 'WN01.example.com', 'wn10.example.com'], facts)).toEqual([
      'wn10.example.com',
      'wn01.example.com',
    ]);
  });

  it.each([
    ['wn02', '"wn02" may be wn02.example.com or wn02.example.org: say which'],
    ['wn0l', '"wn0l" is no factory of space vac01.example.com: did you mean wn01?'],
    ['wn10.exmaple.com', 'did you mean wn10.example.com?'],
    ['somewhere-else', 'is no factory of space vac01.example.com; vac factories lists them, and --space SPACE'],
  ])('%s is asked back for', (name, message) => {
    expect(() => chooseFactories([name], facts)).toThrow(
      expect.objectContaining({ code: 'no-such-thing', message: expect.stringContaining(message) }),
    );
  });

  it('of another space are taken as they are, and must be named', () => {
    const other = { ...facts, space: 'vac02.example.org' };
    expect(chooseFactories(['HV1.example.org', 'hv2', 'hv2'], other)).toEqual(['hv1.example.org', 'hv2']);
    expect(() => chooseFactories(['hv_1!'], other)).toThrow('"hv_1!" is no host name');
    expect(() => chooseFactories([], other)).toThrow(
      'the factories of space vac02.example.org are not known here, which is not the space of the configuration (vac01.example.com): name them, in full',
    );
    expect(() => chooseFactories([], { ...other, ownSpace: null })).toThrow(
      'the factories of space vac02.example.org are not known here: name them, in full',
    );
  });
});
