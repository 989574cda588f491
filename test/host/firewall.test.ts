import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bridge } from '../../src/host/bridge.js';
import { parseCounters } from '../../src/host/firewall.js';

// What is real of it is tried in test/live/containment.

describe('parseCounters', () => {
  it('adds up both tables, by reason and by slot', () => {
    const text = `table bridge vac {
	counter neighbour {
		packets 2 bytes 100
	}
	counter slot_0 {
		packets 0 bytes 0
	}
	counter slot_11 {
		packets 3 bytes 120
	}
}
table inet vac {
	counter neighbour {
		packets 1 bytes 20
	}
	counter slot_11 {
		packets 1 bytes 1
	}
}
`;
    const { byReason, bySlot } = parseCounters(text);
    expect(byReason.neighbour).toEqual({ packets: 3, bytes: 120 });
    expect(byReason.spoofed_ip).toEqual({ packets: 0, bytes: 0 });
    expect([...bySlot]).toEqual([[11, { packets: 4, bytes: 121 }]]);
  });
});

describe('Bridge', () => {
  let sysfs: string;
  let option: string;

  beforeEach(async () => {
    sysfs = await mkdtemp(join(tmpdir(), 'vac-bridge-'));
    option = join(sysfs, 'vac0/bridge/no_linklocal_learn');
    await mkdir(join(sysfs, 'vac0/bridge'), { recursive: true });
  });

  afterEach(() => rm(sysfs, { recursive: true }));

  it('sets what is not set, and says so when it is not', async () => {
    await writeFile(option, '0\n');
    const bridge = new Bridge(sysfs);
    await expect(bridge.check()).rejects.toMatchObject({ code: 'network-wrong' });
    await bridge.ensure();
    expect((await readFile(option, 'utf8')).trim()).toMatch(/^1/);
    await writeFile(option, '1\n');
    await bridge.check();
  });

  it('makes no file where the kernel has none', async () => {
    await expect(new Bridge(sysfs).ensure()).rejects.toMatchObject({
      code: 'network-wrong',
      message: expect.stringContaining('no_linklocal_learn of bridge vac0'),
    });
  });
});
