import { afterEach, describe, expect, it } from 'vitest';
import { Names, type Resolve } from '../../src/space/names.js';
import { VirtualClock } from '../../src/vacquery/index.js';
import { TestLog, turn } from '../daemon/test-factory.js';

const open: Names[] = [];
afterEach(() => {
  for (const names of open.splice(0)) names.close();
});

function namesWith(resolve: Resolve) {
  const [clock, log] = [new VirtualClock(), new TestLog()];
  let changes = 0;
  const names = new Names({
    clock,
    log: log.logger,
    resolve,
    onChange: () => {
      changes += 1;
    },
  });
  open.push(names);
  /** Time passes, and what was looked up meanwhile is there. */
  const pass = async (seconds: number) => {
    clock.runUntil(clock.nowMs() + seconds * 1000);
    await turn();
  };
  return { names, log, pass, changes: () => changes };
}

describe('names of factories', () => {
  it('are looked up two at a time, however many there are', async () => {
    let [now, most] = [0, 0];
    const { names } = namesWith(async (name) => {
      now += 1;
      most = Math.max(most, now);
      await turn();
      now -= 1;
      return [`192.0.2.${name.length}`];
    });
    const all = Array.from({ length: 20 }, (_, index) => 'x'.repeat(index + 1));
    names.set(all);
    while (all.some((name) => names.addressesOf(name).length === 0)) await turn();
    expect(most).toBe(2);
    expect(names.ownersOf('192.0.2.7')).toEqual(['xxxxxxx']);
  });

  it('that hang keep one place each, and the others are found', async () => {
    const asked: string[] = [];
    const { names, pass } = namesWith((name) => {
      asked.push(name);
      return name === 'hangs' ? new Promise(() => {}) : Promise.resolve(['192.0.2.1']);
    });
    names.set(['hangs', 'a', 'b', 'c']);
    await pass(0);
    await turn();
    expect(['a', 'b', 'c'].map((name) => names.addressesOf(name))).toEqual([
      ['192.0.2.1'],
      ['192.0.2.1'],
      ['192.0.2.1'],
    ]);
    await pass(3600);
    await turn();
    expect(asked.filter((name) => name === 'hangs')).toHaveLength(1);
    expect(names.problemOf('hangs')).toBeNull();
  });

  it('that do not resolve are looked up again ever later, and told of once', async () => {
    const askedSeconds: number[] = [];
    let seconds = 0;
    const { names, log, pass } = namesWith(async (name) => {
      askedSeconds.push(seconds);
      throw new Error(`getaddrinfo ENOTFOUND ${name}`);
    });
    names.set(['wn1.example.com']);
    for (; seconds < 100; seconds += 1) await pass(1);
    expect(askedSeconds).toEqual([0, 1, 3, 7, 15, 31, 61, 91]);
    expect(log.lines).toEqual([
      'warning: factory wn1.example.com is not asked: its name does not resolve (getaddrinfo ENOTFOUND wn1.example.com)',
    ]);
    expect(names.problemOf('wn1.example.com')).toContain('ENOTFOUND');
  });

  it('keep their last address when they stop resolving, and take a new one within five minutes', async () => {
    let answer: readonly string[] | Error = ['192.0.2.1'];
    const { names, log, pass, changes } = namesWith(async () => {
      if (answer instanceof Error) throw answer;
      return answer;
    });
    names.set(['wn1.example.com']);
    await pass(0);
    expect(changes()).toBe(1);
    answer = new Error('EAI_AGAIN');
    await pass(300);
    expect(names.addressesOf('wn1.example.com')).toEqual(['192.0.2.1']);
    answer = ['192.0.2.2'];
    await pass(1);
    expect(names.addressesOf('wn1.example.com')).toEqual(['192.0.2.2']);
    expect(names.ownersOf('192.0.2.1')).toEqual([]);
    expect(log.lines).toEqual([
      'warning: factory wn1.example.com is asked at 192.0.2.1, as last known: its name does not resolve (EAI_AGAIN)',
      'info: factory wn1.example.com: its name resolves again (192.0.2.2)',
    ]);
    await pass(300);
    expect(changes()).toBe(3);
  });

  it('that the configuration drops are forgotten, also while they are looked up', async () => {
    let found: (addresses: string[]) => void = () => {};
    const { names, pass, changes } = namesWith(
      () =>
        new Promise((resolve) => {
          found = resolve;
        }),
    );
    names.set(['wn1.example.com']);
    names.set([]);
    found(['192.0.2.1']);
    await pass(0);
    expect(names.ownersOf('192.0.2.1')).toEqual([]);
    expect(changes()).toBe(0);
  });

  it('of /etc/hosts are found by the host itself', async () => {
    const { names } = namesWith(undefined as unknown as Resolve);
    names.set(['localhost']);
    while (names.addressesOf('localhost').length === 0) await turn();
    expect(names.addressesOf('localhost')).toContain('127.0.0.1');
  });
});
