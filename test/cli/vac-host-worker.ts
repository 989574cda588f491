/**
 * Runs in an isolated host (`vac-host.ts`): real responders on the protocol's own port, a control socket, and commands
 * one after the other. What each said goes to the standard output as JSON.
 */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { main } from '../../src/cli/main.js';
import type { ControlServer } from '../../src/daemon/control.js';
import { controlServer } from './control-server.js';
import { LoopbackSpace } from './loopback-space.js';
import { recorded } from './recorded-io.js';
import { factoryView } from './status.js';
import type { Said, VacHost } from './vac-host.js';

const { shape, files, space, status, commands } = JSON.parse(process.argv[2]!) as VacHost & { commands: string[][] };

const directory = await mkdtemp(join(tmpdir(), 'vac-host-'));
const state = join(directory, 'state');
await mkdir(state);
for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
const factories = await LoopbackSpace.open({ ...shape, port: 995 });
let control: ControlServer | null = null;
if (space !== undefined) {
  control = controlServer(join(state, 'vacd.sock'), () => factoryView(status), undefined, { space: () => space });
  await control.listen();
}

const said: Said[] = [];
for (const command of commands) {
  const words = command.map((word) => word.replaceAll('@', `${directory}/`));
  const began = performance.now();
  const ended = words[0] === 'sh' ? await runShell(words[1]!) : await recorded((io) => main(words, () => io));
  const hide = (text: string) => text.replaceAll(`${directory}/`, '@');
  const { code, stdout, stderr } = ended;
  said.push({ code, stdout: hide(stdout), stderr: hide(stderr), tookMs: performance.now() - began });
}
await control?.close();
await factories.close();
await rm(directory, { recursive: true });
process.stdout.write(JSON.stringify(said));

/** A line of bash in which `vac` is the command, as a process of its own; `$VAC` is the same for other shells. */
function runShell(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const vac = `export VAC='${process.execPath} --import tsx src/vac.ts'; vac() { $VAC "$@"; }`;
  return new Promise((resolve) => {
    const options = { encoding: 'utf8', maxBuffer: 2 ** 26 } as const;
    execFile('bash', ['-c', `${vac}; ${line}`], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 255), stdout, stderr });
    });
  });
}
