import { chmod, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FlowLog } from '../../src/host/flow-log.js';
import { FlowLogFiles, readFlows } from '../../src/host/flow-log-files.js';
import { flowLine, gapLine, parseConntrack, parseFlowLine } from '../../src/host/flow-log-lines.js';
import { until } from '../daemon/test-factory.js';

/** As conntrack 1.4.7 prints them. */
const NEW =
  '[1795279498.745234]\t    [NEW] ipv4     2 tcp      6 120 SYN_SENT src=169.254.169.3 dst=198.51.100.7 sport=59666 dport=8000 [UNREPLIED] src=198.51.100.7 dst=192.0.2.10 sport=8000 dport=40112 id=404886417';
const DESTROY =
  '[1795279498.855653]\t[DESTROY] ipv4     2 udp      17 29 src=169.254.169.3 dst=198.51.100.8 sport=47742 dport=53 [UNREPLIED] src=198.51.100.8 dst=192.0.2.10 sport=53 dport=47742 id=2889630977 [USERSPACE] portid=4138233761';
const PING =
  '[1795279498.900000]\t    [NEW] ipv4     2 icmp     1 30 src=169.254.169.3 dst=198.51.100.8 type=8 code=0 id=7 [UNREPLIED] src=198.51.100.8 dst=192.0.2.10 type=0 code=0 id=7 id=77';

describe('a line of conntrack', () => {
  test('gives the connection, and what the outside saw of it', () => {
    expect(flowLine(parseConntrack(NEW)!)).toBe(
      '1795279498.745 new tcp 169.254.169.3:59666 > 198.51.100.7:8000 as 192.0.2.10:40112',
    );
    expect(flowLine(parseConntrack(DESTROY)!)).toBe(
      '1795279498.855 end udp 169.254.169.3:47742 > 198.51.100.8:53 as 192.0.2.10:47742',
    );
    expect(flowLine(parseConntrack(PING)!)).toBe(
      '1795279498.900 new icmp 169.254.169.3:0 > 198.51.100.8:0 as 192.0.2.10:0',
    );
  });

  test('that is something else gives nothing', () => {
    for (const line of ['', 'conntrack v1.4.7', NEW.replace('ipv4', 'ipv6'), NEW.replace('dst=192.0.2.10', '')]) {
      expect(parseConntrack(line)).toBeNull();
    }
    fc.assert(fc.property(fc.string(), (line) => parseConntrack(line) === null));
  });

  test('of ours is read as it was written', () => {
    const flow = parseConntrack(NEW)!;
    expect(parseFlowLine(flowLine(flow))).toEqual(flow);
    const gap = { timeSeconds: 17.25, count: -1, why: 'vacd was not running before' };
    expect(parseFlowLine(gapLine(gap))).toEqual(gap);
  });
});

