import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BadMessage } from '../../src/guard/part.js';
import { checkFromMember } from '../../src/space/check.js';
import type { FromMember, SpaceNews } from '../../src/space/messages.js';
import { decode } from '../../src/vacquery/index.js';
import { RECORDED } from '../vacquery/recorded.js';

const OTHER = 'wn2.example.com';
const check = (type: string, body: unknown) => checkFromMember(type, body, (name) => name === OTHER);
/** As it comes through the channel. */
const said = (message: FromMember) => {
  const { type, ...body } = JSON.parse(JSON.stringify(message)) as FromMember;
  return check(type, body);
};

const NEWS: SpaceNews = {
  generation: 3,
  heard: true,
  alone: false,
  news: [
    {
      factory: 'others',
      machinetype: 'prod',
      runningHs06: 12.5,
      runningMachines: 3,
      runningProcessors: 6,
      beforeFizzle: 1,
      lastEnd: { timeSeconds: 1_700_000_000, message: '300 Nothing to do', hostname: 'wn2-00.example.com' },
    },
  ],
  uses: [['prod', 1e6]],
  problems: ['another host calls itself as we do'],
};
const PEER = {
  factory: OTHER,
  way: 'gossip',
  outcome: 'complete',
  heardSecondsAgo: 1.5,
  clockAheadSeconds: -2,
  vacVersion: 'Vac 0.1.0 vacd',
  site: null,
  machinetypes: 1,
  machinetypesExpected: null,
  runningMachines: 3,
  runningProcessors: 6,
  runningHs06: 12.5,
  problems: [],
  signs: null,
} as const;
const COUNTS = { sent: 1, sentBytes: 2, received: 3, changes: 4, duplicates: 5, disbelieved: 6 };
const decoded = decode(Buffer.from(RECORDED.factoryStatus));
if (!decoded.ok || decoded.message.message_type !== 'factory_status') throw new Error('the recorded status is none');

const HONEST: readonly FromMember[] = [
  { type: 'news', isLast: true, news: NEWS },
  { type: 'log', level: 'warn', text: 'factory wn2.example.com is not asked: its name does not resolve (not found)' },
  { type: 'picture-wanted', machines: true },
  { type: 'number-wanted' },
  { type: 'number-raised', incarnation: 1_700_000_001 },
  { type: 'look-peers', id: 7, peers: [PEER] },
  {
    type: 'look',
    id: 7,
    look: {
      hint: null,
      gossip: { counts: { ...COUNTS, refused: { stranger: 7 } }, receivedBytes: 8, peers: [['alive', 1]] },
      counts: { received: [['machinetypes_query', 1]], sent: [], refused: [['too-long', 2]] },
    },
  },
  { type: 'census-answers', id: 8, answers: [{ factory: OTHER, status: decoded.message }] },
  { type: 'census', id: 8, wasAsked: true },
  { type: 'name', id: 9, addresses: ['192.0.2.1', '2001:db8::1'], problem: '' },
];

