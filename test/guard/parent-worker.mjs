// A vacd of nothing but the guard, for tests that kill it. Argument: JSON {mark, address, identity}. Prints JSON
// {pid (of the child), port} when it serves.
import { Guard } from '../../dist/guard/guard.js';
import { MetadataParent } from '../../dist/metadata/parent.js';
import { MetadataSockets } from '../../dist/metadata/sockets.js';

const { mark, address, identity } = JSON.parse(process.argv[2]);
const sockets = new MetadataSockets([{ address, port: 0 }]);
sockets.bind();
const metadata = new MetadataParent({
  guestOwner: identity,
  machineByIp: () => null,
  sockets: () => sockets.descriptors(),
  onProblem: () => {},
});
const guard = new Guard({ parts: [metadata], what: 'the child', mark, identity, onProblem: () => {} });
await guard.ensureRunning();
process.stdout.write(`${JSON.stringify({ pid: guard.pid, port: sockets.bound()[0].port })}\n`);
setInterval(() => {}, 1000);
