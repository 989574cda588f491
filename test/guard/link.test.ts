import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { encodeFrame, type Message } from '../../src/guard/frames.js';
import { Channel, type ChannelOptions } from '../../src/guard/link.js';
import { BadMessage } from '../../src/guard/part.js';

interface End {
  readonly channel: Channel;
  readonly other: Duplex;
  readonly messages: Message[];
  readonly ends: (Error | null)[];
}

function channelTo(options: Partial<ChannelOptions> = {}): End {
  const [side, other] = duplexPair();
  const messages: Message[] = [];
  const ends: (Error | null)[] = [];
  const channel = new Channel(side, {
    onMessage: (message) => messages.push(message),
    onEnd: (error) => ends.push(error),
    ...options,
  });
  return { channel, other, messages, ends };
}

describe('a channel', () => {
  it('takes nothing before it begins, and then all that came', async () => {
    const { channel, other, messages } = channelTo();
    other.write(encodeFrame('http', 'beat', 1));
    await delay(5);
    expect(messages).toEqual([]);
    channel.begin();
    await expect.poll(() => messages).toHaveLength(1);
    expect(messages[0]).toMatchObject({ part: 'http', type: 'beat', body: 1 });
  });

  it('ends once, with what was wrong, and sends nothing any more', async () => {
    const { channel, other, messages, ends } = channelTo();
    channel.begin();
    other.on('error', () => {});
    other.write(Buffer.alloc(100, 0xff));
    await expect.poll(() => ends).toEqual([expect.any(BadMessage)]);
    expect(channel.send('http', 'x')).toBe(true);
    await channel.link('http').drained();
    other.destroy();
    await delay(5);
    expect([messages.length, ends.length]).toEqual([0, 1]);
  });

  it('ends when whoever takes a message refuses it', async () => {
    const refused = new BadMessage('no');
    const { channel, other, ends } = channelTo({
      onMessage: () => {
        throw refused;
      },
    });
    channel.begin();
    other.write(encodeFrame('http', 'x'));
    await expect.poll(() => ends).toEqual([refused]);
  });

  it('ends when the other side is gone', async () => {
    const { channel, other, ends } = channelTo();
    channel.begin();
    other.end();
    await expect.poll(() => ends).toEqual([null]);
  });

  it('takes so many messages a second, and lets the rest wait', async () => {
    const { channel, other, messages, ends } = channelTo({ messagesPerSecond: 1000 });
    channel.begin();
    const sent = 1500;
    const began = performance.now();
    for (let count = 0; count < sent; count += 1) other.write(encodeFrame('http', 'x', count));
    await expect.poll(() => messages.length).toBe(sent);
    // The first second's worth comes at once.
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(messages.map(({ body }) => body)).toEqual([...Array(sent).keys()]);
    expect(ends).toEqual([]);
  });

  it('takes less of what takes longer to read', async () => {
    const { channel, other, messages, ends } = channelTo({ messagesPerSecond: 1000 });
    channel.begin();
    const began = performance.now();
    const body = 'x'.repeat(100 * 1024);
    for (let count = 0; count < 15; count += 1) other.write(encodeFrame('http', 'x', body));
    await expect.poll(() => messages.length).toBe(15);
    expect(performance.now() - began).toBeGreaterThan(400);
    expect(ends).toEqual([]);
  });

  it('ends when the other side does not take what it is sent', () => {
    const { channel, ends } = channelTo({ maxUnsentBytes: 300_000 });
    while (ends.length === 0) channel.send('http', 'x', null, new Uint8Array(100_000));
    expect(ends).toEqual([expect.objectContaining({ message: expect.stringMatching(/bytes wait for it unread/) })]);
  });

  it('says when there is room again', async () => {
    const { channel, other } = channelTo();
    const link = channel.link('http');
    while (link.send('x', null, new Uint8Array(10_000)));
    const drained = link.drained();
    other.resume();
    await drained;
  });
});
