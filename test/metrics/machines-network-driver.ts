/** Asks a server of /metrics on all addresses of a network namespace, and prints what came of each; for its test. */

import { request } from 'node:http';
import { ScrapeServer } from '../../src/metrics/server.js';

const page = async () => ({ contentType: 'text/plain', body: 'vac_up 1\n' });
const server = new ScrapeServer({ page, onProblem: () => {} });
await server.listen({ host: '::', port: 0 });

function ask(host: string, localAddress: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request({ host, localAddress, port: server.port, path: '/metrics', agent: false, timeout: 5_000 });
    sent.on('response', (response) => resolve(String(response.resume().statusCode)));
    sent.on('timeout', () => resolve('no answer'));
    sent.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'ECONNRESET' ? 'cut off' : error.message),
    );
    sent.end();
  });
}

const outcomes: Record<string, string> = {};
for (const [to, from] of [
  ['169.254.77.1', '169.254.77.1'],
  ['169.254.77.1', '198.51.100.1'],
  ['198.51.100.1', '169.254.77.1'],
  ['::ffff:169.254.77.1', '::ffff:198.51.100.1'],
  ['198.51.100.1', '198.51.100.1'],
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
] as const) {
  outcomes[`to ${to} from ${from}`] = await ask(to, from);
}
await server.close();
process.stdout.write(JSON.stringify(outcomes));
