import { describe, expect, it } from 'vitest';
import { Containment, type ContainmentParts, connectionsShare } from '../../src/daemon/containment.js';
import { Memory } from '../../src/daemon/memory.js';
import { VacError } from '../../src/errors.js';
import type { MachineRecord } from '../../src/factory/types.js';
import type { ContainmentWish } from '../../src/machines/containment-wish.js';
import type { JournalEntry } from '../../src/machines/journal.js';
import { slotDevice } from '../../src/machines/layout.js';
import { config } from '../factory/builders.js';
import { testRecord } from '../machines/record.js';

const QUARANTINE = { by: 'quarantine', sinceSeconds: 1_700_000_000, reason: 'looked odd' } as const;

/** What the firewall is asked for, with machines that are running. */
function containmentOf(
  machines: readonly { record: Partial<MachineRecord>; entry?: Partial<JournalEntry>; devices?: string[] }[],
  changes: Partial<ContainmentParts> = {},
) {
  const memory = new Memory('factory1.example.com', config([]));
  const devices = new Map<string, string[]>();
  for (const [index, machine] of machines.entries()) {
    const record = testRecord({ id: `machine-${index}`, uuid: `uuid-${index}`, ...machine.record });
    const entry = { record, phase: 'running', suspension: null, cpuSeconds: 0, ...machine.entry } as JournalEntry;
    memory.remember(entry, 0).domain = {} as never;
    devices.set(record.uuid, machine.devices ?? [slotDevice(record.slot)]);
  }
  const wishes: ContainmentWish[] = [];
  const checked: ContainmentWish[] = [];
  const asked: string[] = [];
  const containment = new Containment({
    memory,
    hypervisor: {
      domainInterfaces: async (uuid) => {
        asked.push(uuid);
        return devices.get(uuid) ?? [];
      },
    },
    firewall: { ensure: async (wish) => void wishes.push(wish), check: async (wish) => void checked.push(wish) },
    slots: () => 4,
    hasNfs: true,
    syslog: null,
    ...changes,
  });
  return { containment, memory, wishes, checked, asked };
}

describe('Containment', () => {
  it('asks for the ports of all slots, whether there are machines or not', async () => {
    const { containment, wishes } = containmentOf([]);
    await containment.ensure();
    expect(wishes).toMatchObject([{ slots: 4, formerPorts: [], isolatedSlots: [], hasNfs: true }]);
  });

  it('asks for the egress rules that living machines were started with, and to cut off those in quarantine', async () => {
    const { containment, wishes } = containmentOf([
      { record: { slot: 0, egressDeny: '10.0.0.0/8' } },
      { record: { slot: 1 }, entry: { suspension: QUARANTINE } },
      { record: { slot: 2 }, entry: { suspension: { ...QUARANTINE, by: 'overnight' } } },
      { record: { slot: 3, egressDeny: '192.0.2.0/24' }, entry: { phase: 'ended' } },
    ]);
    await containment.check();
    expect(wishes[0]!.isolatedSlots).toEqual([1]);
    expect([...wishes[0]!.egress]).toEqual([[0, { deny: ['10.0.0.0/8'], allow: [] }]]);
  });

  it("finds machines by libvirt's name for their device where an earlier version started them, and asks once", async () => {
    const { containment, memory, wishes, asked } = containmentOf([{ record: { slot: 2 }, devices: ['vnet5'] }]);
    await containment.ensure();
    await containment.check();
    expect(wishes.map(({ formerPorts }) => formerPorts)).toEqual([
      [{ device: 'vnet5', slot: 2 }],
      [{ device: 'vnet5', slot: 2 }],
    ]);
    expect(asked).toEqual(['uuid-0']);
    memory.machines.clear();
    await containment.check();
    expect(wishes.at(-1)!.formerPorts).toEqual([]);
  });

  it('brings the rules up to the machines that there are before it looks at them', async () => {
    const { containment, wishes, checked } = containmentOf([]);
    await containment.check();
    expect(wishes).toHaveLength(1);
    expect(checked).toEqual(wishes);
  });

  it('makes no rules of a moment ago after those of now, and checks what it made', async () => {
    const answers: (() => void)[] = [];
    const hypervisor = {
      domainInterfaces: async () => {
        if (answers.length === 0) await new Promise<void>((resolve) => answers.push(resolve));
        return [slotDevice(0)];
      },
    };
    const { containment, memory, wishes, checked } = containmentOf([{ record: { slot: 0 } }], { hypervisor });
    const look = containment.check();
    await expect.poll(() => answers).toHaveLength(1);
    // Meanwhile a machine is made, and asks for its rules.
    const record = testRecord({ id: 'later', uuid: 'uuid-later', slot: 1, egressDeny: '10.0.0.0/8' });
    memory.remember({ record, phase: 'starting', suspension: null, cpuSeconds: 0 } as unknown as JournalEntry, 0);
    const start = containment.ensure();
    answers[0]!();
    await Promise.all([look, start]);
    expect([...wishes.at(-1)!.egress.keys()]).toEqual([1]);
    expect(checked).toEqual([wishes[0]]);
  });

  it('contains the others while libvirt does not answer', async () => {
    const hypervisor = {
      domainInterfaces: async () => {
        throw new VacError('hypervisor-unreachable', 'no answer');
      },
    };
    const { containment, wishes } = containmentOf([{ record: { slot: 0 } }], { hypervisor });
    await containment.ensure();
    expect(wishes).toHaveLength(1);
  });

  it('does nothing on the test driver', async () => {
    const { containment } = containmentOf([{ record: { slot: 0 } }], { firewall: null });
    await containment.ensure();
    await containment.check();
  });
});

describe("a machine's share of the table of connections", () => {
  it.each([
    [262_144, 64, 2048],
    [262_144, 1, 16_384],
    [65_536, 1000, 256],
    [65_536, 0, 16_384],
  ])('of %i entries for %i slots is %i', (size, slots, share) => {
    expect(connectionsShare(size, slots)).toBe(share);
  });
});
