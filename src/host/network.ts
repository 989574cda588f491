/** Makes, checks and repairs the machines' private network on this host, disturbing running machines as little as can be. */

import { readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { VacError } from '../errors.js';
import { bridgeOf, compareNetwork, dhcpHostXml, NETWORK_NAME, networkXml } from '../machines/network-xml.js';
import { run } from './exec.js';
import type { Hypervisor } from './hypervisor.js';

export interface NetworkWish {
  readonly factory: string;
  readonly slots: number;
  readonly forwardDev: string | null;
  /** settings' fix_networking: whether a network that is wrong may be made again. */
  readonly mayRepair: boolean;
  /** The uuids of machines that run now: their interfaces are plugged in again after a repair. */
  readonly machineUuids: readonly string[];
}

/**
 * Brings the network to what it must be: defines and starts it where it is missing, stores it where somebody undefined it
 * while it runs (libvirt changes no stored lease of such a one), adds leases while it runs, and makes it anew where it was
 * altered.
 *
 * @throws VacError `network-wrong` where it may not be repaired; hypervisor errors
 */
export async function ensureNetwork(hypervisor: Hypervisor, wish: NetworkWish): Promise<void> {
  const found = await hypervisor.network(NETWORK_NAME);
  if (found === null) {
    await makeNetwork(hypervisor, wish);
    return;
  }
  const difference = compareNetwork(found.xml, wish.factory, wish.slots, wish.forwardDev);
  if (difference.wrong.length > 0) {
    if (!wish.mayRepair) {
      throw new VacError(
        'network-wrong',
        `libvirt network ${NETWORK_NAME} was altered (${difference.wrong.join('; ')}) and fix_networking is off; remove it (virsh net-destroy, net-undefine) or set fix_networking = true`,
      );
    }
    await hypervisor.removeNetwork(NETWORK_NAME);
    await makeNetwork(hypervisor, wish);
    return;
  }
  if (!found.active) await hypervisor.startNetwork(NETWORK_NAME);
  if (!found.persistent) await hypervisor.storeNetwork(NETWORK_NAME);
  for (const host of difference.staleHosts) await hypervisor.changeDhcpHost(NETWORK_NAME, 'delete', dhcpHostXml(host));
  for (const host of difference.missingHosts) await hypervisor.changeDhcpHost(NETWORK_NAME, 'add', dhcpHostXml(host));
  await plugInAgain(hypervisor, wish.machineUuids);
}

/** @throws VacError `network-wrong` naming what is missing or altered */
export async function checkNetwork(hypervisor: Hypervisor, wish: NetworkWish): Promise<void> {
  const found = await hypervisor.network(NETWORK_NAME);
  if (found === null) throw new VacError('network-wrong', `libvirt network ${NETWORK_NAME} is missing`);
  if (!found.active) throw new VacError('network-wrong', `libvirt network ${NETWORK_NAME} is not active`);
  if (!found.persistent) {
    throw new VacError('network-wrong', `libvirt network ${NETWORK_NAME} is transient: it would be gone when it ends`);
  }
  const { wrong, missingHosts } = compareNetwork(found.xml, wish.factory, wish.slots, wish.forwardDev);
  if (wrong.length > 0)
    throw new VacError('network-wrong', `libvirt network ${NETWORK_NAME} was altered: ${wrong.join('; ')}`);
  if (missingHosts.length > 0) {
    throw new VacError(
      'network-wrong',
      `libvirt network ${NETWORK_NAME} lacks ${missingHosts.length} of its DHCP leases`,
    );
  }
}

async function makeNetwork(hypervisor: Hypervisor, wish: NetworkWish): Promise<void> {
  await hypervisor.createNetwork(networkXml(wish.factory, wish.slots, wish.forwardDev));
  await plugInAgain(hypervisor, wish.machineUuids);
}

/**
 * A network that went took its bridge along: machines that still run hang on nothing until they are put back on it.
 * Every machine is tried; what failed is one error at the end, so that the next call tries it again.
 */
async function plugInAgain(hypervisor: Hypervisor, machineUuids: readonly string[]): Promise<void> {
  const network = await hypervisor.network(NETWORK_NAME);
  const bridge = network === null ? null : bridgeOf(network.xml);
  if (bridge === null) return;
  const problems: string[] = [];
  for (const uuid of machineUuids) {
    try {
      for (const device of await hypervisor.domainInterfaces(uuid)) await plugIn(device, bridge);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  if (problems.length > 0) {
    throw new VacError('network-wrong', `machines could not be plugged into the network again: ${problems.join('; ')}`);
  }
}

async function plugIn(device: string, bridge: string): Promise<void> {
  const master = await readlink(`/sys/class/net/${device}/master`).catch(() => '');
  if (basename(master) === bridge) return;
  await run('ip', ['link', 'set', 'dev', device, 'master', bridge, 'up']);
  await run('ip', ['link', 'set', 'dev', device, 'type', 'bridge_slave', 'isolated', 'on']);
}
