import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StateLayout } from '../../src/machines/layout.js';

const unit = readFileSync(join(import.meta.dirname, '../../systemd/vac-apel-sync.service'), 'utf8');

it('a sync message can be linked from the archive to apel-outgoing with the paths that the service may write to', () => {
  const host = mkdtempSync(join(tmpdir(), 'vac-unit-'));
  try {
    const layout = new StateLayout(join(host, '/var/lib/vac'));
    for (const directory of [layout.apelArchive(), layout.apelOutgoing()]) mkdirSync(directory, { recursive: true });
    const paths = unit.match(/^ReadWritePaths=(.*)$/m)![1]!.split(' ');
    // As systemd does where ProtectSystem= is strict: all is read-only but for these, each a mount of its own.
    const mounts = paths.map((path) => `mount --bind "${host}${path}" "${host}${path}"`);
    const script = [
      `mount --bind "${host}" "${host}"`,
      ...mounts,
      `mount -o remount,bind,ro "${host}"`,
      `echo text > "${layout.apelArchive()}/staged"`,
      `ln "${layout.apelArchive()}/staged" "${layout.apelOutgoing()}/placed"`,
      `cat "${layout.apelOutgoing()}/placed"`,
    ].join(' && ');
    expect(execFileSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8' })).toBe('text\n');
  } finally {
    rmSync(host, { recursive: true });
  }
});
