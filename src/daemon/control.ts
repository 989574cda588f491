/**
 * The local socket by which `vac` asks a running daemon, and tells it to drain: one line of JSON each way. Only root may
 * open it.
 */

import { chmod, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { VacError } from '../errors.js';
import type { DecisionLog, LoggedDecision } from '../factory/decision-log.js';
import type { FactoryStatus } from './status.js';

export type ControlRequest =
  | { readonly command: 'status' }
  /** Start nothing more, until told otherwise or until vacd ends. */
  | { readonly command: 'drain'; readonly reason: string }
  | { readonly command: 'undrain' }
  | { readonly command: 'why'; readonly slot?: number; readonly machinetype?: string };

export type ControlReply =
  | { readonly ok: true; readonly status: FactoryStatus; readonly decisions: readonly LoggedDecision[] }
  | { readonly ok: false; readonly error: string };

/** A question is one short line; who sends more is not `vac`. */
const MAX_REQUEST_BYTES = 4096;
const REQUEST_SECONDS = 10;

export class ControlServer {
  private server: Server | null = null;

  constructor(
    private readonly path: string,
    private readonly status: () => FactoryStatus,
    private readonly decisions: DecisionLog,
    /** Null: no longer. */
    private readonly drain: (reason: string | null) => void,
  ) {}

  async listen(): Promise<void> {
    // The daemon holds the state directory's lock, so a socket that is there belongs to a dead one.
    await rm(this.path, { force: true });
    const server = createServer((socket) => this.serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.path, resolve);
    });
    await chmod(this.path, 0o600);
    this.server = server;
  }

  async close(): Promise<void> {
    this.server?.close();
    await rm(this.path, { force: true });
  }

  private serve(socket: Socket): void {
    let text = '';
    socket.setEncoding('utf8').setTimeout(REQUEST_SECONDS * 1000, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (part: string) => {
      text += part;
      if (text.length > MAX_REQUEST_BYTES) socket.destroy();
      else if (text.includes('\n')) socket.end(`${JSON.stringify(this.answer(text))}\n`);
    });
  }

  private answer(line: string): ControlReply {
    try {
      const request = JSON.parse(line) as ControlRequest | null;
      if (typeof request !== 'object' || request === null) return { ok: false, error: 'the request is no JSON object' };
      return this.obey(request);
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }

  private obey(request: ControlRequest): ControlReply {
    const reply = (decisions: readonly LoggedDecision[]): ControlReply => ({
      ok: true,
      status: this.status(),
      decisions,
    });
    switch (request.command) {
      case 'status':
        return reply([]);
      case 'drain':
        this.drain(String(request.reason));
        return reply([]);
      case 'undrain':
        this.drain(null);
        return reply([]);
      case 'why':
        if (request.slot !== undefined) return reply(this.decisions.ofSlot(request.slot));
        if (request.machinetype !== undefined) return reply(this.decisions.ofMachinetype(request.machinetype));
        return reply([]);
      default:
        return { ok: false, error: `unknown command ${String((request as { command: unknown }).command)}` };
    }
  }
}

/** @throws VacError `daemon-not-running` */
export async function askDaemon(path: string, request: ControlRequest): Promise<ControlReply> {
  const socket = connect(path);
  socket.setEncoding('utf8').setTimeout(REQUEST_SECONDS * 1000, () => socket.destroy(new Error('no answer')));
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    let text = '';
    for await (const part of socket) text += part;
    return JSON.parse(text) as ControlReply;
  } catch (cause) {
    throw new VacError('daemon-not-running', `cannot ask vacd at ${path}: ${whyNot(cause)}`, { cause });
  }
}

function whyNot(cause: unknown): string {
  if (cause instanceof SyntaxError) return 'the answer breaks off, or is not from a vacd; ask again';
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES') return 'only root may ask (try sudo)';
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'no vacd runs there' : message;
  return `${why}; start it, or name its state directory with --state-dir`;
}
