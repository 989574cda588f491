/** Builds a daemon from the host's real parts. The only place that knows which part is which. */

import type { Config } from '../config/types.js';
import { Bridge } from '../host/bridge.js';
import { readTextIfThere } from '../host/files.js';
import { Firewall } from '../host/firewall.js';
import { LibvirtHypervisor } from '../host/libvirt.js';
import { createNfsServer, type NfsServer } from '../host/nfs.js';
import { SyslogRelay } from '../host/syslog.js';
import { METADATA_IP, StateLayout } from '../machines/layout.js';
import { GuardedScrapes } from '../metrics/parent.js';
import { GuardedMember } from '../space/parent.js';
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
  /** Null where no machine is real. */
  readonly firewall: Firewall | null;
  readonly nfs: NfsServer;
  readonly syslog: SyslogRelay | null;
  readonly hypervisor: LibvirtHypervisor;
}

/** @throws VacError when a part cannot be had on this host */
export async function composeDaemon(
  host: HostOptions,
  extra: Partial<Pick<DaemonParts, 'hostProcessors' | 'startsLimit' | 'listen' | 'onCleared' | 'ownerSensors'>> = {},
): Promise<ComposedDaemon> {
  const { config, log } = host;
  const layout = new StateLayout(host.stateDir);
  const hypervisor = new LibvirtHypervisor(config.settings.libvirtUri);
  const guestOwner = await userIds('nobody');
  const nfs = await createNfsServer(config.settings.nfs, {
    stateDir: host.stateDir,
    address: METADATA_IP,
    guestOwner,
    info: (message) => log.info(message),
    warn: (message) => log.warn(message),
  });
  // No machine really is on the test driver: nothing needs to be contained.
  const isReal = !config.settings.libvirtUri.startsWith('test');
  const firewall = isReal ? new Firewall() : null;
  const { syslog: receiver } = config.settings;
  // A receiver elsewhere is the site's own; ours is only for the address that is ours.
  const syslog =
    receiver?.host === METADATA_IP
      ? new SyslogRelay({
          stateDir: host.stateDir,
          address: receiver.host,
          port: receiver.port,
          relp: config.settings.syslogRelp,
          forwarding: config.settings.syslogForward,
          factory: host.factory,
          space: config.settings.vacSpace,
          days: config.settings.syslogDays,
          maxMegabytes: config.settings.syslogMegabytes,
          datagramsSent: async () => (await firewall?.syslogDatagrams()) ?? null,
          info: (message) => log.info(message),
          warn: (message) => log.warn(message),
        })
      : null;
  // A user of its own is best: what nobody may, other programs' nobody may as well, and children of one user may end
  // each other.
  const guardIdentity = await userIds('vac', 'nobody');
  // A child of its own: whoever takes over the one that machines talk to does not have the space's keys.
  const spaceProcess = new GuardedMember({
    mark: `${host.stateDir}/vacquery`,
    identity: await userIds('vac-space', 'vac', 'nobody'),
    onProblem: (line) => log.warn(line),
  });
  const metricsIdentity = await userIds('vac-metrics', 'vac', 'nobody');
  const daemon = new Daemon({
    factory: host.factory,
    config,
    layout,
    hypervisor,
    firewall,
    bridge: isReal ? new Bridge() : null,
    nfs,
    syslog,
    guestOwner,
    guardIdentity,
    log,
    spaceProcess,
    scrapes: (page) => {
      const scrapes = new GuardedScrapes({
        page,
        mark: `${host.stateDir}/metrics`,
        identity: metricsIdentity,
        onProblem: (line) => log.warn(line),
      });
      daemon.trust.watchChild('metrics', () => scrapes.child());
      return scrapes;
    },
    ...extra,
  });
  daemon.trust.watchChild('vacquery', () => spaceProcess.child());
  hypervisor.onCall((...call) => daemon.metrics.libvirtCalled(...call));
  return { daemon, firewall, nfs, syslog, hypervisor };
}

/** The uid and gid of the first of these users that the host's own user table has. */
async function userIds(...names: readonly string[]): Promise<{ readonly uid: number; readonly gid: number }> {
  const lines = (await readTextIfThere('/etc/passwd'))?.split('\n') ?? [];
  const line = names.map((name) => lines.find((entry) => entry.startsWith(`${name}:`))).find((found) => found);
  const [, , uid, gid] = line?.split(':') ?? [];
  return { uid: Number(uid ?? NOBODY), gid: Number(gid ?? NOBODY) };
}

/** Where not even nobody has a name. */
const NOBODY = 65534;
