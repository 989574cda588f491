/** Asks an HTTP server from a process of its own: many machines, each on a connection that it keeps. */

import { Agent, request } from 'node:http';

export interface AskOrder {
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly clients: readonly string[];
  readonly requestsPerClient: number;
}

export interface AskResult {
  readonly milliseconds: number;
  /** Requests that were not answered by 200. */
  readonly failed: number;
}

async function ask(order: AskOrder): Promise<AskResult> {
  let failed = 0;
  const began = performance.now();
  await Promise.all(
    order.clients.map(async (localAddress) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let count = 0; count < order.requestsPerClient; count += 1) {
        const status = await one({ ...order, localAddress, agent });
        if (status !== 200) failed += 1;
      }
      agent.destroy();
    }),
  );
  return { milliseconds: performance.now() - began, failed };
}

function one(order: AskOrder & { localAddress: string; agent: Agent }): Promise<number> {
  const { address, port, path, localAddress, agent } = order;
  return new Promise((resolve, reject) => {
    const sent = request({ host: address, port, path, localAddress, agent }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).resume();
    });
    sent.on('error', reject).end();
  });
}

process.on('message', async (order: AskOrder) => process.send!(await ask(order)));
