import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const hostSetup = join(import.meta.dirname, '../../etc/host-setup.sh');

/** dpkg-query of a host where every package is installed: a host with systemd wants another NFS server than this one. */
const everythingInstalled = `#!/bin/sh
shift 3
for package; do echo "installed $package"; done
`;

/**
 * Runs a script on a host of its own, as far as daemons go: empty /run and libvirt state, own network and processes,
 * all of which end with the script. $setup is the script under test.
 */
function onFreshHost(script: string): { status: number | null; output: string } {
  const prepare = [
    'for place in /run /var/lib/libvirt /mnt; do mount -t tmpfs tmpfs "$place" || exit 99; done',
    `mkdir /run/lock && printf %s '${everythingInstalled}' > /mnt/dpkg-query && chmod 755 /mnt/dpkg-query`,
    'export PATH=/mnt:$PATH',
  ].join('\n');
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const shell = ['bash', '-c', `${prepare}\nsetup=$1\nexec 2>&1\n${script}`, 'host', hostSetup];
  const { status, stdout } = spawnSync('unshare', [...namespaces, ...shell], { encoding: 'utf8' });
  return { status, output: stdout };
}

describe('host set-up', { timeout: 120_000 }, () => {
  it('starts what does not run, and has nothing to do the second time', () => {
    const { status, output } = onFreshHost('bash $setup && echo second: && bash $setup && bash $setup --check');
    expect(status).toBe(0);
    const [first, second] = output.split('second:\n');
    expect(first).toContain('starting libvirtd');
    expect(second).not.toContain('starting');
    expect(second).toMatch(/^host set-up: ready; machines run under (KVM|TCG .*)$/m);
  });

  it('is not misled by what killed daemons left behind', () => {
    const kill = 'kill -9 $(cat /run/libvirtd.pid) $(cat /run/virtlogd.pid) && echo $$ > /run/libvirtd.pid';
    const { status, output } = onFreshHost(
      `bash $setup --quiet && { ${kill}; } && ls /run/libvirt/libvirt-sock && ! bash $setup --check && bash $setup && virsh -q -c qemu:///system list`,
    );
    expect(output).toContain('libvirtd, virtlogd or dbus-daemon does not answer');
    expect(output).toContain('starting virtlogd');
    expect(output).toContain('starting libvirtd');
    expect(status).toBe(0);
  });

  it('starts each daemon once when several run at once', () => {
    const { status, output } = onFreshHost(
      'for run in 1 2 3; do bash $setup & runs="$runs $!"; done; for run in $runs; do wait $run || exit 1; done; ps -eo comm= | grep -cx libvirtd',
    );
    expect(status).toBe(0);
    expect(output.match(/starting libvirtd/g)).toHaveLength(1);
    expect(output.trim().split('\n').at(-1)).toBe('1');
  });

  it('changes nothing with --check', () => {
    const { status, output } = onFreshHost('bash $setup --check; echo "status $?"; ls -A /run');
    expect(status).toBe(0);
    expect(output).toContain('status 1\nlock\n');
  });

  it('says nothing with --quiet, and holds no output of its caller open', () => {
    // The output would stay open, and this call hang, if a daemon had inherited it.
    const { status, output } = onFreshHost('text=$(bash $setup --quiet 2>&1); echo "status $? said <$text>"');
    expect(status).toBe(0);
    expect(output).toBe('status 0 said <>\n');
  });

  it('refuses an argument that it does not know', () => {
    const { status, stderr } = spawnSync('bash', [hostSetup, '--chekc'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toBe('host set-up: unknown argument --chekc (known: --quiet, --check)\n');
  });
});
