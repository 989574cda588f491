/**
 * A walk through kill -9 of vacd at every step. A bystander, a real guest at work, runs from the beginning to the end
 * of the walk. At each point a machine of another type, the subject, is created or ended by a vacd that dies there; the
 * next vacd must clean up after it or know it, and the bystander must not notice. It is also the one that dies next.
 */

import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import { localJobId } from '../../src/accounting/record.js';
import type { MachineStatus } from '../../src/daemon/status.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { ganeshaPaths, parseExportFile, parseShowExports } from '../../src/host/nfs-ganesha-files.js';
import { parseMachineTable } from '../../src/host/syslog-table.js';
import { diskPaths, JOURNAL, StateLayout } from '../../src/machines/layout.js';
import { GUEST_PROCESSOR } from './guest-processor.js';
import { TestHost, until } from './test-host.js';
import { Worker } from './worker.js';

export const FACTORY = 'vac.example.com';
const DEMO_IMAGE = '/var/cache/vac-demo/vac-demo.qcow2';
const DEMO_USER_DATA = fileURLToPath(new URL('../../etc/demo/user_data', import.meta.url));
/** The bystander and the subject need two; what a failed point leaves behind must not keep the next ones waiting. */
const SLOTS = 8;
const IMAGE_BYTES = 2 ** 20;
/** At most, for a guest under emulation on a host that other tests load too. */
const BOOT_SECONDS = 200;
/** Of the bystander, as cheap as can be: each step waits for its next sign of life. */
const BYSTANDER_USER_DATA = `#!/bin/sh
while echo alive > "$JOBOUTPUTS/heartbeat"; do sleep 0.5; done
`;

/** As many walk beside each other as a file's tests do: what takes the time of one is mostly waiting. */
export const WALKS = 2;
/** For the walks to be made, with a guest each. */
export const CREATION_MS = 400_000;

/** The only type of machine that a vacd may start. */
type Starts = 'bystander' | 'subject' | 'nothing';

/** A machine that a vacd died over, as its directory and libvirt tell of it right afterwards. */
export interface Subject {
  readonly record: MachineRecord;
  readonly hasDomain: boolean;
}

export class CrashWalk {
  private readonly workers: Worker[] = [];
  /** Has recovered what the one before it left, and may start a subject once it is told to. */
  private next: Worker | null = null;
  /** Every subject that ran, by uuid: each must have one accounting record in the end. */
  private readonly accountable = new Set<string>();
  /** Uuids of the records that the sender has taken. */
  private readonly sent: string[] = [];
  bystander!: MachineStatus;

  private constructor(
    readonly host: TestHost,
    readonly layout: StateLayout,
  ) {}

  /** Makes the host and starts the bystander; it is at work when this returns. */
  static async create(): Promise<CrashWalk> {
    const host = await TestHost.create();
    try {
      const walk = new CrashWalk(host, new StateLayout(`${host.directory}/state`));
      await walk.prepare();
      const worker = walk.start('bystander', { startsLimit: 1 });
      const { machines } = await worker.until('the bystander runs', ({ machines: [first] }) => isRunning(first));
      walk.bystander = machines[0]!;
      await until('the bystander works', async () => (await walk.bystanderHeartbeatMs()) > 0, BOOT_SECONDS);
      await worker.stop();
      return walk;
    } catch (error) {
      await host.destroy();
      throw error;
    }
  }

  async destroy(): Promise<void> {
    await this.host.destroy();
  }

  /** A vacd in the host; its type of machine is the only one that it may start. */
  start(starts: Starts, how: { startsLimit: number; killAt?: string }): Worker {
    const worker = Worker.start(this.host, {
      stateDir: this.layout.root,
      configPath: this.configPath(starts),
      factory: FACTORY,
      processors: SLOTS,
      ...how,
    });
    this.workers.push(worker);
    return worker;
  }

  configPath(starts: Starts): string {
    return `${this.host.directory}/${starts}.conf`;
  }

  /** Leaves the host without a vacd, as a step that failed must. */
  async endWorkers(): Promise<void> {
    this.next = null;
    for (const worker of this.workers.splice(0)) await worker.kill();
  }

