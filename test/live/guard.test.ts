/** A guest that has all it needs by HTTP, from a process without root, which is killed while it works. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { rightsLeft } from '../../src/guard/confine.js';
import { FaultSite, running } from './faults-site.js';
import { until } from './test-host.js';

/** The guest boots under emulation on a host that other tests load too. */
const TIMEOUT_MS = 400_000;

it(
  'a guest gets its user_data and writes its outputs by way of it, before it is killed and after',
  () =>
    FaultSite.use(async (site) => {
      const demo = await site.demo({ user_data_option_work_seconds: 3600, mjf_form: 'urls' });
      await site.configure({ demo }, { nfs: 'none', syslog: '' });
      const vacd = site.start(1, { startsLimit: 1 });
      const { machines } = await vacd.until('a machine runs', (status) => running(status).length > 0);
      const output = (name: string) => site.inMachine(machines[0]!.id, `joboutputs/${name}`);
      const changedAfter = (ms: number) => async () =>
        ((await stat(output('heartbeat')).catch(() => null))?.mtimeMs ?? 0) > ms;

      await until('the guest has sent a heartbeat', changedAfter(0), 180);
      const [first] = await childrenOf(site.stateDir);
      const status = await readFile(`/proc/${first}/status`, 'utf8');
      const uid = Number(/^Uid:\s+(\d+)/m.exec(status)![1]);
      const gid = Number(/^Gid:\s+(\d+)/m.exec(status)![1]);
      expect(uid).not.toBe(0);
      expect(rightsLeft(status, { uid, gid })).toBeNull();

      process.kill(first!, 'SIGKILL');
      const killedMs = Date.now();
      await until('the guest sends another heartbeat', changedAfter(killedMs + 1000), 180);
      expect(await childrenOf(site.stateDir)).not.toContain(first);
      await vacd.stop();
      await until('nobody serves any more', async () => (await childrenOf(site.stateDir)).length === 0);
    }),
  TIMEOUT_MS,
);

/** The processes that serve machines for the vacd of this state directory. */
async function childrenOf(stateDir: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const ours = async (pid: string) =>
    (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(`--of=${stateDir}/metadata\0`);
  const found = await Promise.all(pids.map(async (pid) => ((await ours(pid)) ? [Number(pid)] : [])));
  return found.flat();
}
