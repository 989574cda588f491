// The built daemon as `vacd` runs it, and ends by SIGKILL at a named step if asked to. For crash tests.
// Argument: JSON {stateDir, configPath, factory, processors, startsLimit, killAt: "step moment" | null}
import { composeDaemon } from '../../dist/daemon/compose.js';
import { loadForDaemon } from '../../dist/daemon/configuration.js';
import { createLogger } from '../../dist/daemon/log.js';

const { stateDir, configPath, factory, processors, startsLimit, killAt } = JSON.parse(process.argv[2]);
const { config } = await loadForDaemon([configPath], factory, processors);
const log = createLogger('text', (line) => process.stdout.write(`${line}\n`));
const { daemon, hypervisor } = await composeDaemon(
  { factory, config, stateDir, log },
  {
    hostProcessors: processors,
    startsLimit,
    listen: (_id, step, moment) => {
      if (`${step} ${moment}` === killAt) process.kill(process.pid, 'SIGKILL');
    },
  },
);
await daemon.start();
process.on('SIGTERM', async () => {
  await daemon.stop();
  await hypervisor.close();
  process.exit(0);
});
