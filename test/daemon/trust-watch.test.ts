import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TrustWatch, type TrustWatchParts } from '../../src/daemon/trust-watch.js';
import type { DropCounts } from '../../src/host/firewall.js';
import type { ForwardingFacts } from '../../src/host/syslog-forwarder.js';
import { StateLayout } from '../../src/machines/layout.js';

let root: string;
let atMs: number;
let watch: TrustWatch | null;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'vac-trust-'));
  atMs = 0;
  watch = null;
});
afterEach(async () => {
  watch?.stop();
  await rm(root, { recursive: true });
});

function make(parts: Partial<TrustWatchParts> = {}): TrustWatch {
  watch = new TrustWatch({
    layout: new StateLayout(root),
    firewall: null,
    syslog: null,
    directories: { areWatched: false },
    trail: { facts: () => ({ records: 1, problem: null, damage: null }) },
    outputsArchive: { facts: () => ({ waitingMachines: 0, failingMachines: 0 }) },
    nowMs: () => atMs,
    ...parts,
  });
  return watch;
}

test('what is dear to know is looked up again and again, what cannot be known is not', async () => {
  const none = { packets: 0, bytes: 0 };
  const counts = (packets: number) => ({ byReason: {}, bySlot: new Map([[packets, none]]) }) as unknown as DropCounts;
  let calls = 0;
  const counters = async () => {
    calls += 1;
    if (calls === 2) throw new Error('no rules');
    return counts(calls);
  };
  const made = make({ firewall: { counters }, everySeconds: 0.01 });
  expect(made.facts()).toMatchObject({ drops: null, outgoing: null });
  await made.look();
  expect(made.facts().drops).toEqual(counts(1));
  await made.look();
  expect(made.facts().drops).toBeNull();
  made.start();
  await expect.poll(() => calls).toBeGreaterThan(4);
  made.stop();
});

test('a sender that does not run is seen, and told of', async () => {
  const day = join(root, 'apel-outgoing', '20231101');
  await mkdir(day, { recursive: true });
  for (const [name, seconds] of [
    ['00000000000001', 1_700_000_500],
    ['00000000000002', 1_700_000_000],
  ] as const) {
    await writeFile(join(day, name), '');
    await utimes(join(day, name), seconds, seconds);
  }
  const made = make();
  await made.look();
  expect(made.facts().outgoing).toEqual({ count: 2, oldestTimeSeconds: 1_700_000_000 });
  expect(made.problems()).toEqual([expect.stringContaining(`nothing sends the 2 messages in ${root}/apel-outgoing`)]);
});

test('children are asked when somebody wants to know', () => {
  const made = make();
  const child = { serving: true, ends: 0, problem: null };
  made.watchChild('metadata', () => child);
  expect(made.facts().children).toEqual(new Map([['metadata', child]]));
});

test('forwarding is stuck since it last went on', async () => {
  let facts: ForwardingFacts | null = { deliveredLines: 5, droppedLines: 0, waitingBytes: 0, problem: null };
  const made = make({ syslog: { forwarding: () => facts } });
  const stuckFor = async (seconds: number, change: Partial<ForwardingFacts>) => {
    atMs += seconds * 1000;
    facts = { ...facts!, ...change };
    await made.look();
    return made.facts().forwardingStuck?.forSeconds ?? 0;
  };
  expect(await stuckFor(0, {})).toBe(0);
  // A quiet day is no trouble.
  expect(await stuckFor(9000, {})).toBe(0);
  expect(await stuckFor(30, { waitingBytes: 7 })).toBe(30);
  expect(await stuckFor(30, { deliveredLines: 6 })).toBe(0);
  expect(await stuckFor(30, { waitingBytes: 0, problem: 'ECONNREFUSED' })).toBe(30);
  expect(await stuckFor(3600, {})).toBe(3630);
  expect(made.problems()).toEqual([expect.stringContaining('(ECONNREFUSED)')]);
  expect(await stuckFor(30, { problem: null })).toBe(0);
  facts = null;
  expect(made.facts().forwardingStuck).toBeNull();
});
