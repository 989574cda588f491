// Runs the built daemon inside a test host with real guests that end at once. Argument: state directory.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { composeDaemon } from '../../dist/daemon/compose.js';
import { loadForDaemon } from '../../dist/daemon/configuration.js';
import { createLogger } from '../../dist/daemon/log.js';

const [stateDir] = process.argv.slice(2);
const MACHINES = 6;
const VIRSH_ROUNDS = 3;

mkdirSync(`${stateDir}/machinetypes/bench/files`, { recursive: true });
copyFileSync(new URL('../../etc/demo/user_data', import.meta.url), `${stateDir}/machinetypes/bench/files/user_data`);
const configPath = `${stateDir}/vac.conf`;
writeFileSync(
  configPath,
  `[settings]
vac_space = bench.localdomain
mb_per_processor = 256
swap_mb_per_processor = 64
overload_per_processor = 100
io_pressure_percent = 0
total_processors = 1
[machinetype bench]
target_share = 1
machine_model = vm-raw
root_image = /var/cache/vac-demo/vac-demo.qcow2
user_data = user_data
user_data_option_work_seconds = 1
fizzle_seconds = 1
max_wallclock_seconds = 600
`,
);
const { config } = await loadForDaemon([configPath], 'bench.localdomain', 1);

const create = {};
const clear = {};
const refillMs = [];
let stoppedAtMs = null;
let domainXml = null;
const CLEAR = new Set([
  'finished',
  'accounting',
  'last-end',
  'exports-removed',
  'logs-released',
  'disks-removed',
  'slot-freed',
  'cleared',
]);
const { daemon, nfs, syslog, hypervisor } = await composeDaemon(
  {
    factory: 'bench.localdomain',
    config,
    stateDir,
    log: createLogger('text', (line) => process.stderr.write(`${line}\n`)),
  },
  {
    hostProcessors: 1,
    startsLimit: MACHINES,
    listen: (id, step, moment, milliseconds) => {
      if (step === 'libvirt' && moment === 'begin' && stoppedAtMs !== null)
        refillMs.push(performance.now() - stoppedAtMs);
      if (step === 'libvirt' && moment === 'begin')
        domainXml = readFileSync(`${stateDir}/machines/${id}/domain.xml`, 'utf8');
      if (moment === 'end') {
        const steps = CLEAR.has(step) ? clear : create;
        steps[step] ??= [];
        steps[step].push(milliseconds);
      }
    },
  },
);
hypervisor.onEvent(({ event }) => {
  if (event === 'stopped') stoppedAtMs = performance.now();
});
let cleared = 0;
const done = new Promise((resolve) => {
  daemon.onPass(() => {
    cleared = daemon.status().machines.filter((machine) => machine.phase === 'cleared').length;
    if (cleared >= MACHINES) resolve();
  });
});
await daemon.start();
await done;
await daemon.stop();

// The same domain by hand, its disks made again: what libvirt itself takes.
const virshCreateMs = [];
const virshDestroyMs = [];
const timed = (list, ...args) => {
  const beganMs = performance.now();
  execFileSync('virsh', ['-q', '-c', 'qemu:///system', ...args], { stdio: 'ignore' });
  list.push(performance.now() - beganMs);
};
for (const [, path, format] of domainXml.matchAll(/<source file='([^']+\.(qcow2|img))'/g)) {
  execFileSync('qemu-img', ['create', '-q', '-f', format === 'img' ? 'raw' : 'qcow2', path, '64M']);
}
writeFileSync(`${stateDir}/virsh.xml`, domainXml);
for (let round = 0; round < VIRSH_ROUNDS; round += 1) {
  timed(virshCreateMs, 'create', `${stateDir}/virsh.xml`);
  timed(virshDestroyMs, 'destroy', 'bench-00.localdomain');
}
await nfs.stop();
await syslog?.stop();
process.stdout.write(`${JSON.stringify({ create, clear, virshCreateMs, virshDestroyMs, refillMs })}\n`);
process.exit(0);
