import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LockedError, lockFile, sdNotify } from 'libvirt';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'host-tools-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

describe('sdNotify', () => {
  // Node cannot receive such datagrams; python3 is there because node-gyp needs it.
  const receiver = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
receiver.bind('\\0' + path[1:] if path[0] == '@' else path)
print('ready', flush=True)
for _ in range(2):
    print(repr(receiver.recv(65536).decode()), flush=True)
`;

  it.each(['a path', 'an abstract name'])('sends each state as one datagram to %s', async (kind) => {
    const socketPath = kind === 'a path' ? join(directory, 'notify') : `@host-tools-${process.pid}`;
    const child = spawn('python3', ['-c', receiver, socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const ended = once(child, 'close');
    await expect.poll(() => output).toBe('ready\n');
    vi.stubEnv('NOTIFY_SOCKET', socketPath);
    expect(sdNotify('READY=1\nSTATUS=running')).toBe(true);
    expect(sdNotify('WATCHDOG=1')).toBe(true);
    await ended;
    expect(output).toBe("ready\n'READY=1\\nSTATUS=running'\n'WATCHDOG=1'\n");
  });

  it('does nothing when not started by a service manager', () => {
    vi.stubEnv('NOTIFY_SOCKET', undefined);
    expect(sdNotify('READY=1')).toBe(false);
  });

  it('says so when nobody listens', () => {
    vi.stubEnv('NOTIFY_SOCKET', join(directory, 'nobody'));
    expect(() => sdNotify('READY=1')).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'sendto' }));
    vi.stubEnv('NOTIFY_SOCKET', `/${'x'.repeat(200)}`);
    expect(() => sdNotify('READY=1')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('lockFile', () => {
  /** A process that locks the file, says how that went, and stays. */
  function locker(path: string): ChildProcess {
    const script = `
      import { lockFile } from 'libvirt';
      try { lockFile(${JSON.stringify(path)}); console.log('locked'); } catch (error) { console.log(error.name); }
      setInterval(() => {}, 1e6);`;
    return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  const saidBy = async (child: ChildProcess): Promise<string> => {
    const [data] = (await once(child.stdout!, 'data')) as [Buffer];
    return data.toString().trim();
  };

  it('lets one holder in at a time, and the next after release', () => {
    const path = join(directory, 'lock');
    const lock = lockFile(path);
    expect(() => lockFile(path)).toThrow(LockedError);
    expect(() => lockFile(path)).toThrow(expect.objectContaining({ code: 'EWOULDBLOCK', path }));
    lock.release();
    lock.release();
    const next = lockFile(path);
    next.release();
  });

  it('keeps other processes out, and lets go when its holder is killed', async () => {
    const path = join(directory, 'lock');
    const first = locker(path);
    expect(await saidBy(first)).toBe('locked');
    expect(() => lockFile(path)).toThrow(LockedError);
    const second = locker(path);
    expect(await saidBy(second)).toBe('LockedError');
    second.kill('SIGKILL');
    const ended = once(first, 'exit');
    first.kill('SIGKILL');
    await ended;
    lockFile(path).release();
  });

  it('is not inherited by programs that the holder starts', () => {
    const path = join(directory, 'lock');
    const lock = lockFile(path);
    const isOpenHere = readdirSync('/proc/self/fd').some((fd) => linkOf(`/proc/self/fd/${fd}`) === path);
    expect(isOpenHere).toBe(true);
    const child = spawnSync('sh', ['-c', 'ls -l /proc/$$/fd'], { encoding: 'utf8' });
    expect(child.stdout).toContain('->');
    expect(child.stdout).not.toContain(path);
    lock.release();
  });

  it('fails as Node does when the file cannot be had, and follows no symbolic link', () => {
    expect(() => lockFile(join(directory, 'no', 'such'))).toThrow(
      expect.objectContaining({ code: 'ENOENT', syscall: 'open' }),
    );
    symlinkSync('/etc/passwd', join(directory, 'link'));
    expect(() => lockFile(join(directory, 'link'))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  });
});

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null; // the directory listing's own descriptor
  }
}
