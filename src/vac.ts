#!/usr/bin/env node
/** vac, the command: asks factories what they do and why, and tells this one what to do. What it does is in cli/main.ts. */

import { processIo, wantsColour } from './cli/io.js';
import { main } from './cli/main.js';

// Whoever reads our output may have read enough (vac machines | head): that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

main(process.argv.slice(2), (mayColour) => processIo(mayColour && wantsColour(process.env))).then(
  // What is written has to arrive first; what still waits for somebody (a name server, a hanging vacd) is given up.
  (code) => process.stdout.write('', () => process.exit(code)),
  (error: Error) => {
    process.stderr.write(`vac: ${error.stack}\n`);
    process.exit(1);
  },
);
