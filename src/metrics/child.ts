/** The server of /metrics in a child of vacd without root: it asks vacd for the text, once a second at most. */

import type { ChildPart, ChildSurroundings, Link } from '../guard/part.js';
import { METRICS_PART, TEXT_MS } from './messages.js';
import { type Page, ScrapeServer } from './server.js';

export class MetricsChild implements ChildPart {
  readonly name = METRICS_PART;
  private link: Link | null = null;
  private asked: { readonly atMs: number; readonly page: Promise<Page> } | null = null;
  /** Null: vacd has answered. */
  private answer: { readonly take: (page: Page) => void; readonly fail: (error: Error) => void } | null = null;
  private pieces: Uint8Array[] = [];

  async start({ link, sockets, problem }: ChildSurroundings): Promise<void> {
    this.link = link;
    const server = new ScrapeServer({ page: () => this.page(), onProblem: problem });
    for (const fd of sockets.values()) await server.listen({ fd });
  }

  receive(type: string, body: unknown, bytes: Uint8Array): void {
    if (type === 'failed') {
      this.answer?.fail(new Error('vacd could not make the text'));
      this.answer = null;
      return;
    }
    this.pieces.push(bytes);
    if (type !== 'last') return;
    const page = { contentType: (body as { contentType: string }).contentType, body: Buffer.concat(this.pieces) };
    this.pieces = [];
    this.answer?.take(page);
    this.answer = null;
  }

  private page(): Promise<Page> {
    const nowMs = performance.now();
    if (this.asked === null || (this.answer === null && nowMs >= this.asked.atMs + TEXT_MS)) {
      const page = new Promise<Page>((take, fail) => {
        this.answer = { take, fail };
        this.link!.send('text');
      });
      this.asked = { atMs: nowMs, page };
    }
    return this.asked.page;
  }
}
