/**
 * `npm run fuzz [-- --datagrams N | --seconds N] [--seed N] [--jobs N] [--keep]`: the fuzzers in as many processes as there
 * are processors: codec, responder and poll (fuzz.ts), gossip, unsigned and signed (gossip-fuzz.ts). `--keep` puts
 * datagrams that ended in a new way into the corpus. The last line sums up.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type CorpusEntry, readCorpus, writeCorpus } from './corpus.js';
import { Fuzzer, type FuzzResult } from './fuzz.js';
import { GossipFuzzer } from './gossip-fuzz.js';

/** Minutes on a host with two processors. */
const DEFAULT_DATAGRAMS = 10_000_000;
const ROUND_DATAGRAMS = 4_000;
const GOSSIP_ROUND_DATAGRAMS = 2_000;
const PROGRESS_SECONDS = 5;
/** What the fuzzed parts may hold more at the end than after the first rounds. */
const MAX_GROWTH_BYTES = 16 * 2 ** 20;
const WARM_UP_ROUNDS = 10;

interface Round extends FuzzResult {
  /** Of `datagrams`, those of gossip. */
  readonly gossip: number;
  /** Since the warm-up. */
  readonly heapGrowthBytes: number;
  readonly found: readonly { readonly way: string; readonly latin1: string }[];
}

function child(seed: number): void {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const heapBytes = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const fuzzer = new Fuzzer(seed);
  const gossipFuzzers = [new GossipFuzzer(seed, false), new GossipFuzzer(seed, true)];
  let [rounds, warmBytes] = [0, 0];
  process.on('message', () => {
    const result = fuzzer.feed(ROUND_DATAGRAMS);
    const gossip = gossipFuzzers.map((one) => one.feed(GOSSIP_ROUND_DATAGRAMS));
    const sum = (key: 'datagrams' | 'accepted') => gossip.reduce((total, one) => total + one[key], result[key]);
    rounds += 1;
    if (rounds === WARM_UP_ROUNDS) warmBytes = heapBytes();
    const measured = rounds > WARM_UP_ROUNDS && rounds % WARM_UP_ROUNDS === 0;
    const found = [fuzzer, ...gossipFuzzers]
      .flatMap((one) => one.found.splice(0))
      .map(({ way, datagram }) => ({
        way,
        latin1: Buffer.from(datagram).toString('latin1'),
      }));
    process.send!({
      ...result,
      datagrams: sum('datagrams'),
      accepted: sum('accepted'),
      gossip: gossip.length * GOSSIP_ROUND_DATAGRAMS,
      slowestMs: Math.max(result.slowestMs, ...gossip.map(({ slowestMs }) => slowestMs)),
      found,
      heapGrowthBytes: measured ? heapBytes() - warmBytes : 0,
    } satisfies Round);
  });
}

function parent(): void {
  const { values } = parseArgs({
    options: {
      datagrams: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      jobs: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const jobs = Number(values.jobs ?? availableParallelism());
  const beganMs = performance.now();
  const endMs = values.seconds === undefined ? Number.POSITIVE_INFINITY : beganMs + Number(values.seconds) * 1000;
  const wanted = Number(
    values.datagrams ?? (values.seconds === undefined ? DEFAULT_DATAGRAMS : Number.MAX_SAFE_INTEGER),
  );
  const total = { datagrams: 0, gossip: 0, decoded: 0, answered: 0, accepted: 0 };
  const found = new Map<string, CorpusEntry>();
  let [maxGrowthBytes, slowestMs, rounds] = [0, 0, 0];
  const line = () => {
    const seconds = (performance.now() - beganMs) / 1000;
    const perSecond = Math.round(total.datagrams / seconds);
    return `${total.datagrams} datagrams (${total.gossip} of gossip, half of them signed) in ${seconds.toFixed(0)} s (${perSecond}/s): ${total.decoded} read, ${total.answered} answered, ${total.accepted} believed`;
  };
  const children: ChildProcess[] = [];
  const end = (code: number) => {
    for (const process of children) process.kill();
    process.exit(code);
  };
  process.stdout.write(`seeds ${seed} to ${seed + jobs - 1}\n`);
  const progress = setInterval(() => process.stdout.write(`${line()}\n`), PROGRESS_SECONDS * 1000);
  for (let job = 0; job < jobs; job += 1) {
    const process_ = fork(fileURLToPath(import.meta.url), [], {
      env: { ...process.env, FUZZ_SEED: String(seed + job) },
    });
    children.push(process_);
    process_.on('exit', (code) => {
      process.stderr.write(`fuzz: the process with seed ${seed + job} ended with ${code}: see above\n`);
      end(1);
    });
    process_.on('message', (round: Round) => {
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += round[key];
      for (const { way, latin1 } of round.found) {
        if (!found.has(way)) found.set(way, { way, datagram: Buffer.from(latin1, 'latin1') });
      }
      rounds += 1;
      slowestMs = Math.max(slowestMs, round.slowestMs);
      maxGrowthBytes = Math.max(maxGrowthBytes, round.heapGrowthBytes);
      if (maxGrowthBytes > MAX_GROWTH_BYTES) {
        process.stderr.write(`fuzz: the parts have grown by ${maxGrowthBytes} bytes (seed ${seed + job})\n`);
        end(1);
      }
      if (total.datagrams < wanted && performance.now() < endMs) {
        process_.send('go on');
        return;
      }
      clearInterval(progress);
      if (found.size > 0) {
        const kept = values.keep ? 'now in the corpus' : 'not in the corpus (--keep puts them there)';
        process.stdout.write(`${found.size} ways to end that are ${kept}: ${[...found.keys()].sort().join(', ')}\n`);
        if (values.keep) writeCorpus([...readCorpus(), ...found.values()]);
      }
      const isMeasured = rounds >= 2 * WARM_UP_ROUNDS * jobs;
      const growth = isMeasured
        ? `${Math.round(maxGrowthBytes / 1024)} KiB at most`
        : 'not measured, too few datagrams';
      process.stdout.write(
        `${line()}; nothing broke; heap growth ${growth}; slowest datagram ${slowestMs.toFixed(1)} ms\n`,
      );
      end(0);
    });
    process_.send('begin');
  }
}

const childSeed = process.env.FUZZ_SEED;
if (childSeed === undefined) parent();
else child(Number(childSeed));
