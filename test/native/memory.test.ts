import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

// Each round hands about 64 KiB of XML to libvirt and back: 1,000 rounds that leak it once grow by 60 MiB or more.
const script = `
  import { open } from 'libvirt';
  const description = 'x'.repeat(65536);
  const xml = "<domain type='test'><name>leak</name><description>" + description + "</description>" +
    "<memory>1024</memory><os><type>hvm</type></os></domain>";
  async function round() {
    const connection = await open('test:///default');
    connection.on('lifecycle', () => {});
    const { uuid } = await connection.createDomain(xml);
    await connection.domainXml(uuid);
    await connection.domainStats();
    await connection.listNetworks();
    await connection.domainXml('00000000-0000-4000-8000-000000000000').catch(() => {});
    await connection.destroyDomain(uuid);
    await connection.close();
  }
  async function rounds(count) {
    for (let i = 0; i < count; i++) await round();
    gc();
    return process.memoryUsage.rss();
  }
  const warm = await rounds(300);
  const after = await rounds(1000);
  console.log((after - warm) / 2 ** 20);`;

it('does not grow over 1,000 connections with a domain each', () => {
  const result = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(result.stderr).toBe('');
  expect(Number.parseFloat(result.stdout)).toBeLessThan(20);
});
