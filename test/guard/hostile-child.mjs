// A child that has been taken over and turns against vacd: sends what HOSTILE names, without end where that is possible.
// Arguments as of vacd-guard.js.
import { Socket } from 'node:net';
import { encodeFrame } from '../../dist/guard/frames.js';

const channel = new Socket({ fd: 3, readable: true, writable: true });
channel.on('error', () => process.exit(0));
channel.on('close', () => process.exit(0));
channel.resume();

const ready = encodeFrame('guard', 'ready');
const attacks = {
  garbage: () => channel.write(Buffer.alloc(1000, 0xff)),
  'no JSON': () => channel.write(Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), Buffer.from('{')])),
  'no part': () => channel.write(Buffer.concat([ready, encodeFrame('root', 'shell', { command: 'id' })])),
  'no type': () => channel.write(Buffer.concat([ready, encodeFrame('guard', 'shell')])),
  'wrong fields': () => channel.write(Buffer.concat([ready, encodeFrame('guard', 'beat', { beat: '1' })])),
  'no question': () => channel.write(Buffer.concat([ready, encodeFrame('http', 'read', { request: 1, ip: 'root' })])),
  'a place that is none': () =>
    channel.write(
      Buffer.concat([
        ready,
        encodeFrame('http', 'read', { request: 1, ip: '127.0.0.2', machine: 'm', place: '..', name: 'passwd' }),
      ]),
    ),
  'words without end': () => {
    channel.write(ready);
    const line = encodeFrame('guard', 'problem', { line: '\u001b[2J\u202eaaa' });
    const more = () => {
      while (channel.write(line));
      channel.once('drain', more);
    };
    more();
  },
};
attacks[process.env.HOSTILE]();
