/**
 * A machine whose root is hostile tries what it can (hostile-guest/hostile.sh), beside one that only works. What came of
 * each attack is printed as a table, the one of etc/security.md; the other machine must not have felt any of it.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { MachineStatus } from '../../src/daemon/status.js';
import { slotDevice, slotMac } from '../../src/machines/layout.js';
import { BRIDGE_NAME } from '../../src/machines/network-xml.js';
import { FaultSite, machineOf, running } from './faults-site.js';
import { attacksIn, writeHostileUserData, writeInnocentUserData } from './hostile-guest/attack-kit.js';
import { ATTACKS, attackOf } from './hostile-guest/attacks.js';
import type { TestHost } from './test-host.js';

/** An address of the host that is not on the machines' network. */
const OTHER_HOST_IP = '192.0.2.1';
const LISTENER_PORT = 2222;
const JOBOUTPUTS_MB = 20;
/** Under emulation beside other tests, with a neighbour that forks and floods; what would be a stop is minutes. */
const LONGEST_PAUSE_SECONDS = 30;
const SECURITY = fileURLToPath(new URL('../../etc/security.md', import.meta.url));
const DELIVERIES = fileURLToPath(new URL('./hostile-guest/deliveries.py', import.meta.url));

test(
  'a hostile machine hurts nobody',
  () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await host.run('ip', ['addr', 'add', `${OTHER_HOST_IP}/32`, 'dev', 'lo']);
      await writeHostileUserData(site.file('hostile'));
      await writeInnocentUserData(site.file('innocent'));
      const type = { ...(await site.demo()), joboutputs_mb: JOBOUTPUTS_MB, min_processors: 1 };
      await site.configure({
        hostile: { ...type, user_data: site.file('hostile') },
        innocent: { ...type, user_data: site.file('innocent') },
      });
      const daemon = site.start(2, { startsLimit: 2 });
      const both = await daemon.until('both run', (s) => running(s).length === 2);
      const [hostile] = running(both, 'hostile') as [MachineStatus];
      const [innocent] = running(both, 'innocent') as [MachineStatus];

      const listener = listen(host, [
        'python3',
        '-m',
        'http.server',
        String(LISTENER_PORT),
        '--directory',
        '/proc/self/fdinfo',
      ]);
      const deliveries = listen(host, ['python3', DELIVERIES, slotDevice(innocent.slot), BRIDGE_NAME]);
      const beats = new Beats(site, innocent);
      try {
        await host.until('the sniffer listens', () => deliveries.said().includes('listening'));
        await beats.begin();
        await writeFile(
          site.inMachine(hostile.id, 'joboutputs/orders'),
          [
            `victimIp=${innocent.ip}`,
            `victimMac=${slotMac(innocent.slot).toLowerCase()}`,
            `victimExport=${site.stateDir}/machines/${innocent.id}`,
            `otherHostIp=${OTHER_HOST_IP}`,
            `listenerPort=${LISTENER_PORT}`,
            '',
          ].join('\n'),
        );
        const console = async () =>
          (
            await Promise.all(
              ['.0', ''].map((suffix) =>
                readFile(site.inMachine(hostile.id, `console.log${suffix}`), 'latin1').catch(() => ''),
              ),
            )
          ).join('');
        const attacks = new Map<string, string>();
        await host.until(
          'the hostile machine has tried all that it knows',
          async () => {
            const now = attacksIn(await console());
            for (const [name, result] of now) attacks.set(name, result);
            return attacks.has('done');
          },
          400,
        );
        attacks.delete('done');
        printTable(attacks);

        // ---- what it was told ----
        for (const [name, result] of attacks) {
          expect
            .soft(attackOf(name)?.result ?? /unknown attack/, `${name}: ${result}`)
            .toSatisfy((allowed: RegExp) => allowed.test(result));
        }
        const tried = new Set([...attacks.keys()].map((name) => attackOf(name)?.name));
        expect.soft([...tried]).toEqual(expect.arrayContaining(ATTACKS.map(({ name }) => name)));

        // ---- what came to the other machine ----
        expect.soft(deliveries.said().replace('listening\n', ''), 'frames from the hostile machine').toBe('');
        await beats.end();
        expect.soft(beats.longestPauseSeconds, 'its work stood still').toBeLessThan(LONGEST_PAUSE_SECONDS);
        expect.soft(beats.unserved, 'times that it was not served').toBe(0);
        expect.soft(beats.arps.size, `MACs that it has seen for the factory: ${[...beats.arps].join(' ')}`).toBe(1);
        expect.soft(beats.last).toContain('udp_heard=0');
        expect.soft(beats.last).toContain('router=169.254.169.253');
        const log = await readFile(host.seenInside(`${site.stateDir}/logs/${innocent.id}.log`), 'utf8');
        expect.soft(log).not.toMatch(/forged|flood|hostile/);
        expect.soft(log).toContain('innocent line 2');

        // ---- what came to the host ----
        const status = (await daemon.status())!;
        expect.soft(machineOf(status, innocent.uuid)?.domain).toBe('running');
        expect.soft(status.problems).toEqual([]);
        const hostileLog = await readFile(host.seenInside(`${site.stateDir}/logs/${hostile.id}.log`), 'latin1');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
        expect.soft(hostileLog).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
        expect
          .soft(hostileLog.split('\n').filter((line) => line !== '' && !/^\d{4}-\d\d-\d\dT/.test(line)))
          .toEqual([]);

        // ---- their ends ----
        for (const { id } of [innocent, hostile]) await writeFile(site.inMachine(id, 'joboutputs/finish'), '');
        const after = await daemon.until('both are over', (s) => s.machines.every(({ phase }) => phase === 'cleared'));
        expect.soft(machineOf(after, innocent.uuid)?.end?.message).toBe('200 Success');
        expect.soft(machineOf(after, hostile.uuid)?.end?.message ?? null).not.toMatch(/root|:/);
        expect.soft(await oddFiles(site.inMachine(hostile.id, 'joboutputs'))).toEqual([]);
        expect.soft(diskBytes(site.inMachine(hostile.id, ''))).toBeLessThan((JOBOUTPUTS_MB + 20) * 1e6);
        await daemon.stop();
      } finally {
        listener.end();
        deliveries.end();
        beats.stop();
        await daemon.kill();
      }
    }),
  600_000,
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

