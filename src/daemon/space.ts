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
import type { CensusAnswer, SpaceNews, ToMember } from '../space/messages.js';
import { type Clock, type DatagramCounts, MAX_AHEAD_SECONDS } from '../vacquery/index.js';
import { TokenBucket } from '../vacquery/limits.js';
import { Incarnation } from './incarnation.js';
import type { Logger } from './log.js';
import { MemberLogLines } from './member-log.js';
import type { Memory } from './memory.js';
import { OwnEntryMaker } from './own-entry.js';
import { HostWatch, Picture } from './picture.js';
import { SpaceKeys } from './space-keys.js';
import { NewsTaker } from './space-news.js';
import { SpacePort } from './space-port.js';
import { SpaceQuestions } from './space-questions.js';
import { type GossipFacts, type SpaceReport, spaceReport } from './space-report.js';

/** Messages that a member has reason for: news, pictures, lines for the log, answers; at once, and in the long run. */
const MESSAGES_AT_ONCE = 1_000;
const MESSAGES_PER_SECOND = 100;

export interface SpaceParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly stateDir: string;
  readonly wake: () => void;
  readonly clock: Clock;
  readonly process: MemberProcess;
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
  private readonly news: NewsTaker;
  private readonly port: SpacePort;
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
  /** Those of earlier configurations, of which a member may still tell that has not taken the last one yet. */
  private formerPeers: ReadonlySet<string> = new Set();
  private space: string | null = null;
  /** Of the configuration that the member was told last. */
  private generation = 0;
  /** How many numbers of a start the member of now may ask for. */
  private numbersLeft = 0;
  private lastNumber = 0;
  private numbering: Promise<unknown> = Promise.resolve();
  private messages: TokenBucket;
  /** The own entry as the member was told it, to tell nothing twice. */
  private toldOwn = '';
  private hasPicture = false;

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
    this.news = new NewsTaker(parts);
    this.port = new SpacePort({ ...parts, onChange: () => this.portChanged() });
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
    const { memory } = this.parts;
    await this.keys.start();
    await this.host.start();
    await this.port.open().catch((error: Error) => {
      if (this.hasOthers() && memory.machines.size === 0) throw error;
      return this.port.retry(error);
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
    const gone = this.hasOthers() && this.memberProblem !== null ? [this.memberProblem] : [];
    const isAnswering = this.port.isOpen && this.memberProblem === null;
    const problems = [...gone, ...this.problems()];
    return spaceReport(this.parts.memory, this.peers, this.questions.latest, isAnswering, problems);
  }

  /** What is wrong with this factory as a member of the space, besides `Memory.queryProblem`; a sentence each. */
  problems(): string[] {
    const gone = this.started && !this.hasOthers() && this.memberProblem !== null ? [this.memberProblem] : [];
    return [...gone, ...this.keys.problemsNow(), ...this.news.problems];
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
    this.port.close();
    this.news.close();
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
    this.news.rehear(this.peers.length > 0);
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
    this.news.wakeLoop();
  }

  private memberEnded(): void {
    if (this.closed) return;
    this.toMember = null;
    this.news.dropPages();
    this.news.problems = [];
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
    this.formerPeers = new Set([...this.formerPeers, ...this.peerSet]);
    this.peerSet = new Set(peers);
    this.space = vacSpace;
    this.tellQueryProblem();
    // What comes until the member has taken this does not count: it is of before.
    if (peers.length === 0 || isNew) this.news.forget(peers.length > 0);
  }

  private tellConfiguration(): void {
    if (this.toMember === null || !this.started) return;
    const { memory } = this.parts;
    const { vacSpace, udpTimeoutSeconds, shareHalfLifeHours, queryNetworks } = memory.config.settings;
    this.generation += 1;
    this.news.dropPages();
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
    const isFactory = (name: string) => this.peerSet.has(name) || this.formerPeers.has(name);
    const message = checkFromMember(type, body, isFactory);
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

  private takeNews(news: SpaceNews, isLast: boolean): void {
    if (news.generation !== this.generation) return;
    this.formerPeers = new Set();
    if (this.peers.length > 0) this.news.take(news, isLast, this.peers.length);
  }

  private portChanged(): void {
    this.tellQueryProblem();
    if (this.port.isOpen) this.parts.wake();
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
      this.lastNumber = incarnation;
      if (toMember === this.toMember) this.tell({ type: 'number', incarnation });
    });
  }

  /** @throws BadMessage for one that nobody can have made necessary: it is none later, or none that anybody believes */
  private keepNumber(incarnation: number): void {
    const { toMember } = this;
    const isBelievable = incarnation <= Date.now() / 1000 + 2 * MAX_AHEAD_SECONDS;
    if (incarnation <= this.lastNumber || !isBelievable) throw new BadMessage('not a number of a later start');
    this.lastNumber = incarnation;
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

  private tellQueryProblem(): void {
    this.parts.memory.queryProblem = this.hasOthers() ? (this.port.problem ?? this.memberProblem) : null;
  }
}
