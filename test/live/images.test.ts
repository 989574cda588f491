/** A guest whose image comes from a web server: fetched once, compared by the next vacd, replaced while it runs on. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { main } from '../../src/cli/main.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { recorded } from '../cli/recorded-io.js';
import { FaultSite, running, typeVerdict } from './faults-site.js';
import { until } from './test-host.js';

const exec = promisify(execFile);
const SERVER = fileURLToPath(new URL('./image-server-worker.mjs', import.meta.url));

/** Three guests boot one after the other, under emulation. */
const TIMEOUT_MS = 900_000;
const BOOT_SECONDS = 200;

let server: ChildProcess | null = null;
afterEach(() => {
  server?.kill('SIGKILL');
  server = null;
});

/** Lines that the server of a directory of this site says, from its port on. */
async function serve(site: FaultSite, directory: string): Promise<{ url: string; answers: () => string[] }> {
  const [command, args] = site.host.inside(process.execPath, [SERVER, directory]);
  let said = '';
  server = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  server.stdout!.on('data', (part: Buffer) => {
    said += part;
  });
  await until('the web server listens', () => said.includes('\n'));
  const [first] = said.split('\n', 1);
  return { url: `http://127.0.0.1:${first!.split(' ')[1]}`, answers: () => said.trimEnd().split('\n').slice(1) };
}

const sha256 = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const newest = (status: FactoryStatus) => running(status, 'web').at(-1)!;
const images = (site: FaultSite, ...more: string[]) =>
  recorded((io) => main(['images', '--state-dir', site.stateDir, ...more], () => io));

test(
  'a guest boots from a URL; the next one without a download; a changed image is for those to come',
  () =>
    FaultSite.use(async (site) => {
      const web = site.file('web');
      await mkdir(web);
      const demo = await site.demo();
      await copyFile(site.demoImage, `${web}/guest.img`);
      const { url, answers } = await serve(site, web);
      const answered = (line: string) => answers().filter((answer) => answer === line).length;
      await site.configure({
        web: { ...demo, root_image: `${url}/guest.img` },
        none: site.halting({ target_share: 5, root_image: `${url}/none.img` }),
      });

      const first = site.start(1);
      const one = newest(await first.until('a machine runs from the image', (s) => running(s, 'web').length === 1));
      await site.untilBeats(one.id, 'it booted from the image of the server', BOOT_SECONDS);
      const status = await first.until('the other type says what it lacks', (s) =>
        (typeVerdict(s, 'none')?.reason ?? '').includes('404 Not Found'),
      );
      expect(typeVerdict(status, 'none')?.code).toBe('image-unavailable');
      expect(answered('200 /guest.img')).toBe(1);
      const compared = answered('304 /guest.img');
      await first.stop();

      const second = site.start(2);
      await second.until('another runs from it', (s) => running(s, 'web').length === 2);
      expect(answered('200 /guest.img')).toBe(1);
      expect(answered('304 /guest.img')).toBeGreaterThan(compared);
      await second.stop();

      // The same system in another form: other bytes, and another format.
      await exec('qemu-img', ['convert', '-O', 'raw', site.demoImage, `${web}/guest.img`]);
      const third = site.start(3);
      const three = newest(await third.until('a third runs', (s) => running(s, 'web').length === 3));
      await site.untilBeats(three.id, 'it booted from the changed image', BOOT_SECONDS);
      await site.untilBeats(one.id, 'the first one still runs on its own');
      expect(answered('200 /guest.img')).toBe(2);
      const held = (id: string) => site.file(`state/imagecache/in-use/${id}`);
      expect([await sha256(held(one.id)), await sha256(held(three.id))]).toEqual([
        await sha256(site.demoImage),
        await sha256(`${web}/guest.img`),
      ]);
      const listed = JSON.parse((await images(site, '--json')).stdout);
      expect(listed).toMatchObject({ older: { copies: 1, machines: 2 } });
      expect(listed.images).toMatchObject([
        { url: `${url}/guest.img`, state: 'fresh', machines: 1 },
        { url: `${url}/none.img`, state: 'missing' },
      ]);

      third.stopMachines();
      await third.until('all are over', (s) => s.machines.every(({ phase }) => phase === 'cleared'));
      expect(await readdir(site.file('state/imagecache/in-use'))).toEqual([]);
      expect((await images(site)).stdout).not.toContain('older');
      await third.stop();
    }),
  TIMEOUT_MS,
);
