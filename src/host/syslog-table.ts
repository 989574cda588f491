/**
 * Whose address is whose, as our rsyslogd reads it (a lookup table) and as vacd reads it again after a restart. One entry
 * is for vacd's own address: it names the table, so that rsyslogd can be asked which table is in force.
 */

import { createHash } from 'node:crypto';

/** What each line of a machine is tagged with. None of them holds a space. */
export interface LoggedMachine {
  readonly id: string;
  readonly uuid: string;
  readonly machinetype: string;
  readonly hostname: string;
}

export interface MachineTable {
  /** By address. */
  readonly machines: ReadonlyMap<string, LoggedMachine>;
  /** Ids of those whose log is as large as it may be, and UNKNOWN. */
  readonly full: ReadonlySet<string>;
}

/** Where lines go whose sender is no machine of ours: `unknown.log`. */
export const UNKNOWN = 'unknown';

interface LookupTable {
  readonly version: 1;
  readonly nomatch: string;
  readonly type: 'string';
  readonly table: readonly { readonly index: string; readonly value: string }[];
}

/**
 * rsyslog's lookup table, sorted so that equal tables make equal files.
 *
 * @param ownAddress the address that vacd asks from
 * @returns the file's text, and the name that rsyslogd answers with while the table is in force
 */
export function renderMachineTable(table: MachineTable, ownAddress: string): { text: string; name: string } {
  const entries = [...table.machines].map(([index, machine]) => ({
    index,
    value: entryOf(machine, table.full.has(machine.id)),
  }));
  entries.sort((a, b) => (a.index < b.index ? -1 : 1));
  const nomatch = entryOf({ id: UNKNOWN, uuid: '-', machinetype: '-', hostname: '-' }, table.full.has(UNKNOWN));
  const digest = createHash('sha256').update(JSON.stringify({ nomatch, entries })).digest('hex');
  const name = `table-${digest.slice(0, 16)}`;
  const lookup: LookupTable = {
    version: 1,
    nomatch,
    type: 'string',
    table: [...entries, { index: ownAddress, value: `${name} ` }],
  };
  return { text: `${JSON.stringify(lookup, null, 1)}\n`, name };
}

function entryOf({ id, uuid, machinetype, hostname }: LoggedMachine, isFull: boolean): string {
  return [id, uuid, machinetype, hostname, isFull ? 'full' : 'kept'].join(' ');
}

/** The inverse of {@link renderMachineTable}; what is no table of ours is an empty one. */
export function parseMachineTable(text: string): MachineTable {
  const machines = new Map<string, LoggedMachine>();
  const full = new Set<string>();
  const take = (value: unknown): LoggedMachine | null => {
    const fields = typeof value === 'string' ? value.split(' ') : [];
    if (fields.length !== 5) return null;
    const [id, uuid, machinetype, hostname, keeping] = fields as [string, string, string, string, string];
    if (keeping === 'full') full.add(id);
    return { id, uuid, machinetype, hostname };
  };
  try {
    const { table, nomatch } = JSON.parse(text) as LookupTable;
    take(nomatch);
    for (const { index, value } of table) {
      const machine = take(value);
      if (machine !== null) machines.set(index, machine);
    }
  } catch {
    return { machines: new Map(), full: new Set() };
  }
  return { machines, full };
}
