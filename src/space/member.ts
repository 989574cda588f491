/**
 * This factory as a member of its space, all that has to do with datagrams of others: answers who may ask (`askers.ts`)
 * from a picture that the daemon gives (`pictures.ts`), tells the others what changes here and hears it of them
 * (`gossiping.ts`), and asks those who do not gossip (`polling.ts`). What is heard comes together in `hearing.ts`.
 *
 * It has neither root nor files, and knows of the daemon only what messages tell (`messages.ts`): vacd runs it in its
 * child process, so that a fault in reading what strangers send is no fault of root.
 */

import { resolveHost } from '../host/resolve.js';
import {
  addCounts,
  type Clock,
  decode,
  type Endpoint,
  isQuery,
  type Liveness,
  looksLikeGossip,
  type PollPeer,
  Responder,
  type SnapshotProblem,
  type Transport,
} from '../vacquery/index.js';
import { Askers, plainAddress } from './askers.js';
import { CensusPoll } from './census-poll.js';
import { Gossiping } from './gossiping.js';
import { Hearing } from './hearing.js';
import { KeysInForce } from './keys.js';
import type { FromMember, MemberConfig, MemberLog, MemberLook, SpaceNews, ToMember } from './messages.js';
import { Names, type Resolve } from './names.js';
import { Numbers } from './numbers.js';
import { MAX_NEWS, pages } from './pages.js';
import { Pictures } from './pictures.js';
import { Polling } from './polling.js';

export interface MemberParts {
  readonly clock: Clock;
  /** Gives the daemon a message. */
  readonly tell: (message: FromMember) => void;
  /** Whose lines the daemon gets, whose log it is. */
  readonly log: MemberLog;
  /** A socket to ask from, on any port. */
  readonly openTransport: () => Promise<Transport>;
  /** Instead of the host's own resolver. */
  readonly resolve?: Resolve | undefined;
  /** Instead of those of the host's interfaces. */
  readonly ownAddresses?: (() => readonly string[]) | undefined;
}

const NOT_CONFIGURED: MemberConfig = {
  generation: 0,
  factory: '',
  space: '',
  peers: [],
  udpTimeoutSeconds: 1,
  shareHalfLifeHours: 0,
  queryNetworks: [],
};

export class SpaceMember {
  private readonly parts: MemberParts;
  private config = NOT_CONFIGURED;
  private readonly names: Names;
  private readonly keys: KeysInForce;
  private readonly numbers: Numbers;
  private readonly gossiping: Gossiping;
  private readonly polling: Polling;
  private readonly hearing: Hearing;
  private readonly census: CensusPoll;
  private readonly pictures: Pictures;
  private readonly askers: Askers;
  private readonly responder: Responder;
  private answering: Transport | null = null;
  private isPolling = false;
  /** Statuses that cannot be sent, of which the log tells once. */
  private readonly toldProblems = new Set<string>();

  constructor(given: Omit<MemberParts, 'log'>) {
    const { clock, tell, resolve, ownAddresses } = given;
    const say = (level: keyof MemberLog) => (text: string) => tell({ type: 'log', level, text });
    const log: MemberLog = { info: say('info'), warn: say('warn'), error: say('error') };
    const parts = { ...given, log };
    this.parts = parts;
    const config = () => this.config;
    const onNews = () => this.hearing.publishSoon();
    this.names = new Names({ clock, log, resolve, onChange: () => this.addressesChanged() });
    this.keys = new KeysInForce({ clock, factory: () => this.config.factory, onChange: onNews });
    this.numbers = new Numbers(tell);
    const { names, keys, numbers } = this;
    this.gossiping = new Gossiping({ ...parts, config, names, signer: keys, numbers, onNews });
    const { gossiping } = this;
    this.polling = new Polling({ ...parts, config, names, gossiping, signer: () => keys.signer, onNews });
    const hearing = { clock, config, names, keys, tell: (news: SpaceNews) => this.tellNews(news) };
    this.hearing = new Hearing(hearing, gossiping, this.polling);
    this.census = new CensusPoll({ ...parts, config, others: () => this.others(), signer: () => keys.signer });
    this.pictures = new Pictures(() => clock.nowMs(), tell);
    this.askers = new Askers({
      isFactory: (address) => names.ownersOf(address).length > 0,
      networks: () => this.config.queryNetworks,
      nowMs: () => clock.nowMs(),
      ownAddresses,
    });
    this.responder = new Responder({
      mayAsk: (address) => this.askers.mayAsk(address),
      onRefusal: ({ source, reason, count }) =>
        log.warn(`VacQuery: ${count} ${count === 1 ? 'query' : 'queries'} of ${source} not answered: ${reason}`),
      onProblem: (problem) => this.tellProblem(problem),
    });
  }

  /** Takes what the daemon says. */
  receive(message: ToMember): void {
    switch (message.type) {
      case 'configure':
        this.configure(message.config);
        break;
      case 'keys':
        this.keys.take(message.keys);
        break;
      case 'own':
        this.gossiping.setOwn(message.entry);
        break;
      case 'picture':
        this.responder.setSnapshot(message.picture);
        this.pictures.take(message.hasMachines);
        break;
      case 'picture-stale':
        this.pictures.drop();
        break;
      case 'number':
        this.numbers.given(message.incarnation);
        break;
      case 'number-kept':
        this.numbers.kept(message.incarnation);
        break;
      case 'look':
        this.tellLook(message.id);
        break;
      case 'census':
        void this.takeCensus(message.id);
        break;
      case 'name':
        void this.lookUp(message.id, message.host);
    }
  }