/** A program inside the host, and what it says. */
function listen(host: TestHost, [command, ...args]: readonly string[]) {
  const [program, rest] = host.inside(command!, args);
  const child: ChildProcess = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout?.on('data', (part: Buffer) => {
    said += part;
  });
  return { said: () => said, end: () => child.kill('SIGKILL') };
}

/** What the innocent machine writes into its heartbeat file, from each look on. */
class Beats {
  longestPauseSeconds = 0;
  unserved = 0;
  last = '';
  readonly arps = new Set<string>();
  private lastCount = 0;
  private lastMs = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly site: FaultSite,
    private readonly machine: MachineStatus,
  ) {}

  async begin(): Promise<void> {
    await this.site.host.until('the innocent machine works', async () => (await this.look()) > 0);
    this.longestPauseSeconds = 0;
    this.timer = setInterval(() => void this.look(), 250);
  }

  /** Waits for a beat that was written after now. */
  async end(): Promise<void> {
    const before = await this.look();
    await this.site.host.until('the innocent machine still works', async () => (await this.look()) > before + 1);
    this.stop();
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  private async look(): Promise<number> {
    const text = await readFile(this.site.inMachine(this.machine.id, 'joboutputs/heartbeat'), 'utf8').catch(() => '');
    const count = Number(/^count=(\d+)$/m.exec(text)?.[1] ?? 0);
    if (count > this.lastCount) {
      if (this.lastMs > 0)
        this.longestPauseSeconds = Math.max(this.longestPauseSeconds, (performance.now() - this.lastMs) / 1000);
      this.lastMs = performance.now();
      this.lastCount = count;
      this.last = text;
      if (text.includes('served=no')) this.unserved += 1;
      for (const [, mac] of text.matchAll(/169\.254\.169\.25[34] ([0-9a-f:]+)/g)) this.arps.add(mac!);
    }
    return this.lastCount;
  }
}

/** What is in a directory and is no plain file that nobody may run. */
async function oddFiles(directory: string): Promise<string[]> {
  const odd: string[] = [];
  for (const name of await readdir(directory)) {
    const info = await lstat(`${directory}/${name}`);
    if (!info.isFile() || (info.mode & 0o7111) !== 0) odd.push(`${name} ${info.mode.toString(8)}`);
  }
  return odd;
}

function diskBytes(path: string): number {
  return 1024 * Number(execFileSync('du', ['-sk', path], { encoding: 'utf8' }).split('\t')[0]);
}

function printTable(attacks: ReadonlyMap<string, string>): void {
  const rows = [...attacks].map(
    ([name, result]) => `${name.padEnd(34)} ${result.padEnd(40)} ${attackOf(name)?.rule ?? '?'}`,
  );
  console.log([`${'ATTACK'.padEnd(34)} ${'WHAT THE MACHINE WAS TOLD'.padEnd(40)} WHAT STOPS IT`, ...rows].join('\n'));
}
