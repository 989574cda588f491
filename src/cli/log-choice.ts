/** Which of the machines that this host has logs of is meant by a word. */

import { VacError } from '../errors.js';

export interface NamedMachine {
  readonly id: string;
  readonly createdTimeSeconds: number;
  readonly machinetype: string;
  readonly hostname: string;
}

/** `<created>_<machinetype>_<hostname>` (SPEC 5); null for another name. */
export function machineOfId(id: string): NamedMachine | null {
  const [, created, machinetype, hostname] = /^(\d+)_([a-z0-9-]+)_([^_/]+)$/.exec(id) ?? [];
  if (created === undefined) return null;
  return { id, createdTimeSeconds: Number(created), machinetype: machinetype!, hostname: hostname! };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The newest machine whose directory, host name (short or full), slot, uuid, or machinetype this is; of a machinetype its
 * beginning is enough. The more exact goes first.
 *
 * @param uuidOf null for a machine whose directory is gone
 * @throws VacError `no-such-thing`
 */
export async function chooseLog(
  ids: readonly string[],
  name: string,
  uuidOf: (id: string) => Promise<string | null>,
): Promise<string> {
  // Lines of addresses that were nobody's.
  if (name === 'unknown' && ids.includes(name)) return name;
  const machines = ids.flatMap((id) => machineOfId(id) ?? []);
  machines.sort((a, b) => b.createdTimeSeconds - a.createdTimeSeconds);
  const short = (hostname: string) => hostname.split('.')[0]!;
  const slot = /^\d{1,5}$/.test(name) ? `-${name.padStart(2, '0')}` : null;
  const rules: ((machine: NamedMachine) => boolean)[] = [
    ({ id }) => id === name,
    ({ hostname }) => hostname === name || short(hostname) === name,
    ({ hostname }) => slot !== null && short(hostname).endsWith(slot),
    ({ machinetype }) => machinetype === name,
    ({ machinetype }) => machinetype.startsWith(name),
  ];
  for (const rule of rules) {
    const found = machines.find(rule);
    if (found !== undefined) return found.id;
  }
  if (UUID.test(name.toLowerCase())) {
    for (const { id } of machines) if ((await uuidOf(id)) === name.toLowerCase()) return id;
    throw new VacError(
      'no-such-thing',
      `no machine whose directory is still here has the uuid ${name}; vac trace --uuid ${name} may know its name`,
    );
  }
  const known = [...new Set(machines.map(({ hostname }) => short(hostname)))].slice(0, 8).sort();
  const there = known.length === 0 ? 'no other has either' : `those that have are ${known.join(', ')}`;
  throw new VacError('no-such-thing', `no machine ${name} has been here; ${there}`);
}
