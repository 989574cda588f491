/** Fields of a message's body, read as if an attacker had sent it. */

import { isIP } from 'node:net';
import { BadMessage } from './part.js';

/** @throws BadMessage it is no object, or holds no string of at most `maxChars` there */
export function textField(body: unknown, name: string, maxChars: number): string {
  const value = fieldOf(body, name);
  if (typeof value === 'string' && value.length <= maxChars) return value;
  throw new BadMessage(`${name} is no text of at most ${maxChars} characters`);
}

/** @throws BadMessage */
export function integerField(body: unknown, name: string, min: number, max: number): number {
  const value = fieldOf(body, name);
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw new BadMessage(`${name} is no integer from ${min} to ${max}`);
}

/** @throws BadMessage */
export function ipField(body: unknown, name: string): string {
  const value = textField(body, name, 45);
  if (isIP(value) !== 0) return value;
  throw new BadMessage(`${name} is no IP address`);
}

/** @throws BadMessage */
export function choiceField<const Choice extends string>(
  body: unknown,
  name: string,
  choices: readonly Choice[],
): Choice {
  const value = fieldOf(body, name);
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new BadMessage(`${name} is none of ${choices.join(', ')}`);
}

/** An own property of the body, of any type; undefined when there is none. */
export function fieldOf(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null) throw new BadMessage('the body is no object');
  return Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : undefined;
}
