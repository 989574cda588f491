import { beforeEach, expect, it } from 'vitest';
import { Pictures } from '../../src/space/pictures.js';

let nowMs: number;
let wanted: boolean[];
let answered: string[];
let pictures: Pictures;
beforeEach(() => {
  nowMs = 1_000;
  wanted = [];
  answered = [];
  pictures = new Pictures(
    () => nowMs,
    (message) => message.type === 'picture-wanted' && wanted.push(message.machines),
  );
});
const ask = (who: string, machines = false) => pictures.whenFresh(machines, () => answered.push(who));

it('one is asked for, however many wait for it, and serves all who ask within a moment', () => {
  ask('a');
  ask('b');
  expect([wanted, answered]).toEqual([[false], []]);
  pictures.take(false);
  expect(answered).toEqual(['a', 'b']);
  nowMs += 199;
  ask('c');
  expect([wanted, answered]).toEqual([[false], ['a', 'b', 'c']]);
  nowMs += 1;
  ask('d');
  expect(wanted).toHaveLength(2);
});

it('one that is stale serves nobody', () => {
  ask('a');
  pictures.take(false);
  pictures.drop();
  ask('b');
  expect([wanted.length, answered]).toEqual([2, ['a']]);
});

it('who asks for machines waits for a picture that has them', () => {
  ask('types');
  ask('machines', true);
  pictures.take(false);
  expect([wanted, answered]).toEqual([[false, true], ['types']]);
  pictures.take(true);
  expect(answered).toEqual(['types', 'machines']);
  ask('more types');
  expect(wanted).toHaveLength(2);
});

it('of those who wait there is an end', () => {
  for (let who = 0; who < 1_000; who += 1) ask(String(who));
  pictures.take(false);
  expect(answered).toHaveLength(256);
});
