/** Factories with real responders on real sockets, each on an address of its own of the loopback network. */

import type { AskerOptions } from '../../src/cli/ask-space.js';
import type { Resolved } from '../../src/host/resolve.js';
import { openDgramTransport } from '../../src/vacquery/dgram.js';
import { Responder } from '../../src/vacquery/responder.js';
import type { Transport } from '../../src/vacquery/transport.js';
import { SPACE, snapshotOf } from '../vacquery/snapshot.js';

export interface LoopbackShape {
  readonly factories: number;
  readonly slots?: number;
  readonly machinetypes?: number;
  /** Numbers of factories that are not there. */
  readonly dead?: readonly number[];
  /** Another process serves them. */
  readonly elsewhere?: boolean;
  /** Default: any that is free. */
  readonly port?: number;
  /** Numbers of factories whose names do not resolve. */
  readonly nameless?: readonly number[];
}

export class LoopbackSpace {
  /** Port of all of them. */
  port: number;
  readonly names: readonly string[];
  readonly queries = new Map<string, number>();
  readonly #transports: Transport[] = [];

  private constructor(readonly shape: LoopbackShape) {
    this.port = shape.port ?? 0;
    this.names = namesOf(shape);
  }

  static async open(shape: LoopbackShape): Promise<LoopbackSpace> {
    const space = new LoopbackSpace(shape);
    for (const [index, name] of space.names.entries()) {
      if (shape.elsewhere || shape.dead?.includes(index) || shape.nameless?.includes(index)) continue;
      await space.#serve(name, addressOf(index));
    }
    return space;
  }

  /** To ask them all: the first one as that of this host. */
  options(changes: Partial<AskerOptions> = {}): AskerOptions {
    return {
      space: SPACE,
      factories: this.names,
      ownFactory: this.names[0]!,
      ownPort: this.port,
      port: this.port,
      timeoutSeconds: 5,
      resolve: async (names) => this.#resolve(names),
      ...changes,
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#transports.map((transport) => transport.close()));
  }

  #resolve(names: readonly string[]): Resolved {
    const addresses = new Map<string, string[]>();
    const problems = new Map<string, string>();
    for (const name of names) {
      const index = this.names.indexOf(name);
      if (this.shape.nameless?.includes(index)) problems.set(name, 'its name does not resolve');
      else addresses.set(name, [addressOf(index)]);
    }
    return { addresses, problems };
  }

  async #serve(name: string, ipv4Address: string): Promise<void> {
    const transport = await openDgramTransport({ port: this.port, ipv4Address, ipv6Address: null });
    this.port = transport.port;
    this.#transports.push(transport);
    const responder = new Responder({ mayAsk: () => true, onRefusal: () => {}, onProblem: () => {} });
    responder.setSnapshot(snapshotOf(name, this.shape.slots ?? 4, this.shape.machinetypes ?? 3));
    transport.onDatagram((datagram, { address, port }) => {
      this.queries.set(name, (this.queries.get(name) ?? 0) + 1);
      for (const reply of responder.answer(datagram, address, performance.now(), Date.now() / 1000)) {
        transport.send(reply, address, port);
      }
    });
  }
}

export function namesOf({ factories }: LoopbackShape): string[] {
  return Array.from({ length: factories }, (_, index) => `wn${String(index).padStart(2, '0')}.example.com`);
}

/** For /etc/hosts. */
export function hostsFile(shape: LoopbackShape): string {
  const lines = namesOf(shape).map((name, index) =>
    shape.nameless?.includes(index) ? '' : `${addressOf(index)} ${name}`,
  );
  return `127.0.0.1 localhost\n${lines.join('\n')}\n`;
}

/** The first is where the factory of this host is asked. */
function addressOf(index: number): string {
  return index === 0 ? '127.0.0.1' : `127.1.${index >> 8}.${index & 255}`;
}
