/** A site's collector of syslog, a real rsyslogd in the factory's namespace, and what it has received. */

import type { ChildProcess } from 'node:child_process';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/host/exec.js';
import { waitUntil } from '../../src/host/helper-daemon.js';

export const COLLECTOR_PORT = 6514;

/** Where it runs: LiveHosts, or a host with a vacd. */
export interface CollectorHost {
  /** For its files; not of vacd's names. */
  readonly stateDir: string;
  spawnInFactory(command: string, ...args: string[]): ChildProcess;
}

/** What stands before the text of a line at the collector. */
export interface Tags {
  readonly machine: string;
  readonly uuid: string;
  readonly machinetype: string;
  readonly factory: string;
  readonly space: string;
  readonly host: string;
  readonly text: string;
}

export class Collector {
  private process: ChildProcess | null = null;
  private readonly conf: string;
  private readonly file: string;

  private constructor(private readonly hosts: CollectorHost) {
    this.conf = join(hosts.stateDir, 'collector.conf');
    this.file = join(hosts.stateDir, 'collector.log');
  }

  static async create(hosts: CollectorHost, protocol: 'tcp' | 'tls' | 'relp' | 'relps'): Promise<Collector> {
    const collector = new Collector(hosts);
    const path = (name: string) => join(hosts.stateDir, name);
    const isTls = protocol === 'tls' || protocol === 'relps';
    if (isTls) await makeCertificates(hosts.stateDir);
    const relpTls = `tls="on" tls.caCert="${path('ca.pem')}" tls.myCert="${path('collector.pem')}" tls.myPrivKey="${path('collector.key')}" tls.authMode="name" tls.permittedPeer=["vacd.example.com"]`;
    const input = protocol.startsWith('relp')
      ? `module(load="imrelp")\ninput(type="imrelp" address="127.0.0.1" port="${COLLECTOR_PORT}" ruleset="all" ${isTls ? relpTls : ''})`
      : `module(load="imtcp" ${isTls ? 'streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["vacd.example.com"]' : ''})\ninput(type="imtcp" address="127.0.0.1" port="${COLLECTOR_PORT}" ruleset="all")`;
    const gtls = `defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${path('ca.pem')}" defaultNetstreamDriverCertFile="${path('collector.pem')}" defaultNetstreamDriverKeyFile="${path('collector.key')}"`;
    // No queue: what it has acknowledged is in the file, also when it is killed.
    const text = `global(workDirectory="${hosts.stateDir}" maxMessageSize="16k" ${protocol === 'tls' ? gtls : ''})
main_queue(queue.type="Direct")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="all") { action(type="omfile" file="${collector.file}" template="raw") }
${input}
`;
    await writeFile(collector.conf, text);
    return collector;
  }

  async start(): Promise<void> {
    this.process = this.hosts.spawnInFactory('rsyslogd', '-n', '-i', 'NONE', '-f', this.conf);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const process = this.process;
    if (process === null) return;
    const gone = new Promise((resolve) => process.once('exit', resolve));
    process.kill(signal);
    await gone;
    this.process = null;
  }

  /** The raw lines. */
  async lines(): Promise<string[]> {
    return (await readFile(this.file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  }

  /** How much it has received. */
  async bytes(): Promise<number> {
    return (await stat(this.file).catch(() => null))?.size ?? 0;
  }

  /** What it has received after the first so many bytes. */
  async since(bytes: number): Promise<string> {
    const file = await open(this.file).catch(() => null);
    if (file === null) return '';
    const chunks = await file.createReadStream({ start: bytes, encoding: 'utf8' }).toArray();
    return chunks.join('');
  }

  async linesWith(part: string): Promise<Tags[]> {
    return (await this.lines()).filter((line) => line.includes(part)).map(parseTags);
  }

  /** Waits until that many different texts arrived that hold `part`. */
  async has(part: string, count: number, seconds: number): Promise<Tags[]> {
    let tags: Tags[] = [];
    await waitUntil(async () => {
      tags = await this.linesWith(part);
      return new Set(tags.map(({ text }) => text)).size >= count;
    }, seconds);
    return tags;
  }
}

const LINE =
  /^<\d+>1 \S+ (\S+) \S+ \S+ \S+ \[vac@32473 machine="([^"]*)" uuid="([^"]*)" machinetype="([^"]*)" factory="([^"]*)" space="([^"]*)" address="[^"]*" sent="[^"]*"\] ?(.*)$/;

export function parseTags(line: string): Tags {
  const match = LINE.exec(line);
  if (match === null) throw new Error(`no line of the relay: ${line}`);
  const [, host, machine, uuid, machinetype, factory, space, text] = match as unknown as string[];
  return {
    host: host!,
    machine: machine!,
    uuid: uuid!,
    machinetype: machinetype!,
    factory: factory!,
    space: space!,
    text: text!,
  };
}

/** ca.pem, and certificates of the collector and of vacd that it signed. */
async function makeCertificates(directory: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { timeoutSeconds: 30 });
  const path = (name: string) => join(directory, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  for (const [name, dns] of [
    ['collector', 'collector.example.com'],
    ['vacd', 'vacd.example.com'],
  ] as const) {
    await openssl('req', ...key, '-keyout', path(`${name}.key`), '-out', path(`${name}.csr`), '-subj', `/CN=${dns}`);
    await writeFile(path(`${name}.ext`), `subjectAltName=DNS:${dns}\n`);
    await openssl(
      ...[
        'x509',
        '-req',
        '-in',
        path(`${name}.csr`),
        '-CA',
        path('ca.pem'),
        '-CAkey',
        path('ca.key'),
        '-CAcreateserial',
      ],
      ...['-days', '2', '-extfile', path(`${name}.ext`), '-out', path(`${name}.pem`)],
    );
  }
}