  /** Lets a vacd die at a point of a creation. @returns null when not even the subject's directory is there */
  async crashCreating(point: string): Promise<Subject | null> {
    const known = new Set(await readdir(this.layout.machines()));
    await this.expectKilled(this.startSubject(point), point);
    const id = (await readdir(this.layout.machines())).find((name) => !known.has(name));
    if (id === undefined) return null;
    const record = await this.record(id);
    return { record, hasDomain: (await this.domains()).has(record.uuid) };
  }

  /** Creates a subject, ends it as if it had powered off, and lets vacd die at a point of what is then owed to it. */
  async crashFinishing(point: string): Promise<Subject> {
    const worker = this.startSubject(point);
    const machine = await this.runningSubject(worker);
    this.accountable.add(machine.uuid);
    await this.powerOff(machine.uuid);
    await this.expectKilled(worker, point);
    return { record: await this.record(machine.id), hasDomain: false };
  }

  /** Ends a subject that runs while no vacd is there; what it wrote to its console is then the proof that it ran. */
  async endUnwatched({ record }: Subject): Promise<void> {
    const console = this.layout.inMachine(record.id, 'console.log');
    await until('the subject has booted', async () => (await stat(console)).size > 0);
    this.accountable.add(record.uuid);
    await this.powerOff(record.uuid);
  }

  /** Waits for the machine that is not the bystander to run. */
  async runningSubject(worker: Worker): Promise<MachineStatus> {
    const find = (machines: readonly MachineStatus[]) =>
      machines.find((machine) => isRunning(machine) && machine.uuid !== this.bystander.uuid);
    return find((await worker.until('the subject runs', ({ machines }) => find(machines) !== undefined)).machines)!;
  }

  /** By the vacd that has recovered what the one before it left, or by a new one. */
  private startSubject(killAt: string): Worker {
    const worker = this.next ?? this.start('nothing', { startsLimit: 1 });
    this.next = null;
    worker.tell({ configPath: this.configPath('subject'), killAt });
    return worker;
  }

  /** The next vacd: ready when it has found the bystander and decided about what it found of the subject. */
  async recover(subject: Subject | null): Promise<{ worker: Worker; found: MachineStatus | null }> {
    const worker = this.start('nothing', { startsLimit: 1 });
    this.next = worker;
    const find = (machines: readonly MachineStatus[]) => machines.find(({ id }) => id === subject?.record.id) ?? null;
    const { machines } = await worker.until('the machines are found again', (status) => {
      const machine = find(status.machines);
      const decided = subject === null || isRunning(machine) || machine?.phase === 'cleared';
      return decided && isRunning(status.machines.find(({ uuid }) => uuid === this.bystander.uuid));
    });
    return { worker, found: find(machines) };
  }

  /** A subject that was found running is all there and once only; then it ends, and that is seen. */
  async expectKnown(worker: Worker, found: MachineStatus): Promise<void> {
    this.accountable.add(found.uuid);
    expect((await this.record(found.id)).uuid).toBe(found.uuid);
    expect(await this.domains()).toEqual(new Set([this.bystander.uuid, found.uuid]));
    expect(await this.exportedMachines()).toEqual(new Set([this.bystander.id, found.id]));
    await this.powerOff(found.uuid);
    await this.untilCleared(worker, found.id);
  }

  async untilCleared(worker: Worker, id: string): Promise<void> {
    await worker.until('the subject is cleared', ({ machines }) =>
      machines.some((machine) => machine.id === id && machine.phase === 'cleared'),
    );
  }

  /** Nothing is left of any machine but the bystander, except its directory and its one accounting record. */
  async expectClean(): Promise<void> {
    const { layout, bystander } = this;
    const sinceMs = Date.now();
    expect(await this.domains()).toEqual(new Set([bystander.uuid]));
    expect(await readdir(layout.slots())).toEqual([bystander.hostname]);
    expect(await readdir(layout.tmp())).toEqual([]);
    expect(await this.exportedMachines()).toEqual(new Set([bystander.id]));
    expect(await this.exportFiles()).toEqual([`${bystander.id}.conf`]);
    expect(await this.loggedMachines()).toEqual([bystander.id]);
    await this.expectNoStrayFiles();
    await this.expectAccounts();
    await until('the bystander reaches its joboutputs', async () => (await this.bystanderHeartbeatMs()) > sinceMs);
  }

