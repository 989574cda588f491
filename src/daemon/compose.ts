/** Builds a daemon from the host's real parts. The only place that knows which part is which. */

import type { Config } from '../config/types.js';
import { readTextIfThere } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { LibvirtHypervisor } from '../host/libvirt.js';
import { createNfsServer, type NfsServer } from '../host/nfs.js';
import { SyslogRelay } from '../host/syslog.js';
import { METADATA_IP, StateLayout } from '../machines/layout.js';
import { openDgramTransport } from '../vacquery/index.js';
import { Daemon, type DaemonParts } from './daemon.js';
import type { Logger } from './log.js';

export interface HostOptions {
  readonly factory: string;
  readonly config: Config;
  readonly stateDir: string;
  readonly log: Logger;
}

export interface ComposedDaemon {
  readonly daemon: Daemon;
  readonly nfs: NfsServer;
  readonly syslog: SyslogRelay | null;
  readonly hypervisor: LibvirtHypervisor;
}

/** @throws VacError when a part cannot be had on this host */
export async function composeDaemon(
  host: HostOptions,
  extra: Partial<Pick<DaemonParts, 'hostProcessors' | 'startsLimit' | 'listen' | 'onCleared'>> = {},
): Promise<ComposedDaemon> {
  const { config, log } = host;
  const layout = new StateLayout(host.stateDir);
  const hypervisor = new LibvirtHypervisor(config.settings.libvirtUri);
  const guestOwner = await nobody();
  const nfs = await createNfsServer(config.settings.nfs, {
    stateDir: host.stateDir,
    address: METADATA_IP,
    guestOwner,
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
  });
  const { syslog: receiver } = config.settings;
  // A receiver elsewhere is the site's own; ours is only for the address that is ours.
  const syslog =
    receiver?.host === METADATA_IP
      ? new SyslogRelay({ stateDir: host.stateDir, address: receiver.host, port: receiver.port })
      : null;
  const daemon = new Daemon({
    factory: host.factory,
    config,
    layout,
    hypervisor,
    nfs,
    syslog,
    guestOwner,
    log,
    openTransport: (port) => openDgramTransport({ port, onProblem: (message) => log.warn(message) }),
    ...extra,
  });
  hypervisor.onCall((...call) => daemon.metrics.libvirtCalled(...call));
  return { daemon, nfs, syslog, hypervisor };
}

/** The uid and gid that NFS squashes guests to, from the host's own user table. */
async function nobody(): Promise<GuestOwner> {
  const line = (await readTextIfThere('/etc/passwd'))?.split('\n').find((entry) => entry.startsWith('nobody:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) };
}
