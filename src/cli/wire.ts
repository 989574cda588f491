/** What factories answered, as it is on the wire: with the keys, in the order and with the number forms of VacQuery. */

import { encodeFields, joinFields } from '../vacquery/codec.js';
import type { PeerAnswer, Status } from '../vacquery/index.js';
import type { FactoryNews } from './space-facts.js';
import { inOrder } from './views/answers.js';
import { naturally } from './views/text.js';

/**
 * JSON texts of the messages, by factory, and within a factory by a name of theirs.
 *
 * @param news how factories' news came to the vacd here
 */
export function wireMessages<S extends Status>(
  answers: readonly PeerAnswer<S>[],
  nameOf: (status: S) => string,
  wanted: (status: S) => boolean = () => true,
  news: ReadonlyMap<string, FactoryNews> = new Map(),
): string[] {
  return inOrder(answers).flatMap(({ statuses }) =>
    statuses
      .map(({ status }) => status)
      .filter(wanted)
      .sort((a, b) => naturally(nameOf(a), nameOf(b)))
      .map((status) => wireForm(status, news.get(status.factory.toLowerCase()))),
  );
}

/** How its news came to the vacd here is told after what it says itself, in keys that no factory sends. */
function wireForm(status: Status, news: FactoryNews | undefined): string {
  const fields = encodeFields(status);
  // What was read from a datagram can be written as one.
  if (!Array.isArray(fields)) throw new Error(`${status.message_type} of ${status.factory} cannot be written`);
  const { way, ageSeconds } = news ?? {};
  const told: [string, string][] =
    way === undefined
      ? []
      : [
          ['news_way', JSON.stringify(way)],
          ['news_age_seconds', String(ageSeconds)],
        ];
  return joinFields([...fields, ...told]);
}