  /** What the sender of records does: takes away what is in apel-outgoing, and the emptied day. */
  async send(): Promise<void> {
    for (const day of await readdir(this.layout.apelOutgoing())) {
      const directory = `${this.layout.apelOutgoing()}/${day}`;
      for (const name of await readdir(directory)) {
        this.sent.push(localJobId(await readFile(`${directory}/${name}`, 'utf8')) ?? name);
        await rm(`${directory}/${name}`);
      }
      await rm(directory, { recursive: true });
    }
  }

  /** Ends a machine as its own power-off does: vacd is told by libvirt alone. */
  async powerOff(uuid: string): Promise<void> {
    await this.host.virsh('destroy', uuid);
  }

  /** Uuids of the domains that there are, those that libvirt is still making included. */
  async domains(): Promise<Set<string>> {
    return new Set((await this.host.virsh('list', '--all', '--uuid')).split(/\s+/).filter((word) => word !== ''));
  }

  private async prepare(): Promise<void> {
    await mkdir(this.layout.root, { mode: 0o755 });
    // A boot sector that says "x" on the serial console (mov dx,0x3f8; mov al,'x'; out dx,al) and then does nothing,
    // for ever, at no cost (cli; hlt; jmp back to hlt).
    const image = Buffer.alloc(IMAGE_BYTES);
    Buffer.from([0xba, 0xf8, 0x03, 0xb0, 0x78, 0xee, 0xfa, 0xf4, 0xeb, 0xfd]).copy(image);
    image.writeUInt16LE(0xaa55, 510);
    await writeFile(`${this.host.directory}/subject.img`, image);
    await writeFile(`${this.host.directory}/bystander.sh`, BYSTANDER_USER_DATA);
    for (const starts of ['bystander', 'subject', 'nothing'] as const)
      await writeFile(this.configPath(starts), this.config(starts));
  }

  private config(starts: Starts): string {
    const processor = Object.entries(GUEST_PROCESSOR).map(([option, value]) => `${option} = ${value}`);
    const share = (type: Starts) => (type === starts ? 1 : 0);
    return `[settings]
vac_space = vac01.example.com
gocdb_sitename = UKI-EXAMPLE
hs06_per_processor = 10
mb_per_processor = 256
swap_mb_per_processor = 16
disk_gb_per_processor = 1
overload_per_processor = 1000
io_pressure_percent = 0
nfs = ganesha

[machinetype bystander]
target_share = ${share('bystander')}
machine_model = vm-raw
root_image = ${DEMO_IMAGE}
user_data = ${this.host.directory}/bystander.sh
heartbeat_file = heartbeat
${processor.join('\n')}

[machinetype subject]
target_share = ${share('subject')}
machine_model = vm-raw
root_image = ${this.host.directory}/subject.img
user_data = ${DEMO_USER_DATA}
fizzle_seconds = 0
`;
  }

  private async expectKilled(worker: Worker, point: string): Promise<void> {
    expect(await worker.untilEnded(`vacd dies at "${point}"`)).toEqual({ code: null, signal: 'SIGKILL' });
  }

  private async record(id: string): Promise<MachineRecord> {
    return JSON.parse(await readFile(this.layout.inMachine(id, JOURNAL.record), 'utf8')) as MachineRecord;
  }

  /** When the bystander last wrote into its NFS mount, Unix milliseconds by this host's clock; 0: not yet. */
  private async bystanderHeartbeatMs(): Promise<number> {
    const path = this.layout.inMachine(this.bystander.id, 'joboutputs/heartbeat');
    return (await stat(this.host.seenInside(path)).catch(() => null))?.mtimeMs ?? 0;
  }

  /** Ids of the machines of which ganesha, asked itself, exports anything. */
  private async exportedMachines(): Promise<Set<string>> {
    const answer = await this.host.run('dbus-send', [
      `--bus=unix:path=${ganeshaPaths(this.layout.root).busSocket}`,
      '--print-reply',
      '--dest=org.ganesha.nfsd',
      '/org/ganesha/nfsd/ExportMgr',
      'org.ganesha.nfsd.exportmgr.ShowExports',
    ]);
    const records = await Promise.all((await readdir(this.layout.machines())).map((id) => this.record(id)));
    return new Set(
      parseShowExports(answer).map(
        ({ pseudo }) => records.find(({ id, uuid }) => pseudo.includes(id) || pseudo.includes(uuid))?.id ?? pseudo,
      ),
    );
  }