describe('what a member says', () => {
  it.each(HONEST.map((message) => [message.type, message] as const))('as %s is taken as it is', (_type, message) => {
    expect(said(message)).toEqual(message);
  });

  it.each<[string, string, unknown]>([
    ['a message that there is not', 'run', { command: 'id' }],
    ['no object', 'log', null],
    ['a list', 'log', ['warn', 'x']],
    ['a level of none', 'log', { level: 'trace', text: 'x' }],
    ['what objects have by themselves', 'log', { level: 'constructor', text: 'x' }],
    ['a number for a text', 'log', { level: 'warn', text: 7 }],
    ['a text for a flag', 'picture-wanted', { machines: 'yes' }],
    ['a broken number of a start', 'number-raised', { incarnation: 1.5 }],
    ['a number below nothing', 'number-raised', { incarnation: -1 }],
    ['a number that is none', 'number-raised', { incarnation: Number.NaN }],
    ['a factory that is not of the space', 'look-peers', { id: 1, peers: [{ ...PEER, factory: '../../etc/passwd' }] }],
    ['a way that there is not', 'look-peers', { id: 1, peers: [{ ...PEER, way: 'magic' }] }],
    ['an address that is none', 'name', { id: 1, addresses: ['localhost; id'], problem: '' }],
    ['addresses without end', 'name', { id: 1, addresses: Array(65).fill('192.0.2.1'), problem: '' }],
    ['a status of a stranger', 'census-answers', { id: 1, answers: [{ factory: 'x', status: decoded.message }] }],
    ['a status without its fields', 'census-answers', { id: 1, answers: [{ factory: OTHER, status: {} }] }],
    ['fewer machines than none', 'news', newsWith({ runningMachines: -1 })],
    ['half a machine', 'news', newsWith({ runningMachines: 0.5 })],
    ['power without end', 'news', newsWith({ runningHs06: 1e300 })],
    ['a name that is no machinetype’s', 'news', newsWith({ machinetype: '../x' })],
    ['an end without a host', 'news', newsWith({ lastEnd: { timeSeconds: 1, message: null } })],
    ['a host that is none', 'news', newsWith({ lastEnd: { timeSeconds: 1, message: null, hostname: 'a\u001b[2J' } })],
    ['news without end', 'news', { isLast: true, news: { ...NEWS, news: Array(5_001).fill(NEWS.news[0]) } }],
    ['a pair of three', 'news', { isLast: true, news: { ...NEWS, uses: [['prod', 1, 2]] } }],
  ])('is not believed: %s', (_what, type, body) => {
    expect(() => check(type, body)).toThrow(BadMessage);
  });

  it('steers no terminal and no log', () => {
    const text = 'a\u001b[31m\nERROR root: all is lost\u202e\u0000';
    expect(check('log', { level: 'info', text })).toMatchObject({ text: 'a?[31m?ERROR root: all is lost??' });
    expect(check('log', { level: 'info', text: 'x'.repeat(1e6) })).toMatchObject({ text: 'x'.repeat(1_000) });
    const peers = check('look-peers', { id: 1, peers: [{ ...PEER, problems: [text] }] });
    expect(JSON.stringify(peers)).not.toMatch(/\\u001b|\\n|\u202e/);
  });

  it('is named by the daemon where it names whom news is of', () => {
    expect(check('news', newsWith({ factory: 'wn1.example.com' }))).toMatchObject({
      news: { news: [{ factory: 'others' }] },
    });
  });

  it('has nothing that was not asked for', () => {
    const spoilt = { ...NEWS, news: [{ ...NEWS.news[0], __proto__: { polluted: 1 }, extra: 1 }], extra: 2 };
    expect(check('news', JSON.parse(JSON.stringify({ isLast: true, news: spoilt, more: 3 })))).toEqual(HONEST[0]);
  });

  it('is a message or is refused as a bad one, whatever it is', () => {
    const types = fc.constantFrom(...HONEST.map(({ type }) => type), 'else', '__proto__', 'constructor');
    fc.assert(
      fc.property(types, fc.jsonValue(), (type, body) => {
        expectCheckedOrBad(type, body);
      }),
      { numRuns: 2_000 },
    );
  });

  it('with one value put in the place of another is a message or is refused as a bad one', () => {
    fc.assert(
      fc.property(fc.constantFrom(...HONEST), fc.nat(), fc.jsonValue(), (message, seed, value) => {
        const { type, ...body } = structuredClone(message) as FromMember & Record<string, unknown>;
        replaceSome(body, seed, value);
        expectCheckedOrBad(type, body);
      }),
      { numRuns: 3_000 },
    );
  });
});

function newsWith(change: object): object {
  return { isLast: true, news: { ...NEWS, news: [{ ...NEWS.news[0], ...change }] } };
}

/** No other error, and what is taken is taken again just so: nothing of it is left unlooked at. */
function expectCheckedOrBad(type: string, body: unknown): void {
  let taken: FromMember;
  try {
    taken = check(type, body);
  } catch (error) {
    expect(error).toBeInstanceOf(BadMessage);
    return;
  }
  expect(said(taken)).toEqual(taken);
  for (const text of textsOf(taken)) expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

/** Puts the value somewhere in it. */
function replaceSome(body: object, seed: number, value: unknown): void {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (at: object): void => {
    for (const [key, inner] of Object.entries(at)) {
      places.push([at as Record<string, unknown>, key]);
      if (typeof inner === 'object' && inner !== null) walk(inner);
    }
  };
  walk(body);
  if (places.length === 0) return;
  const [at, key] = places[seed % places.length]!;
  at[key] = value;
}
