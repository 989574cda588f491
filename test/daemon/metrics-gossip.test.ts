import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Metrics } from '../../src/daemon/metrics.js';
import { SpaceNetwork, WN1, WN2, WN3 } from '../space/space-network.js';
import { parseExposition, valuesOf } from './exposition.js';

let net: SpaceNetwork;
beforeEach(() => {
  net = new SpaceNetwork();
});
afterEach(() => net.close());

async function scraped({ memory, space }: Awaited<ReturnType<SpaceNetwork['start']>>) {
  const metrics = new Metrics(memory, 0);
  metrics.watch({ look: () => space.look(), space: () => space.report(), gossip: () => space.gossip() });
  try {
    return parseExposition(await metrics.text());
  } finally {
    metrics.close();
  }
}

describe('metrics of gossip', () => {
  it('tell who lives by it, what goes in and out, and what is refused', async () => {
    const first = await net.start(WN1, 1);
    await net.start(WN2, 2);
    await net.startLegacy(WN3, 3);
    net.network.open('192.0.2.99', 995).send(new TextEncoder().encode('{"message_type": "gossip", '), '192.0.2.1', 995);
    await net.pass(10);
    const families = await scraped(first);
    expect(valuesOf(families, 'vac_gossip_peers')).toEqual({
      'liveness=alive': 1,
      'liveness=suspect': 0,
      'liveness=expired': 0,
      'liveness=left': 0,
      'liveness=unheard': 1,
    });
    const { 'direction=received': received, 'direction=sent': sent } = valuesOf(families, 'vac_gossip_datagrams_total');
    expect(received).toBeGreaterThan(2);
    expect(sent).toBeGreaterThan(2);
    expect(valuesOf(families, 'vac_gossip_bytes_total')['direction=received']).toBeGreaterThan(received! * 100);
    expect(valuesOf(families, 'vac_gossip_changes_total')['outcome=new']).toBeGreaterThan(0);
    expect(valuesOf(families, 'vac_gossip_refused_total')).toEqual({ 'reason=stranger': 1 });
    expect(valuesOf(families, 'vac_space_peers_answering')).toEqual({ '': 2 });
    expect(Object.keys(valuesOf(families, 'vac_peer_news_age_seconds'))).toEqual([`peer=${WN2}`, `peer=${WN3}`]);
  });

  it('are taken of one moment, by one look at the space', async () => {
    const { memory, space } = await net.start(WN1, 1);
    const metrics = new Metrics(memory, 0);
    let looks = 0;
    metrics.watch({
      gossip: () => {
        looks += 1;
        return space.gossip();
      },
    });
    await metrics.text();
    expect(looks).toBe(1);
    metrics.close();
  });

  it('are none of a factory on its own', async () => {
    const alone = await net.start(WN1, 1, { factories: [] });
    const families = await scraped(alone);
    for (const name of ['vac_gossip_peers', 'vac_gossip_datagrams_total', 'vac_gossip_refused_total']) {
      expect(valuesOf(families, name)).toEqual({});
    }
  });
});
