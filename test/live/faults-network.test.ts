/** The machines' private network missing, taken away, or not what it must be. */

import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { NETWORK_NAME } from '../../src/machines/network-xml.js';
import { FaultSite, machineOf, running, slotVerdict } from './faults-site.js';

const { concurrent } = test;

/** Guests boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 240_000;

concurrent(
  'stopped under a running machine, it is started again, and the machine is reachable as before',
  () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await site.configure({ guest: await site.demo() });
      expect(await host.networks()).not.toContain(NETWORK_NAME);
      const daemon = site.start(1);
      const before = await daemon.until('a machine runs', (s) => running(s).length === 1);
      expect(await host.networks()).toContain(NETWORK_NAME);
      const [guest] = running(before);
      await site.untilBeats(guest!.id, 'it has booted');

      await host.virsh('net-destroy', NETWORK_NAME);
      await host.until('vacd notices', () => daemon.output.includes(`libvirt network ${NETWORK_NAME} is not active`));
      await daemon.until('the network works again', (s) => s.services.network.ready);
      // The guest's kernel waits longer and longer before it tries its mount again.
      await site.untilBeats(guest!.id, 'by the new bridge', 120);
      expect(machineOf((await daemon.status())!, guest!.uuid)).toMatchObject({ phase: 'running', stopping: null });
    }),
  TIMEOUT_MS,
);

concurrent('taken away under running machines, it is made again, and they are plugged into it', () =>
  FaultSite.use(async (site) => {
    const { host } = site;
    await site.configure({ halt: site.halting() });
    const daemon = site.start(2);
    const before = await daemon.until('machines run', (s) => running(s).length === 2);
    const pluggedIn = async () =>
      (await host.run('ip', ['-o', 'link', 'show', 'master', 'vac0'])).split('\n').length - 1;
    expect(await pluggedIn()).toBe(2);

    await daemon.whileFrozen(async () => {
      await host.virsh('net-destroy', NETWORK_NAME);
      await host.virsh('net-undefine', NETWORK_NAME);
    });
    await host.until('vacd notices', () => daemon.output.includes(`libvirt network ${NETWORK_NAME} is missing`));
    const after = await daemon.until('the network works again', (s) => s.services.network.ready);
    expect(await pluggedIn()).toBe(2);
    for (const { uuid } of running(before)) {
      expect(machineOf(after, uuid)).toMatchObject({ phase: 'running', domain: 'running', stopping: null });
    }
  }),
);

concurrent('undefined under running machines, it is stored again without being stopped, and takes new leases', () =>
  FaultSite.use(async (site) => {
    const { host } = site;
    await site.configure({ halt: site.halting() });
    const daemon = site.start(1);
    await daemon.until('a machine runs', (s) => running(s).length === 1);
    const bridgeIndex = async () => (await host.run('ip', ['-o', 'link', 'show', 'dev', 'vac0'])).split(':')[0];
    const before = await bridgeIndex();

    await host.virsh('net-undefine', NETWORK_NAME);
    await host.until('vacd notices', () => daemon.output.includes(`libvirt network ${NETWORK_NAME} is transient`));
    await daemon.until('the network is as it must be', (s) => s.services.network.ready);
    expect(await host.virsh('net-list', '--persistent', '--autostart', '--name')).toContain(NETWORK_NAME);
    expect(await bridgeIndex()).toBe(before);

    await daemon.stop();
    const larger = site.start(2);
    await larger.until('a second slot has a machine', (s) => running(s).length === 2);
  }),
);

test.concurrent.each([
  {
    what: 'of another netmask',
    ips: '<ip address="169.254.169.253" netmask="255.255.255.0"/><ip address="169.254.169.254" prefix="32"/>',
    says: 'its netmask is 255.255.255.0, not 255.255.0.0',
  },
  {
    what: 'without the metadata address',
    ips: '<ip address="169.254.169.253" netmask="255.255.0.0"/>',
    says: 'it lacks the address 169.254.169.254',
  },
])('$what, it keeps machines from starting, or is made anew where fix_networking allows', ({ ips, says }) =>
  FaultSite.use(async (site) => {
    const { host } = site;
    const network = site.file('network.xml');
    await writeFile(
      network,
      `<network><name>${NETWORK_NAME}</name><forward mode="nat"/><bridge name="vac0"/>${ips}</network>`,
    );
    await host.virsh('net-define', network);
    await host.virsh('net-start', NETWORK_NAME);

    await site.configure({ halt: site.halting() }, { fix_networking: 'false' });
    const forbidden = site.start(1);
    const refused = await forbidden.until('nothing may start', (s) => slotVerdict(s, 0)?.code === 'service-down');
    expect(slotVerdict(refused, 0)!.reason).toContain(says);
    expect(slotVerdict(refused, 0)!.reason).toContain('fix_networking');
    await host.until('factory-error says so', async () => ((await site.state('factory-error')) ?? '').includes(says));
    expect(await host.domains()).toEqual([]);
    expect(refused.machines).toEqual([]);
    await forbidden.stop();

    await site.configure({ halt: site.halting() }, { fix_networking: 'true' });
    const allowed = site.start(1);
    await allowed.until('a machine runs', (s) => running(s).length === 1);
    const xml = await host.virsh('net-dumpxml', NETWORK_NAME);
    expect(xml).toContain("address='169.254.169.254'");
    expect(xml).toContain("netmask='255.255.0.0'");
    await host.until('factory-error is gone', async () => (await site.state('factory-error')) === null);
  }));
