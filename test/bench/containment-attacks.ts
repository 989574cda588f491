/**
 * Which forged frames are stopped by libvirt's own filter clean-traffic, and which by the factory's rules: the attacks of
 * test/live/containment, on the same hosts, each first seen to work where there are no rules. And whether what machines need
 * passes. The names of what is let through go to standard error.
 */

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Firewall } from '../../src/host/firewall.js';
import { TABLE } from '../../src/machines/containment-wish.js';
import { slotDevice, slotHostname, slotIp, slotMac } from '../../src/machines/layout.js';
import { renderXml, xml } from '../../src/machines/xml.js';
import { AttackSite, isStopped, wish } from '../live/containment/attack-site.js';
import { ATTACKS, SERVICES } from '../live/containment/attacks.js';
import { TestHost } from '../live/test-host.js';
import { type Figure, figure } from './figure.js';

const SLOTS = [0, 1];
/** And DHCP. */
const NEEDS = SERVICES.length + 1;

export async function attackFigures(): Promise<Figure[]> {
  const host = await TestHost.create();
  try {
    const site = await AttackSite.create(host.namespace);
    try {
      return await compare(host, site);
    } finally {
      await site.destroy();
    }
  } finally {
    await host.destroy();
  }
}

/** One after another, from the filter alone to the factory's rules alone; nothing of the former is left for the last. */
async function compare(host: TestHost, site: AttackSite): Promise<Figure[]> {
  const firewall = [...site.hosts.inside('factory'), 'nft'];
  const figures: Figure[] = [];
  await seeAllArrive(site);
  await bindCleanTraffic(host);
  figures.push(...(await judge(site, 'clean-traffic')));
  // As by <port isolated='yes'/> of a domain.
  for (const slot of SLOTS) {
    await site.hosts.in('factory', 'bridge', 'link', 'set', 'dev', slotDevice(slot), 'isolated', 'on');
  }
  figures.push(...(await judge(site, 'clean-traffic, isolated')));
  await new Firewall(firewall).ensure(wish());
  await site.hosts.nft(`delete table bridge ${TABLE}`);
  figures.push(...(await judge(site, 'clean-traffic, isolated, inet table')));
  await site.hosts.nft(`delete table inet ${TABLE}`);
  for (const slot of SLOTS) {
    await host.virsh('nwfilter-binding-delete', slotDevice(slot));
    await site.hosts.in('factory', 'bridge', 'link', 'set', 'dev', slotDevice(slot), 'isolated', 'off');
  }
  await seeAllArrive(site);
  await new Firewall(firewall).ensure(wish());
  figures.push(...(await judge(site, 'both tables')));
  return figures;
}

/** @throws when an attack does not work here, so that nothing could be said of what stops it */
async function seeAllArrive(site: AttackSite): Promise<void> {
  for (const attack of ATTACKS) {
    if (!(await site.attack(attack)).includes(attack.seenBy)) {
      throw new Error(`${attack.name}: not seen by the ${attack.seenBy}, though there are no rules`);
    }
  }
}

/** @param rules what is in force, for people */
async function judge(site: AttackSite, rules: string): Promise<Figure[]> {
  const passed: string[] = [];
  for (const attack of ATTACKS) {
    if (!isStopped(attack, await site.attack(attack))) passed.push(attack.name);
  }
  const refused = await site.refused();
  tell(`${rules} lets through`, passed);
  tell(`${rules} keeps from machines what they need`, refused);
  const of = (value: number, what: string) => ({ value, what });
  return [
    figure(
      `containment attacks stopped: ${rules}`,
      ATTACKS.length - passed.length,
      'attacks',
      of(ATTACKS.length, 'sent'),
    ),
    figure(`containment needs that pass: ${rules}`, NEEDS - refused.length, 'services', of(NEEDS, 'asked')),
  ];
}

function tell(what: string, names: readonly string[]): void {
  process.stderr.write(`${what}:${names.length === 0 ? ' nothing' : names.map((name) => `\n  ${name}`).join('')}\n`);
}

/** As libvirt does for each port of a domain that has the filter, without a domain. */
async function bindCleanTraffic(host: TestHost): Promise<void> {
  for (const slot of SLOTS) {
    const path = `${host.directory}/binding-${slot}.xml`;
    const address = xml('parameter', { name: 'IP', value: slotIp(slot) });
    writeFileSync(
      path,
      renderXml(
        xml(
          'filterbinding',
          {},
          xml('owner', {}, xml('name', {}, slotHostname(host.namespace, slot)), xml('uuid', {}, randomUUID())),
          xml('portdev', { name: slotDevice(slot) }),
          xml('mac', { address: slotMac(slot) }),
          xml('filterref', { filter: 'clean-traffic' }, address),
        ),
      ),
    );
    await host.virsh('nwfilter-binding-create', path);
  }
}
