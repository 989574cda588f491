/**
 * The local socket by which `vac` asks a running daemon, and tells it to drain or to stop machines: one line of JSON each
 * way. Only root may open it, and the members of control_group, if the configuration names one.
 */

import { chmod, chown, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { VacError } from '../errors.js';
import type { LoggedDecision } from '../factory/decision-log.js';
import type { OvernightPause } from '../factory/overnight-types.js';
import type { DrainOrder } from '../factory/types.js';
import { type ControlRequest, checkRequest } from './control-request.js';
import type { OvernightReport } from './overnight-report.js';
import type { Held, QuarantineRequest } from './quarantine-book.js';
import type { SpaceReport } from './space-report.js';
import type { FactoryStatus } from './status.js';

export type { ControlRequest } from './control-request.js';

export interface Refusal {
  readonly ok: false;
  readonly error: string;
}

export interface StatusReply {
  readonly ok: true;
  readonly status: FactoryStatus;
  /** What `why` asked for, oldest first; empty for all others. */
  readonly decisions: readonly LoggedDecision[];
}

export interface StopReply extends StatusReply {
  /** Id of the machine that is to be stopped. */
  readonly machine: string;
}

export interface QuarantineReply extends StatusReply, Held {}

export interface SpaceReply {
  readonly ok: true;
  readonly space: SpaceReport;
}

export interface OvernightReply {
  readonly ok: true;
  readonly overnight: OvernightReport;
}

type ReplyTo<Request extends ControlRequest> = Request extends { command: 'space' }
  ? SpaceReply
  : Request extends { command: 'overnight' | 'overnightPause' }
    ? OvernightReply
    : Request extends { command: 'quarantine' }
      ? QuarantineReply
      : Request extends { command: 'stop' | 'release' }
        ? StopReply
        : StatusReply;

/** What comes back for a request of this type. */
export type ControlReply<Request extends ControlRequest = ControlRequest> = Refusal | ReplyTo<Request>;

/** What the requests reach. Whatever is thrown is the refusal's words. */
export interface ControlHandlers {
  status(): FactoryStatus;
  why(about: { readonly slot?: number; readonly machinetype?: string }): readonly LoggedDecision[];
  drain(order: DrainOrder): Promise<void>;
  undrain(): Promise<void>;
  /** @returns the machine's id */
  stop(machine: string): string | Promise<string>;
  shutdownAt(timeSeconds: number | null): Promise<void>;
  quarantine(request: QuarantineRequest): Promise<Held>;
  /** @returns the machine's id */
  release(machine: string, who: string, destroy: boolean): Promise<string>;
  /** Null: nothing is known of a space. */
  space(): Promise<SpaceReport | null> | SpaceReport | null;
  /** Null: the configuration has no overnight mode. */
  overnight(): OvernightReport | null;
  overnightPause(pause: OvernightPause | null): Promise<void>;
}

/** A question is one short line; who sends more is not `vac`. */
const MAX_REQUEST_BYTES = 4096;
const REQUEST_SECONDS = 10;
/** What a request has vacd wait for: a machine in the middle of a step, libvirt, the firewall; or a host that is busy. */
const ANSWER_SECONDS = 60;

export class ControlServer {
  private server: Server | null = null;

  constructor(
    private readonly path: string,
    private readonly handlers: ControlHandlers,
    /** What may be asked here; default: all. */
    private readonly commands?: ReadonlySet<ControlRequest['command']>,
  ) {}

  async listen(): Promise<void> {
    // The daemon holds the state directory's lock, so a socket that is there belongs to a dead one.
    await rm(this.path, { force: true });
    const server = createServer((socket) => this.serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.path, resolve);
    });
    await this.admit(null);
    this.server = server;
  }

  /** @param gid of the group that may ask besides root; null: none */
  async admit(gid: number | null): Promise<void> {
    // Closed while it changes hands: nobody of another group gets in between.
    await chmod(this.path, 0o600);
    await chown(this.path, 0, gid ?? 0);
    if (gid !== null) await chmod(this.path, 0o660);
  }

  async close(): Promise<void> {
    this.server?.close();
    await rm(this.path, { force: true });
  }

  private serve(socket: Socket): void {
    let text = '';
    let answered = false;
    socket.setEncoding('utf8').setTimeout(REQUEST_SECONDS * 1000, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', async (part: string) => {
      if (answered) return;
      text += part;
      if (text.length > MAX_REQUEST_BYTES) socket.destroy();
      else if (text.includes('\n')) {
        answered = true;
        socket.setTimeout(ANSWER_SECONDS * 1000);
        socket.end(`${JSON.stringify(await this.answer(text))}\n`);
      }
    });
  }

  private async answer(line: string): Promise<ControlReply> {
    try {
      const request = checkRequest(JSON.parse(line), Math.floor(Date.now() / 1000));
      if (this.commands?.has(request.command) === false) throw new Error(`${request.command} may not be asked here`);
      return await this.obey(request);
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }

  private overnight(): OvernightReply | Refusal {
    const overnight = this.handlers.overnight();
    if (overnight !== null) return { ok: true, overnight };
    return { ok: false, error: 'this host has no overnight mode: its configuration has no section [overnight]' };
  }

  private async obey(request: ControlRequest): Promise<ControlReply> {
    const handlers = this.handlers;
    const reply = (decisions: readonly LoggedDecision[] = []): StatusReply => ({
      ok: true,
      status: handlers.status(),
      decisions,
    });
    switch (request.command) {
      case 'status':
        return reply();
      case 'why':
        return reply(handlers.why(request));
      case 'drain': {
        const { reason, untilSeconds = null, byTimeSeconds = null } = request;
        const sinceSeconds = Math.floor(Date.now() / 1000);
        await handlers.drain({ reason, sinceSeconds, untilSeconds, byTimeSeconds });
        return reply();
      }
      case 'undrain':
        await handlers.undrain();
        return reply();
      case 'stop': {
        const machine = await handlers.stop(request.machine);
        return { ...reply(), machine };
      }
      case 'quarantine': {
        const held = await handlers.quarantine(request);
        return { ...reply(), ...held };
      }
      case 'release': {
        const machine = await handlers.release(request.machine, request.who, request.destroy);
        return { ...reply(), machine };
      }
      case 'shutdownAt':
        await handlers.shutdownAt(request.timeSeconds);
        return reply();
      case 'overnight':
        return this.overnight();
      case 'overnightPause': {
        const { who, untilSeconds } = request;
        const sinceSeconds = Math.floor(Date.now() / 1000);
        await handlers.overnightPause(untilSeconds === null ? null : { who, sinceSeconds, untilSeconds });
        return this.overnight();
      }
      case 'space': {
        const space = await handlers.space();
        return space === null
          ? { ok: false, error: 'this vacd knows of no space yet; ask again' }
          : { ok: true, space };
      }
    }
  }
}

/** @throws VacError `daemon-not-running` */
export async function askDaemon<Request extends ControlRequest>(
  path: string,
  request: Request,
): Promise<ControlReply<Request>> {
  const socket = connect(path);
  socket.setEncoding('utf8').setTimeout(ANSWER_SECONDS * 1000, () => socket.destroy(new Error('no answer')));
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    let text = '';
    for await (const part of socket) text += part;
    return JSON.parse(text) as ControlReply<Request>;
  } catch (cause) {
    throw new VacError('daemon-not-running', `cannot ask vacd at ${path}: ${whyNot(cause)}`, { cause });
  }
}

function whyNot(cause: unknown): string {
  if (cause instanceof SyntaxError) return 'the answer breaks off, or is not from a vacd; ask again';
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES') return 'only root, and the group that control_group names, may ask (try sudo)';
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'no vacd runs there' : message;
  return `${why}; start it, or name its state directory with --state-dir`;
}
