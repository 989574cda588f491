/**
 * This factory's membership in its space, on the daemon's side. What has to do with datagrams is the member's
 * (space/member.ts), which runs in a child process without root: it is told what this factory is and does, and its news
 * of the others goes into the Memory, once it has been looked at as if an attacker had sent it (space/check.ts).
 *
 * A member that ends is replaced. Until the new one has heard the others, the last news stays where it is, and nothing
 * starts: to the others this factory is silent meanwhile, and what they start it does not know.
 */

import { BadMessage } from '../guard/part.js';
import { StateLayout } from '../machines/layout.js';
import { checkFromMember } from '../space/check.js';
import type { MemberProcess } from '../space/member-process.js';
import type { CensusAnswer, Peer, SpaceNews, ToMember } from '../space/messages.js';
import { MAX_NEWS } from '../space/pages.js';
import { sameNews } from '../space/peer-news.js';
import {
  type Clock,
  type DatagramCounts,
  type GossipCounts,
  type Liveness,
  MAX_AHEAD_SECONDS,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { TokenBucket } from '../vacquery/limits.js';
import { Incarnation } from './incarnation.js';
import type { Logger } from './log.js';
import { MemberLogLines } from './member-log.js';
import type { Memory } from './memory.js';
import { OwnEntryMaker } from './own-entry.js';
import { HostWatch, Picture } from './picture.js';
import { SpaceKeys } from './space-keys.js';
import { SpaceQuestions } from './space-questions.js';

/** Messages that a member has reason for: news, pictures, lines for the log, answers; at once, and in the long run. */
const MESSAGES_AT_ONCE = 1_000;
const MESSAGES_PER_SECOND = 100;
/** A port that is taken is tried again after this. */
const RETRY_MS = 30_000;
/** In a large space there is always some news: the loop is not woken more often than this for it. */
const WAKE_MS = 250;

export interface SpaceParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly stateDir: string;
  readonly wake: () => void;
  readonly clock: Clock;
  readonly process: MemberProcess;
}

/** What this factory knows of its space; what the control socket's request `space` is answered by. */
export interface SpaceReport {
  readonly space: string;
  readonly factory: string;
  /** FQDNs of all factories of the space, this one included, in the order of the configuration. */
  readonly factories: readonly string[];
  /** Null: VacQuery is not spoken now. */
  readonly queryPort: number | null;
  readonly udpTimeoutSeconds: number;
  /** There are others, and none of them answers. */
  readonly alone: boolean;
  readonly peers: readonly Peer[];
  /** What is wrong with this factory as a member of the space; a sentence each. */
  readonly problems: readonly string[];
  /** What should be done next about the keys; null: nothing. */
  readonly hint: string | null;
  /** Null: nothing is signed. */
  readonly keys: { readonly file: string; readonly mode: 'mixed' | 'required' } | null;
}

/** What gossip has done since the start, and what it knows of the others. */
export interface GossipFacts {
  readonly counts: Readonly<GossipCounts>;
  /** Of datagrams that were believed. */
  readonly receivedBytes: number;
  readonly peers: ReadonlyMap<Liveness, number>;
}

const NOT_BEGUN = 'the process that speaks VacQuery for vacd has not begun yet';
const ENDED = 'the process that speaks VacQuery for vacd has ended, and is started anew';

