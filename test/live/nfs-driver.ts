/**
 * A vacd of which nothing is left but its NFS server: takes `{"call": "add", "args": [...]}` lines, answers
 * each with `{"result": ...}` or `{"error": ..., "code": ...}`. A process of its own, so that tests can put it into a network
 * namespace and kill it.
 */

import { createInterface } from 'node:readline';
import { createNfsServer } from '../../src/host/nfs.js';

interface Wish {
  readonly call: string;
  readonly args: readonly unknown[];
}

const [stateDir, address] = process.argv.slice(2) as [string, string];
const warnings: string[] = [];
const target = (await createNfsServer('ganesha', {
  stateDir,
  address,
  guestOwner: { uid: 65534, gid: 65534 },
  warn: (message) => warnings.push(message),
})) as unknown as Record<string, unknown>;

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const { call, args } = JSON.parse(line) as Wish;
  process.stdout.write(`${JSON.stringify(await answer(call, args))}\n`);
}

async function answer(call: string, args: readonly unknown[]): Promise<unknown> {
  if (call === 'warnings') return { result: warnings };
  const begun = performance.now();
  try {
    const method = target[call] as (...args: unknown[]) => unknown;
    const result = await method.apply(target, [...args]);
    return { result: result instanceof Set ? [...result] : result, milliseconds: performance.now() - begun };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    return { error: message, code };
  }
}
