/**
 * A loopback space in a process of its own: many factories in the asker's process would take turns with it, which no
 * real ones do. Says its port, and serves until its standard input ends.
 */

import { LoopbackSpace } from './loopback-space.js';

const space = await LoopbackSpace.open(JSON.parse(process.argv[2]!));
process.stdout.write(`${space.port}\n`);
process.stdin.resume().on('end', () => process.exit(0));
