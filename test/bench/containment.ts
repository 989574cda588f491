/**
 * What it costs to contain a machine's network: libvirt's own filter clean-traffic, which makes rules for each port as it
 * is plugged in, beside one table for all slots, which stands before. On a host of its own; guests do not run (paused). What
 * each of them stops is in containment-attacks.ts.
 */

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { Firewall } from '../../src/host/firewall.js';
import { domainXml } from '../../src/machines/domain-xml.js';
import { NETWORK_NAME, networkXml } from '../../src/machines/network-xml.js';
import { TestHost } from '../live/test-host.js';
import { testWish } from '../machines/containment-wish.js';
import { testRecord } from '../machines/record.js';
import { attackFigures } from './containment-attacks.js';
import { type Figure, figure } from './figure.js';

const ROUNDS = 7;
const SLOTS = 64;
const FACTORY = 'bench.localdomain';
const TICKS_PER_SECOND = 100;

export async function containmentFigures(): Promise<Figure[]> {
  return [...(await costFigures()), ...(await attackFigures())];
}

async function costFigures(): Promise<Figure[]> {
  const host = await TestHost.create();
  try {
    const command = host.inside('nft', []).flat();
    const firewall = new Firewall(command);
    const networkPath = `${host.directory}/network.xml`;
    writeFileSync(networkPath, networkXml(FACTORY, SLOTS, null));
    await host.virsh('net-define', networkPath);
    await host.virsh('net-start', NETWORK_NAME);
    const wish = testWish({ slots: SLOTS });
    const { bare, filtered, table } = await starts(host, () => new Firewall(command).ensure(wish));
    const whole = await timed(() => new Firewall(command).ensure(wish));
    await firewall.ensure(wish);
    const nothing = await timed(() => firewall.ensure(wish));
    const checks = await rounds(() => timed(() => firewall.check(wish)));
    const egress = await rounds((round) => {
      const rules = { deny: ['10.0.0.0/8', `192.0.2.${round}`], allow: ['0.0.0.0/0', '10.1.2.3:3128'] };
      return timed(() => firewall.ensure({ ...wish, egress: new Map([[0, rules]]) }));
    });
    const than = (value: number) => ({ value: Math.round(value), what: 'clean-traffic' });
    return [
      figure('containment start: no rules', median(bare.ms), 'ms'),
      figure('containment start: clean-traffic', median(filtered.ms), 'ms'),
      figure('containment start: standing table', median(table.ms), 'ms', than(median(filtered.ms))),
      figure('containment start: no rules, CPU of libvirtd', bare.cpuMs, 'ms'),
      figure('containment start: clean-traffic, CPU of libvirtd', filtered.cpuMs, 'ms'),
      figure('containment start: table, CPU of libvirtd', table.cpuMs, 'ms', than(filtered.cpuMs)),
      figure(`containment table: made, ${SLOTS} slots`, whole, 'ms'),
      figure('containment table: a start that changes nothing', nothing, 'ms'),
      figure('containment table: a start with egress rules', median(egress), 'ms'),
      figure('containment table: looked at', median(checks), 'ms'),
    ];
  } finally {
    await host.destroy();
  }
}

interface Starts {
  readonly ms: number[];
  cpuMs: number;
}

/**
 * Starts of a domain that never runs, of each kind by turns, so that what else the host does is the same for all; the first
 * round does not count. CPU is that of libvirtd and of what it ran, for one start.
 */
async function starts(
  host: TestHost,
  makeTable: () => Promise<void>,
): Promise<Record<'bare' | 'filtered' | 'table', Starts>> {
  const record = testRecord({ slot: 0, memoryMiB: 64, processors: 1 });
  const path = `${host.directory}/domain.xml`;
  const xml = domainXml(record, {
    domainType: 'qemu',
    machineType: 'q35',
    firmware: 'bios',
    networkName: NETWORK_NAME,
    consolePath: `${host.directory}/console.log`,
    nvramPath: `${host.directory}/nvram.fd`,
    disks: [],
    space: FACTORY,
    factory: FACTORY,
  });
  const none = (): Starts => ({ ms: [], cpuMs: 0 });
  const results = { bare: none(), filtered: none(), table: none() };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [kind, result] of Object.entries(results)) {
      writeFileSync(path, kind === 'filtered' ? withCleanTraffic(xml) : xml);
      for (const family of ['bridge', 'inet']) await host.try('nft', ['delete', 'table', family, 'vac']);
      if (kind === 'table') await makeTable();
      const before = await cpuOf(host);
      const ms = await timed(() => promisify(execFile)(...host.inside('virsh', ['-q', 'create', path, '--paused'])));
      if (round > 0) {
        result.ms.push(ms);
        result.cpuMs += ((await cpuOf(host)) - before) / ROUNDS;
      }
      await host.virsh('destroy', record.hostname);
    }
  }
  return results;
}

async function rounds(work: (round: number) => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) values.push(await work(round));
  return values;
}

function withCleanTraffic(xml: string): string {
  const filter = "<filterref filter='clean-traffic'/>";
  return xml.replace("<port isolated='yes'/>", (port) => `${port}${filter}`);
}

/** Of libvirtd and the programs that it has run and waited for, in milliseconds. */
async function cpuOf(host: TestHost): Promise<number> {
  let ticks = 0;
  for (const pid of await host.pidsOf('libvirtd')) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // utime, stime, cutime, cstime: fields 14 to 17, the first here being 3.
    ticks += fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  }
  return (ticks * 1000) / TICKS_PER_SECOND;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
