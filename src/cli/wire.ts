/** What factories answered, as it is on the wire: with the keys, in the order and with the number forms of VacQuery. */

import { encodeFields, joinFields } from '../vacquery/codec.js';
import type { PeerAnswer, Status } from '../vacquery/index.js';
import { inOrder } from './views/answers.js';
import { naturally } from './views/text.js';

/** JSON texts of the messages, by factory, and within a factory by a name of theirs. */
export function wireMessages<S extends Status>(
  answers: readonly PeerAnswer<S>[],
  nameOf: (status: S) => string,
  wanted: (status: S) => boolean = () => true,
): string[] {
  return inOrder(answers).flatMap(({ statuses }) =>
    statuses
      .map(({ status }) => status)
      .filter(wanted)
      .sort((a, b) => naturally(nameOf(a), nameOf(b)))
      .map(wireForm),
  );
}

function wireForm(status: Status): string {
  const fields = encodeFields(status);
  // What was read from a datagram can be written as one.
  if (!Array.isArray(fields)) throw new Error(`${status.message_type} of ${status.factory} cannot be written`);
  return joinFields(fields);
}
