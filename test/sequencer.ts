/**
 * The order in which test files begin. Without it the largest come first, and a long one may be the last: one worker then
 * waits for the other.
 *
 * Files that take long are in two lanes, as there are two workers: those whose guests keep a processor busy, and those that
 * mostly wait for something. With one of each at a time neither processors nor guests wait for the others, so rules of
 * seconds are kept on a small host. All other files follow, the largest first.
 */

import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Seconds that files take on a host of two processors, beside each other: by these the lanes keep step. */
export const GUESTS: Readonly<Record<string, number>> = {
  'test/live/space.test.ts': 375,
  'test/live/start.test.ts': 110,
  'test/live/cloud-init.test.ts': 100,
  'test/live/hostile-guest.test.ts': 90,
  'test/etc/demo-guest.test.ts': 55,
  'test/live/faults-guests.test.ts': 70,
  'test/live/syslog-guests.test.ts': 40,
  'test/live/images.test.ts': 30,
};
export const WAITING: Readonly<Record<string, number>> = {
  'test/live/crash-finish.test.ts': 150,
  'test/live/crash-create.test.ts': 120,
  'test/live/quarantine.test.ts': 35,
  'test/live/faults-patience.test.ts': 180,
  'test/live/overnight.test.ts': 140,
  'test/live/faults-libvirt.test.ts': 55,
  'test/live/faults-network.test.ts': 30,
  'test/live/containment/containment.test.ts': 55,
  'test/live/syslog.test.ts': 35,
  'test/live/faults-images.test.ts': 30,
  'test/cli/vac.test.ts': 30,
  'test/live/syslog-forward.test.ts': 25,
  'test/live/syslog-relay.test.ts': 15,
  'test/live/nfs-ganesha.test.ts': 25,
  'test/guard/guard.test.ts': 25,
  'test/sim/random-runs.test.ts': 60,
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rest = new Map(
      (await super.sort(files)).map((file) => [relative(this.ctx.config.root, file.moduleId), file] as const),
    );
    const first = inTurns([GUESTS, WAITING]).flatMap((path) => {
      const file = rest.get(path);
      rest.delete(path);
      return file === undefined ? [] : [file];
    });
    return [...first, ...rest.values()];
  }
}

/** Of all lanes in one row: next is always the first of the lane that has been given the least time so far. */
export function inTurns(lanes: readonly Readonly<Record<string, number>>[]): string[] {
  const waiting = lanes.map((lane) => ({ files: Object.entries(lane), givenSeconds: 0 }));
  const row: string[] = [];
  for (;;) {
    const [next] = waiting.filter(({ files }) => files.length > 0).sort((a, b) => a.givenSeconds - b.givenSeconds);
    if (next === undefined) return row;
    const [path, seconds] = next.files.shift()!;
    next.givenSeconds += seconds;
    row.push(path);
  }
}
