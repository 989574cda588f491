/** One datagram being filled: what must be in it first, then changes, then ages, as far as there is room. */

import type { Change } from './entry.js';
import type { Knowledge } from './gossip-knowledge.js';
import type { AgeWindow, GossipHeader, GossipMessage, SentChange, SyncAnswer, SyncRequest } from './wire02.js';
import { ageBucketBytes, ageFrameBytes, answerBytes, ChangesSize, syncBytes } from './wire02-encode.js';

export class Packer {
  readonly #knowledge: Knowledge;
  readonly #nowDs: number;
  readonly #header: GossipHeader;
  readonly #maxBytes: number;
  readonly #changes: SentChange[] = [];
  readonly #changesSize = new ChangesSize();
  #otherBytes: number;
  #sync: SyncRequest | null = null;
  #answer: SyncAnswer | null = null;
  #ages: AgeWindow | null = null;

  /** @param bytes of the header */
  constructor(knowledge: Knowledge, nowDs: number, header: GossipHeader, bytes: number, maxBytes: number) {
    this.#knowledge = knowledge;
    this.#nowDs = nowDs;
    this.#header = header;
    this.#otherBytes = bytes;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#otherBytes + this.#changesSize.bytes;
  }

  get room(): number {
    return this.#maxBytes - this.bytes;
  }

  get isEmpty(): boolean {
    return this.#sync === null && this.#answer === null && this.#ages === null && this.#changes.length === 0;
  }

  setSync(sync: SyncRequest): void {
    this.#sync = sync;
    this.#otherBytes += syncBytes(sync);
  }

  /** May be called again with an answer that is no longer than the last. */
  setAnswer(answer: SyncAnswer): void {
    this.#otherBytes += answerBytes(answer) - (this.#answer === null ? 0 : answerBytes(this.#answer));
    this.#answer = answer;
  }

  /** False: there is no room for it. */
  putChange(index: number, change: Change): boolean {
    const ageDs = this.#knowledge.ageDs(index, change.changedDs, this.#nowDs);
    const maxBytes = this.#maxBytes - this.#otherBytes;
    if (!this.#changesSize.add(change, ageDs, this.#knowledge.roster.names[index]!, maxBytes)) return false;
    this.#changes.push({ change, ageDs });
    return true;
  }

  putHot(): void {
    this.#knowledge.takeHot(this.#nowDs, (index, change) => this.putChange(index, change));
  }

  /** True: there was room for some. */
  putAges(maxBytes: number): boolean {
    this.#ages = this.#knowledge.heard.window(this.#nowDs, Math.min(maxBytes, this.room));
    if (this.#ages === null) return false;
    this.#otherBytes += ageFrameBytes(this.#ages.bits, this.#ages.first);
    for (const { codes } of this.#ages.buckets) this.#otherBytes += ageBucketBytes(codes.length);
    return true;
  }

  message(): GossipMessage {
    return { ...this.#header, sync: this.#sync, answer: this.#answer, ages: this.#ages, changes: this.#changes };
  }
}
