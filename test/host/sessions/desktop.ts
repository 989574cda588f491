/**
 * A desktop whose owner a test plays, made of real parts as far as a host without seat has any: a message bus with
 * python3-dbusmock's logind on it, a FIFO where an input device would be, a pseudo terminal that is typed at.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { run } from '../../../src/host/exec.js';
import { waitUntil } from '../../../src/host/helper-daemon.js';

/** Debian's own, which has the module; another may come first in PATH. */
const PYTHON = '/usr/bin/python3';
const LOGIN1 = ['org.freedesktop.login1', '/org/freedesktop/login1'] as const;
const MOCK = 'org.freedesktop.DBus.Mock';

export class Desktop {
  readonly busAddress: string;
  readonly inputDirectory: string;
  readonly powerRoot: string;
  private readonly input: number;
  private logind: ChildProcess | null = null;
  private readonly children: ChildProcess[] = [];

  private constructor(readonly directory: string) {
    this.busAddress = `unix:path=${directory}/bus`;
    this.inputDirectory = join(directory, 'input');
    this.powerRoot = join(directory, 'root');
    execFileSync('mkdir', [this.inputDirectory]);
    execFileSync('mkfifo', [`${this.inputDirectory}/event0`]);
    // Read and write: so it may be opened before anybody reads.
    this.input = openSync(`${this.inputDirectory}/event0`, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** A desktop with a bus, a logind without sessions, an input device, and no battery. */
  static async create(): Promise<Desktop> {
    const desktop = new Desktop(await mkdtemp(join(tmpdir(), 'vac-desktop-')));
    await mkdir(`${desktop.powerRoot}/sys/class/power_supply`, { recursive: true });
    const bus = desktop.spawn('dbus-daemon', [
      '--session',
      '--nofork',
      '--nopidfile',
      `--address=${desktop.busAddress}`,
      '--print-address',
    ]);
    await firstLine(bus);
    await desktop.startLogind();
    return desktop;
  }

  async startLogind(): Promise<void> {
    this.logind = this.spawn(PYTHON, ['-m', 'dbusmock', '--system', '--template', 'logind'], {
      DBUS_SYSTEM_BUS_ADDRESS: this.busAddress,
    });
    const answers = await waitUntil(async () => {
      return (
        (await this.busctl('call', ...LOGIN1, 'org.freedesktop.login1.Manager', 'ListSessions').catch(() => null)) !==
        null
      );
    }, 60);
    if (!answers) throw new Error('the stand-in for logind does not answer');
  }

  async stopLogind(): Promise<void> {
    const ended = new Promise((resolve) => this.logind?.once('exit', resolve));
    this.logind?.kill();
    await ended;
  }

  /** @returns the path of the session's object */
  async logIn(id: string, user: string, uid: number, { remoteHost = '' } = {}): Promise<string> {
    await this.busctl('call', ...LOGIN1, MOCK, 'AddSession', 'ssusb', id, 'seat0', String(uid), user, 'true');
    const path = `/org/freedesktop/login1/session/${id}`;
    if (remoteHost !== '') {
      await this.change(path, ['Remote', 'b', 'true'], ['RemoteHost', 's', remoteHost]);
    }
    return path;
  }

  async lock(session: string, isLocked = true): Promise<void> {
    await this.change(session, ['LockedHint', 'b', String(isLocked)]);
  }

  private async change(path: string, ...changes: readonly (readonly string[])[]): Promise<void> {
    const values = changes.flat();
    await this.busctl(
      'call',
      LOGIN1[0],
      path,
      MOCK,
      'UpdateProperties',
      'sa{sv}',
      'org.freedesktop.login1.Session',
      String(changes.length),
      ...values,
    );
  }

  /** A key is pressed, or the mouse moves: 24 bytes, as struct input_event has. */
  touch(): void {
    writeSync(this.input, Buffer.alloc(24, 1));
  }

  async supply(name: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const path = `${this.powerRoot}/sys/class/power_supply/${name}`;
    await mkdir(path, { recursive: true });
    for (const [field, value] of Object.entries(fields)) await writeFile(`${path}/${field}`, `${value}\n`);
  }

  async lid(state: 'open' | 'closed'): Promise<void> {
    const path = `${this.powerRoot}/proc/acpi/button/lid/LID0`;
    await mkdir(path, { recursive: true });
    await writeFile(`${path}/state`, `state:      ${state}\n`);
  }

  /** A pseudo terminal with a shell in it. */
  async terminal(): Promise<{ readonly name: string; type(text: string): void }> {
    const program = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execvp('sh', ['sh', '-c', 'tty; exec cat'])
print(os.read(master, 100).decode().strip(), flush=True)
for line in sys.stdin:
    os.write(master, line.encode())
    os.read(master, 100)
`;
    const child = this.spawn(PYTHON, ['-c', program]);
    const path = await firstLine(child);
    return { name: path.replace('/dev/', ''), type: (text) => child.stdin!.write(`${text}\n`) };
  }

  async destroy(): Promise<void> {
    closeSync(this.input);
    for (const child of this.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  private async busctl(...args: string[]): Promise<string> {
    return (await run('busctl', [`--address=${this.busAddress}`, ...args])).stdout;
  }

  private spawn(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, ...env } });
    this.children.push(child);
    // Whatever it says: a full pipe would stop it.
    child.stdout?.resume();
    return child;
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
  });
}
