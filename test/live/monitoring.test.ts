/** What monitors see of the program vacd: /metrics by a real scrape, and VacMon's datagrams as they arrive. */

import { spawn } from 'node:child_process';
import { expect, test, vi } from 'vitest';
import { decode, type Status } from '../../src/vacquery/index.js';
import { type Family, parseExposition, valuesOf } from '../daemon/exposition.js';
import { FaultSite, running } from './faults-site.js';
import type { TestHost } from './test-host.js';

vi.setConfig({ testTimeout: 400_000 });

const VACMON = '127.0.0.1:8884';
/** What a round tells, each minute. */
const KINDS = ['factory_status', 'machinetype_status', 'machine_status'];
const TWO_ROUNDS_SECONDS = 150;

test('machines that start and end are in the metrics and told to VacMon, and guests cannot read any of it', () =>
  FaultSite.use(async (site) => {
    const { host } = site;
    const types = { halt: site.halting() };
    const settings = { total_processors: 1, vacmon_hostport: VACMON };
    await site.configure(types, settings);
    const told = listen(host);
    const daemon = site.startVacd();
    const [machine] = running(await daemon.until('a machine runs', (s) => running(s).length === 1));
    const kinds = () => new Set<string>(told.map(({ message_type }) => message_type));
    // The first round may come before the machine, or before its receiver listens.
    await host.until('a round is told', () => KINDS.every((kind) => kinds().has(kind)), TWO_ROUNDS_SECONDS);
    expect(kinds()).toEqual(new Set(KINDS));

    const before = await scrape(host, '127.0.0.1');
    expect(valuesOf(before, 'vac_machines')['machinetype=halt state=running']).toBe(1);
    expect(valuesOf(before, 'vac_machine_starts_total')).toEqual({ 'machinetype=halt': 1 });
    expect(valuesOf(before, 'vac_libvirt_reachable')).toEqual({ '': 1 });
    expect(new Set(Object.values(valuesOf(before, 'vac_service_ready')))).toEqual(new Set([1]));
    expect(valuesOf(before, 'vac_decisions_total')['code=started']).toBe(1);
    expect(countOf(before, 'vac_step_duration_seconds', 'libvirt')).toBe(1);
    expect(countOf(before, 'vac_libvirt_call_duration_seconds', 'createDomain')).toBe(1);
    expect(countOf(before, 'vac_libvirt_call_duration_seconds', 'domainStats')).toBeGreaterThan(0);

    await host.virsh('destroy', machine!.hostname);
    await host.until('its end is told', () => told.some((status) => isEndOf(status, machine!.uuid)));
    await host.until('its end is counted', async () => {
      const families = await scrape(host, '127.0.0.1');
      return valuesOf(families, 'vac_machine_ends_total')['machinetype=halt code=none'] === 1;
    });
    await host.until('its record is counted', async () => {
      const families = await scrape(host, '127.0.0.1');
      return valuesOf(families, 'vac_accounting_records_written_total')[''] === 1;
    });

    // On all addresses of the host, but for those that guests have or reach.
    await site.configure(types, { ...settings, metrics_listen: '0.0.0.0:10195' });
    await host.until('it listens there', () => daemon.output.includes('http://0.0.0.0:10195/metrics'));
    expect((await scrape(host, '127.0.0.2')).size).toBeGreaterThan(0);
    await expect(scrape(host, '169.254.169.254')).rejects.toThrow(/ECONNRESET|socket hang up/);
    await daemon.stop();
  }));

/** Statuses as they come; the receiver ends with its host. */
function listen(host: TestHost): Status[] {
  const told: Status[] = [];
  const [address, port] = VACMON.split(':');
  const program = `require('dgram').createSocket('udp4').on('message', (datagram) => console.log(datagram.toString())).bind(${port}, '${address}')`;
  const receiver = spawn(...host.inside(process.execPath, ['-e', program]), { stdio: ['ignore', 'pipe', 'inherit'] });
  let rest = '';
  receiver.stdout!.setEncoding('utf8').on('data', (part: string) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const decoded = decode(Buffer.from(line));
      if (!decoded.ok) throw new Error(`VacMon got what it cannot read: ${decoded.reason}: ${line}`);
      told.push(decoded.message as Status);
    }
  });
  return told;
}

function isEndOf(status: Status, uuid: string): boolean {
  return status.message_type === 'machine_status' && status.uuid === uuid && status.state === 'Shut down';
}

async function scrape(host: TestHost, address: string): Promise<Map<string, Family>> {
  const program = `require('http').get('http://${address}:10195/metrics', (answer) => answer.pipe(process.stdout))`;
  return parseExposition(await host.run(process.execPath, ['-e', program]));
}

/** How often a histogram has seen something with this label value. */
function countOf(families: ReadonlyMap<string, Family>, name: string, value: string): number {
  const found = families
    .get(name)
    ?.series.find((series) => series.name === `${name}_count` && Object.values(series.labels).includes(value));
  return found?.value ?? 0;
}
