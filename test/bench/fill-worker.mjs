// Runs the built daemon, without a loader, so that its memory is what a site's would be.
// Arguments: state directory, slots. Prints one line of JSON.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { composeDaemon } from '../../dist/daemon/compose.js';
import { loadForDaemon } from '../../dist/daemon/configuration.js';
import { createLogger } from '../../dist/daemon/log.js';

const [stateDir, slotsText] = process.argv.slice(2);
const slots = Number(slotsText);
const IDLE_SECONDS = 60;

const configPath = `${stateDir}/vac.conf`;
writeFileSync(
  configPath,
  `[settings]
vac_space = bench.localdomain
libvirt_uri = test:///default
nfs = none
syslog =
io_pressure_percent = 0
mb_per_processor = 16
disk_gb_per_processor = 1
[machinetype bench-a]
target_share = 2
machine_model = vm-raw
root_image = /var/cache/vac-demo/vac-demo.qcow2
[machinetype bench-b]
target_share = 1
machine_model = vm-raw
root_image = /var/cache/vac-demo/vac-demo.qcow2
`,
);
const { config } = await loadForDaemon([configPath], 'bench.localdomain', slots);
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
const beganMs = performance.now();
const beganCpu = process.cpuUsage();
const { daemon } = await composeDaemon(
  {
    factory: 'bench.localdomain',
    config,
    stateDir,
    log: createLogger('text', (line) => process.stderr.write(`${line}\n`)),
  },
  { hostProcessors: slots },
);
const filled = new Promise((resolve) => {
  let isFull = false;
  daemon.onPass(() => {
    // Asked no more once it is full: the status is for people, and costs more than a pass.
    if (isFull) return;
    isFull = daemon.status().machines.filter((machine) => machine.phase === 'running').length === slots;
    if (isFull) resolve();
  });
});
await daemon.start();
await filled;
const fillSeconds = (performance.now() - beganMs) / 1000;
const fillCpu = process.cpuUsage(beganCpu);
delay.disable();
const worstDelayMs = delay.max / 1e6;

const idleCpu = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
const used = process.cpuUsage(idleCpu);
process.stdout.write(
  `${JSON.stringify({
    fillSeconds,
    fillCpuMsPerMachine: (fillCpu.user + fillCpu.system) / 1000 / slots,
    worstDelayMs,
    idleCpuPercent: ((used.user + used.system) / 1e6 / IDLE_SECONDS) * 100,
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
  })}\n`,
);
process.exit(0);
