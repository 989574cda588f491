import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootFilesPart, earlySyslogFiles, packBootFiles } from '../../src/machines/boot-files.js';

const SYSLOG = { host: '169.254.169.254', port: 514 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-boot-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const tar = (args: string[], input: Buffer) => execFileSync('tar', args, { input, encoding: 'latin1', cwd: directory });

describe('boot files', () => {
  it('are unpacked by tar as they were, all root’s and readable', async () => {
    const files = { 'etc/rsyslog.d/vm.conf': 'a\n', 'etc/x': Buffer.from([0, 255]), empty: '', large: 'x'.repeat(513) };
    const packed = packBootFiles(files);
    const listed = tar(['-tvzf', '-', '--numeric-owner', '--full-time', '--utc'], packed).trimEnd().split('\n');
    expect(listed.map((line) => line.replace(/ +/g, ' '))).toEqual([
      '-rw-r--r-- 0/0 0 2020-01-01 00:00:00 empty',
      '-rw-r--r-- 0/0 2 2020-01-01 00:00:00 etc/rsyslog.d/vm.conf',
      '-rw-r--r-- 0/0 2 2020-01-01 00:00:00 etc/x',
      '-rw-r--r-- 0/0 513 2020-01-01 00:00:00 large',
    ]);
    tar(['-xzf', '-'], packed);
    for (const [path, content] of Object.entries(files)) {
      expect(await readFile(join(directory, path))).toEqual(Buffer.from(content));
    }
  });

  it('give the same bytes in whatever order they are named, and nothing of this host is in them', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,3}$/);
    fc.assert(
      fc.property(fc.dictionary(name, fc.string()), (files) => {
        const backwards = Object.fromEntries(Object.entries(files).reverse());
        expect(packBootFiles(backwards)).toEqual(packBootFiles(files));
      }),
    );
    expect(packBootFiles({ 'etc/a': 'b' }).subarray(0, 10).toString('hex')).toBe('1f8b08000000000002ff');
  });

  it('of which one cannot be named in a plain header are an error of ours', () => {
    expect(() => packBootFiles({ ['x'.repeat(101)]: '' })).toThrow('too long');
  });
});

describe('early syslog', () => {
  it('is a line for rsyslog where the site receives syslog, else nothing', () => {
    expect(earlySyslogFiles(SYSLOG)).toEqual({ 'etc/rsyslog.d/vm.conf': '*.* @169.254.169.254:514\n' });
    expect(earlySyslogFiles(null)).toEqual({});
  });

  it('waits in a queue of the machine where it goes by TCP or RELP', () => {
    expect(earlySyslogFiles(SYSLOG, 'tcp')['etc/rsyslog.d/vm.conf']).toBe(
      '$ActionQueueType LinkedList\n$ActionQueueSize 20000\n$ActionResumeRetryCount -1\n$ActionResumeInterval 5\n*.* @@169.254.169.254:514\n',
    );
    const relp = String(earlySyslogFiles(SYSLOG, 'relp')['etc/rsyslog.d/vm.conf']);
    expect(relp).toContain('type="omrelp" target="169.254.169.254" port="20514" windowSize="1"');
    expect(relp).toContain('queue.type="LinkedList" queue.size="20000"');
  });

  it('is unpacked by a boothook that a shell runs', async () => {
    const { contentType, content } = bootFilesPart(earlySyslogFiles(SYSLOG));
    expect(contentType).toBe('text/cloud-boothook');
    const [first, ...script] = content.toString().split('\n');
    expect(first).toBe('#cloud-boothook');
    const harmless = script.join('\n').replace('-C /', `-C ${directory}`).replace('/run/systemd/system', '/nowhere');
    execFileSync('sh', [], { input: harmless });
    expect(await readFile(join(directory, 'etc/rsyslog.d/vm.conf'), 'utf8')).toBe('*.* @169.254.169.254:514\n');
  });
});
