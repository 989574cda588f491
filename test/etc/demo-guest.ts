/** Boots the demo guest against a little site of its own (demo-site.ts), for tests without a factory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SiteOptions } from './demo-site.js';

export const demoDirectory = join(import.meta.dirname, '../../etc/demo');
const nobody = 65534;

export interface GuestOptions extends SiteOptions {
  userData: string | undefined;
  /** Overrides of machinefeatures/shutdowntime, in Unix seconds. */
  shutdowntimeSeconds?: number;
}

/** A running demo guest. `ended` is fulfilled when its QEMU, and with it the whole site, is gone. */
export class DemoGuest {
  readonly ended: Promise<void>;
  private readonly process: ChildProcess;
  private errors = '';

  private constructor(readonly directory: string) {
    const namespaces = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
    const site = [process.execPath, '--import', 'tsx', join(import.meta.dirname, 'demo-site.ts'), directory];
    this.process = spawn('unshare', [...namespaces, ...site], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (text) => {
        this.errors += text;
      });
    this.ended = new Promise((resolve, reject) =>
      this.process.on('close', (status, signal) => {
        if (status === 0 || signal) resolve();
        else reject(new Error(`the demo site ended with ${status}: ${this.errors}`));
      }),
    );
    // A test that waits for something else fails by its own wait; here the reason shows as well.
    this.ended.catch((error: Error) => console.error(error.message));
  }

  static start(options: GuestOptions): DemoGuest {
    const directory = mkdtempSync(join(tmpdir(), 'vac-demo-guest-'));
    const write = (name: string, content: string): void => writeFileSync(join(directory, name), content);
    for (const name of ['machinefeatures', 'jobfeatures', 'joboutputs']) mkdirSync(join(directory, name));
    chownSync(join(directory, 'joboutputs'), nobody, nobody);
    write('machine.json', JSON.stringify(options));
    if (options.userData !== undefined) write('user_data', options.userData);
    write('machinefeatures/total_cpu', '1');
    write('machinefeatures/syslog', '169.254.169.254:514');
    write('machinefeatures/shutdowntime', String(options.shutdowntimeSeconds ?? Math.floor(Date.now() / 1000) + 3600));
    write('jobfeatures/job_id', options.uuid);
    write('console.log', '');
    return new DemoGuest(directory);
  }

  /** A file of the machine's directory; undefined where there is none. */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.directory, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** joboutputs/demo-report as the guest last published it. */
  report(): Record<string, string> {
    const lines = (this.read('joboutputs/demo-report') ?? '').split('\n').filter((line) => line.includes('='));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
  }

  /** What the host does to stop a machine: ACPI's power button, by QEMU's monitor. */
  pressPowerButton(): void {
    const monitor = connect(join(this.directory, 'qmp.sock'));
    monitor.on('error', () => monitor.destroy());
    monitor.write('{"execute":"qmp_capabilities"}{"execute":"system_powerdown"}');
    monitor.resume();
  }

  /** Ends the guest, if it still runs, and removes every trace of it. */
  async destroy(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended.catch(() => undefined);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The demo's user_data with the patterns filled in as a factory does it: by name, what is left comes out empty. */
export function demoUserData(values: Record<string, string>): string {
  const template = readFileSync(join(demoDirectory, 'user_data'), 'utf8');
  return template.replace(/##user_data_([a-z0-9_,]*)##/g, (_, name: string) => values[name] ?? '');
}
