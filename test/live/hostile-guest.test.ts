/**
 * A machine whose root is hostile tries what it can (hostile-guest/hostile.sh), beside one that only works. What came of
 * each attack is printed as a table, the one of etc/security.md; the other machine must not have felt any of it.
 */

import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { MachineStatus } from '../../src/daemon/status.js';
import { Firewall } from '../../src/host/firewall.js';
import { slotDevice, slotMac } from '../../src/machines/layout.js';
import { BRIDGE_NAME } from '../../src/machines/network-xml.js';
import { FaultSite, machineOf, running } from './faults-site.js';
import {
  type Outcome,
  outcomesIn,
  secondsOf,
  writeHostileUserData,
  writeInnocentUserData,
} from './hostile-guest/attack-kit.js';
import {
  ATTACKS,
  attackOf,
  droppedAtLeast,
  JOBOUTPUTS_FILES,
  JOBOUTPUTS_MB,
  OTHER_HOST_IP,
  SYSLOG_SENT,
} from './hostile-guest/attacks.js';
import {
  Beats,
  bytesOf,
  learntMacs,
  listen,
  macAtHost,
  makeOutside,
  notOwnedBy,
  oddFiles,
  trackedConnections,
  trackedLimit,
} from './hostile-guest/witnesses.js';

const LISTENER_PORT = 2222;
/** Under emulation beside other tests, with a neighbour that forks and floods; what would be a stop is minutes. */
const LONGEST_PAUSE_SECONDS = 30;
/** It needs a minute where the host has little else to do. */
const ATTACKS_SECONDS = 1200;
/** For what guests do within some seconds there. */
const PATIENCE_SECONDS = 300;
/** virtlogd keeps four files of 2 MiB of a console. */
const CONSOLE_BYTES = 4 * 2 ** 21;
/** Of the innocent machine's HTTP, NFS and syslog, most of them over but still remembered. */
const OTHER_CONNECTIONS = 2000;
/** Whose everything is that machines write. */
const NOBODY = 65534;
const SECURITY = fileURLToPath(new URL('../../etc/security.md', import.meta.url));
const DELIVERIES = fileURLToPath(new URL('./hostile-guest/deliveries.py', import.meta.url));

