import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './sequencer.js';

export default defineConfig({
  // The checkout, wherever this is called from: `npx vitest run --config test/vitest.config.ts test/factory`.
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['test/**/*.test.ts'],
    // Live tests boot guests under software emulation on small, shared hosts.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // A condition that comes later comes all the same: `expect.poll` would give up after a second.
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    globalSetup: ['test/clean-host.ts'],
  },
});