describe('the log of connections', () => {
  let directory: string;
  let log: FlowLog | null;
  let told: string[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'vac-flows-'));
    log = null;
    told = [];
  });
  afterEach(async () => {
    await log?.close();
    await rm(directory, { recursive: true });
  });

  const flows = () => join(directory, 'flows');

  async function text(): Promise<string> {
    const names = await readdir(flows()).catch(() => []);
    return (await Promise.all(names.map((name) => readFile(join(flows(), name), 'utf8')))).join('');
  }

  /** A program that says this and stays. */
  async function started(script: string, limits = {}): Promise<void> {
    const program = join(directory, 'program');
    await writeFile(program, `#!/bin/sh\n${script}\n`);
    await chmod(program, 0o755);
    const tell = (line: string) => void told.push(line);
    const files = new FlowLogFiles(flows(), { days: 10, bytes: 1e6 });
    log = new FlowLog({ files, ends: true, log: { info: tell, warn: tell, error: tell }, command: [program], limits });
    log.start();
  }

  test('has what conntrack tells, without what goes to this host', async () => {
    await started(`echo '${NEW}'\necho '${NEW.replaceAll('198.51.100.7', '169.254.169.254')}'\nexec sleep 60`);
    await until('it is written', async () => (await text()).includes('198.51.100.7'));
    expect(await text()).not.toContain('169.254.169.254');
    expect(log!.problem()).toBeNull();
  });

  test('a machine that opens connections as fast as it can fills nothing, and is counted', async () => {
    await started(
      `for i in $(seq 500); do echo '${NEW}'; done\necho '${NEW.replace('169.254.169.3', '169.254.169.4')}'\nexec sleep 60`,
      {
        machineBurst: 20,
        machinePerSecond: 0,
      },
    );
    // A second may end while they come: what is left out is then told in two parts.
    const leftOut = async () =>
      [...(await text()).matchAll(/left-out (\d+) of 169\.254\.169\.3/g)].reduce(
        (sum, [, part]) => sum + Number(part),
        0,
      );
    await until('it is written', async () => (await leftOut()) === 480 && (await text()).includes('169.254.169.4'));
    expect((await text()).match(/169\.254\.169\.3:59666/g)).toHaveLength(20);
    expect(await text()).toContain('169.254.169.4:59666');
  });

  test('a flood is read no faster than its rate, and said to be incomplete', async () => {
    await started(`exec yes '${NEW}'`, { readPerSecond: 100 });
    await until('it says so', async () => (await text()).includes('faster than they can be logged'));
    expect((await text()).length).toBeLessThan(1e6);
  });

  test('a program that ends is started again, and nobody thinks that nothing happened', async () => {
    await started('echo "Can\'t open handler" >&2\nexit 1');
    await until('it is told', () =>
      told.some((line) => line.includes("NOT logged: conntrack ended (1): Can't open handler")),
    );
    await until('it is written', async () => (await text()).includes('conntrack did not run'));
    expect(log!.problem()).toContain("Can't open handler");
  });

  test('a disk that takes nothing is told of once, and what it did not take is known to be missing', async () => {
    await writeFile(flows(), 'in the way');
    await started(`while :; do echo '${NEW}'; sleep 0.1; done`);
    const failures = () => told.filter((line) => line.includes('cannot be written down'));
    await until('it is told', () => failures().length > 0);
    expect(log!.problem()).toContain('EEXIST');
    // It tries again each second.
    const since = Date.now();
    await until('it was tried again', () => Date.now() - since > 2_500);
    await rm(flows());
    await until('it is written', async () => (await text()).includes('as 192.0.2.10'));
    await until('what is missing is', async () =>
      (await text()).includes('left-out -1 what came before could not be written down'),
    );
    expect(failures()).toHaveLength(1);
    await until('it is no problem any more', () => log!.problem() === null);
  });

  test('a program that is missing is named with its package', async () => {
    const tell = (line: string) => void told.push(line);
    const files = new FlowLogFiles(flows(), { days: 10, bytes: 1e6 });
    log = new FlowLog({
      files,
      ends: true,
      log: { info: tell, warn: tell, error: tell },
      command: [join(directory, 'no')],
    });
    log.start();
    await until('it is told', () => told.some((line) => line.includes('apt-get install conntrack')));
  });

  test('is rotated, and limited in size and days', async () => {
    let now = Date.parse('2026-11-22T00:00:00Z');
    const files = new FlowLogFiles(flows(), { days: 3, bytes: 1000 }, () => now);
    for (let hour = 0; hour < 200; hour += 1, now += 3_600_000) await files.append(['x'.repeat(49)]);
    await files.close();
    const names = (await readdir(flows())).sort();
    expect((await text()).length).toBeLessThanOrEqual(1100);
    expect(names.at(-1)).toMatch(/^20261130T/);
    for (const name of names) await utimes(join(flows(), name), 0, 0);
    expect((await text()).length).toBeGreaterThan(800);
  });

  test('answers for a stretch of time', async () => {
    const now = 1_795_279_498_000;
    const files = new FlowLogFiles(flows(), { days: 3, bytes: 1e6 }, () => now);
    await files.append([flowLine(parseConntrack(NEW)!), flowLine(parseConntrack(DESTROY)!), 'torn li']);
    await files.close();
    const question = { fromSeconds: now / 1000 - 60, toSeconds: now / 1000 + 60, most: 10 };
    const found = await readFlows(flows(), { ...question, matches: ({ asPort }) => asPort === 40112 });
    expect(found.flows.map(({ to }) => to)).toEqual(['198.51.100.7']);
    expect((await readFlows(flows(), { ...question, toSeconds: 1, matches: () => true })).flows).toEqual([]);
    expect((await readFlows(flows(), { ...question, most: 1, matches: () => true })).isCut).toBe(true);
  });
});
