/**
 * A space of three factories with guests of their own, that gossip and hear only 70 % of each other's datagrams: shares,
 * a type without work, a factory that is killed, keys for the space, and what `vac` tells of it all. One course, told in
 * order.
 */

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import { isAccountable } from '../../src/accounting/record.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { isAbort } from '../../src/factory/outcome.js';
import type { JournalEntry } from '../../src/machines/journal.js';
import { StateLayout } from '../../src/machines/layout.js';
import { GUEST_PROCESSOR } from './guest-processor.js';
import { countOf, isShared, type SpaceLook, SpaceWatch } from './space-watch.js';
import { type TestFactory, TestSpace } from './test-space.js';

/** For each part of the course, on a host that has other things to do; each wait inside has a limit of its own. */
const TIMEOUT_MS = 1_800_000;

const NAMES = ['vf1.example.com', 'vf2.example.com', 'vf3.example.com'];
const LOSS_PERCENT = 30;
/** As many as any host of a test has processors. */
const SLOTS = 2;
/** The type that has no work for a while. */
const OUT = 'gamma';
const BACKOFF_SECONDS = 5;

/**
 * Of six slots 3.6 are due to gamma, and 1.2 to each of the others: within one machine, unlike what equal shares would
 * give. A machine that has work runs for longer than fizzle_seconds, and a scout on a busy host boots for less.
 */
const MACHINETYPES = {
  alpha: { share: 1, fizzleSeconds: 10, workSeconds: 12 },
  beta: { share: 1, fizzleSeconds: 10, workSeconds: 12 },
  [OUT]: { share: 3, fizzleSeconds: 45, workSeconds: 45 },
};
const SHARES = Object.fromEntries(Object.entries(MACHINETYPES).map(([name, { share }]) => [name, share]));
const { [OUT]: _, ...OTHERS } = SHARES;
/** No news of a factory that lives is older, with so much loss; in whole seconds. */
const NEWS_AGE_SECONDS = 20;
/** Of `vac`, for all that live to answer, with so much loss. */
const ANSWER_SECONDS = 60;
/** Through how many starts shares must hold. */
const KEPT_STARTS = 3;

const timesIn = ({ vacd }: TestFactory, words: string) => vacd.output.split(words).length - 1;

/** Machines that started together must not end together. */
const work = (seconds: number) => `#!/bin/sh
sleep $((${seconds} + $(head -c 2 /dev/urandom | od -An -tu2) % 8))
vac-demo-finish '200 Success'
`;
/** Of nobody. */
const KEY = '0123456789abcdef'.repeat(4);

const NO_WORK = `#!/bin/sh
vac-demo-finish '300 Nothing to do'
`;

let space: TestSpace;
let watch: SpaceWatch;
/** Unix seconds between which the type had no work. */
let outFromSeconds: number;
let outUntilSeconds = Number.POSITIVE_INFINITY;

const unixSeconds = () => Math.floor(Date.now() / 1000);
const userData = (machinetype: string) => join(space.directory, `${machinetype}.sh`);

function configuration({ image }: TestFactory, keys = ''): string {
  const settings = `[settings]
vac_space = space.example.com
factories = ${NAMES.join(' ')}
total_processors = ${SLOTS}
mb_per_processor = 256
swap_mb_per_processor = 0
disk_gb_per_processor = 0.1
overload_per_processor = 500
io_pressure_percent = 0
nfs = none
syslog =
${keys}`;
  const processor = Object.entries(GUEST_PROCESSOR).map(([option, value]) => `${option} = ${value}`);
  const machinetypes = Object.entries(MACHINETYPES).map(
    ([name, { share, fizzleSeconds }]) => `[machinetype ${name}]
target_share = ${share}
machine_model = vm-raw
root_image = ${image}
user_data = ${userData(name)}
max_wallclock_seconds = 3600
min_wallclock_seconds = 60
fizzle_seconds = ${fizzleSeconds}
backoff_seconds = ${BACKOFF_SECONDS}
${processor.join('\n')}
`,
  );
  return [settings, ...machinetypes].join('\n');
}

