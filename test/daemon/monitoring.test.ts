import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { Settings } from '../../src/config/types.js';
import type { Daemon } from '../../src/daemon/daemon.js';
import { Metrics } from '../../src/daemon/metrics.js';
import { Monitoring } from '../../src/daemon/monitoring.js';
import type { StepListener } from '../../src/machines/tools.js';
import { GuardedScrapes, type GuardedScrapesOptions } from '../../src/metrics/parent.js';
import { addCounts, decode, type Status } from '../../src/vacquery/index.js';
import { config, end, machinetype } from '../factory/builders.js';
import { parseExposition, valuesOf } from './exposition.js';
import { TestFactory, until } from './test-factory.js';

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function scrape(port: number) {
  const text = await new Promise<string>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/metrics', agent: false }, async (response) => {
      resolve((await response.setEncoding('utf8').toArray()).join(''));
    }).on('error', reject);
  });
  return parseExposition(text);
}

test('what the configuration asks for begins, changes and ends, and a machine’s end is told when it is accounted for', async () => {
  const factory = await TestFactory.create();
  const service = createSocket('udp4');
  const statuses: Status[] = [];
  service.on('message', (datagram) => {
    const decoded = decode(datagram);
    if (decoded.ok) statuses.push(decoded.message as Status);
  });
  service.bind(0, '127.0.0.1');
  await once(service, 'listening');

  const { memory, layout, log } = factory;
  const metrics = new Metrics(memory, 0);
  const listeners: StepListener[] = [];
  const scrapes = (page: GuardedScrapesOptions['page']) =>
    new GuardedScrapes({
      page,
      mark: `${layout.root}/metrics`,
      identity: { uid: 65534, gid: 65534 },
      onProblem: (line) => log.logger.warn(line),
    });
  const space = {
    look: async () => {},
    resolve: async (host: string) => [host],
    census: async () => null,
    counts: addCounts(),
    gossip: () => null,
    report: () => ({ alone: true, peers: [{ factory: 'wn2.example.com', outcome: 'none', heardSecondsAgo: 7 }] }),
  };
  const monitoring = new Monitoring({
    memory,
    metrics,
    space,
    parts: { log: log.logger, layout, scrapes },
    onStep: (listener: StepListener) => listeners.push(listener),
  } as unknown as Daemon);
  const use = async (settings: Partial<Settings>) => {
    memory.config = config([machinetype('prod')], settings);
    await monitoring.reconfigure();
  };
  try {
    await monitoring.start();
    expect(log.lines).toEqual([]);

    const port = await freePort();
    await use({ metricsListen: { host: '127.0.0.1', port }, vacmonHostports: [service.address()].map(hostPortOf) });
    const families = await scrape(port);
    expect(valuesOf(families, 'vac_peer_news_age_seconds')).toEqual({ 'peer=wn2.example.com': 7 });
    expect(valuesOf(families, 'vac_space_alone')).toEqual({ '': 1 });
    expect(valuesOf(families, 'vac_census_timestamp_seconds')).toEqual({});
    await until('a round', () => statuses.some(({ message_type }) => message_type === 'machine_status'));

    const { entry } = await factory.addMachine({ slot: 1 }, { phase: 'ended', end: end() });
    const told = () => statuses.filter((status) => 'uuid' in status && status.uuid === entry.record.uuid);
    for (const listen of listeners) listen(entry.record.id, 'accounting', 'begin', 0);
    for (const listen of listeners) listen(entry.record.id, 'cleared', 'end', 1);
    for (const listen of listeners) listen(entry.record.id, 'accounting', 'end', 1);
    await until('its end is told', () => told().length > 0);
    expect(told()).toMatchObject([{ state: 'Shut down', shutdown_message: '200 Success' }]);

    await use({});
    await expect(scrape(port)).rejects.toThrow('ECONNREFUSED');
    expect(valuesOf(parseExposition(await metrics.text()), 'vac_vacmon_datagrams_total')).toEqual({});
    expect(log.with('warning')).toEqual([]);
  } finally {
    await monitoring.close();
    metrics.close();
    service.close();
    await factory.dispose();
  }
});

function hostPortOf({ address, port }: AddressInfo) {
  return { host: address, port };
}
