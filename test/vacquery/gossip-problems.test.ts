import { describe, expect, it } from 'vitest';
import { Problems } from '../../src/vacquery/gossip-problems.js';
import { NOW_SECONDS } from './snapshot.js';

const at = (seconds: number) => ({ steadyMs: seconds * 1_000, unixSeconds: NOW_SECONDS + seconds });

describe('another in our name', () => {
  it('makes us raise our incarnation once in ten seconds, and is reported when it goes on', () => {
    const problems = new Problems();
    expect(problems.noteOwnName('wn1', at(0))).toBe(true);
    for (let second = 1; second < 10; second += 1) expect(problems.noteOwnName('wn1', at(second))).toBe(false);
    expect(problems.ofOurs(at(10))).toEqual([]);
    expect(problems.noteOwnName('wn2', at(10))).toBe(true);
    expect(problems.ofOurs(at(20))).toEqual([]);
    expect(problems.noteOwnName('wn1', at(20))).toBe(true);
    expect(problems.ofOurs(at(21))).toEqual([
      "another factory gossips under this one's name (heard by way of wn1, wn2): give each host its own",
    ]);
    expect(problems.ofOurs(at(700))).toEqual([]);
  });
});

describe('calendars', () => {
  it('that are wrong are named, as long as they are', () => {
    const problems = new Problems();
    problems.noteClock('wn1', 5);
    problems.noteClock('wn2', -6);
    expect(problems.of('wn1', at(0))).toEqual([]);
    expect(problems.of('wn2', at(0))).toEqual(["its clock is 6 s behind this host's"]);
    problems.noteClock('wn2', 0);
    expect(problems.of('wn2', at(0))).toEqual([]);
  });

  it('of most others tell of ours, and are believed of incarnations', () => {
    const problems = new Problems();
    // A host that came up in 1970.
    const now = { steadyMs: 0, unixSeconds: 1_000 };
    expect(problems.isCredible(NOW_SECONDS, now)).toBe(false);
    problems.noteClock('wn1', NOW_SECONDS - 1_000);
    problems.noteClock('wn2', NOW_SECONDS - 1_000);
    expect(problems.isCredible(NOW_SECONDS, now)).toBe(false);
    problems.noteClock('wn3', NOW_SECONDS - 1_002);
    expect(problems.isCredible(NOW_SECONDS, now)).toBe(true);
    expect(problems.isCredible(NOW_SECONDS + 90_000, now)).toBe(false);
    expect(problems.ofOurs(now)).toEqual([`this host's clock is ${NOW_SECONDS - 1_000} s behind the other factories'`]);
    for (let other = 0; other < 9; other += 1) problems.noteClock(`ok${other}`, 1);
    expect(problems.ofOurs(now)).toEqual([]);
  });
});

describe('signatures that are refused', () => {
  it('are named by why, until one is believed or it is long ago', () => {
    const problems = new Problems();
    problems.noteRefusedSignature('wn1', 'unknown-key', 0, at(0));
    expect(problems.of('wn1', at(1)).join()).toMatch(/signs with a key that this host does not have/);
    problems.noteRefusedSignature('wn1', 'bad-signature', 0, at(2));
    expect(problems.of('wn1', at(3)).join()).toMatch(/wrong signatures come from its address/);
    problems.noteRefusedSignature('wn1', 'replayed', 0, at(3));
    expect(problems.of('wn1', at(3))).toHaveLength(1);
    expect(problems.of('wn1', at(700))).toEqual([]);
    problems.noteRefusedSignature('wn1', 'unsigned', 0, at(701));
    problems.noteBelieved('wn1');
    expect(problems.of('wn1', at(701))).toEqual([]);
  });

  it('of a factory that the configuration drops are forgotten', () => {
    const problems = new Problems();
    problems.noteRefusedSignature('wn1', 'unsigned', 0, at(0));
    problems.noteClaim('wn1', 'wn7', at(0));
    expect(problems.of('wn1', at(1))).toHaveLength(2);
    problems.retain(new Set(['wn2']));
    expect(problems.of('wn1', at(1))).toEqual([]);
  });
});