test(
  'a hostile machine hurts nobody',
  () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await makeOutside(host);
      await writeHostileUserData(site.file('hostile'));
      await writeInnocentUserData(site.file('innocent'));
      const type = {
        ...(await site.demo()),
        joboutputs_mb: JOBOUTPUTS_MB,
        joboutputs_files: JOBOUTPUTS_FILES,
        min_processors: 1,
      };
      await site.configure({
        hostile: { ...type, user_data: site.file('hostile') },
        innocent: { ...type, user_data: site.file('innocent') },
      });
      const daemon = site.start(2, { startsLimit: 2 });
      const both = await daemon.until('both run', (s) => running(s).length === 2, PATIENCE_SECONDS);
      const [hostile] = running(both, 'hostile') as [MachineStatus];
      const [innocent] = running(both, 'innocent') as [MachineStatus];
      const [hostileMac, innocentMac] = [hostile, innocent].map(({ slot }) => slotMac(slot).toLowerCase());
      const hostileDirectory = site.inMachine(hostile.id, '');

      const listener = listen(host, ['python3', '-u', '-m', 'http.server', String(LISTENER_PORT)]);
      const deliveries = listen(host, ['python3', DELIVERIES, slotDevice(innocent.slot), BRIDGE_NAME]);
      const beats = new Beats(site, innocent);
      const firewall = new Firewall(host.inside('nft', []).flat());
      const outcomes = new Map<string, Outcome>();
      let console_ = '';
      let mostTracked = 0;
      try {
        await host.until('the sniffer listens', () => deliveries.said().includes('listening'));
        await host.until('the listener listens', () => listener.said().includes('Serving'));
        await beats.begin();
        const before = (await firewall.counters()).byReason;
        const limit = await trackedLimit(host);
        await writeFile(
          `${hostileDirectory}/joboutputs/orders`,
          [
            `victimIp=${innocent.ip}`,
            `victimMac=${innocentMac}`,
            `victimExport=${site.stateDir}/machines/${innocent.id}`,
            `otherHostIp=${OTHER_HOST_IP}`,
            `listenerPort=${LISTENER_PORT}`,
            '',
          ].join('\n'),
        );
        await host
          .until(
            'the hostile machine has tried all that it knows',
            async () => {
              // Emulated machines shall have the processors.
              await delay(500);
              mostTracked = Math.max(mostTracked, await trackedConnections(host));
              const files = ['console.log.2', 'console.log.1', 'console.log.0', 'console.log'].map((name) =>
                readFile(`${hostileDirectory}/${name}`, 'latin1').catch(() => ''),
              );
              console_ = (await Promise.all(files)).join('');
              for (const [name, outcome] of outcomesIn(console_)) outcomes.set(name, outcome);
              return outcomes.delete('done');
            },
            ATTACKS_SECONDS,
          )
          .catch((error: Error) => {
            throw new Error(`${error.message}; its console ends with:\n${console_.slice(-2000)}`);
          });

        // ---- what it was told ----
        for (const [name, { result }] of outcomes) {
          expect.soft(result, name).toMatch(attackOf(name)?.result ?? /an attack of the list/);
        }
        const tried = new Set([...outcomes.keys()].map((name) => attackOf(name)?.name));
        expect.soft([...tried]).toEqual(expect.arrayContaining(ATTACKS.map(({ name }) => name)));

        // ---- what the firewall dropped of it ----
        const { byReason, bySlot } = await firewall.counters();
        for (const [reason, packets] of droppedAtLeast((name) => secondsOf(outcomes, name))) {
          expect.soft(byReason[reason].packets - before[reason].packets, reason).toBeGreaterThanOrEqual(packets);
        }
        expect.soft(bySlot.get(innocent.slot)?.packets ?? 0, 'dropped of the innocent machine').toBeLessThan(50);
        expect.soft(limit).toBeGreaterThan(0);
        expect.soft(mostTracked, 'entries in the table of connections').toBeLessThan(limit + OTHER_CONNECTIONS);
        const learnt = await learntMacs(host);
        expect.soft(learnt.get(innocentMac!)).toBe(slotDevice(innocent.slot));
        const atHostilePort = [...learnt].flatMap(([mac, port]) => (port === slotDevice(hostile.slot) ? [mac] : []));
        expect.soft(atHostilePort).toEqual([hostileMac]);
        expect.soft(await macAtHost(host, innocent.ip)).toBe(innocentMac);

        // ---- what came to the other machine ----
        expect.soft(deliveries.said().replace('listening\n', ''), 'frames from the hostile machine').toBe('');
        await beats.end();
        expect.soft(beats.longestPauseSeconds, 'its work stood still').toBeLessThan(LONGEST_PAUSE_SECONDS);
        expect.soft(beats.unserved, 'it was not served').toEqual([]);
        expect.soft(beats.factoryMacs.size, `MACs of the factory: ${[...beats.factoryMacs].join(' ')}`).toBe(1);
        expect.soft(beats.last).toContain('router=169.254.169.253');
        const log = await readFile(host.seenInside(`${site.stateDir}/logs/${innocent.id}.log`), 'utf8');
        expect.soft(log).not.toMatch(/forged|flood|hostile|lost/);
        const lines = [...log.matchAll(/innocent line (\d+)\n/g)].map(([, number]) => Number(number));
        expect.soft(lines, 'its own lines, none missing').toEqual(lines.map((_, index) => index + 1));
        expect.soft(lines.length).toBeGreaterThan(5);

        // ---- what came to the host ----
        await daemon.until(
          'the innocent machine runs, and nothing is wrong',
          (s) => machineOf(s, innocent.uuid)?.domain === 'running' && s.problems.length === 0,
        );
        let hostileLog = '';
        const lost = () =>
          [...hostileLog.matchAll(/vacd: (\d+) lines lost/g)].reduce((sum, [, count]) => sum + Number(count), 0);
        const kept = () => hostileLog.split('\n').filter((line) => / (flood: line \d+$|.*forged)/.test(line)).length;
        await host.until(
          `each line that it sent is in its log or told of as lost`,
          async () => {
            hostileLog = await readFile(host.seenInside(`${site.stateDir}/logs/${hostile.id}.log`), 'latin1');
            return kept() + lost() >= SYSLOG_SENT;
          },
          PATIENCE_SECONDS,
        );
        expect.soft(kept() + lost()).toBe(SYSLOG_SENT);
        expect.soft(hostileLog).toContain('innocent: #033[2J#007 forged#012INNOCENT second line\n');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
        expect.soft(hostileLog).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
        expect.soft(await bytesOf(hostileDirectory, 'console.log')).toBeLessThanOrEqual(CONSOLE_BYTES);

        const outputs = host.seenInside(`${site.stateDir}/machines/${hostile.id}/joboutputs`);
        expect.soft(await notOwnedBy(NOBODY, outputs)).toEqual(['orders']);
        expect.soft(await readdir(outputs)).not.toContain('large');

        // ---- their ends ----
        for (const { id } of [innocent, hostile]) await writeFile(site.inMachine(id, 'joboutputs/finish'), '');
        const after = await daemon.until(
          'both are over',
          (s) => s.machines.every(({ phase }) => phase === 'cleared'),
          PATIENCE_SECONDS,
        );
        expect.soft(machineOf(after, innocent.uuid)?.end?.message).toBe('200 Success');
        expect.soft(machineOf(after, hostile.uuid)?.end?.message ?? null).toBeNull();
        expect.soft(await oddFiles(`${hostileDirectory}/joboutputs`)).toEqual([]);
        const allowed = JOBOUTPUTS_MB * 2 ** 20;
        expect.soft(await bytesOf(`${hostileDirectory}/joboutputs`)).toBeLessThan(1.25 * allowed);
        await daemon.stop();
      } finally {
        printTable(outcomes, mostTracked, beats);
        listener.end();
        deliveries.end();
        beats.stop();
        await daemon.kill();
      }
    }),
  2_400_000,
);

test('the threat model has a row for each attack', async () => {
  const rows = (await readFile(SECURITY, 'utf8')).split('\n').filter((line) => line.startsWith('|'));
  for (const { name } of ATTACKS) {
    expect(
      rows.filter((row) => row.includes(`\`${name}\``)),
      name,
    ).toHaveLength(1);
  }
});

function printTable(outcomes: ReadonlyMap<string, Outcome>, mostTracked: number, beats: Beats): void {
  const rows = [...outcomes].map(([name, { result, atSeconds }]) =>
    [String(atSeconds).padStart(4), name.padEnd(32), result.padEnd(48), attackOf(name)?.rule ?? '?'].join(' '),
  );
  console.log(
    [
      `   s ${'ATTACK'.padEnd(32)} ${'WHAT THE MACHINE WAS TOLD'.padEnd(48)} WHAT STOPS IT`,
      ...rows,
      `the host tracked ${mostTracked} connections at most; the innocent machine paused ${beats.longestPauseSeconds.toFixed(1)} s at most`,
    ].join('\n'),
  );
}
