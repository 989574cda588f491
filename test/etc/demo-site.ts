/**
 * What a factory offers one machine, without a factory: run by demo-guest.ts inside a network, mount and process
 * namespace of its own, so it may use the real addresses and ports and nothing of it outlives the namespace.
 *
 * Usage: tsx demo-site.ts DIRECTORY, which holds machine.json (a {@link SiteOptions}), machinefeatures/, jobfeatures/,
 * joboutputs/ and user_data. Writes console.log and syslog.log there; qmp.sock is QEMU's monitor. Ends with the guest.
 */
import { execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';

/** How the machine of one test is made. */
export interface SiteOptions {
  machine: 'q35' | 'pc';
  /** What the site offers: NFS of one version only, or HTTP alone. */
  features: 'nfs4' | 'nfs3' | 'http';
  hostname: string;
  uuid: string;
  image: string;
}

const directory = process.argv[2]!;
const options = JSON.parse(readFileSync(join(directory, 'machine.json'), 'utf8')) as SiteOptions;
const address = '169.254.169.5';
const mac = '56:4d:a9:fe:a9:05';

function run(command: string): void {
  const [program, ...args] = command.split(' ');
  execFileSync(program!, args, { stdio: 'inherit' });
}

function startDaemon(program: string, args: string[]): void {
  const log = openSync(join(directory, `${program}.log`), 'w');
  const daemon = spawn(program, args, { stdio: ['ignore', log, log] });
  daemon.on('exit', (status) => {
    console.error(`${program} ended with ${status}`);
    process.exit(1);
  });
}

/** Waits until something holds, because daemons tell in different ways that they are ready. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 100_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`the demo site waited 100 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function listensOn(port: number): boolean {
  return execFileSync('ss', ['-Htln', `sport = :${port}`], { encoding: 'utf8' }) !== '';
}

function makeNetwork(): void {
  run('ip link set lo up');
  run('ip link add vac0 type bridge');
  run('ip addr add 169.254.169.254/16 dev vac0');
  run('ip addr add 169.254.169.253/16 dev vac0');
  run('ip tuntap add tap0 mode tap');
  run('ip link set tap0 master vac0 up');
  run('ip link set vac0 up');
  startDaemon('dnsmasq', [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--leasefile-ro',
    '--pid-file=',
    '--user=root',
    '--interface=vac0',
    '--bind-interfaces',
    '--dhcp-range=169.254.0.0,static,255.255.0.0',
    `--dhcp-host=${mac},${address},${options.hostname.split('.')[0]}`,
    '--dhcp-option=option:router,169.254.169.253',
  ]);
}

async function startNfs(): Promise<void> {
  const exports = [
    ['machinefeatures', 'RO'],
    ['jobfeatures', 'RO'],
    ['joboutputs', 'RW'],
  ].map(
    ([name, access], index) => `EXPORT {
  Export_Id = ${index + 1}; Path = ${directory}/${name}; Pseudo = ${directory}/${name}; Access_Type = ${access};
  Squash = all_squash; Anonymous_Uid = 65534; Anonymous_Gid = 65534; SecType = sys;
  Protocols = ${options.features === 'nfs3' ? 3 : 4}; FSAL { Name = VFS; }
}`,
  );
  writeFileSync(
    join(directory, 'ganesha.conf'),
    `NFS_CORE_PARAM {
  Protocols = ${options.features === 'nfs3' ? 3 : 4}; Bind_addr = 169.254.169.254;
  NFS_Port = 2049; MNT_Port = 20048; Enable_NLM = false; Enable_RQUOTA = false;
}
NFSv4 { Graceless = true; RecoveryBackend = fs; }
${exports.join('\n')}
`,
  );
  // Private places for what these daemons keep, or look for, on a host.
  run('mount -t tmpfs tmpfs /run');
  run('mount -t tmpfs tmpfs /var/lib/nfs');
  mkdirSync('/run/dbus');
  mkdirSync('/run/rpcbind');
  mkdirSync('/run/ganesha');
  run('dbus-daemon --system --fork');
  run('rpcbind -w');
  startDaemon('ganesha.nfsd', [
    '-F',
    '-L',
    join(directory, 'ganesha.log'),
    '-f',
    join(directory, 'ganesha.conf'),
    '-p',
    '/run/ganesha.pid',
  ]);
  await until('nfs-ganesha', () => listensOn(2049));
}

function metadata(): object {
  const nfs = (name: string): string => `169.254.169.254:${directory}/${name}`;
  return {
    uuid: options.uuid,
    name: options.hostname.split('.')[0],
    hostname: options.hostname,
    meta: {
      machinefeatures: 'http://169.254.169.253/machinefeatures',
      jobfeatures: 'http://169.254.169.253/jobfeatures',
      joboutputs: 'http://169.254.169.253/joboutputs',
      ...(options.features !== 'http' && {
        machinefeatures_nfs: nfs('machinefeatures'),
        jobfeatures_nfs: nfs('jobfeatures'),
        joboutputs_nfs: nfs('joboutputs'),
      }),
    },
  };
}

/** Metadata, user_data, feature keys and listings by GET; joboutputs by PUT. Undefined = 404. */
function answer(path: string): string | Buffer | undefined {
  if (path === '/openstack/latest/meta_data.json') return JSON.stringify(metadata());
  const file = path === '/latest/user-data' ? join(directory, 'user_data') : join(directory, path);
  if (!/^\/(latest\/user-data$|machinefeatures\/|jobfeatures\/)/.test(path) || !existsSync(file)) return undefined;
  if (!statSync(file).isDirectory()) return readFileSync(file);
  return readdirSync(file)
    .map((key) => `<a href="${key}">${key}</a>`)
    .join('\n');
}

function startHttp(): void {
  createServer(async (request, response) => {
    if (request.method === 'PUT' && request.url?.startsWith('/joboutputs/')) {
      writeFileSync(join(directory, 'joboutputs', basename(request.url)), await text(request));
      response.writeHead(201).end();
      return;
    }
    const body = answer(request.url ?? '');
    response.writeHead(body === undefined ? 404 : 200).end(body);
  }).listen(80);
}

function startSyslog(): void {
  const log = join(directory, 'syslog.log');
  writeFileSync(log, '');
  const socket = createSocket('udp4');
  socket.on('message', (message) => appendFileSync(log, `${message.toString().trim()}\n`));
  socket.bind(514, '169.254.169.254');
}

function makeDisks(): string[] {
  const disk = (name: string): string => join(directory, `${name}.img`);
  run(`qemu-img create -q -f qcow2 -F qcow2 -b ${options.image} ${disk('root')}`);
  run(`truncate -s 64M ${disk('swap')} ${disk('scratch')}`);
  execFileSync('mkswap', ['-L', 'swap', disk('swap')], { stdio: 'ignore' });
  run(`mke2fs -q -t ext4 -L scratch ${disk('scratch')}`);
  // Swap comes first, so that a guest that guesses vdb for scratch is found out.
  return ['root', 'swap', 'scratch'].flatMap((name) => [
    '-drive',
    `file=${disk(name)},format=${name === 'root' ? 'qcow2' : 'raw'},if=none,id=${name},cache=unsafe`,
    '-device',
    `virtio-blk-pci,drive=${name},serial=${name}`,
  ]);
}

function startGuest(): void {
  // The largest processor that QEMU emulates takes a fifth more time.
  const args = ['-machine', `${options.machine},accel=tcg`, '-cpu', 'qemu64', '-m', '256', '-display', 'none'];
  args.push('-no-reboot', '-uuid', options.uuid, '-serial', `file:${join(directory, 'console.log')}`);
  args.push('-qmp', `unix:${join(directory, 'qmp.sock')},server=on,wait=off`);
  args.push('-netdev', 'tap,id=net,ifname=tap0,script=no,downscript=no');
  args.push('-device', `virtio-net-pci,netdev=net,mac=${mac},romfile=`, ...makeDisks());
  const stdio: StdioOptions = ['ignore', 'inherit', 'inherit'];
  // What the guest said last may still be in a socket: it is taken first.
  spawn('qemu-system-x86_64', args, { stdio }).on('exit', (status) => setImmediate(() => process.exit(status ?? 1)));
}

makeNetwork();
startSyslog();
startHttp();
if (options.features !== 'http') await startNfs();
startGuest();
