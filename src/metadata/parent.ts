/**
 * vacd's side of messages.ts: answers what the HTTP server in the child asks, as root, and trusts nothing of it. A child
 * that was taken over can ask here for what machines are given, and write what machines may write; nothing else.
 */

import { choiceField, integerField, ipField, textField } from '../guard/fields.js';
import { BadMessage, type Link, type ParentPart } from '../guard/part.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { BoundedMap, TokenBucket } from '../vacquery/limits.js';
import { type HostMachine, listFiles, putJoboutput, readMachineFile } from './machine-files.js';
import {
  COSTS,
  FAULT_LINES,
  FILES,
  HTTP_PART,
  MAX_ID_CHARS,
  MAX_NAME_CHARS,
  MAX_OPEN,
  MAX_OPEN_PER_MACHINE,
  MAX_REMEMBERED,
  MAX_REQUEST,
} from './messages.js';
import { Reading } from './reading.js';
import { DIRECTORIES, FILE_NAME, type MetadataMachine, PLACES } from './source.js';
import { Upload } from './upload.js';

export interface MetadataParentParts {
  readonly guestOwner: GuestOwner;
  /** The machine that has this address now. */
  readonly machineByIp: (ip: string) => HostMachine | null;
  /** Descriptors of the listening sockets, by name. */
  readonly sockets: () => ReadonlyMap<string, number>;
  /** Told, in one line, of requests that failed through a fault of the host. */
  readonly onProblem: (line: string) => void;
}

/** A question that is not answered to its end. */
interface Open {
  readonly machineId: string;
  readonly reading?: Reading;
  readonly upload?: Upload;
}

/** With one child, from its start to its end. */
interface Conversation {
  readonly link: Link;
  readonly open: Map<number, Open>;
}

export class MetadataParent implements ParentPart {
  readonly name = HTTP_PART;
  private conversation: Conversation | null = null;
  /** By machine, whichever child asks. */
  private readonly budgets = new BoundedMap<TokenBucket>(MAX_REMEMBERED);
  private readonly lines = new BoundedMap<TokenBucket>(MAX_REMEMBERED);

  constructor(private readonly parts: MetadataParentParts) {}

  sockets(): ReadonlyMap<string, number> {
    return this.parts.sockets();
  }

  attach(link: Link): void {
    this.conversation = { link, open: new Map() };
  }

  detach(): void {
    for (const { reading, upload } of this.conversation?.open.values() ?? []) {
      reading?.close();
      upload?.abort();
    }
    this.conversation = null;
  }

  receive(type: string, body: unknown, bytes: Uint8Array): void {
    const conversation = this.conversation;
    if (conversation === null) return;
    const request = integerField(body, 'request', 0, MAX_REQUEST);
    switch (type) {
      case 'machine': {
        const machine = this.parts.machineByIp(ipField(body, 'ip'));
        conversation.link.send('machine', { request, machine: machine === null ? null : toldOf(machine) });
        return;
      }
      case 'list':
        this.list(conversation, request, body);
        return;
      case 'read':
        this.read(conversation, request, body);
        return;
      case 'put':
        this.put(conversation, request, body);
        return;
      default:
        goOn(conversation, request, type, bytes);
    }
  }

  private list(conversation: Conversation, request: number, body: unknown): void {
    const machine = this.askedFor(body);
    const directory = choiceField(body, 'directory', DIRECTORIES);
    const answer = (names: readonly string[]) => conversation.link.send('names', { request, names });
    if (machine === null) answer([]);
    else if (this.admit(conversation, request, { machineId: machine.id }, COSTS.list)) {
      listFiles(machine, directory)
        .then((names) => {
          conversation.open.delete(request);
          answer(names);
        })
        .catch((error) => this.failed(conversation, request, machine, `listing ${directory}`, error));
    }
  }

