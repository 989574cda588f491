/**
 * nfs-ganesha, the NFS server in user space, for hosts whose kernel has none.
 *
 * The truth about exports is one file per machine, which ganesha reads when it starts: so a restarted ganesha has the
 * same exports under the same Export_Ids, and guests' mounts go on. At run time exports come and go by D-Bus, without
 * disturbing others. Ganesha, its private message bus and (for NFS version 3) rpcbind are helpers that outlive vacd.
 */

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { isVacError, VacError } from '../errors.js';
import { isInstalled, run } from './exec.js';
import { writeFileAtomic } from './files.js';
import { HelperDaemon, Serial } from './helper-daemon.js';
import {
  checkExportable,
  type MachineExports,
  type MountAddresses,
  mountAddresses,
  type NfsOptions,
  type NfsServer,
} from './nfs-exports.js';
import {
  ALL_BLOCKS,
  allotExportIds,
  EXPORT_IDS_PER_MACHINE,
  type ExportFile,
  exportBlocks,
  ganeshaPaths,
  parseExportFile,
  parseShowExports,
  renderBusConfig,
  renderExportFile,
  renderGaneshaConfig,
  type ShownExport,
} from './nfs-ganesha-files.js';
import { addressProblem } from './own-address.js';

export class GaneshaNfs implements NfsServer {
  readonly name = 'ganesha';
  private readonly paths: ReturnType<typeof ganeshaPaths>;
  private readonly ganesha: HelperDaemon;
  private readonly bus: HelperDaemon;
  private readonly rpcbind: HelperDaemon;
  private readonly serial = new Serial();
  private lastFirstExportId = 0;
  private readonly warned = new Set<string>();

