// One factory's gossip as vacd runs it, with sockets, JSON and signatures, and without a loader, so that its CPU time and
// memory are what a site's would be. Orders and results: `WorkerOrder` and `WorkerResult` of gossip-space.ts.
import {
  Authenticator,
  Gossip,
  nodeHmac,
  openDgramTransport,
  parseSpaceKeys,
  steadyClock,
} from '../../dist/vacquery/index.js';

let gossip;
let transport;
let addresses;
let wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
const counts = { sent: 0, sentBytes: 0, received: 0, receivedBytes: 0 };
const beganMs = performance.now();
let hasJoined = false;

const now = () => ({ steadyMs: performance.now(), unixSeconds: Date.now() / 1000 });

function pump() {
  while (gossip.nextWakeMs <= performance.now()) {
    for (const { datagram, address, port } of gossip.due(now())) {
      counts.sent += 1;
      counts.sentBytes += datagram.length;
      transport.send(datagram, address, port);
    }
  }
  const atMs = gossip.nextWakeMs;
  if (atMs === wake.atMs) return;
  wake.cancel();
  const cancel = steadyClock.at(atMs, () => {
    wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
    pump();
  });
  wake = { atMs, cancel };
}

async function begin({ space, key, factory, factories }) {
  addresses = new Map(factories);
  const names = new Map(factories.map(([name, address]) => [address, name]));
  transport = await openDgramTransport({ port: 0, ipv4Address: addresses.get(factory), ipv6Address: null });
  const { keys } = parseSpaceKeys(key, nodeHmac);
  const { unixSeconds } = now();
  const signing = { mode: 'required', keys, hmac: nodeHmac, audience: factory, unixSeconds, rng: Math.random };
  gossip = new Gossip(
    {
      space,
      factory,
      vacVersion: 'Vac 0.1.0 vacd',
      incarnation: Math.floor(unixSeconds),
      factories: [...addresses.keys()],
      addressOf: (name) => addresses.get(name) ?? null,
      factoryAtAddress: (address) => names.get(address) ?? null,
      port: transport.port,
      rng: Math.random,
      isAbort: (message) => message !== null && message >= '300',
      authenticator: new Authenticator(signing),
    },
    now(),
  );
  transport.onDatagram((datagram, { address }) => {
    counts.received += 1;
    counts.receivedBytes += datagram.length;
    gossip.receive(datagram, address, now());
    if (!hasJoined && gossip.isJoined) {
      hasJoined = true;
      process.send({ is: 'joined', seconds: (performance.now() - beganMs) / 1000 });
    }
    pump();
  });
  process.send({ is: 'listening', port: transport.port });
}

function measure(seconds) {
  const before = { ...counts };
  const [cpu, beganMs] = [process.cpuUsage(), performance.now()];
  // As often as a factory with nothing to do looks at the space.
  const looking = setInterval(() => gossip.totals(now()), 1000);
  setTimeout(() => {
    clearInterval(looking);
    const { user, system } = process.cpuUsage(cpu);
    const passed = (performance.now() - beganMs) / 1000;
    const rate = (key) => (counts[key] - before[key]) / passed;
    const others = [...addresses.keys()].slice(1);
    process.send({
      is: 'measured',
      cpuPercent: (user + system) / 1e4 / passed,
      rssMiB: process.memoryUsage().rss / 2 ** 20,
      sentPerMinute: rate('sent') * 60,
      receivedPerMinute: rate('received') * 60,
      sentBytesPerSecond: rate('sentBytes'),
      receivedBytesPerSecond: rate('receivedBytes'),
      refused: Object.values(gossip.counts.refused).reduce((sum, count) => sum + count, 0),
      versions: others.map((name) => [name, gossip.stampOf(name)?.version ?? 0]),
    });
  }, seconds * 1000);
}

process.once('disconnect', () => process.exit());
process.on('message', (order) => {
  if (order.do === 'begin') void begin(order);
  else if (order.do === 'announce') {
    gossip.announce(order.entry, now());
    pump();
  } else measure(order.seconds);
});
