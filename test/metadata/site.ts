import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type HostMachine, listFiles, putJoboutput, readMachineFile } from '../../src/metadata/machine-files.js';
import type { GuestDirectory, MetadataMachine, MetadataSource, Place } from '../../src/metadata/source.js';

export const OWNER = { uid: process.getuid?.() === 0 ? 65534 : -1, gid: process.getuid?.() === 0 ? 65534 : -1 };
export const LIMITS = { bytes: 100 * 2 ** 20, files: 1000 };

/** A machine that lives at a loopback address, with its directory. */
export function testMachine(directory: string, changes: Partial<HostMachine> = {}): HostMachine {
  return {
    id: '1700000000_prod_factory1-02.example.com',
    uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
    hostname: 'factory1-02.example.com',
    ip: '127.0.0.2',
    factory: 'factory1.example.com',
    machinetype: 'prod',
    directory,
    limits: LIMITS,
    rootPublicKey: 'ssh-rsa AAAA root@factory1',
    meta: { machinefeatures: 'http://169.254.169.253/machinefeatures', machinetype: 'prod' },
    ...changes,
  };
}

/** Directories of machines as the factory makes them, and a source that reads them without a child between. */
export class TestSite implements MetadataSource {
  readonly machines = new Map<string, HostMachine>();

  private constructor(private readonly root: string) {}

  static async make(): Promise<TestSite> {
    return new TestSite(await mkdtemp(join(tmpdir(), 'vac-metadata-')));
  }

  async add(ip: string, changes: Partial<HostMachine> = {}): Promise<HostMachine> {
    const directory = join(this.root, ip);
    for (const name of ['machinefeatures', 'jobfeatures', 'joboutputs']) {
      await mkdir(join(directory, name), { recursive: true });
    }
    await chmod(directory, 0o755);
    await writeFile(join(directory, 'machinefeatures/total_cpu'), '4');
    await writeFile(join(directory, 'machinefeatures/hs06'), '41.2');
    await writeFile(join(directory, 'jobfeatures/job_id'), ip);
    await writeFile(join(directory, 'user_data'), `#!/bin/sh\n# of ${ip} \xff\n`, 'latin1');
    const machine = testMachine(directory, { ip, ...changes });
    this.machines.set(ip, machine);
    return machine;
  }

  /** As vacd answers its child. */
  readonly holder = (ip: string): HostMachine | null => this.machines.get(ip) ?? null;

  async machineByIp(ip: string): Promise<MetadataMachine | null> {
    return this.holder(ip);
  }

  list(machine: MetadataMachine, directory: GuestDirectory): Promise<string[]> {
    return listFiles(machine as HostMachine, directory);
  }

  read(machine: MetadataMachine, place: Place, name: string) {
    return readMachineFile(machine as HostMachine, place, name);
  }

  put(machine: MetadataMachine, name: string, body: AsyncIterable<Uint8Array>) {
    return putJoboutput(machine as HostMachine, name, body, OWNER);
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

export interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

/** One HTTP request from a loopback address, the path sent exactly as given. */
export async function ask(
  to: { readonly address: string; readonly port: number },
  from: string,
  path: string,
  options: RequestOptions & { body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ host: to.address, port: to.port, localAddress: from, path, agent: false, ...rest }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
  const text = (await buffer(response)).toString('latin1');
  return {
    status: response.statusCode ?? 0,
    type: response.headers['content-type'],
    body: text,
    headers: response.headers,
  };
}