beforeAll(async () => {
  space = await TestSpace.create(NAMES, LOSS_PERCENT);
  watch = new SpaceWatch(space.factories, SLOTS);
  for (const [name, { workSeconds }] of Object.entries(MACHINETYPES)) {
    await writeFile(userData(name), work(workSeconds));
  }
  for (const factory of space.factories) {
    await writeFile(factory.configPath, configuration(factory));
    factory.start();
  }
});
afterAll(() => space?.destroy());

/** By which way, and how long ago, a factory heard each of the others last, as `vac factories --json` tells there. */
async function newsOf(factory: TestFactory): Promise<Map<string, { way: string; ageSeconds: number }>> {
  const { stdout } = await factory.vac('factories', '--json');
  const told = JSON.parse(stdout) as { factory: string; news_way?: string; news_age_seconds?: number }[];
  return new Map(
    told.flatMap(({ factory: name, news_way: way, news_age_seconds: ageSeconds }) =>
      way === undefined || ageSeconds === undefined ? [] : [[name, { way, ageSeconds }]],
    ),
  );
}

/** All factories hear all others by gossip, and have heard them within this time. */
async function allGossip(withinSeconds: number): Promise<boolean> {
  const heard = await Promise.all(space.factories.map(newsOf));
  return heard.every(
    (news) =>
      news.size === NAMES.length - 1 &&
      [...news.values()].every(({ way, ageSeconds }) => way === 'gossip' && ageSeconds <= withinSeconds),
  );
}

async function journals(): Promise<Map<TestFactory, JournalEntry[]>> {
  return new Map(await Promise.all(space.factories.map(async (each) => [each, await each.journal()] as const)));
}

/** What `vac machines --json` must say: machines by factory and slot. */
function messagesOf({ machinesOf }: SpaceLook): object[] {
  return NAMES.flatMap((factory) =>
    [...machinesOf.get(factory)!]
      .sort((a, b) => a.slot - b.slot)
      .map(({ hostname, uuid, machinetype, createdTimeSeconds, startedTimeSeconds }) =>
        expect.objectContaining({
          message_type: 'machine_status',
          space: 'space.example.com',
          factory,
          num_machines: SLOTS,
          machine: hostname,
          state: 'Running',
          uuid,
          machinetype,
          num_processors: 1,
          created_time: createdTimeSeconds,
          started_time: startedTimeSeconds,
        }),
      ),
  );
}

