/**
 * Reads what the member says as if an attacker had taken it over: types, ranges, sizes, names. What is left then is that
 * it may lie about the space. Text becomes one line without characters that steer a terminal or a log.
 */

import { isIP } from 'node:net';
import { BadMessage } from '../guard/part.js';
import { FIELDS } from '../vacquery/fields.js';
import type { FactoryStatus, GossipOutcome, Liveness } from '../vacquery/index.js';
import * as kinds from '../vacquery/kinds.js';
import type { CensusAnswer, FromMember, LogLevel, MemberLook, Peer, SpaceNews } from './messages.js';

/** Of one message; see `pages.ts`. */
const MAX_ITEMS = 5_000;
const MAX_LINE_CHARACTERS = 1_000;
const MAX_PROBLEMS = 100;
const MAX_ADDRESSES = 64;
const MAX_COUNTS = 200;
/** More than machines, datagrams, bytes or seconds there can be, and exact as a number. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;
const MAX_AMOUNT = 1e15;
const MAX_AGE_SECONDS = 1e9;
/** Those that could steer a terminal, a log or a line-based reader, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const OUTCOMES: readonly Peer['outcome'][] = ['complete', 'partial', 'none', 'unasked'];
const LIVENESSES: readonly Liveness[] = ['alive', 'suspect', 'expired', 'left', 'unheard'];
const REFUSALS: readonly GossipOutcome[] = [
  'stranger',
  'not-gossip',
  'malformed',
  'other-space',
  'wrong-factory',
  'own-name',
  'unauthenticated',
  'clock-skew',
  'replayed',
  'too-much',
];
const LEVELS: readonly LogLevel[] = ['info', 'warn', 'error'];

type Read<T> = (value: unknown) => T;
type Fields = Readonly<Record<string, unknown>>;

/**
 * @param type and `body` as they came
 * @param isFactory whether a name is one of the other factories' that the configuration has
 * @throws BadMessage what no member that is itself says
 */
export function checkFromMember(type: string, body: unknown, isFactory: (name: string) => boolean): FromMember {
  const at = object(body);
  const factory = (value: unknown) => knownName(value, isFactory);
  switch (type) {
    case 'news':
      return { type, isLast: flag(at.isLast), news: spaceNews(at.news) };
    case 'log':
      return { type, level: oneOf(LEVELS)(at.level), text: line(at.text) };
    case 'picture-wanted':
      return { type, machines: flag(at.machines) };
    case 'number-wanted':
      return { type };
    case 'number-raised':
      return { type, incarnation: count(at.incarnation) };
    case 'look-peers':
      return { type, id: count(at.id), peers: list((value) => peer(value, factory))(at.peers) };
    case 'look':
      return { type, id: count(at.id), look: look(at.look) };
    case 'census-answers':
      return { type, id: count(at.id), answers: list((value) => censusAnswer(value, factory))(at.answers) };
    case 'census':
      return { type, id: count(at.id), wasAsked: flag(at.wasAsked) };
    case 'name':
      return { type, id: count(at.id), addresses: list(ip, MAX_ADDRESSES)(at.addresses), problem: line(at.problem) };
    default:
      throw new BadMessage('there is no such message of the part that speaks VacQuery');
  }
}

function spaceNews(value: unknown): SpaceNews {
  const { generation, heard, alone, news, uses, problems } = object(value);
  return {
    generation: count(generation),
    heard: flag(heard),
    alone: flag(alone),
    news: list(machinetypeNews)(news),
    uses: list(pair(machinetype, amount))(uses),
    problems: list(line, MAX_PROBLEMS)(problems),
  };
}

function machinetypeNews(value: unknown): SpaceNews['news'][number] {
  const at = object(value);
  return {
    factory: 'others',
    machinetype: machinetype(at.machinetype),
    runningHs06: amount(at.runningHs06),
    runningMachines: count(at.runningMachines),
    runningProcessors: amount(at.runningProcessors),
    beforeFizzle: count(at.beforeFizzle),
    lastEnd: nullable(lastEnd)(at.lastEnd),
  };
}

function lastEnd(value: unknown): NonNullable<SpaceNews['news'][number]['lastEnd']> {
  const at = object(value);
  return {
    timeSeconds: signed(kinds.MAX_TIME_SECONDS)(at.timeSeconds),
    message: nullable(text)(at.message),
    hostname: hostname(at.hostname),
  };
}