  private read(conversation: Conversation, request: number, body: unknown): void {
    const machine = this.askedFor(body);
    const place = choiceField(body, 'place', PLACES);
    const name = place === 'user_data' ? '' : nameField(body);
    const answer = (found: boolean, last: boolean, piece?: Uint8Array) =>
      conversation.link.send('content', { request, found, last }, piece);
    if (machine === null) {
      answer(false, true);
      return;
    }
    const reading = new Reading(
      () => readMachineFile(machine, place, name),
      (found, last, piece) => {
        if (last) conversation.open.delete(request);
        answer(found, last, piece);
      },
      (error) => this.failed(conversation, request, machine, `reading ${place}/${name}`, error),
    );
    if (this.admit(conversation, request, { machineId: machine.id, reading }, COSTS.read)) reading.more();
  }

  private put(conversation: Conversation, request: number, body: unknown): void {
    const machine = this.askedFor(body);
    const name = nameField(body);
    if (machine === null) {
      conversation.link.send('failed', { request });
      return;
    }
    const upload = new Upload(() => conversation.link.send('taken', { request }));
    if (!this.admit(conversation, request, { machineId: machine.id, upload }, COSTS.put)) return;
    putJoboutput(machine, name, upload, this.parts.guestOwner)
      .then((outcome) => {
        conversation.open.delete(request);
        conversation.link.send('done', { request, outcome });
      })
      .catch((error) => {
        if (upload.aborted) conversation.open.delete(request);
        else this.failed(conversation, request, machine, `writing joboutputs/${name}`, error);
      });
  }

  /** The machine that a question is about, if its address is still its own. */
  private askedFor(body: unknown): HostMachine | null {
    const machine = this.parts.machineByIp(ipField(body, 'ip'));
    return machine?.id === textField(body, 'machine', MAX_ID_CHARS) ? machine : null;
  }

  /**
   * Notes a question until it is answered, unless it is too much for its machine. That happens with an honest child too:
   * what a client gave up ends here a little later than there.
   *
   * @throws BadMessage
   */
  private admit({ link, open }: Conversation, request: number, question: Open, cost: number): boolean {
    if (open.has(request)) throw new BadMessage('it asked two questions with one number');
    const nowMs = performance.now();
    const { machineId } = question;
    const budget = this.budgets.getOrCreate(machineId, () => new TokenBucket(FILES.perSecond, FILES.burst, nowMs));
    const ofMachine = [...open.values()].filter((other) => other.machineId === machineId).length;
    if (open.size >= MAX_OPEN || ofMachine >= 2 * MAX_OPEN_PER_MACHINE || !budget.has(nowMs)) {
      link.send('busy', { request });
      return false;
    }
    budget.spend(cost);
    open.set(request, question);
    return true;
  }

  private failed({ link, open }: Conversation, request: number, { id }: HostMachine, what: string, error: Error): void {
    open.delete(request);
    link.send('failed', { request });
    const nowMs = performance.now();
    const { perSecond, burst } = FAULT_LINES;
    const lines = this.lines.getOrCreate(id, () => new TokenBucket(perSecond, burst, nowMs));
    if (!lines.has(nowMs)) return;
    lines.spend(1);
    this.parts.onProblem(`metadata: ${what} of ${id} failed: ${error.message}`);
  }
}

/** What comes after a question; one that is answered meanwhile needs no more. */
function goOn({ open }: Conversation, request: number, type: string, bytes: Uint8Array): void {
  const question = open.get(request);
  switch (type) {
    case 'more':
      question?.reading?.more();
      return;
    case 'stop':
      question?.reading?.close();
      if (question?.reading !== undefined) open.delete(request);
      return;
    case 'chunk':
      question?.upload?.push(bytes);
      return;
    case 'end':
      question?.upload?.end();
      return;
    case 'abort':
      question?.upload?.abort();
      return;
    default:
      throw new BadMessage('it sent a message of no type');
  }
}

/** An honest child has refused every other name; so a message for people may hold it. */
function nameField(body: unknown): string {
  const name = textField(body, 'name', MAX_NAME_CHARS);
  if (!FILE_NAME.test(name)) throw new BadMessage('it named a file that it may not');
  return name;
}

/** Facts alone: not where its files are. */
function toldOf({ directory: _directory, limits: _limits, ...told }: HostMachine): MetadataMachine {
  return told;
}
