import { chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSpaceKeyFile } from '../../src/daemon/space-key-file.js';
import { SpaceNetwork, TIMEOUT_SECONDS, WN1, WN2, WN3 } from '../space/space-network.js';
import { until } from './test-factory.js';

/** Four that are no secrets, and none of anybody's. */
const [OLD, NEW, WRONG, OTHER] = ['1a', '2b', '3c', '4d'].map((begin) => `${begin}${'0123456789abcdef'.repeat(3)}`) as [
  string,
  string,
  string,
  string,
];

let net: SpaceNetwork;
beforeEach(() => {
  net = new SpaceNetwork();
});
afterEach(() => net.close());

const pathOf = (name: string) => join(net.directory, `${name}.keys`);
const write = (name: string, ...keys: string[]) => {
  writeFileSync(pathOf(name), `# of the space\n${keys.join('\n')}\n`, { mode: 0o600 });
  return pathOf(name);
};
const keyed = (name: string, keys: string[], spaceKeyMode: 'mixed' | 'required' = 'mixed') => ({
  spaceKeyFile: write(name, ...keys),
  spaceKeyMode,
});
type Factory = Awaited<ReturnType<SpaceNetwork['start']>>;

/** Each learns within seconds of a start on each other. */
async function newsFlows(factories: readonly Factory[], slot: number): Promise<void> {
  for (const factory of factories) factory.run(slot);
  const count = (factories.length - 1) * (slot + 1);
  await net.until(`all know of slot ${slot}`, () => factories.every(({ counted }) => counted() === count), 5);
}

