/** A host of its own for a command: network, hosts file and name server are not those of the host that tests run on. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
/** Addresses on the only network there is, where nobody is: what is sent there gets no answer, and no error. */
export const SILENT_ADDRESSES = ['192.0.2.9', '192.0.2.10', '192.0.2.11'];

export interface IsolatedHost {
  /** Content of /etc/hosts. */
  readonly hosts?: string;
  readonly nameServers?: readonly string[];
  readonly hostname?: string;
  /** The site's configuration: of the places where it may be, the one that a test can have for itself, /run/vac.conf. */
  readonly siteConfig?: string;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the host is made by, in bash; $1 is a directory with its files. */
const SETUP = `
set -e
ip link set lo up
ip link add out0 type veth peer name out1
ip address add 192.0.2.1/24 dev out0
ip link set out0 up
ip link set out1 up
for address in ${SILENT_ADDRESSES.join(' ')}; do
  ip neighbour add "$address" lladdr 02:00:00:00:00:09 dev out0
done
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
hostname "$(cat "$1/hostname")"
mount -t tmpfs tmpfs /run
[ ! -e "$1/vac.conf" ] || cp "$1/vac.conf" /run/vac.conf
cd "$2"
shift 2
exec "$@"
`;

/** Runs a command there, from the checkout, to its end. */
export async function runIsolated(host: IsolatedHost, command: readonly string[]): Promise<Ended> {
  const directory = await mkdtemp(join(tmpdir(), 'vac-isolated-'));
  try {
    await writeFile(join(directory, 'hosts'), host.hosts ?? '127.0.0.1 localhost\n');
    const nameServers = (host.nameServers ?? SILENT_ADDRESSES).map((address) => `nameserver ${address}\n`);
    await writeFile(join(directory, 'resolv.conf'), nameServers.join(''));
    await writeFile(join(directory, 'hostname'), host.hostname ?? 'wn00.example.com');
    if (host.siteConfig !== undefined) await writeFile(join(directory, 'vac.conf'), host.siteConfig);
    const args = ['--net', '--mount', '--uts', 'bash', '-c', SETUP, 'bash', directory, CHECKOUT, ...command];
    return await new Promise((resolve) => {
      execFile('unshare', args, { encoding: 'utf8', maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 255), stdout, stderr });
      });
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}
