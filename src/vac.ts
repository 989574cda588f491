#!/usr/bin/env node
/** vac, the command: asks factories what they do and why, and tells this one what to do. What it does is in cli/main.ts. */

import { processIo, wantsColour } from './cli/io.js';
import { main } from './cli/main.js';

// Whoever reads our output may have read enough (vac machines | head): that is no error. A full disk is one.
let failed = false;
for (const [name, stream] of Object.entries({ output: process.stdout, error: process.stderr })) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    failed = true;
    if (name === 'output') process.stderr.write(`vac: the standard output cannot be written: ${error.message}\n`);
  });
}

main(process.argv.slice(2), (mayColour) => processIo(mayColour && wantsColour(process.env))).then(
  // What is written has to arrive first, or its error; what still waits (a name server, a hanging vacd) is given up.
  (code) => process.stdout.write('', () => setImmediate(() => process.exit(failed ? Math.max(1, code) : code))),
  (error: NodeJS.ErrnoException) => {
    // What the system refused needs no trace of ours.
    process.stderr.write(`vac: ${error.syscall === undefined ? error.stack : error.message}\n`);
    process.exit(1);
  },
);