export class Space {
  private readonly keys: SpaceKeys;
  private readonly incarnation: Incarnation;
  private readonly own: OwnEntryMaker;
  private readonly picture: Picture;
  private readonly host: HostWatch;
  private readonly questions: SpaceQuestions;
  private readonly lines: MemberLogLines;
  /** To the member of now; null: none runs. */
  private toMember: ((message: ToMember) => void) | null = null;
  /** It has said nothing yet. */
  private isSilent = true;
  private memberProblem: string | null = NOT_BEGUN;
  private started = false;
  private closed = false;
  /** All factories of the space but this one, as last told to the member. */
  private peers: readonly string[] = [];
  private peerSet: ReadonlySet<string> = new Set();
  private space: string | null = null;
  /** Of the configuration that the member was told last. */
  private generation = 0;
  /** How many numbers of a start the member of now may ask for. */
  private numbersLeft = 0;
  private numbering: Promise<unknown> = Promise.resolve();
  private messages: TokenBucket;
  /** Pages of news that are not all there. */
  private page: SpaceNews | null = null;
  /** The member of now is not the first, and has not heard the others yet. */
  private isRehearing = false;
  private ownProblems: readonly string[] = [];
  /** The own entry as the member was told it, to tell nothing twice. */
  private toldOwn = '';
  private hasPicture = false;
  private isPortOpen = false;
  /** Why it is not. */
  private portProblem: string | null = null;
  private cancelRetry = () => {};
  private cancelWake: (() => void) | null = null;
  private wokenMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: SpaceParts) {
    const { memory, clock, log, stateDir } = parts;
    this.keys = new SpaceKeys({ memory, log, clock, give: (keys) => this.tell({ type: 'keys', keys }) });
    this.incarnation = new Incarnation(new StateLayout(stateDir).incarnation(), log);
    this.own = new OwnEntryMaker(memory);
    this.host = new HostWatch(stateDir, clock, log);
    this.picture = new Picture(memory, () => this.host.status);
    this.questions = new SpaceQuestions(clock, (message) => this.tell(message));
    this.lines = new MemberLogLines(log, clock);
    this.messages = this.messageBudget();
    parts.process.connect({
      began: (send) => this.memberBegan(send),
      ended: () => this.memberEnded(),
      receive: (type, body) => this.receive(type, body),
    });
  }

  /**
   * Begins to answer and to ask. With others in the space nothing starts from here on until they were heard.
   *
   * @throws VacError `address-in-use` when another program has the protocol's port, there are others in the space (to them
   *   this factory would be dead) and no machines here. A factory on its own goes on; so does one with machines to look
   *   after, and starts no more (`Memory.queryProblem`). Both try again. `space-key-unusable`, under the same conditions.
   */
  async start(): Promise<void> {
    const { memory, log, process } = this.parts;
    await this.keys.start();
    await this.host.start();
    await this.openPort().catch(async (error: Error) => {
      if (this.hasOthers() && memory.machines.size === 0) throw error;
      log.warn(`VacQuery is not answered; tried again every ${RETRY_MS / 1000} s: ${error.message}`);
      this.retryLater(error);
      await process.begin().catch((problem: Error) => log.error(`VacQuery is not spoken: ${problem.message}`));
    });
    this.started = true;
    this.takeConfiguration();
    this.tellAll();
    await this.settled();
  }

  /** Takes what the configuration says now; called with each change of it. */
  configure(): void {
    this.takeConfiguration();
    this.tellConfiguration();
    void this.keys.configure();
  }

  /** Resolves when what `configure` began has come to its end on this side. */
  async settled(): Promise<void> {
    await this.keys.configure();
    await this.numbering;
  }

  /** Tells the others of what has changed here, if anything has: to be called after each pass of the loop. */
  announce(): void {
    const { clock } = this.parts;
    if (this.toMember === null || !this.started) return;
    if (this.peers.length > 0) {
      const entry = this.own.entry(Math.floor(Date.now() / 1000), clock.nowMs());
      const text = JSON.stringify(entry);
      if (text !== this.toldOwn) this.tell({ type: 'own', entry });
      this.toldOwn = text;
    }
    if (!this.hasPicture || this.picture.isUnchanged()) return;
    this.hasPicture = false;
    this.tell({ type: 'picture-stale' });
  }

  /** Looks at the key file now, and not only within a minute. */
  rereadKeys(): void {
    void this.keys.reread();
  }

  /** Has the member tell how things are, for what is asked next; resolves when it has, or does not. */
  async look(): Promise<void> {
    if (this.toMember !== null) await this.questions.look();
  }

  /** As of the last look. */
  report(): SpaceReport {
    const { memory } = this.parts;
    const { vacSpace, factories, udpTimeoutSeconds, spaceKeyFile, spaceKeyMode } = memory.config.settings;
    const own = memory.factory;
    const known = new Map(this.questions.latest?.peers.map((peer) => [peer.factory, peer]));
    const gone = this.hasOthers() && this.memberProblem !== null ? [this.memberProblem] : [];
    return {
      space: vacSpace,
      factory: own,
      factories: factories.includes(own.toLowerCase()) ? factories : [own, ...factories],
      queryPort: this.isPortOpen && this.memberProblem === null ? VACQUERY_PORT : null,
      udpTimeoutSeconds,
      alone: memory.alone,
      peers: this.peers.map((factory) => known.get(factory) ?? unknownPeer(factory)),
      problems: [...gone, ...this.problems()],
      hint: this.questions.latest?.hint ?? null,
      keys: spaceKeyFile === null ? null : { file: spaceKeyFile, mode: spaceKeyMode },
    };
  }

  /** What is wrong with this factory as a member of the space, besides `Memory.queryProblem`; a sentence each. */
  problems(): string[] {
    const gone = this.started && !this.hasOthers() && this.memberProblem !== null ? [this.memberProblem] : [];
    return [...gone, ...this.keys.problemsNow(), ...this.ownProblems];
  }

  /** As of the last look; null: it does not gossip, as it is on its own or has only just begun. */
  gossip(): GossipFacts | null {
    const gossip = this.questions.latest?.gossip ?? null;
    return gossip === null ? null : { ...gossip, peers: new Map(gossip.peers) };
  }

  /** Datagrams in and out since the member began, queries and answers of both sides, as of the last look. */
  get counts(): DatagramCounts {
    const { received = [], sent = [], refused = [] } = this.questions.latest?.counts ?? {};
    return { received: new Map(received), sent: new Map(sent), refused: new Map(refused) };
  }

  /**
   * The others' `factory_status`, of those that answered; null: there are no others.
   *
   * @throws Error nobody can be asked now
   */
  async census(): Promise<readonly CensusAnswer[] | null> {
    if (!this.hasOthers()) return null;
    if (this.toMember === null) throw new Error(this.memberProblem ?? NOT_BEGUN);
    return this.questions.census(this.parts.memory.config.settings.udpTimeoutSeconds);
  }

  /**
   * IP addresses of any host, the one to use first in front: name servers are asked by the member.
   *
   * @throws Error why there is none, in words that follow its name
   */
  async resolve(host: string): Promise<readonly string[]> {
    if (this.toMember === null) throw new Error('no answer');
    return this.questions.addressesOf(host);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    this.cancelWake?.();
    this.host.close();
    this.keys.close();
    this.questions.giveUp();
    await Promise.all([this.parts.process.close(), this.incarnation.settled()]);
  }

  private memberBegan(send: (message: ToMember) => void): void {
    this.toMember = send;
    this.isSilent = true;
    this.messages = this.messageBudget();
    if (!this.started) return;
    // Only what another has heard can be kept until it hears it, too.
    this.isRehearing = this.memberProblem === ENDED;
    if (this.peers.length > 0) this.parts.memory.spaceHeard = false;
    this.tellAll();
  }

  /** The first that it says shows that it works. */
  private memberSpeaks(): void {
    this.isSilent = false;
    const isBack = this.memberProblem === ENDED;
    this.memberProblem = null;
    this.tellQueryProblem();
    if (!isBack) return;
    this.parts.log.info('the process that speaks VacQuery for vacd runs again');
    this.wakeLoop();
  }

  private memberEnded(): void {
    if (this.closed) return;
    this.toMember = null;
    this.page = null;
    this.ownProblems = [];
    this.questions.giveUp();
    // One that has no more than begun is replaced when the port is there.
    if (this.memberProblem === NOT_BEGUN) return;
    this.memberProblem = ENDED;
    this.tellQueryProblem();
  }

  private tell(message: ToMember): void {
    if (!this.closed) this.toMember?.(message);
  }

  /** All that a member must know. */
  private tellAll(): void {
    this.hasPicture = false;
    this.toldOwn = '';
    this.numbersLeft = 0;
    this.tellConfiguration();
    this.tell({ type: 'keys', keys: this.keys.current() });
  }

  private takeConfiguration(): void {
    const { memory } = this.parts;
    const { factories, vacSpace } = memory.config.settings;
    const own = memory.factory.toLowerCase();
    const peers = factories.filter((name) => name !== own);
    const isNew = vacSpace !== this.space || !peers.some((name) => this.peerSet.has(name));
    this.peers = peers;
    this.peerSet = new Set(peers);
    this.space = vacSpace;
    this.tellQueryProblem();
    // Of what comes until the member has taken this, nothing counts: it is of before.
    if (peers.length > 0 && !isNew) return;
    memory.spaceHeard = peers.length === 0;
    memory.peers = [];
    memory.peerUses = new Map();
    memory.alone = false;
    this.isRehearing = false;
  }

  private tellConfiguration(): void {
    if (this.toMember === null || !this.started) return;
    const { memory } = this.parts;
    const { vacSpace, udpTimeoutSeconds, shareHalfLifeHours, queryNetworks } = memory.config.settings;
    this.generation += 1;
    this.page = null;
    this.numbersLeft += 1;
    this.announce();
    this.tell({
      type: 'configure',
      config: {
        generation: this.generation,
        factory: memory.factory,
        space: vacSpace,
        peers: this.peers,
        udpTimeoutSeconds,
        shareHalfLifeHours,
        queryNetworks,
      },
    });
  }

  private receive(type: string, body: unknown): void {
    if (this.closed) return;
    if (!this.messages.has(this.parts.clock.nowMs())) throw new BadMessage('it says more than there is to say');
    this.messages.spend(1);
    const message = checkFromMember(type, body, (name) => this.peerSet.has(name));
    if (this.isSilent) this.memberSpeaks();
    switch (message.type) {
      case 'news':
        this.takeNews(message.news, message.isLast);
        break;
      case 'log':
        this.lines.write(message.level, message.text);
        break;
      case 'picture-wanted':
        this.givePicture(message.machines);
        break;
      case 'number-wanted':
        this.giveNumber();
        break;
      case 'number-raised':
        this.keepNumber(message.incarnation);
        break;
      default:
        this.questions.take(message);
    }
  }

  private takeNews(page: SpaceNews, isLast: boolean): void {
    const { memory, log } = this.parts;
    if (page.generation !== this.generation || this.peers.length === 0) return;
    const earlier = this.page;
    const news = earlier === null ? page : joined(earlier, page);
    this.page = isLast ? null : news;
    if (!isLast) return;
    this.ownProblems = news.problems;
    // Another member that has only just begun knows less than the one before.
    if (this.isRehearing && !news.heard) return;
    this.isRehearing = false;
    const before = { peers: memory.peers, heard: memory.spaceHeard };
    memory.peers = [...news.news];
    memory.peerUses = new Map(news.uses);
    memory.spaceHeard = news.heard;
    if (news.alone && !memory.alone) {
      const { length } = this.peers;
      const others =
        length === 1 ? 'the other factory does not answer' : `none of the ${length} other factories answers`;
      log.warn(`${others}: going on alone`);
    } else if (memory.alone && !news.alone) log.info('other factories answer: no longer alone');
    memory.alone = news.alone;
    // Who has no processor to give starts nothing, whatever the others do.
    if (before.heard !== memory.spaceHeard || (!sameNews(before.peers, memory.peers) && memory.hasRoom())) {
      this.wakeLoop();
    }
  }

  private givePicture(hasMachines: boolean): void {
    const picture = this.picture.current(this.parts.clock.nowMs(), Math.floor(Date.now() / 1000));
    this.hasPicture = true;
    const { space, site, factory, vacVersion, facts, machinetypes } = picture;
    const machines = hasMachines ? picture.machines : [];
    const plain = { space, site, factory, vacVersion, facts, machines, machinetypes };
    this.tell({ type: 'picture', picture: plain, hasMachines });
  }

  /** @throws BadMessage for more than one begins with each configuration */
  private giveNumber(): void {
    if (this.numbersLeft === 0) throw new BadMessage('more numbers of a start are wanted than there are starts');
    this.numbersLeft -= 1;
    const { toMember } = this;
    this.numbering = this.incarnation.next(Math.floor(Date.now() / 1000)).then((incarnation) => {
      if (toMember === this.toMember) this.tell({ type: 'number', incarnation });
    });
  }

  /** @throws BadMessage for one that nobody would believe, so that nobody can have made it necessary */
  private keepNumber(incarnation: number): void {
    const { toMember } = this;
    if (incarnation > Date.now() / 1000 + 2 * MAX_AHEAD_SECONDS) throw new BadMessage('a number of the far future');
    this.numbering = this.incarnation.keep(incarnation).then(() => {
      if (toMember === this.toMember) this.tell({ type: 'number-kept', incarnation });
    });
  }

  private messageBudget(): TokenBucket {
    return new TokenBucket(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE, this.parts.clock.nowMs());
  }

  private hasOthers(): boolean {
    const { memory } = this.parts;
    return memory.config.settings.factories.some((name) => name !== memory.factory.toLowerCase());
  }

  private async openPort(): Promise<void> {
    await this.parts.process.openPort();
    this.isPortOpen = true;
  }

  private retryLater({ message }: Error): void {
    const { clock, log, wake } = this.parts;
    this.setPortProblem(message);
    this.cancelRetry = clock.at(clock.nowMs() + RETRY_MS, () => {
      this.openPort().then(
        () => {
          this.setPortProblem(null);
          if (!this.closed) log.info('VacQuery is answered now');
          wake();
        },
        (error: Error) => {
          if (!this.closed) this.retryLater(error);
        },
      );
    });
  }

  private setPortProblem(problem: string | null): void {
    this.portProblem = problem;
    this.tellQueryProblem();
  }

  private tellQueryProblem(): void {
    this.parts.memory.queryProblem = this.hasOthers() ? (this.portProblem ?? this.memberProblem) : null;
  }

  private wakeLoop(): void {
    const { clock, wake } = this.parts;
    const nowMs = clock.nowMs();
    if (this.closed || this.cancelWake !== null) return;
    this.cancelWake = clock.at(Math.max(nowMs, this.wokenMs + WAKE_MS), () => {
      this.cancelWake = null;
      this.wokenMs = clock.nowMs();
      wake();
    });
  }
}

/** @throws BadMessage for more machinetypes than any space has */
function joined(before: SpaceNews, page: SpaceNews): SpaceNews {
  const news = [...before.news, ...page.news];
  const uses = [...before.uses, ...page.uses];
  if (news.length > MAX_NEWS || uses.length > MAX_NEWS) throw new BadMessage('news without an end');
  return { ...page, news, uses };
}

/** Of which nothing can be told now. */
function unknownPeer(factory: string): Peer {
  return {
    factory,
    way: null,
    outcome: 'unasked',
    heardSecondsAgo: null,
    clockAheadSeconds: null,
    vacVersion: null,
    site: null,
    machinetypes: 0,
    machinetypesExpected: null,
    runningMachines: 0,
    runningProcessors: 0,
    runningHs06: 0,
    problems: [],
    signs: null,
  };
}
