/**
 * The hosts of containment-hosts.ts with the services that machines use, and with who tells which forged frames arrived. The
 * same for the test of the factory's rules and for the benchmark that sets them beside libvirt's.
 */

import type { ContainmentWish } from '../../../src/machines/containment-wish.js';
import { GATEWAY_IP, slotDevice } from '../../../src/machines/layout.js';
import { BRIDGE_NAME } from '../../../src/machines/network-xml.js';
import { testWish } from '../../machines/containment-wish.js';
import { until } from '../test-host.js';
import { type Attack, discover, IP, MAC, NEIGHBOUR_IP, SERVICES, searchOfGateway } from './attacks.js';
import { ContainmentHosts } from './containment-hosts.js';
import { arp, BROADCAST, dhcp, ethernet, ipv4, MARKER, udp } from './frames.js';

/** Ports of the factory that answer, whether machines may reach them or not. */
const FACTORY_PORTS = [22, 53, 80, 111, 514, 995, 2049, 5900, 10195, 20048];
const OUTSIDE_PORTS = [443, 995, 3128];
const MACHINE_PORT = 22;

/** Rules for these hosts. */
export function wish(changes: Partial<ContainmentWish> = {}): ContainmentWish {
  const syslog = {
    udpPort: 514,
    tcpPorts: [514],
    datagrams: { perSecond: 100, burst: 500 },
    bytes: { perSecond: 262_144, burst: 1_048_576 },
    maxConnections: 8,
  };
  return testWish({ syslog, ...changes });
}

/** For frames that nothing stops: whoever sees them may be held up. */
const PATIENCE_SECONDS = 60;

type Witness = Attack['seenBy'];

/** Frames with the marker that arrived, as hex, oldest first. */
type Arrivals = readonly string[];

export class AttackSite {
  private constructor(
    readonly hosts: ContainmentHosts,
    readonly gatewayMac: string,
    /** At its bridge. */
    readonly atFactory: Arrivals,
    readonly atAttacker: Arrivals,
    readonly atNeighbour: Arrivals,
    readonly atOutside: Arrivals,
  ) {}

  /** @param factoryNamespace as for {@link ContainmentHosts.create} */
  static async create(factoryNamespace: string | null = null): Promise<AttackSite> {
    const hosts = await ContainmentHosts.create(factoryNamespace);
    try {
      const gatewayMac = await hosts.in('factory', 'cat', `/sys/class/net/${BRIDGE_NAME}/address`);
      const site = new AttackSite(
        hosts,
        gatewayMac,
        await hosts.keep('factory', 'sniff', BRIDGE_NAME, MARKER),
        await hosts.keep(0, 'sniff', 'eth0', MARKER),
        await hosts.keep(1, 'sniff', 'eth0', MARKER),
        await hosts.keep('outside', 'sniff', 'eth0', MARKER),
      );
      const everywhere = (port: number) => [`tcp:0.0.0.0:${port}`, `udp:0.0.0.0:${port}`];
      await hosts.keep('factory', 'serve', ...FACTORY_PORTS.flatMap(everywhere));
      await hosts.keep('outside', 'serve', ...OUTSIDE_PORTS.flatMap(everywhere));
      for (const slot of [0, 1] as const) await hosts.keep(slot, 'serve', ...everywhere(MACHINE_PORT));
      return site;
    } catch (error) {
      await hosts.destroy();
      throw error;
    }
  }

  /**
   * Sends a forged frame, and tells who saw it. Frames that nothing stops follow it on each of its ways: what was let through
   * is there by the time that they are.
   */
  async attack({ frame }: Attack): Promise<Witness[]> {
    await this.forget();
    const before = { factory: this.atFactory.length, neighbour: this.atNeighbour.length };
    const honest = searchOfGateway();
    await this.hosts.peer(0, 'frames', 'eth0', frame(this.gatewayMac), honest);
    await until(
      'the next frame is at the factory',
      () => this.atFactory.slice(before.factory).includes(honest),
      PATIENCE_SECONDS,
    );
    // What the factory hands on waits there until it knows where the neighbour is, and this question waits behind it.
    const question = ['udp', NEIGHBOUR_IP, String(MACHINE_PORT)];
    await until(
      'the neighbour answers',
      async () => (await this.hosts.peer('factory', ...question)) === 'hello',
      PATIENCE_SECONDS,
    );
    const last = this.announcement();
    await this.hosts.peer('factory', 'frames', BRIDGE_NAME, last);
    await until(
      'the last frame is there',
      () => this.atNeighbour.slice(before.neighbour).includes(last),
      PATIENCE_SECONDS,
    );
    const isForged = (seen: string) => seen !== honest && seen !== last;
    const witnesses: Witness[] = [];
    if (this.atFactory.slice(before.factory).some(isForged)) witnesses.push('factory');
    if (this.atNeighbour.slice(before.neighbour).some(isForged)) witnesses.push('neighbour');
    return witnesses;
  }

  /** Whether a machine's request for a lease comes to the host, and the answer to the machine. */
  async dhcpPasses(): Promise<boolean> {
    const before = { factory: this.atFactory.length, attacker: this.atAttacker.length };
    const honest = searchOfGateway();
    await this.hosts.peer(0, 'frames', 'eth0', discover(), honest);
    await until(
      'the next frame is at the factory',
      () => this.atFactory.slice(before.factory).includes(honest),
      PATIENCE_SECONDS,
    );
    const answer = udp(67, 68, dhcp(2, MAC, 2));
    const offer = ethernet(MAC, this.gatewayMac, 0x0800, ipv4({ from: GATEWAY_IP, to: IP, protocol: 17 }, answer));
    const last = this.announcement();
    await this.hosts.peer('factory', 'frames', BRIDGE_NAME, offer, last);
    await until(
      'the last frame is there',
      () => this.atAttacker.slice(before.attacker).includes(last),
      PATIENCE_SECONDS,
    );
    return (
      this.atFactory.slice(before.factory).includes(discover()) &&
      this.atAttacker.slice(before.attacker).includes(offer)
    );
  }

  /** What honest machines use and do not get. */
  async refused(): Promise<string[]> {
    const refused = (await this.dhcpPasses()) ? [] : ['DHCP'];
    for (const [kind, address, port] of SERVICES) {
      const answer = await this.hosts.peer(0, kind, address, String(port));
      if (answer !== 'hello') refused.push(`${kind} to ${address} port ${port}`);
    }
    return refused;
  }

  destroy(): Promise<void> {
    return this.hosts.destroy();
  }

  /** Undoes what attacks before made the bridge and its neighbours believe. */
  private async forget(): Promise<void> {
    for (const slot of [0, 1]) {
      await this.hosts.in('factory', 'ip', 'link', 'set', slotDevice(slot), 'type', 'bridge_slave', 'fdb_flush');
    }
    await this.hosts.in('factory', 'ip', 'neigh', 'flush', 'dev', BRIDGE_NAME);
    await this.hosts.in(1, 'ip', 'neigh', 'flush', 'dev', 'eth0');
  }

  /** The factory's, of its own address, to all machines. */
  private announcement(): string {
    const { gatewayMac } = this;
    const own = { senderMac: gatewayMac, senderIp: GATEWAY_IP, targetIp: GATEWAY_IP };
    return ethernet(BROADCAST, gatewayMac, 0x0806, arp({ operation: 1, ...own }));
  }
}

/** Nothing of a machine may come to another; to the host, what is for everybody may. */
export function isStopped({ seenBy }: Attack, witnesses: readonly Witness[]): boolean {
  return !witnesses.includes('neighbour') && !witnesses.includes(seenBy);
}
