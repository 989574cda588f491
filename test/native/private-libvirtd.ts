import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';

/** Why this host cannot run a libvirtd of a test's own; null when it can. */
export const privateLibvirtdUnavailable: string | null = findObstacle();

function findObstacle(): string | null {
  if (process.getuid?.() !== 0) return 'not root, so no private namespaces';
  for (const [command, args] of [
    ['libvirtd', ['--version']],
    ['unshare', ['-m', '-n', '-p', '--fork', '--mount-proc', 'true']],
  ] as const) {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
    } catch (error) {
      return `${command} ${args.join(' ')} fails: ${(error as Error).message}`;
    }
  }
  return null;
}

/**
 * A libvirtd in mount, network and process namespaces of its own, so a test may stop, kill and restart it, and make
 * networks, without touching the host's. Its sockets are in a directory that both sides see.
 */
export class PrivateLibvirtd {
  readonly #directory = mkdtempSync(join(tmpdir(), 'private-libvirtd-'));
  readonly #namespace: ChildProcess;

  private constructor() {
    writeFileSync(
      join(this.#directory, 'libvirtd.conf'),
      `unix_sock_dir = "${this.#directory}"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n` +
        `log_outputs = "3:file:${this.#directory}/log"\n`,
    );
    // A shell is process 1 there: it reaps what libvirtd leaves behind, starts a libvirtd for each line it reads, and when
    // its input ends (because this process closes it, or dies) the kernel kills all that is left in the namespace.
    // An unusable /dev/kvm keeps libvirt from waiting for a KVM that may hang.
    const script = `
      set -e
      for directory in /run /var/lib/libvirt /var/cache/libvirt /etc/libvirt; do
        mkdir -p $directory
        mount -t tmpfs private $directory
      done
      mkdir -p /run/libvirt
      echo 'stdio_handler = "file"' >/etc/libvirt/qemu.conf
      [ ! -e /dev/kvm ] || mount --bind /dev/null /dev/kvm
      ip link set lo up
      while read -r _; do libvirtd -f ${this.#directory}/libvirtd.conf </dev/null & done`;
    this.#namespace = spawn(
      'unshare',
      ['-m', '-n', '-p', '--fork', '--kill-child', '--mount-proc', 'bash', '-c', script],
      { stdio: ['pipe', 'ignore', 'inherit'] },
    );
  }

  static async start(): Promise<PrivateLibvirtd> {
    const libvirtd = new PrivateLibvirtd();
    await libvirtd.launch();
    return libvirtd;
  }

  /** Starts the daemon (again), and waits until it listens. */
  async launch(): Promise<void> {
    rmSync(this.#socket, { force: true });
    this.#namespace.stdin?.write('\n');
    // The socket is there a moment before anybody listens on it.
    await vi.waitFor(
      async () => {
        const socket = connect(this.#socket);
        await once(socket, 'connect');
        socket.destroy();
      },
      { timeout: 100_000, interval: 20 },
    );
  }

  get #socket(): string {
    return join(this.#directory, 'libvirt-sock');
  }

  /** libvirt's in-memory driver, run by the daemon. */
  get testUri(): string {
    return `test+unix:///default?socket=${this.#socket}`;
  }

  /** The real QEMU driver, with nothing in it. */
  get qemuUri(): string {
    return `qemu+unix:///system?socket=${this.#socket}`;
  }

  /** The daemon as it hangs: sockets stay open, nothing answers. */
  pause(): void {
    process.kill(this.#pid(), 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid(), 'SIGCONT');
  }

  kill(): void {
    process.kill(this.#pid(), 'SIGKILL');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#namespace.once('exit', resolve));
    if (this.#namespace.exitCode === null && this.#namespace.signalCode === null) {
      this.#namespace.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** The daemon's process id outside of its namespace: unshare → shell → libvirtd. */
  #pid(): number {
    for (const shell of childrenOf(this.#namespace.pid ?? 0)) {
      for (const pid of childrenOf(shell)) {
        if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'libvirtd') return pid;
      }
    }
    throw new Error('the private libvirtd does not run');
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
