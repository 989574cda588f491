/**
 * Files that a machine should have before its own services start, packed as images take them: a tar.gz as base64 in
 * user_data, unpacked in `/` (SPEC 8). The same files give the same bytes, so that a machine's user_data can be compared.
 */

import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import type { HostPort } from '../config/types.js';
import { SYSLOG_RELP_PORT } from '../host/syslog-limits.js';
import type { MimePart } from './mime-parts.js';

/** Content by path, without the leading slash. All are root's, and readable by everybody. */
export type BootFiles = Readonly<Record<string, string | Buffer>>;

const BLOCK_BYTES = 512;
/** 1 January 2020, UTC: tar complains of files from 1970. */
const FIXED_TIME = new Date(1_577_836_800_000);
/** In gzip's header: made on a system of unknown kind. */
const UNKNOWN_SYSTEM = 255;

/** How a machine sends its syslog. By udp nothing is held up and lines may be lost; by relp each is acknowledged. */
export type SyslogWay = 'udp' | 'tcp' | 'relp';

/**
 * What a machine sends its syslog by from its first message on; the place is that of the images' own start scripts, which
 * write it again once they have machinefeatures/syslog. udp and tcp are in the form that every rsyslog understands, from version 5 on.
 */
export function earlySyslogFiles(syslog: HostPort | null, way: SyslogWay = 'udp'): BootFiles {
  if (syslog === null) return {};
  return { 'etc/rsyslog.d/vm.conf': VM_CONF[way](syslog).join('\n').concat('\n') };
}

/** So many lines may wait in a machine, some 20 MB of its memory; rsyslog's own 1,000 are a moment of a busy one. */
const QUEUE_LINES = 20_000;
/** A relay that is away must not hold the machine up: lines wait in a queue of the machine's own. */
const QUEUED = [
  '$ActionQueueType LinkedList',
  `$ActionQueueSize ${QUEUE_LINES}`,
  '$ActionResumeRetryCount -1',
  '$ActionResumeInterval 5',
];

const VM_CONF: Readonly<Record<SyslogWay, (syslog: HostPort) => string[]>> = {
  udp: ({ host, port }) => [`*.* @${host}:${port}`],
  tcp: ({ host, port }) => [...QUEUED, `*.* @@${host}:${port}`],
  relp: ({ host }) => [
    'module(load="omrelp")',
    // One line under way at a time: of more, some were seen lost when the receiver was killed meanwhile (librelp 1.11).
    `*.* action(type="omrelp" target="${host}" port="${SYSLOG_RELP_PORT}" windowSize="1"`,
    `  queue.type="LinkedList" queue.size="${QUEUE_LINES}"`,
    '  action.resumeRetryCount="-1" action.resumeInterval="5" action.resumeIntervalMax="5")',
  ],
};

/** A tar.gz of regular files, in the order of their names. */
export function packBootFiles(files: BootFiles): Buffer {
  const blocks: Buffer[] = [];
  for (const path of Object.keys(files).sort()) {
    const content = Buffer.from(files[path]!);
    const header = new Header({
      path,
      type: 'File',
      size: content.length,
      mode: 0o644,
      uid: 0,
      gid: 0,
      uname: 'root',
      gname: 'root',
      mtime: FIXED_TIME,
    });
    if (header.encode()) throw new Error(`the name of boot file ${path} is too long for a plain tar header`);
    blocks.push(header.block!, content, Buffer.alloc(-content.length & (BLOCK_BYTES - 1)));
  }
  const packed = gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)]), { level: 9 });
  packed.writeUInt32LE(0, 4);
  packed.writeUInt8(UNKNOWN_SYSTEM, 9);
  return packed;
}

/**
 * A part of user_data by which cloud-init unpacks them. A boothook, because it runs before all other modules, and because
 * unlike a second cloud-config it cannot clash with that of the template.
 */
export function bootFilesPart(files: BootFiles): MimePart {
  const script = [
    '#cloud-boothook',
    '#!/bin/sh',
    "base64 -d <<'END' | tar -xz -C /",
    packBootFiles(files).toString('base64'),
    'END',
    '# One that runs already, without these files.',
    'if [ -d /run/systemd/system ]; then systemctl --no-block try-restart rsyslog.service; fi',
    'exit 0',
    '',
  ];
  return { contentType: 'text/cloud-boothook', filename: 'vac-boot-files', content: Buffer.from(script.join('\n')) };
}
