import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CommandError, isInstalled, MAX_OUTPUT_BYTES, run } from '../../src/host/exec.js';
import { waitUntil } from '../../src/host/helper-daemon.js';

const failure = (promise: Promise<unknown>): Promise<CommandError> =>
  promise.then(
    () => expect.unreachable('the command was expected to fail'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(CommandError);
      return error as CommandError;
    },
  );

describe('run', () => {
  test('gives both outputs and passes arguments as they are, without a shell', async () => {
    const result = await run('printf', ['%s|', 'a b', '$HOME', '*; echo x']);
    expect(result).toEqual({ stdout: 'a b|$HOME|*; echo x|', stderr: '', exitCode: 0 });
  });

  test('writes the input and closes it', async () => {
    expect((await run('cat', [], { input: 'text' })).stdout).toBe('text');
    expect((await run('cat', [])).stdout).toBe('');
  });

  test('a program that does not read its input is no failure', async () => {
    expect((await run('true', [], { input: Buffer.alloc(1_000_000) })).exitCode).toBe(0);
  });

  test('the environment is ours with untranslated messages, or exactly the given one', async () => {
    expect((await run('sh', ['-c', 'echo $LC_ALL'])).stdout).toBe('C\n');
    expect((await run('/usr/bin/env', [], { env: { ONLY: 'this' } })).stdout).toBe('ONLY=this\n');
  });

  test('an exit code is a failure with what the program said, unless it is allowed', async () => {
    const args = ['-c', 'echo "no such\nthing\x07" >&2; exit 3'];
    const error = await failure(run('sh', args));
    expect(error.code).toBe('command-failed');
    expect(error.message).toContain('failed with exit code 3: no such; thing?');
    expect(error.details.exitCode).toBe(3);
    expect((await run('sh', args, { allowExitCodes: [0, 3] })).exitCode).toBe(3);
  });

  test('a signal is a failure even where every exit code is allowed', async () => {
    const error = await failure(run('sh', ['-c', 'kill -TERM $$'], { allowExitCodes: [0, 15, 143] }));
    expect(error.message).toContain('was ended by SIGTERM');
  });

  test('a missing program is named', async () => {
    const error = await failure(run('no-such-program-of-vac', []));
    expect(error).toMatchObject({
      code: 'command-missing',
      message: expect.stringContaining('no-such-program-of-vac'),
    });
  });

  describe('with a timeout', () => {
    let directory: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'vac-exec-'));
    });
    afterEach(async () => {
      vi.useRealTimers();
      await rm(directory, { recursive: true });
    });

    /** What the program has written there. */
    const written = () => (existsSync(join(directory, 'pid')) ? readFileSync(join(directory, 'pid'), 'utf8') : '');

    test('after it the program and its children are gone', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const script = 'sleep 1000 & echo said; echo $! >"$0/pid"; wait';
      const failed = failure(run('sh', ['-c', script, directory], { timeoutSeconds: 7 }));
      expect(await waitUntil(async () => written().endsWith('\n'), 60)).toBe(true);
      // Where that was so at once, reading has not begun yet.
      await setImmediate();
      vi.advanceTimersByTime(7000);
      const error = await failed;
      expect(error).toMatchObject({ code: 'command-timeout', message: expect.stringContaining('within 7 s') });
      expect(error.details.stdout).toBe('said\n');
      const child = Number(written());
      expect(child).toBeGreaterThan(1);
      expect(await waitUntil(async () => !existsSync(`/proc/${child}`), 60)).toBe(true);
    });

    test('a program that ended in time is none that did not, however late this process hears of it', async () => {
      // After an immediate timers come first, and what other programs did after them.
      await setImmediate();
      const ended = run('sh', ['-c', 'echo said; echo $$ >"$0/pid"', directory], { timeoutSeconds: 0.001 });
      // Nothing of this process runs until the program has ended, which is longer than a millisecond later.
      const began = performance.now();
      const state = () => readFileSync(`/proc/${written().trim()}/stat`, 'utf8').replace(/.*\) /s, '')[0];
      while (performance.now() < began + 5 || !written().endsWith('\n') || state() !== 'Z');
      expect(await ended).toMatchObject({ stdout: 'said\n', exitCode: 0 });
    });
  });

  test('a child left in the background, which holds the output open, is not waited for', async () => {
    const { stdout } = await run('sh', ['-c', 'sleep 1000 & echo $!'], { timeoutSeconds: 100 });
    process.kill(Number(stdout.trim()), 'SIGKILL');
  });

  test('output that ends just before the program does is complete', async () => {
    const { stdout } = await run('head', ['-c', '3000000', '/dev/zero']);
    expect(stdout.length).toBe(3_000_000);
  });

  test('too much output is a failure and does not fill the memory', async () => {
    const error = await failure(run('head', ['-c', String(2 * MAX_OUTPUT_BYTES), '/dev/zero']));
    expect(error.message).toContain(`more than ${MAX_OUTPUT_BYTES} bytes`);
    expect(error.details.stdout.length).toBe(MAX_OUTPUT_BYTES);
  });
});

test('isInstalled looks into PATH', async () => {
  expect(await isInstalled('sh')).toBe(true);
  expect(await isInstalled('no-such-program-of-vac')).toBe(false);
});