  constructor(private readonly options: NfsOptions) {
    this.paths = ganeshaPaths(options.stateDir);
    const { directory, config, busConfig, busSocket } = this.paths;
    this.bus = new HelperDaemon({
      name: 'vac-nfs-bus',
      command: 'dbus-daemon',
      args: ['--nofork', '--nopidfile', '--nosyslog', `--config-file=${busConfig}`],
      mark: busConfig,
      directory,
      isReady: () => answers(busSocket),
    });
    this.rpcbind = new HelperDaemon({
      name: 'vac-nfs-rpcbind',
      command: 'rpcbind',
      // By UDP only at the guests' network and loopback: an open portmapper is used as an amplifier.
      args: ['-f', '-h', options.address],
      mark: options.address,
      directory,
      isReady: () => answers(RPCBIND_SOCKET),
    });
    this.ganesha = new HelperDaemon({
      name: 'vac-nfs-ganesha',
      command: 'ganesha.nfsd',
      args: ['-F', '-L', 'STDERR', '-f', config, '-p', join(directory, 'ganesha.pid')],
      mark: config,
      directory,
      env: { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${busSocket}` },
      isReady: async () => (await this.ask('ShowExports')).answered,
    });
  }

  ensureRunning(): Promise<void> {
    return this.serial.run(async () => {
      try {
        await this.bringUp();
        await this.completeExports();
      } catch (cause) {
        if (isVacError(cause, 'nfs-unavailable')) throw cause;
        throw new VacError('nfs-unavailable', `nfs-ganesha cannot be brought up: ${(cause as Error).message}`, {
          cause,
        });
      }
    });
  }

  /** Some 20 ms: writes the machine's file, then one message to ganesha for all its blocks. */
  add(exports: MachineExports): Promise<void> {
    checkExportable(exports);
    return this.serial.run(async () => {
      const files = await this.readExportFiles();
      const known = files.get(exports.machineId);
      const { guestOwner } = this.options;
      const same =
        known !== undefined &&
        renderExportFile({ ...known, exports }, guestOwner) === renderExportFile(known, guestOwner);
      if (known !== undefined && !same) {
        await this.removeNow(exports.machineId, known);
        files.delete(exports.machineId);
      }
      const shown = await this.show();
      if (same && isComplete(known, shown)) return;
      // One that may only write no more keeps its ids, and so its guest's mounts.
      const keepsIds = known !== undefined && isSameMachine(known.exports, exports);
      const firstExportId = keepsIds ? known.firstExportId : this.allot(files, shown);
      const file = { firstExportId, exports };
      const path = this.exportPath(exports.machineId);
      await this.writeExportFile(file);
      const problem = await this.addBlocks(file);
      if (problem === null) return;
      await this.removeNow(exports.machineId, file);
      throw new VacError(
        'nfs-refused',
        `nfs-ganesha does not export machine ${exports.machineId} (${path}): ${problem}`,
      );
    });
  }

  remove(machineId: string): Promise<void> {
    return this.serial.run(async () => {
      const file = (await this.readExportFiles()).get(machineId);
      if (file !== undefined) await this.removeNow(machineId, file);
    });
  }

  async list(): Promise<Set<string>> {
    const shown = await this.show();
    const files = [...(await this.readExportFiles()).values()];
    return new Set(files.filter((file) => isComplete(file, shown)).map(({ exports }) => exports.machineId));
  }

  hasEnded(): Promise<boolean> {
    return this.ganesha.hasEnded();
  }

  addressOf(exports: MachineExports): MountAddresses {
    return mountAddresses(this.options.address, exports.directory);
  }

  stop(): Promise<void> {
    return this.serial.run(async () => {
      await this.ganesha.stop();
      await this.bus.stop();
      await this.rpcbind.stop();
    });
  }

  private async bringUp(): Promise<void> {
    const { address } = this.options;
    const problem = await addressProblem(address);
    if (problem !== null) throw new VacError('nfs-unavailable', `nfs-ganesha cannot listen on ${problem}`);
    const { directory, exports, recovery, busConfig, config } = this.paths;
    for (const path of [directory, exports, recovery]) await mkdir(path, { recursive: true, mode: 0o755 });
    await this.writeIfNew(busConfig, renderBusConfig(this.paths));
    const bus = await this.bus.ensureRunning();
    const rpcbind = await this.ensureRpcbind();

    const written = await readFile(config, 'utf8').catch(() => '');
    let running = (await this.ganesha.status()) !== null;
    // Guests may have mounted by version 3: it is not taken from them because rpcbind is gone.
    const hasVersion3 = running && written === renderGaneshaConfig(this.paths, address, true);
    const wanted = renderGaneshaConfig(this.paths, address, rpcbind.available || hasVersion3);
    // Ganesha speaks to the bus and to rpcbind only once, when it starts.
    if (running && (bus.started || rpcbind.started || wanted !== written)) {
      await this.ganesha.stop();
      running = false;
    }
    if (!running) await this.repairExportFiles();
    await this.writeIfNew(config, wanted);
    await this.ganesha.ensureRunning();
  }

  private warnOnce(message: string): void {
    if (!this.warned.has(message)) this.options.warn?.(message);
    this.warned.add(message);
  }

  /** NFS version 3 is found by rpcbind, and ganesha refuses to serve it without one. Version 4 needs none. */
  private async ensureRpcbind(): Promise<{ available: boolean; started: boolean }> {
    if (await answers(RPCBIND_SOCKET)) return { available: true, started: false };
    let problem = 'rpcbind is not installed';
    if (await isInstalled('rpcbind')) {
      try {
        if (existsSync('/run/systemd/system')) await run('systemctl', ['start', 'rpcbind.socket']);
        else await this.rpcbind.ensureRunning();
        if (await answers(RPCBIND_SOCKET)) return { available: true, started: true };
        problem = `nothing answers at ${RPCBIND_SOCKET}`;
      } catch (error) {
        problem = (error as Error).message;
      }
    }
    this.warnOnce(`NFS version 4 only, which old images cannot mount: ${problem}`);
    return { available: false, started: false };
  }

  /**
   * Before a start, while nobody serves: one file that cannot be read would make ganesha ignore its whole
   * configuration, the address to listen on included. Files of machines that are gone would only fill its log.
   */
  private async repairExportFiles(): Promise<void> {
    const files = await this.readExportFiles();
    for (const name of await readdir(this.paths.exports)) {
      const file = files.get(name.replace(/\.conf$/, ''));
      if (file !== undefined && existsSync(file.exports.directory)) {
        await this.writeIfNew(join(this.paths.exports, name), renderExportFile(file, this.options.guestOwner));
        continue;
      }
      if (file === undefined)
        this.options.warn?.(`removed unreadable NFS export file ${join(this.paths.exports, name)}`);
      await rm(join(this.paths.exports, name), { recursive: true });
    }
  }

  /** What a file says and ganesha does not export: vacd was stopped between the two, or someone removed it by hand. */
  private async completeExports(): Promise<void> {
    const complete = await this.list();
    for (const [machineId, file] of await this.readExportFiles()) {
      if (complete.has(machineId) || !existsSync(file.exports.directory)) continue;
      const problem = await this.addBlocks(file);
      if (problem !== null) this.options.warn?.(`nfs-ganesha does not export machine ${machineId}: ${problem}`);
    }
  }

  /** Null when ganesha now has all blocks of the file, else what it said. Blocks that it has already are no failure. */
  private async addBlocks(file: ExportFile): Promise<string | null> {
    const path = this.exportPath(file.exports.machineId);
    const { text } = await this.ask('AddExport', `string:${path}`, `string:${ALL_BLOCKS}`);
    return isComplete(file, await this.show()) ? null : text;
  }

  /** The file goes last: until then a restarted vacd still knows what there is to remove. */
  private async removeNow(machineId: string, file: ExportFile): Promise<void> {
    const ours = new Set(exportBlocks(file).map(({ exportId }) => exportId));
    // While ganesha does not run there is nothing to take from it.
    const shown = (await this.ganesha.status()) === null ? [] : await this.show();
    const remove = async ({ exportId }: ShownExport) => {
      const { answered, text } = await this.ask('RemoveExport', `uint16:${exportId}`);
      if (answered) return;
      throw new VacError('nfs-refused', `nfs-ganesha keeps export ${exportId} of machine ${machineId}: ${text}`);
    };
    await Promise.all(shown.filter(({ exportId }) => ours.has(exportId)).map(remove));
    await rm(this.exportPath(machineId), { force: true });
  }

  private allot(files: ReadonlyMap<string, ExportFile>, shown: readonly ShownExport[]): number {
    const firsts = [...files.values()].map(({ firstExportId }) => firstExportId);
    const used = new Set([
      ...[...files.values()].flatMap((file) => exportBlocks(file).map(({ exportId }) => exportId)),
      ...shown.map(({ exportId }) => exportId),
    ]);
    if (this.lastFirstExportId === 0) this.lastFirstExportId = Math.max(0, ...firsts);
    const first = allotExportIds(used, this.lastFirstExportId);
    if (first === null)
      throw new VacError(
        'nfs-refused',
        `all Export_Ids of nfs-ganesha are taken (${EXPORT_IDS_PER_MACHINE} for each machine)`,
      );
    this.lastFirstExportId = first;
    return first;
  }

  /** By machine id. Files that are not ours or are torn are left out. */
  private async readExportFiles(): Promise<Map<string, ExportFile>> {
    const files = new Map<string, ExportFile>();
    for (const name of await readdir(this.paths.exports).catch(() => [])) {
      const file = parseExportFile(await readFile(join(this.paths.exports, name), 'utf8').catch(() => ''));
      if (file !== null && name === `${file.exports.machineId}.conf`) files.set(file.exports.machineId, file);
    }
    return files;
  }

  private exportPath(machineId: string): string {
    return join(this.paths.exports, `${machineId}.conf`);
  }

  private writeExportFile(file: ExportFile): Promise<void> {
    return this.writeIfNew(this.exportPath(file.exports.machineId), renderExportFile(file, this.options.guestOwner));
  }

  /** The temporary file is kept out of the exports directory: ganesha would read it there. What a power cut tears is
   * found by {@link repairExportFiles}, so nothing waits for the disk. */
  private async writeIfNew(path: string, content: string): Promise<void> {
    if ((await readFile(path, 'utf8').catch(() => null)) === content) return;
    await writeFileAtomic(path, content, { tmpDir: this.paths.directory, durable: false });
  }

  private async show(): Promise<ShownExport[]> {
    const { answered, text } = await this.ask('ShowExports');
    if (!answered) throw new VacError('nfs-unavailable', `nfs-ganesha does not answer: ${text}`);
    return parseShowExports(text);
  }

  /** One call of ganesha's export manager; `answered` is false for an error, which `text` then is. */
  private async ask(method: string, ...args: string[]): Promise<{ answered: boolean; text: string }> {
    const { exitCode, stdout, stderr } = await run(
      'dbus-send',
      [
        `--bus=unix:path=${this.paths.busSocket}`,
        '--print-reply',
        `--reply-timeout=${ASK_SECONDS * 1000}`,
        '--dest=org.ganesha.nfsd',
        '/org/ganesha/nfsd/ExportMgr',
        `org.ganesha.nfsd.exportmgr.${method}`,
        ...args,
      ],
      { timeoutSeconds: 2 * ASK_SECONDS, allowExitCodes: [0, 1] },
    );
    return exitCode === 0
      ? { answered: true, text: stdout }
      : { answered: false, text: stderr.trim().replace(/\s*\n\s*/g, '; ') };
  }
}

/** Whether two are the same but for what may be written. */
function isSameMachine(a: MachineExports, b: MachineExports): boolean {
  const fixed = ({ joboutputsReadOnly: _, ...rest }: MachineExports) => JSON.stringify(Object.entries(rest).sort());
  return fixed(a) === fixed(b);
}

/** Whether ganesha has all blocks of a file. */
function isComplete(file: ExportFile, shown: readonly ShownExport[]): boolean {
  const pseudos = new Map(shown.map(({ exportId, pseudo }) => [exportId, pseudo]));
  return exportBlocks(file).every(({ exportId, pseudo }) => pseudos.get(exportId) === pseudo);
}

const ASK_SECONDS = 10;

/** Where libtirpc and ganesha look for the portmapper. */
const RPCBIND_SOCKET = '/run/rpcbind.sock';

/** Whether something listens on a Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Null where nfs-ganesha can be used, else the reason why not. */
export async function ganeshaInstalled(): Promise<string | null> {
  for (const [program, hint] of GANESHA_PROGRAMS) {
    if (!(await isInstalled(program))) return `${program} is not installed (${hint})`;
  }
  return null;
}

const GANESHA_PROGRAMS = [
  ['ganesha.nfsd', 'packages nfs-ganesha and nfs-ganesha-vfs'],
  ['dbus-daemon', 'package dbus-daemon'],
  ['dbus-send', 'package dbus-bin or dbus-tools'],
] as const;