  /** Answers on this from now on, and gossips; it is closed with the member. */
  answerOn(transport: Transport): void {
    void this.answering?.close();
    this.answering = transport;
    transport.onDatagram((datagram, from) => {
      if (looksLikeGossip(datagram)) this.gossiping.receive(datagram, from);
      else this.hearQuery(transport, datagram, from);
    });
    this.gossiping.setTransport(transport);
  }

  async close(): Promise<void> {
    this.names.close();
    this.hearing.close();
    this.gossiping.close();
    await Promise.all([this.polling.close(), this.census.close(), this.answering?.close()]);
  }

  private configure(config: MemberConfig): void {
    this.config = config;
    this.toldProblems.clear();
    this.names.set(config.peers);
    this.gossiping.configure();
    this.polling.configure();
    this.hearing.configure();
    if (this.isPolling) return;
    this.isPolling = true;
    this.polling
      .start()
      .catch((error: Error) => this.parts.log.error(`no other factory can be asked: ${error.message}`));
  }

  private hearQuery(transport: Transport, query: Uint8Array, from: Endpoint): void {
    const answer = () => this.answer(transport, query, from);
    // Who is refused anyway causes no work to the daemon.
    const decoded = this.askers.mayAsk(from.address) ? decode(query) : null;
    if (decoded?.ok !== true || !isQuery(decoded.message)) answer();
    else this.pictures.whenFresh(decoded.message.message_type === 'machines_query', answer);
  }

  private answer(transport: Transport, query: Uint8Array, { address, port }: Endpoint): void {
    const replies = this.responder.answer(query, address, this.parts.clock.nowMs(), Date.now() / 1000);
    if (replies.length === 0) return;
    const asker = plainAddress(address);
    for (const factory of this.names.ownersOf(asker)) this.polling.noteAlive(factory);
    for (const reply of this.keys.answersTo(query, asker, replies)) transport.send(reply, address, port);
  }

  private addressesChanged(): void {
    this.gossiping.pump();
    this.polling.pollSoon();
    this.hearing.publishSoon();
  }

  /** The other factories, each with its addresses as far as they are known. */
  private others(): PollPeer[] {
    return this.config.peers.map((factory) => this.polling.pollPeer(factory));
  }

  /** One message, unless there are hundreds of machinetypes. */
  private tellNews(news: SpaceNews): void {
    const newsPages = [...pages(news.news.slice(0, MAX_NEWS))];
    const usePages = [...pages(news.uses.slice(0, MAX_NEWS))];
    const length = Math.max(newsPages.length, usePages.length);
    for (let page = 0; page < length; page += 1) {
      const part = { ...news, news: newsPages[page] ?? [], uses: usePages[page] ?? [] };
      this.parts.tell({ type: 'news', isLast: page === length - 1, news: part });
    }
  }

  private tellLook(id: number): void {
    for (const peers of pages(this.hearing.summaries())) this.parts.tell({ type: 'look-peers', id, peers });
    this.parts.tell({ type: 'look', id, look: this.look() });
  }

  private look(): MemberLook {
    const { received, sent, refused } = addCounts(this.responder.counts, this.polling.counts, this.census.counts);
    return {
      hint: this.keys.hint(this.config.peers),
      gossip: this.gossipFacts(),
      counts: { received: [...received], sent: [...sent], refused: [...refused] },
    };
  }

  private gossipFacts(): MemberLook['gossip'] {
    const { gossip, receivedBytes } = this.gossiping;
    if (gossip === null || this.config.peers.length === 0) return null;
    const peers = new Map<Liveness, number>();
    for (const { liveness } of gossip.view(this.gossiping.now())) peers.set(liveness, (peers.get(liveness) ?? 0) + 1);
    return { counts: gossip.counts, receivedBytes, peers: [...peers] };
  }

  private async takeCensus(id: number): Promise<void> {
    const answers = await this.census.ask().catch((error: Error) => {
      this.parts.log.warn(`the other factories cannot be asked for the census: ${error.message}`);
      return null;
    });
    const given = (answers ?? []).flatMap(({ factory, statuses: [received] }) =>
      received === undefined ? [] : [{ factory, status: received.status }],
    );
    for (const page of pages(given)) this.parts.tell({ type: 'census-answers', id, answers: page });
    this.parts.tell({ type: 'census', id, wasAsked: answers !== null });
  }

  private async lookUp(id: number, host: string): Promise<void> {
    const { resolve = resolveHost, tell } = this.parts;
    try {
      tell({ type: 'name', id, addresses: await resolve(host), problem: '' });
    } catch (error) {
      tell({ type: 'name', id, addresses: [], problem: (error as Error).message });
    }
  }

  private tellProblem({ messageType, name, refusal }: SnapshotProblem): void {
    const line = `VacQuery: ${messageType} of ${name} cannot be sent: ${refusal.reason}`;
    if (this.toldProblems.has(line)) return;
    this.toldProblems.add(line);
    this.parts.log.error(line);
  }
}