describe('keys for a space that has none', () => {
  it('are given to one factory after the other and then required, and news flows all the time', async () => {
    const factories = [await net.start(WN1), await net.start(WN2), await net.start(WN3)];
    await net.pass(2);
    let slot = 0;
    await newsFlows(factories, slot++);
    for (const { memory, reconfigure } of factories) {
      await reconfigure(keyed(memory.factory, [OLD]));
      await newsFlows(factories, slot++);
    }
    await net.pass(30);
    for (const { report } of factories) {
      expect(report().peers.map(({ signs }) => signs)).toEqual([true, true]);
      expect(report()).toMatchObject({ problems: [], hint: null, keys: { mode: 'mixed' } });
    }
    for (const { memory, reconfigure } of factories) {
      await reconfigure({ spaceKeyFile: pathOf(memory.factory), spaceKeyMode: 'required' });
      await newsFlows(factories, slot++);
    }
    for (const { log, look, report } of factories) {
      expect(log.with(/warning|error/)).toEqual([]);
      expect(log.with('key')[0]).toMatch(/^info: the space's key is in force, the first signs \(.*, mixed\)$/);
      expect(look().gossip()?.counts.refused).toEqual({});
      expect(report().peers.map(({ way, problems }) => ({ way, problems }))).toEqual(
        Array(2).fill({ way: 'gossip', problems: [] }),
      );
    }
  });

  it('that all have had for an hour are named as what may be required', async () => {
    const factories = [WN1, WN2].map((name) => net.make(name, 0, { factories: [WN1, WN2], ...keyed(name, [OLD]) }));
    for (const { space } of factories) await space.start();
    const hint = () => factories[0]!.report().hint;
    await net.pass(3_500);
    expect(hint()).toBeNull();
    await net.pass(200);
    expect(hint()).toBe(
      'all other factories sign: set space_key_mode = required, or what is not signed goes on being believed',
    );
  });
});

describe('where signatures are required', () => {
  it('a factory without the key is not believed, and told of as such', async () => {
    const [first, second] = [
      await net.start(WN1, 1, keyed(WN1, [OLD], 'required')),
      await net.start(WN2, 2, keyed(WN2, [OLD], 'required')),
    ];
    const late = await net.start(WN3, 3);
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(first.running()).toEqual({ [WN2]: 2 });
    expect(second.counted()).toBe(1);
    expect(first.problemsOf(WN3)).toContain("what it sends is not signed, and not believed: give it the space's key");
    // It knows of no keys, and believes what it hears.
    expect(late.running()).toEqual({ [WN1]: 1, [WN2]: 2 });
    await late.reconfigure(keyed(WN3, [OLD]));
    await net.until('it is believed', () => first.counted() === 5 && second.counted() === 4, 60);
  });

  it.each(['required', 'mixed'] as const)('or mixed (%s), a factory with a wrong key is not believed', async (mode) => {
    const first = await net.start(WN1, 1, keyed(WN1, [OLD], mode));
    await net.start(WN2, 2, keyed(WN2, [OLD], mode));
    const wrong = await net.start(WN3, 3, keyed(WN3, [WRONG], mode));
    await net.pass(TIMEOUT_SECONDS + 3);
    // By 01.03 it does not sign to whom it does not know, which is enough where unsigned is.
    expect(first.running()).toEqual(mode === 'mixed' ? { [WN2]: 2, [WN3]: 3 } : { [WN2]: 2 });
    expect(first.problemsOf(WN3)).toContain(
      'it signs with a key that this host does not have, and is not believed: compare the key files',
    );
    expect(wrong.ways()).toEqual(mode === 'mixed' ? { [WN1]: 'poll', [WN2]: 'poll' } : { [WN1]: null, [WN2]: null });
  });

  it('a factory that is polled signs its answers, or is not believed', async () => {
    const first = await net.start(WN1, 1, keyed(WN1, [OLD], 'required'));
    const signing = await net.startLegacy(WN2, 2, keyed(WN2, [OLD], 'mixed'));
    await net.startLegacy(WN3, 3);
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(first.running()).toEqual({ [WN2]: 2 });
    expect(first.ways()).toEqual({ [WN2]: 'poll', [WN3]: null });
    expect(first.peer(WN2)).toMatchObject({ signs: true, problems: [] });
    expect(first.problemsOf(WN3)).toContain("what it sends is not signed, and not believed: give it the space's key");
    expect(signing.look().counts.refused.size).toBe(0);
  });
});

describe('a calendar that is set back by an hour', () => {
  it('keeps nobody from being believed', async () => {
    const first = await net.start(WN1, 1, keyed(WN1, [OLD], 'required'));
    const second = await net.start(WN2, 2, keyed(WN2, [OLD], 'required'));
    await net.pass(5);
    net.calendarMs -= 3_600_000;
    second.run(7);
    await net.until('it is believed', () => first.counted() === 3, 5);
  });
});

describe('a new key', () => {
  it('takes the place of the old one without a pause: second, first, alone', async () => {
    const factories: Factory[] = [];
    for (const name of [WN1, WN2, WN3]) factories.push(await net.start(name, 0, keyed(name, [OLD], 'required')));
    let slot = 0;
    await net.pass(2);
    await newsFlows(factories, slot++);
    for (const keys of [[OLD, NEW], [NEW, OLD], [NEW]]) {
      for (const { memory, space } of factories) {
        write(memory.factory, ...keys);
        space.rereadKeys();
        await space.settled();
        await newsFlows(factories, slot++);
      }
    }
    for (const { look, log } of factories) {
      expect(look().gossip()?.counts.refused).toEqual({});
      expect(log.with(/warning|error/)).toEqual([]);
    }
  });

  it('is taken into use a minute after its file was changed, without being told', async () => {
    const first = await net.start(WN1, 0, keyed(WN1, [OLD]));
    write(WN1, OLD, NEW);
    await net.pass(60.1);
    await until('the file is read', () => first.log.with('2 keys are in force').length === 1);
  });
});

describe('a key file that cannot be used', () => {
  it('keeps the keys that were in force, and is told of once, until it is good again', async () => {
    const first = await net.start(WN1, 1, keyed(WN1, [OLD], 'required'));
    const second = await net.start(WN2, 2, keyed(WN2, [OLD], 'required'));
    await net.pass(3);
    chmodSync(pathOf(WN1), 0o644);
    for (let times = 0; times < 3; times += 1) {
      first.space.rereadKeys();
      await first.space.settled();
    }
    const said = `space_key_file: ${pathOf(WN1)} has mode 0644, so others get at the keys: chmod 600 ${pathOf(WN1)}`;
    expect(first.log.with('space_key_file')).toEqual([`error: ${said}; the keys that it had before stay in force`]);
    expect(first.space.problems()).toEqual([`${said} (the keys that it had before stay in force)`]);
    second.run(7);
    await net.until('it is believed', () => first.counted() === 3, 2);
    chmodSync(pathOf(WN1), 0o600);
    first.space.rereadKeys();
    await first.space.settled();
    expect(first.space.problems()).toEqual([]);
  });

  it('is told of when a running factory is given it by its configuration', async () => {
    const first = await net.start(WN1);
    await first.reconfigure({ spaceKeyFile: pathOf('none') });
    expect(first.log.with('space_key_file')).toEqual([
      expect.stringMatching(
        /^error: space_key_file: .*there is no such file.*; nothing is signed until it is put right$/,
      ),
    ]);
  });

  it('ends the start of a factory without machines; one with machines looks after them and believes nobody', async () => {
    const settings = { spaceKeyFile: pathOf('none'), spaceKeyMode: 'required' as const };
    await expect(net.start(WN1, 0, settings)).rejects.toMatchObject({
      code: 'space-key-unusable',
      message: expect.stringContaining('there is no such file'),
    });
    await net.start(WN2, 2, keyed(WN2, [OLD]));
    const third = await net.start(WN3, 1, settings);
    await net.pass(TIMEOUT_SECONDS + 3);
    expect(third.counted()).toBe(0);
    expect(third.log.with('nothing is believed of other factories until it is put right')).toHaveLength(1);
    write('none', OLD);
    third.space.rereadKeys();
    await third.space.settled();
    await net.until('it believes', () => third.counted() === 2, 60);
  });

  it.each<[string, () => void, RegExp]>([
    ['is missing', () => rmSync(pathOf('x')), /there is no such file; .*openssl rand -hex 32 > /],
    ['others can read', () => chmodSync(pathOf('x'), 0o604), /has mode 0604, .*: chmod 600 \//],
    ['its group can write', () => chmodSync(pathOf('x'), 0o660), /has mode 0660, .*: chmod 600 \//],
    [
      'is not root’s',
      () => chownSync(pathOf('x'), 65534, 0),
      /belongs to user 65534, who could change it: chown root \//,
    ],
    [
      'is a directory',
      () => {
        rmSync(pathOf('x'));
        net.stateDirOf('x.keys');
      },
      /is no file/,
    ],
    ['has a short key', () => write('x', OTHER, 'secret'), /\.keys:3: 6 characters/],
    ['is empty', () => write('x'), /no key in it/],
    ['is huge', () => write('x', 'k'.repeat(70_000)), /70\d\d\d bytes, which are no keys/],
  ])('that %s is told of with what to do, and nothing of a key', async (_what, spoil, said) => {
    write('x', OTHER);
    spoil();
    const file = await readSpaceKeyFile(pathOf('x'));
    expect(file).toMatchObject({ ok: false, problems: [expect.stringMatching(said)] });
    expect(JSON.stringify(file)).not.toMatch(/secret|4d0123/);
  });

  it('one that its group can read is good', async () => {
    chmodSync(write('x', OTHER, NEW), 0o640);
    expect(await readSpaceKeyFile(pathOf('x'))).toMatchObject({ ok: true, keys: [{}, {}] });
  });
});
