/** What the HTTP server asks, asked through the channel: the child's side of messages.ts. vacd's answers are trusted. */

import { Readable } from 'node:stream';
import type { Link } from '../guard/part.js';
import { CHUNK_BYTES, MAX_REQUEST } from './messages.js';
import {
  type GuestDirectory,
  HostFault,
  type MetadataMachine,
  type MetadataSource,
  type Place,
  type PutOutcome,
  TooMuch,
} from './source.js';

interface Reply {
  readonly request: number;
  readonly machine?: MetadataMachine | null;
  readonly names?: readonly string[];
  readonly found?: boolean;
  readonly last?: boolean;
  readonly outcome?: PutOutcome;
}

type Listener = (type: string, reply: Reply, bytes: Uint8Array) => void;

export class RemoteSource implements MetadataSource {
  private readonly listeners = new Map<number, Listener>();
  private lastRequest = 0;

  constructor(private readonly link: Link) {}

  receive(type: string, body: unknown, bytes: Uint8Array): void {
    const reply = body as Reply;
    // What was given up meanwhile is wanted by nobody.
    this.listeners.get(reply.request)?.(type, reply, bytes);
  }

  async machineByIp(ip: string): Promise<MetadataMachine | null> {
    return (await this.ask('machine', { ip })).machine ?? null;
  }

  async list(machine: MetadataMachine, directory: GuestDirectory): Promise<readonly string[]> {
    return (await this.ask('list', { ip: machine.ip, machine: machine.id, directory })).names ?? [];
  }

  read(machine: MetadataMachine, place: Place, name: string): Promise<Buffer | Readable | null> {
    return new Promise((resolve, reject) => {
      let stream: Readable | null = null;
      const request = this.open((type, { found, last }, bytes) => {
        const failed = failureOf(type);
        if (failed !== null || last) this.close(request);
        if (failed !== null) {
          if (stream === null) reject(failed);
          else stream.destroy(failed);
        } else if (stream !== null) {
          stream.push(bytes);
          if (last) stream.push(null);
        } else if (found !== true || last) {
          resolve(found === true ? Buffer.from(bytes) : null);
        } else {
          stream = this.stream(request);
          stream.push(bytes);
          resolve(stream);
        }
      });
      this.link.send('read', { request, ip: machine.ip, machine: machine.id, place, name });
    });
  }

  async put(machine: MetadataMachine, name: string, body: AsyncIterable<Uint8Array>): Promise<PutOutcome> {
    let wake: () => void = () => {};
    // Changed by the listener, between two awaits.
    const state: { mayGoOn: boolean; failed: Error | null; outcome: PutOutcome | null } = {
      mayGoOn: false,
      failed: null,
      outcome: null,
    };
    const request = this.open((type, reply) => {
      if (type === 'taken') state.mayGoOn = true;
      else {
        state.failed = failureOf(type);
        state.outcome = reply.outcome ?? null;
        this.close(request);
      }
      wake();
    });
    const over = () => state.failed !== null || state.outcome !== null;
    const until = async (condition: () => boolean) => {
      while (!condition() && !over()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    this.link.send('put', { request, ip: machine.ip, machine: machine.id, name });
    try {
      for await (const chunk of body) {
        for (let from = 0; from < chunk.length && !over(); from += CHUNK_BYTES) {
          await until(() => state.mayGoOn);
          state.mayGoOn = false;
          if (!over()) this.link.send('chunk', { request }, chunk.subarray(from, from + CHUNK_BYTES));
        }
        if (over()) break;
      }
    } catch (error) {
      if (!over()) this.link.send('abort', { request });
      this.close(request);
      throw error;
    }
    await until(() => state.mayGoOn);
    if (!over()) this.link.send('end', { request });
    await until(over);
    if (state.outcome === null) throw state.failed ?? new HostFault();
    return state.outcome;
  }

  /** A question with one answer. */
  private ask(type: string, body: object): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const request = this.open((answer, reply) => {
        this.close(request);
        const failed = failureOf(answer);
        if (failed === null) resolve(reply);
        else reject(failed);
      });
      this.link.send(type, { request, ...body });
    });
  }

  /** The rest of a file, asked for as it is read. */
  private stream(request: number): Readable {
    return new Readable({
      read: () => {
        this.link.send('more', { request });
      },
      destroy: (error, done) => {
        if (this.listeners.has(request)) this.link.send('stop', { request });
        this.close(request);
        done(error);
      },
    });
  }

  private open(listener: Listener): number {
    do this.lastRequest = (this.lastRequest + 1) % MAX_REQUEST;
    while (this.listeners.has(this.lastRequest));
    this.listeners.set(this.lastRequest, listener);
    return this.lastRequest;
  }

  private close(request: number): void {
    this.listeners.delete(request);
  }
}

/** What an answer says that is none; null: it is one. */
function failureOf(type: string): HostFault | null {
  if (type === 'busy') return new TooMuch();
  return type === 'failed' ? new HostFault() : null;
}
