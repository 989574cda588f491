/**
 * "Every log line sent by 3 guests while rsyslog and the collector are stopped and started arrives at the collector exactly
 * as tagged (TCP path), or is counted as lost (UDP)." Three machines of a factory, which log by a program of the test
 * (syslog-guests/sender.c), and a site's collector; who tells the truth of lost datagrams is the machine's log.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { MachineStatus } from '../../src/daemon/status.js';
import { waitUntil } from '../../src/host/helper-daemon.js';
import { FACTORY, FaultSite, machineOf, running } from './faults-site.js';
import { writeUserDataWith } from './guest-program.js';
import { LoggingSite } from './syslog-guests/logging-site.js';
import { COLLECTOR_PORT, type Collector, type Tags } from './syslog-site.js';

const SENDER = fileURLToPath(new URL('./syslog-guests/sender.c', import.meta.url));
const USER_DATA = fileURLToPath(new URL('./syslog-guests/user_data', import.meta.url));
/** A machinetype for each machine, by how it logs. */
const WAYS = { analysis: 'relp udp', production: 'relp', simulation: 'relp' } as const;
const MACHINES = Object.keys(WAYS).length;
/** Guests boot under emulation, beside other tests: 15 s where the host has little else to do. */
const BOOT_SECONDS = 180;
/** Each machine says 50 a second, for half a minute or so. */
const FEW_LINES = 100;
const COLLECTED_SECONDS = 60;

test(
  'each line by RELP reaches the collector as tagged, each by UDP does or is counted as lost',
  {
    timeout: 600_000,
  },
  () =>
    FaultSite.use(async (site) => {
      await writeUserDataWith(site.file('user_data'), USER_DATA, SENDER);
      const demo = await site.demo({ user_data: site.file('user_data') });
      await site.configure(
        Object.fromEntries(
          Object.entries(WAYS).map(([type, ways]) => [type, { ...demo, user_data_option_ways: ways }] as const),
        ),
        { syslog_forward: `relp://127.0.0.1:${COLLECTOR_PORT}` },
      );
      let daemon = site.start(MACHINES, { startsLimit: MACHINES });
      try {
        const machines = running(await daemon.until('all run', (status) => running(status).length === MACHINES));
        expect(machines.map(({ machinetype }) => machinetype).sort()).toEqual(Object.keys(WAYS));
        const logging = await LoggingSite.create(site, machines);
        const { collector } = logging;
        await collector.start();
        await logging.untilCollected('the machines have booted and log', BOOT_SECONDS);

        // The collector is killed, and the relay while lines wait for it.
        await logging.stopCollector('SIGKILL');
        await logging.untilRelayed('lines wait for the collector');
        await logging.stopRelay('SIGKILL');
        await logging.untilRelayed('vacd has started the relay again');
        await collector.start();
        await logging.untilCollected('the collector has what waited');

        // The relay is ended in order, and the collector while it is sent what waited in the machines.
        await logging.stopRelay('SIGTERM');
        await logging.untilRelayed('vacd has started the relay again');
        await logging.stopCollector('SIGTERM');
        await logging.untilRelayed('lines wait for the collector');
        await collector.start();
        await logging.untilCollected('the collector has what waited');

        // vacd is killed; the relay goes on without it, until it is killed too, and datagrams find nobody.
        await daemon.kill();
        await logging.untilRelayed('the relay goes on without vacd');
        await logging.stopRelay('SIGKILL');
        await logging.untilDatagramsSent('datagrams are sent to nobody');
        daemon = site.start(MACHINES, { startsLimit: 0 });
        await daemon.until('the next vacd has them all', (status) => running(status).length === MACHINES);
        await logging.untilRelayed('the next vacd has started the relay again');
        await logging.untilCollected('the collector has what waited');

        for (const { id } of machines) await writeFile(site.inMachine(id, 'joboutputs/finish'), '');
        const after = await daemon.until('all are over', (status) =>
          machines.every(({ uuid }) => machineOf(status, uuid)?.phase === 'cleared'),
        );
        for (const { uuid } of machines) expect(machineOf(after, uuid)?.end?.message).toBe('200 Success');
        for (const machine of machines) await expectLines(site, machine, collector);
        await daemon.stop();
      } finally {
        await daemon.kill();
      }
    }),
);

/** What the machine says to have sent is at the collector, with its tags, and in its log; or is counted as lost. */
async function expectLines(site: FaultSite, machine: MachineStatus, collector: Collector): Promise<void> {
  const { id, uuid, machinetype, hostname } = machine;
  const said = await readFile(site.inMachine(id, 'joboutputs/sent'), 'utf8');
  const sentBy = (way: string) => Number(new RegExp(`^${way}=(\\d+)$`, 'm').exec(said)?.[1] ?? 0);
  const sent = Array.from({ length: sentBy('relp') }, (_, number) => `${uuid} relp line ${number}`);
  expect(sent.length).toBeGreaterThan(FEW_LINES);

  const log = await readFile(site.host.seenInside(`${site.stateDir}/logs/${id}.log`), 'utf8');
  const kept = [...log.matchAll(new RegExp(`${uuid} (?:relp|udp) line \\d+$`, 'gm'))].map(([text]) => text);
  expect(without(sent, kept), 'lines by RELP that the log does not have').toEqual([]);
  const datagrams = kept.filter((text) => text.startsWith(`${uuid} udp `));
  const lost = [...log.matchAll(/ vacd: (\d+) lines lost/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  expect(datagrams.length + lost, `${datagrams.length} datagrams in the log, ${lost} lost`).toBe(sentBy('udp'));
  // While nobody received, some were.
  expect(lost > 0).toBe(WAYS[machinetype as keyof typeof WAYS].includes('udp'));

  // Not its tags: the text, by which it says itself whose it is.
  let lines: Tags[] = [];
  let missing: string[] = [];
  await waitUntil(async () => {
    lines = await collector.linesWith(`${uuid} `);
    const arrived = lines.map(({ text }) => text);
    missing = without([...sent, ...datagrams], arrived);
    return missing.length === 0;
  }, COLLECTED_SECONDS);
  expect(missing, 'lines that the collector does not have').toEqual([]);
  const tags = { machine: id, uuid, machinetype, host: hostname, factory: FACTORY, space: 'space.example.com' };
  for (const { text, ...found } of lines) expect(found, text).toEqual(tags);
  const twice = lines.length - new Set(lines.map(({ text }) => text)).size;
  process.stdout.write(
    `${machinetype}: ${sent.length} lines sent by RELP and ${sentBy('udp')} by UDP, of these ${lost} counted as lost, all others at the collector, ${twice} twice\n`,
  );
}

function without(texts: readonly string[], there: readonly string[]): string[] {
  const found = new Set(there);
  return texts.filter((text) => !found.has(text));
}
