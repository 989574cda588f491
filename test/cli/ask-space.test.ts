import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { askSpace, SpaceAsker } from '../../src/cli/ask-space.js';
import { unanswered } from '../../src/cli/unanswered.js';
import { CHECKOUT } from './isolated-host.js';
import { type LoopbackShape, LoopbackSpace } from './loopback-space.js';

let space: LoopbackSpace;
afterEach(() => space.close());

async function open(shape: LoopbackShape): Promise<LoopbackSpace> {
  space = await LoopbackSpace.open(shape);
  return space;
}

describe('asking a space over real sockets', () => {
  it.each([
    'machines_query',
    'machinetypes_query',
    'factory_query',
  ] as const)('brings all answers to a %s', async (query) => {
    await open({ factories: 5, slots: 6, machinetypes: 3 });
    const { answers, problems } = await askSpace(query, space.options());
    expect(answers.map(({ factory }) => factory)).toEqual(space.names);
    expect(answers.map(({ outcome }) => outcome)).toEqual(Array(5).fill('complete'));
    expect(answers[0]!.statuses).toHaveLength({ machines_query: 6, machinetypes_query: 3, factory_query: 1 }[query]);
    expect(problems.size).toBe(0);
  });

  it('goes on beside factories that are dead or have no address, and names them', async () => {
    await open({ factories: 5, dead: [1], nameless: [3] });
    const result = await askSpace('factory_query', space.options({ timeoutSeconds: 5 }));
    expect(result.answers.map(({ outcome }) => outcome)).toEqual(['complete', 'none', 'complete', 'none', 'complete']);
    expect(unanswered(result, 5)).toBe(
      '2 of 5 factories did not answer within 5 s: wn01, wn03 (its name does not resolve)',
    );
  });

  it('knows at once that no vacd runs on this host', async () => {
    await open({ factories: 1, dead: [0] });
    const began = performance.now();
    const result = await askSpace('factory_query', space.options({ ownPort: 9, timeoutSeconds: 100 }));
    expect(performance.now() - began).toBeLessThan(50_000);
    expect(unanswered(result, 100)).toMatch(/^1 of 1 factory did not answer .*: wn00 \(this host: no vacd runs here;/);
  });

  it('waits for those that vacd here takes for dead only a tenth of the time', async () => {
    await open({ factories: 3, dead: [2] });
    const began = performance.now();
    const options = space.options({ timeoutSeconds: 30, silent: new Set([space.names[1]!, space.names[2]!]) });
    const { answers } = await askSpace('factory_query', options);
    expect(answers.map(({ outcome }) => outcome)).toEqual(['complete', 'complete', 'none']);
    expect(performance.now() - began).toBeLessThan(28_000);
  });

  it('does not look up a name again that it has, and does one that it has not', async () => {
    await open({ factories: 3, nameless: [2] });
    const asked: (readonly string[])[] = [];
    const options = space.options({ timeoutSeconds: 1 });
    const asker = await SpaceAsker.open({
      ...options,
      resolve: (names, timeoutMs) => {
        asked.push(names);
        return options.resolve!(names, timeoutMs);
      },
    });
    await asker.ask('factory_query');
    await asker.ask('machinetypes_query');
    await asker.close();
    expect(asked).toEqual([[space.names[1], space.names[2]], [space.names[2]]]);
  });

  it('asks a thousand factories', async () => {
    const shape = { factories: 1000, machinetypes: 10, nameless: [500] };
    const worker = ['--import', 'tsx', 'test/cli/loopback-worker.ts', JSON.stringify(shape)];
    const there = spawn(process.execPath, worker, { cwd: CHECKOUT, stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(there, 'close');
    try {
      const [port] = await once(there.stdout, 'data');
      await open({ ...shape, port: Number(port), elsewhere: true });
      const answered = new Set<string>();
      // Time enough for a host that is busy with other tests.
      const options = space.options({ timeoutSeconds: 60, onAnswer: (factory) => answered.add(factory) });
      const result = await askSpace('machinetypes_query', options);
      expect(result.answers.flatMap(({ statuses }) => statuses)).toHaveLength(9990);
      expect(answered.size).toBe(999);
      expect(unanswered(result, 60)).toBe(
        '1 of 1000 factories did not answer within 60 s: wn500 (its name does not resolve)',
      );
    } finally {
      there.stdin.end();
      await ended;
    }
  });
});
