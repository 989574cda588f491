/** The metadata service as a part of the child without root: the HTTP server on the sockets that vacd has bound. */

import type { ChildPart, ChildSurroundings } from '../guard/part.js';
import { HTTP_PART } from './messages.js';
import { RemoteSource } from './remote-source.js';
import { MetadataServer } from './server.js';

export class MetadataChild implements ChildPart {
  readonly name = HTTP_PART;
  private source: RemoteSource | null = null;

  async start({ link, sockets, problem }: ChildSurroundings): Promise<void> {
    this.source = new RemoteSource(link);
    const server = new MetadataServer(this.source, { onProblem: problem });
    for (const fd of sockets.values()) await server.listen({ fd });
  }

  receive(type: string, body: unknown, bytes: Uint8Array): void {
    this.source?.receive(type, body, bytes);
  }
}
