/**
 * A few NFS version 3 calls (RFC 1813) written by hand, since libnfs's programs mount anew each time: shows what a guest
 * with a mount of long standing, or a hostile one with a file handle that is not its own, gets.
 * Usage: `nfs-wire.ts mount SERVER PATH` prints the root's handle in hex; `nfs-wire.ts read SERVER HANDLE NAME` prints
 * the content. Exit code 2 and `refused <status>` when the server says no.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { MOUNT_PORT, NFS_PORT } from '../../src/host/nfs-exports.js';

const word = (value: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
};

/** XDR's variable-length opaque: length, bytes, zeros up to a multiple of four. */
const opaque = (data: Buffer) => Buffer.concat([word(data.length), data, Buffer.alloc(-data.length & 3)]);

/** One remote procedure call over TCP (RFC 5531) with AUTH_SYS as root; resolves to the results. */
async function call(host: string, port: number, program: number, procedure: number, args: Buffer): Promise<Buffer> {
  const credential = Buffer.concat([word(0), opaque(Buffer.from('guest')), word(0), word(0), word(0)]);
  const message = Buffer.concat([
    ...[1, 0, 2, program, 3, procedure, 1].map(word),
    opaque(credential),
    ...[0, 0].map(word),
    args,
  ]);
  const socket = connect(port, host);
  await once(socket, 'connect');
  socket.write(Buffer.concat([word(0x80000000 + message.length), message]));
  let reply = Buffer.alloc(0);
  while (reply.length < 4 || reply.length < 4 + (reply.readUInt32BE(0) & 0x7fffffff)) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    reply = Buffer.concat([reply, part]);
  }
  socket.destroy();
  // Record mark, xid, reply, then accepted or denied.
  if (reply.readUInt32BE(12) !== 0) refuse('rpc denied');
  const verifierLength = reply.readUInt32BE(20);
  const results = reply.subarray(24 + verifierLength);
  if (results.readUInt32BE(0) !== 0) refuse(`rpc status ${results.readUInt32BE(0)}`);
  return results.subarray(4);
}

function refuse(why: string | number): never {
  process.stdout.write(`refused ${why}`);
  process.exit(2);
}

function handleAt(results: Buffer): Buffer {
  const status = results.readUInt32BE(0);
  if (status !== 0) refuse(status);
  return results.subarray(8, 8 + results.readUInt32BE(4));
}

const [action, server, first, name] = process.argv.slice(2) as [string, string, string, string];
if (action === 'mount') {
  process.stdout.write(handleAt(await call(server, MOUNT_PORT, 100005, 1, opaque(Buffer.from(first)))).toString('hex'));
} else {
  const directory = Buffer.from(first, 'hex');
  const file = handleAt(
    await call(server, NFS_PORT, 100003, 3, Buffer.concat([opaque(directory), opaque(Buffer.from(name))])),
  );
  const results = await call(server, NFS_PORT, 100003, 6, Buffer.concat([opaque(file), word(0), word(0), word(4096)]));
  if (results.readUInt32BE(0) !== 0) refuse(results.readUInt32BE(0));
  // status, attributes (a flag and 84 bytes), count, end of file, then the data.
  const data = results.subarray(4 + 4 + (results.readUInt32BE(4) === 1 ? 84 : 0) + 8);
  process.stdout.write(data.subarray(4, 4 + data.readUInt32BE(0)));
}
