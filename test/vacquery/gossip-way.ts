/** In which way a gossip datagram ends at a factory that has heard no other: for the fuzzer's corpus. */

import { Gossip } from '../../src/vacquery/gossip.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import { NOW_SECONDS, SPACE } from './snapshot.js';

const NAMES = Array.from({ length: 12 }, (_, index) => `wn${String(index).padStart(3, '0')}.example.com`);
const NOW = { steadyMs: 0, unixSeconds: NOW_SECONDS };

export function gossipWayOf(datagram: Uint8Array): string {
  const claimed = /"factory": ?"([^"]*)"/.exec(Buffer.from(datagram).toString('latin1'))?.[1] ?? '';
  const gossip = new Gossip(
    {
      space: SPACE,
      factory: NAMES[0]!,
      vacVersion: 'Vac 0.1.0 fuzz',
      incarnation: NOW_SECONDS,
      factories: NAMES,
      addressOf: () => '10.0.0.1',
      factoryAtAddress: () => (NAMES.includes(claimed) ? claimed : NAMES[1]!),
      rng: () => 0.5,
      isAbort: () => false,
    },
    NOW,
  );
  const outcome = gossip.receive(datagram, '10.0.0.1', NOW);
  const decoded = decodeGossip(datagram, gossip.roster);
  if (outcome !== 'accepted' || !decoded.ok) return `gossip ${outcome}`;
  const { sync, answer, ages, changes } = decoded.message;
  const parts = [
    sync === null ? '' : 'sync',
    answer === null ? '' : 'answer',
    ages === null ? '' : 'ages',
    changes.length === 0 ? '' : 'changes',
    gossip.counts.changes > 0 ? 'news' : '',
    gossip.counts.disbelieved > 0 ? 'disbelieved' : '',
    gossip.state.incarnation > NOW_SECONDS ? 'defended' : '',
  ];
  return `gossip accepted ${parts.filter((part) => part !== '').join('+')}`;
}
