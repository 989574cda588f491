// What a child tries that has been taken over: it says for each whether it could; and what it must be able to do. Arguments as of vacd-guard.js.
// Environment: TEST_DIR, where anybody may make files, and which holds one that only root may read; TEST_ADDRESS and
// TEST_PORT, where the host listens.
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { runChild } from '../../dist/guard/child.js';

const directory = process.env.TEST_DIR;
const tries = {
  'read the file': () => readFileSync(`${directory}/secret`),
  'write a file': () => writeFileSync(`${directory}/written`, 'x'),
  'become root': () => process.setuid(0),
  'run a program': () => {
    const { error } = spawnSync('/bin/true');
    if (error) throw error;
  },
  'start a thread': () => new Worker('1', { eval: true }),
  'look into vacd': () => readFileSync(`/proc/${process.ppid}/environ`),
  'kill vacd': () => process.kill(process.ppid, 0),
};

const part = {
  name: 'try',
  start({ problem }) {
    for (const [name, attempt] of Object.entries(tries)) {
      try {
        attempt();
        problem(`could ${name}`);
      } catch (error) {
        problem(`could not ${name}: ${error.code}`);
      }
    }
    connect(Number(process.env.TEST_PORT), process.env.TEST_ADDRESS)
      .on('connect', () => problem('could open a connection'))
      .on('error', ({ code }) => problem(`could not open a connection: ${code}`));
    lookup('localhost').then(
      () => problem('could look up a name'),
      (error) => problem(`could not look up a name: ${error.code}`),
    );
  },
  receive() {},
};
process.on('uncaughtException', () => {});
await runChild(JSON.parse(process.argv.at(-1)), { try: async () => part });