function peer(value: unknown, factory: Read<string>): Peer {
  const at = object(value);
  return {
    factory: factory(at.factory),
    way: nullable(oneOf(['poll', 'gossip'] as const))(at.way),
    outcome: oneOf(OUTCOMES)(at.outcome),
    heardSecondsAgo: nullable(signed(MAX_AGE_SECONDS))(at.heardSecondsAgo),
    clockAheadSeconds: nullable(signed(kinds.MAX_TIME_SECONDS))(at.clockAheadSeconds),
    vacVersion: nullable(text)(at.vacVersion),
    site: nullable(text)(at.site),
    machinetypes: count(at.machinetypes),
    machinetypesExpected: nullable(count)(at.machinetypesExpected),
    runningMachines: count(at.runningMachines),
    runningProcessors: amount(at.runningProcessors),
    runningHs06: amount(at.runningHs06),
    problems: list(line, MAX_PROBLEMS)(at.problems),
    signs: nullable(flag)(at.signs),
  };
}

function look(value: unknown): MemberLook {
  const at = object(value);
  const counts = object(at.counts);
  const countList = list(pair(word, count), MAX_COUNTS);
  return {
    hint: nullable(line)(at.hint),
    gossip: nullable(gossip)(at.gossip),
    counts: { received: countList(counts.received), sent: countList(counts.sent), refused: countList(counts.refused) },
  };
}

function gossip(value: unknown): NonNullable<MemberLook['gossip']> {
  const at = object(value);
  const counts = object(at.counts);
  const refused = object(counts.refused);
  return {
    counts: {
      sent: count(counts.sent),
      sentBytes: count(counts.sentBytes),
      received: count(counts.received),
      changes: count(counts.changes),
      duplicates: count(counts.duplicates),
      disbelieved: count(counts.disbelieved),
      refused: Object.fromEntries(
        REFUSALS.flatMap((reason) => (refused[reason] === undefined ? [] : [[reason, count(refused[reason])]])),
      ),
    },
    receivedBytes: count(at.receivedBytes),
    peers: list(pair(oneOf(LIVENESSES), count), LIVENESSES.length)(at.peers),
  };
}

function censusAnswer(value: unknown, factory: Read<string>): CensusAnswer {
  const at = object(value);
  const given = object(at.status);
  const status: Record<string, unknown> = { message_type: 'factory_status' };
  for (const { key, property, kind, presence } of FIELDS.factory_status) {
    if (key !== property) continue;
    const read = ofKind(kind);
    status[property] = presence === 'required' ? read(given[property]) : nullable(read)(given[property]);
  }
  return { factory: factory(at.factory), status: status as unknown as FactoryStatus };
}

function object(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new BadMessage('not an object');
  // Of its own fields alone: nothing that every object has is taken for said.
  return Object.assign(Object.create(null) as object, value) as Fields;
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new BadMessage('neither true nor false');
  return value;
}

function count(value: unknown): number {
  // Adding 0 makes 0 of -0, as JSON does.
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_COUNT) return value + 0;
  throw new BadMessage('not a count');
}

function amount(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= MAX_AMOUNT) return value + 0;
  throw new BadMessage('not an amount');
}

function signed(max: number): Read<number> {
  return (value) => {
    if (typeof value === 'number' && Math.abs(value) <= max) return value + 0;
    throw new BadMessage('not a number in its range');
  };
}

function line(value: unknown): string {
  if (typeof value !== 'string') throw new BadMessage('not a text');
  return value.slice(0, MAX_LINE_CHARACTERS).replace(UNPRINTABLE, '?');
}

/** A value as the protocol has it. */
function ofKind(kind: kinds.Kind): Read<string | number> {
  return (value) => {
    const read = kind.read(value);
    if (read instanceof kinds.Fault) throw new BadMessage(`not as the protocol has it: ${read.reason}`);
    return read;
  };
}

const machinetype = ofKind(kinds.machinetypeName) as Read<string>;
const hostname = ofKind(kinds.hostname) as Read<string>;
const word = ofKind(kinds.word) as Read<string>;
const text = ofKind(kinds.text) as Read<string>;

function ip(value: unknown): string {
  if (typeof value === 'string' && isIP(value) !== 0) return value;
  throw new BadMessage('not an IP address');
}

function knownName(value: unknown, isFactory: (name: string) => boolean): string {
  if (typeof value === 'string' && isFactory(value)) return value;
  throw new BadMessage('not a factory of the space');
}

function oneOf<const T extends string>(words: readonly T[]): Read<T> {
  return (value) => {
    const found = words.find((each) => each === value);
    if (found === undefined) throw new BadMessage(`none of ${words.join(', ')}`);
    return found;
  };
}

function nullable<T>(read: Read<T>): Read<T | null> {
  return (value) => (value === null ? null : read(value));
}

function list<T>(read: Read<T>, maxItems = MAX_ITEMS): Read<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > maxItems) throw new BadMessage(`not a list of at most ${maxItems}`);
    return value.map(read);
  };
}

function pair<A, B>(first: Read<A>, second: Read<B>): Read<readonly [A, B]> {
  return (value) => {
    if (!Array.isArray(value) || value.length !== 2) throw new BadMessage('not a pair');
    return [first(value[0]), second(value[1])];
  };
}