describe('three factories that hear 70 % of each other', { timeout: TIMEOUT_MS }, () => {
  it('come to the shares of three machinetypes, within one machine, on all their slots', async () => {
    await watch.untilKept('all slots are shared', (look) => isShared(look, SHARES), KEPT_STARTS);
  });

  it('are told of by vac as they are', async () => {
    const [asked] = space.factories as [TestFactory];
    const living = (look: SpaceLook) => look.machines.map(({ id, phase }) => `${id} ${phase}`).sort();
    // Of one moment: nothing may begin or end meanwhile.
    for (;;) {
      const look = await watch.until(
        'every slot has a machine that runs',
        ({ machines, freeSlots }) => freeSlots === 0 && machines.every(({ phase }) => phase === 'running'),
      );
      const patiently = ['--timeout', String(ANSWER_SECONDS)];
      const commands = [
        ['machines', '--json', ...patiently],
        ['factories', ...patiently],
        ['shares', ...patiently],
        ['why'],
      ] as const;
      const said = await Promise.all(commands.map(([command, ...args]) => asked.vac(command, ...args)));
      if (living(await watch.look()).join() !== living(look).join()) continue;

      for (const answer of said) expect(answer).toMatchObject({ exitCode: 0, stderr: '' });
      const [machines, factories, shares, why] = said.map(({ stdout }) => stdout) as [string, string, string, string];
      expect(JSON.parse(machines)).toEqual(messagesOf(look));
      for (const name of ['vf1', 'vf2', 'vf3']) expect(factories).toMatch(new RegExp(`^${name} +2/2 +2/2 `, 'm'));
      expect(factories).toMatch(/^3 of 3 factories answered/m);
      for (const [type, share] of Object.entries(SHARES)) {
        const now = Math.round((100 * countOf(look, type)) / look.machines.length);
        expect(shares).toMatch(new RegExp(`^${type} .* ${now} % +${share * 20} % `, 'm'));
        expect(why).toMatch(new RegExp(` ${type}: may start, number \\d of 3 in line by share`));
      }
      expect(why).toContain('2 of 2 processors in use');
      break;
    }
    expect(await asked.vac('shares', '--check')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  it('hear each other by gossip alone', async () => {
    await watch.until('all gossip', () => allGossip(NEWS_AGE_SECONDS));
    for (const factory of space.factories) {
      const told = /^FACTORY .* NEWS .*\n(vf\d .*\n)*vf\d .* gossip \d+s /m;
      await watch.until(`${factory.name} tells so`, async () => told.test((await factory.vac('factories')).stdout));
    }
  });

  it('give the slots of a machinetype without work to the others', async () => {
    outFromSeconds = unixSeconds();
    await writeFile(userData(OUT), NO_WORK);
    await watch.untilKept(
      `${OUT} has a scout at most, and the others share the slots`,
      (look) => countOf(look, OUT) <= 1 && isShared(look, OTHERS),
      KEPT_STARTS,
    );
    for (const factory of space.factories) {
      expect((await factory.vac('why', OUT)).stdout).toContain(' after "300 Nothing to do" of vf');
    }
  });

  it('go on when one is killed, which finds its machines again', async () => {
    const killed = space.factories[1]!;
    const others = space.factories.filter((factory) => factory !== killed);
    const before = await watch.until('the factory to be killed has two machines, one of them new', ({ machinesOf }) => {
      const machines = machinesOf.get(killed.name) ?? [];
      const isNew = (seconds: number | null) => seconds !== null && unixSeconds() - seconds <= 3;
      return (
        machines.length === SLOTS &&
        machines.some((machine) => isNew(machine.startedTimeSeconds) && machine.machinetype !== OUT)
      );
    });
    await killed.kill();
    const known = new Set(before.machines.map(({ id }) => id));
    await watch.until('the others start machines', ({ machinesOf }) =>
      others.every(({ name }) => machinesOf.get(name)?.some(({ id }) => !known.has(id))),
    );
    // Of the living one may have been too late: then it is asked again.
    await watch.until('it is told of as the one that does not answer', async () => {
      const { exitCode, stderr, stdout } = await others[0]!.vac('factories', '--timeout', '3');
      return (
        exitCode === 1 &&
        stderr === 'vac: 1 of 3 factories did not answer within 3 s: vf2\n' &&
        stdout.includes('\nvf2: no answer\n')
      );
    });

    // Those that run, and those that have ended meanwhile.
    const lived = before.machinesOf.get(killed.name)!;
    const again = await killed.start().until('it knows its machines', ({ machines }) => machines.length > 0);
    for (const { id, uuid } of lived) {
      const found = again.machines.filter((machine) => machine.uuid === uuid);
      expect(found, uuid).toEqual([expect.objectContaining({ id })]);
    }
    await watch.until('it starts machines', ({ machinesOf }) =>
      (machinesOf.get(killed.name) ?? []).some(({ id }) => !known.has(id)),
    );
  });

  it('have sent scouts of the machinetype that is out', async () => {
    // Nothing would be proven of scouts that there were not, or that nobody heard of.
    await watch.until('two scouts went when it was their time', async () => scouts(await journals()).length >= 2);
    await watch.until('two factories kept theirs back for that of another', async () => {
      return keptBackForOthers(await journals()).size >= 2;
    });
  });

  it('give a machinetype that has work again its share back', async () => {
    outUntilSeconds = unixSeconds();
    await writeFile(userData(OUT), work(MACHINETYPES[OUT].workSeconds));
    await watch.untilKept('all slots are shared as before', (look) => isShared(look, SHARES), KEPT_STARTS);
  });
});

describe('keys for the space', { timeout: TIMEOUT_MS }, () => {
  const useKeys = async (factories: readonly TestFactory[], mode: string) => {
    for (const factory of factories) {
      const path = join(factory.host.directory, 'space.key');
      await writeFile(path, `${KEY}\n`, { mode: 0o600 });
      const options = `space_key_file = ${path}\nspace_key_mode = ${mode}\n`;
      const changes = timesIn(factory, 'the changed configuration is in force');
      await writeFile(factory.configPath, configuration(factory, options));
      const isInForce = () => timesIn(factory, 'the changed configuration is in force') > changes;
      await watch.until(`${factory.name} has taken its keys into use`, isInForce);
    }
  };

  it('are given to one factory after the other, and then required, while they gossip', async () => {
    const [first, ...others] = space.factories as [TestFactory, ...TestFactory[]];
    await useKeys([first], 'mixed');
    await watch.until('the one with a key hears those without, and is heard', () => allGossip(NEWS_AGE_SECONDS));
    await useKeys(others, 'mixed');
    await useKeys(space.factories, 'required');
    const requiredMs = performance.now();
    await watch.until('they have believed each other since', () => {
      return allGossip(Math.floor((performance.now() - requiredMs) / 1000) - 1);
    });
    for (const factory of space.factories) {
      await watch.until(`${factory.name} knows of no problems`, async () => {
        const { stdout, stderr } = await factory.vac('factories', '--problems');
        return stdout === '3 of 3 factories answered, no problems\n' && stderr === '';
      });
    }
  });
});

describe('afterwards', { timeout: TIMEOUT_MS }, () => {
  let told: ReadonlyMap<TestFactory, readonly JournalEntry[]>;

  beforeAll(async () => {
    for (const factory of space.factories) {
      expect(await factory.vac('drain', 'the test ends')).toMatchObject({ exitCode: 0 });
    }
    await watch.until('what was being created runs', ({ machines }) => machines.every((m) => m.phase === 'running'));
    for (const { host } of space.factories) {
      // One may end by itself just then.
      for (const name of await host.domains()) await host.try('virsh', ['-c', 'qemu:///system', 'destroy', name]);
    }
    for (const { vacd } of space.factories) {
      const areCleared = ({ machines }: FactoryStatus) => machines.every(({ phase }) => phase === 'cleared');
      await vacd.until('every machine is cleared', areCleared, ANSWER_SECONDS * 5);
      await vacd.stop();
    }
    told = await journals();
  }, TIMEOUT_MS);

  it('a machinetype without work had one scout at a time in the whole space, as far as its news goes', () => {
    const sent = scouts(told);
    expect(
      sent.filter(({ isOneTooMany }) => isOneTooMany),
      watch.tell(),
    ).toEqual([]);
    // Fewer than were seen to go, where an end that one factory wrote down later was another's backoff after all.
    expect(sent.length).toBeGreaterThan(0);
  });

  it('no slot had two machines at a time', () => {
    for (const entries of told.values()) {
      for (let slot = 0; slot < SLOTS; slot += 1) {
        const inSlot = entries.filter(({ record }) => record.slot === slot);
        for (const [index, { record }] of inSlot.slice(1).entries()) {
          expect(inSlot[index]!.end!.timeSeconds, record.id).toBeLessThanOrEqual(record.createdTimeSeconds);
        }
      }
    }
  });

  it('every machine is accounted for once, and none is left', async () => {
    for (const [{ host, stateDir }, entries] of told) {
      const accountable = entries.filter(({ record, startedTimeSeconds, end }) =>
        isAccountable(record, startedTimeSeconds, end!),
      );
      const layout = new StateLayout(stateDir);
      expect(await archivedRecords(layout, await readdir(layout.apelArchive()))).toEqual(
        new Map(accountable.map(({ record }) => [record.uuid, 1])),
      );
      expect(accountable.length).toBeGreaterThan(0);
      expect(await host.domains()).toEqual([]);
    }
  });

  it('about 30 % of the datagrams were lost', async () => {
    const { seen, lost } = await space.datagrams();
    expect(seen).toBeGreaterThan(100);
    expect((100 * lost) / seen).toBeGreaterThan(LOSS_PERCENT - 10);
    expect((100 * lost) / seen).toBeLessThan(LOSS_PERCENT + 10);
  });
});

/** Before fizzle at a time, in Unix seconds. */
function isOut({ record, startedTimeSeconds, end }: JournalEntry, seconds: number): boolean {
  const endSeconds = end?.timeSeconds ?? Number.POSITIVE_INFINITY;
  const fizzleEndsSeconds = (startedTimeSeconds ?? seconds) + record.fizzleSeconds;
  return record.createdTimeSeconds <= seconds && seconds < Math.min(endSeconds, fizzleEndsSeconds);
}

/** Names of factories that said of the type that is out that they send no scout, while they had none out themselves. */
function keptBackForOthers(of: ReadonlyMap<TestFactory, readonly JournalEntry[]>): Set<string> {
  const own = new Map([...of].map(([{ name }, entries]) => [name, entries.filter(isOfTypeThatIsOut)]));
  const said = watch.heldBack.filter(({ factory, machinetype, timeSeconds }) => {
    if (machinetype !== OUT || timeSeconds < outFromSeconds) return false;
    return !own.get(factory)!.some((machine) => isOut(machine, timeSeconds));
  });
  return new Set(said.map(({ factory }) => factory));
}

function isOfTypeThatIsOut({ record }: JournalEntry): boolean {
  return record.machinetype === OUT;
}

interface Scout {
  readonly id: string;
  /** Its factory had said that another one was out, and that one still was. */
  readonly isOneTooMany: boolean;
}

/**
 * Machines of the type that is out that were created when only one may be before fizzle (SPEC 4): backoff_seconds have
 * passed since the last abort, and fizzle_seconds more have not. Races let a few through (SPEC 4), as news takes its time
 * where so much of it is lost: so a factory is held to what it has said itself.
 */
function scouts(of: ReadonlyMap<TestFactory, readonly JournalEntry[]>): Scout[] {
  const ofType = [...of].flatMap(([{ name: factory }, entries]) =>
    entries.filter(isOfTypeThatIsOut).map((entry) => ({ factory, ...entry })),
  );
  const aborts = ofType.flatMap(({ end }) => (end !== null && isAbort(end.message) ? [end.timeSeconds] : []));
  return ofType.flatMap(({ factory, record: { id, createdTimeSeconds: now, fizzleSeconds } }) => {
    const abort = Math.max(...aborts.filter((seconds) => seconds <= now));
    const sinceBackoff = now - abort - BACKOFF_SECONDS;
    const isScout = sinceBackoff > 0 && sinceBackoff <= fizzleSeconds;
    if (now < outFromSeconds || now >= outUntilSeconds || !isScout) return [];
    const isOneTooMany = watch.heldBack.some((said) => {
      const isOfThen = said.factory === factory && said.timeSeconds < now && now < said.forgottenSeconds;
      // Times of others' aborts come rounded.
      if (!isOfThen || said.machinetype !== OUT || Math.abs(said.abortTimeSeconds - abort) > 1) return false;
      // It knew of one of these at least.
      const known = ofType.filter((machine) => isOut(machine, said.timeSeconds));
      return known.length > 0 && known.every((machine) => isOut(machine, now));
    });
    return [{ id, isOneTooMany }];
  });
}