  private async exportFiles(): Promise<string[]> {
    const { exports } = ganeshaPaths(this.layout.root);
    const names = await readdir(exports);
    for (const name of names) expect(parseExportFile(await readFile(`${exports}/${name}`, 'utf8'))).not.toBeNull();
    return names;
  }

  private async loggedMachines(): Promise<string[]> {
    const { machines } = parseMachineTable(await readFile(`${this.layout.root}/syslog/machines.json`, 'utf8'));
    return [...machines.values()].map(({ id }) => id);
  }

  /** No disks of cleared machines, no unfinished files, no record still on its way. */
  private async expectNoStrayFiles(): Promise<void> {
    let files: string[] = [];
    // What vacd writes right now, be it a heartbeat or its counts, has its name in a moment; what a dead one left stays.
    const unfinished = () => files.filter((file) => /\.tmp$|\/apel-record/.test(file));
    await until('no unfinished file is left', async () => {
      files = await readdir(this.layout.root, { recursive: true });
      return unfinished().length === 0;
    }).catch(() => expect(unfinished()).toEqual([]));
    const places = (await this.host.run('findmnt', ['--noheadings', '--raw', '--output', 'TARGET'])).split('\n');
    const mounted = places.filter((place) => place.startsWith(`${this.layout.root}/`));
    expect(mounted.sort()).toEqual(
      ['shared', 'shared/private/outputs'].map((name) => this.layout.inMachine(this.bystander.id, name)),
    );
    const disks = Object.values(diskPaths(new StateLayout(''), { id: '' } as MachineRecord)).map((path) =>
      basename(path),
    );
    disks.push('outputs.img', 'outputs.img.tmp');
    const machinesWithDisks = files.filter((file) => disks.includes(basename(file))).map((file) => file.split('/')[1]);
    expect(new Set(machinesWithDisks)).toEqual(new Set([this.bystander.id]));
  }

  /** One record in the archive and one given to the sender for each subject that ran, and none for any other. */
  private async expectAccounts(): Promise<void> {
    const archived = await archivedRecords(this.layout, await readdir(this.layout.apelArchive()));
    expect(archived).toEqual(new Map([...this.accountable].map((uuid) => [uuid, 1])));
    const outgoing: string[] = [];
    for (const day of await readdir(this.layout.apelOutgoing())) {
      for (const name of await readdir(`${this.layout.apelOutgoing()}/${day}`)) {
        outgoing.push(localJobId(await readFile(`${this.layout.apelOutgoing()}/${day}/${name}`, 'utf8')) ?? name);
      }
    }
    expect([...this.sent, ...outgoing].sort()).toEqual([...this.accountable].sort());
  }
}

/** Walks on hosts of their own, which take the steps by turns: each has its bystander, and all that it accounts for. */
export class CrashWalks {
  private readonly free: CrashWalk[];

  private constructor(private readonly walks: readonly CrashWalk[]) {
    this.free = [...walks];
  }

  static async create(): Promise<CrashWalks> {
    const made = await Promise.allSettled(Array.from({ length: WALKS }, () => CrashWalk.create()));
    const walks = new CrashWalks(made.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])));
    const failed = made.find((each) => each.status === 'rejected');
    if (failed === undefined) return walks;
    await walks.destroy();
    throw failed.reason;
  }

  /** Takes a step on a walk on which nothing else happens meanwhile. At most {@link WALKS} at a time. */
  async use(step: (walk: CrashWalk) => Promise<void>): Promise<void> {
    const walk = this.free.shift();
    if (walk === undefined) throw new Error(`more than ${WALKS} steps at a time; set maxConcurrency`);
    try {
      await step(walk);
    } catch (error) {
      await walk.endWorkers();
      throw error;
    } finally {
      this.free.push(walk);
    }
  }

  async destroy(): Promise<void> {
    await Promise.all(this.walks.map((walk) => walk.destroy()));
  }
}

function isRunning(machine: MachineStatus | null | undefined): boolean {
  return machine?.phase === 'running' && machine.domain === 'running';
}
