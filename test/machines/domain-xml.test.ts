import { describe, expect, it } from 'vitest';
import { type DomainDisk, type DomainOptions, domainXml } from '../../src/machines/domain-xml.js';
import { NETWORK_NAME } from '../../src/machines/network-xml.js';
import { withSharedImage } from '../../src/machines/shared-image.js';
import { domainSchemaProblem } from './libvirt-schema.js';
import { testRecord } from './record.js';

const MACHINE = '/var/lib/vac/machines/1700000000_prod_factory1-03.example.com';

function options(changes: Partial<DomainOptions> = {}): DomainOptions {
  return {
    domainType: 'kvm',
    machineType: 'q35',
    firmware: 'bios',
    networkName: NETWORK_NAME,
    consolePath: `${MACHINE}/console.log`,
    nvramPath: `${MACHINE}/nvram.fd`,
    disks: [
      { path: `${MACHINE}/root.qcow2`, format: 'qcow2', device: 'vda', serial: 'root', bootOrder: 1 },
      { path: `${MACHINE}/scratch.img`, format: 'raw', device: 'vdb', serial: 'scratch' },
    ],
    space: 'vac01.example.com',
    factory: 'factory1.example.com',
    ...changes,
  };
}

const VARIANTS = (['kvm', 'qemu', 'test'] as const).flatMap((domainType) =>
  (['pc', 'q35'] as const).flatMap((machineType) =>
    (['bios', 'uefi'] as const).map((firmware) => [domainType, machineType, firmware] as const),
  ),
);

describe('domainXml', () => {
  it('is what was reviewed for a machine on KVM', () => {
    expect(domainXml(testRecord(), options())).toMatchSnapshot();
  });

  it('is what was reviewed for a machine on the test driver', () => {
    expect(domainXml(testRecord(), options({ domainType: 'test' }))).toMatchSnapshot();
  });

  it("has weights where the host has such, in libvirt's order of elements", async () => {
    const weighed = domainXml(testRecord(), options({ weights: { cpuShares: 800, ioWeight: 200 } }));
    expect(weighed).toMatch(/<blkiotune>\s*<weight>200<\/weight>\s*<\/blkiotune>\s*<cputune>\s*<shares>800<\/shares>/);
    expect(await domainSchemaProblem(weighed)).toBeNull();
    const none = domainXml(testRecord(), options({ weights: { cpuShares: null, ioWeight: null } }));
    expect(none).toBe(domainXml(testRecord(), options()));
  });

  it('in overnight mode has all threads in the idle class, a bound where there are control groups, and a channel for an agent', async () => {
    const record = testRecord({ processors: 4 });
    const weights = { cpuShares: 10, ioWeight: null };
    const bound = domainXml(record, options({ gentle: { cpuPart: 0.4 }, weights }));
    const tuning = bound.slice(bound.indexOf('<cputune>'), bound.indexOf('</cputune>')).replace(/\s*\n\s*/g, '');
    expect(tuning).toBe(
      "<cputune><shares>10</shares><global_period>100000</global_period><global_quota>160000</global_quota><vcpusched vcpus='0-3' scheduler='idle'/><iothreadsched iothreads='1' scheduler='idle'/><emulatorsched scheduler='idle'/>",
    );
    expect(bound).toContain("<target type='virtio' name='org.qemu.guest_agent.0'/>");
    expect(await domainSchemaProblem(bound)).toBeNull();
    expect(domainXml(record, options({ gentle: { cpuPart: 0.4 } }))).not.toContain('quota');
    expect(domainXml(record, options({ gentle: { cpuPart: null }, weights }))).not.toContain('quota');
    const onTestDriver = domainXml(record, options({ domainType: 'test', gentle: { cpuPart: 0.4 } }));
    expect(onTestDriver).toBe(domainXml(record, options({ domainType: 'test' })));
  });

  it('has libvirt leave the owner of an image that others use alone, be it beneath a disk or a CD', async () => {
    const image = { path: '/images/root.img', format: 'raw' } as const;
    const given: DomainDisk[] = [
      { path: '/m/root.qcow2', format: 'qcow2', device: 'vda', serial: 'root' },
      { path: '/images/root.img', format: 'raw', device: 'hdc', serial: 'cernvm', kind: 'cdrom' },
      { path: '/m/scratch.img', format: 'raw', device: 'vdb', serial: 'scratch' },
    ];
    const shared = domainXml(testRecord(), options({ disks: given.map((disk) => withSharedImage(disk, image)) }));
    expect(shared.match(/<source file='[^']*'>\s*<seclabel model='dac' relabel='no'\/>/g)).toHaveLength(2);
    expect(shared).toMatch(
      /<backingStore type='file'>\s*<format type='raw'\/>[\s\S]*<backingStore\/>\s*<\/backingStore>/,
    );
    expect(await domainSchemaProblem(shared)).toBeNull();
    expect(domainXml(testRecord(), options({ disks: given.map((disk) => withSharedImage(disk, null)) }))).not.toContain(
      'seclabel',
    );
  });

  it.each(VARIANTS)('as %s, %s, %s has the processor and the firmware of that', (domainType, machineType, firmware) => {
    const lines = domainXml(testRecord(), options({ domainType, machineType, firmware })).split('\n');
    expect(lines.filter((line) => /<(domain|os|type|cpu)\b/.test(line)).map((line) => line.trim())).toMatchSnapshot();
  });

  it.each(VARIANTS)(`as %s, %s, %s is valid by libvirt's schema`, async (domainType, machineType, firmware) => {
    const document = domainXml(testRecord(), options({ domainType, machineType, firmware }));
    expect(await domainSchemaProblem(document)).toBeNull();
    expect(await domainSchemaProblem(document.replace('<clock', '<clocks'))).toContain(
      'XML document failed to validate',
    );
  });

  it.each([
    ['vda', 'pc', 'virtio'],
    ['vdb2', 'q35', 'virtio'],
    ['sda', 'pc', 'sata'],
    ['sda', 'q35', 'sata'],
    ['hda', 'pc', 'ide'],
    // "IDE controllers are unsupported for this QEMU binary or machine type"
    ['hda', 'q35', 'sata'],
  ] as const)('puts a disk %s of a %s machine on %s', (device, machineType, bus) => {
    const disks = [{ path: '/x', format: 'raw' as const, device, serial: 'x' }];
    expect(domainXml(testRecord(), options({ machineType, disks }))).toContain(
      `<target dev='${device}' bus='${bus}'/>`,
    );
  });

  it('boots a CD from a file that it cannot write to, on the bus of the chipset', () => {
    const cd = {
      path: '/x.iso',
      kind: 'cdrom' as const,
      format: 'raw' as const,
      device: 'hdc',
      serial: 'cd',
      bootOrder: 1,
    };
    const lines = domainXml(testRecord(), options({ machineType: 'pc', disks: [cd] }));
    expect(lines.slice(lines.indexOf('<disk'), lines.indexOf('<interface'))).toMatchInlineSnapshot(`
      "<disk type='file' device='cdrom'>
            <driver name='qemu' type='raw' cache='unsafe'/>
            <source file='/x.iso'/>
            <target dev='hdc' bus='ide'/>
            <boot order='1'/>
            <readonly/>
            <serial>cd</serial>
          </disk>
          "
    `);
    expect(domainXml(testRecord(), options({ machineType: 'q35', diskBus: 'virtio', disks: [cd] }))).toContain(
      "<target dev='hdc' bus='sata'/>",
    );
  });

  it('gives a logical volume as the block device that it is', () => {
    const disks = [{ path: '/dev/vg/vac-1', format: 'qcow2' as const, device: 'vdb', serial: 'scratch' }];
    const document = domainXml(testRecord(), options({ disks }));
    expect(document).toContain("<disk type='block' device='disk'>");
    expect(document).toContain("<source dev='/dev/vg/vac-1'/>");
  });

  it.each(['virtio', 'scsi', 'sata', 'ide'] as const)('attaches all disks to %s when told to', async (diskBus) => {
    const letter = { virtio: 'v', scsi: 's', sata: 's', ide: 'h' }[diskBus];
    const disks = ['a', 'b'].map((last) => ({
      path: `/${last}`,
      format: 'raw' as const,
      device: `${letter}d${last}`,
      serial: last,
    }));
    const document = domainXml(testRecord(), options({ machineType: 'pc', diskBus, disks }));
    expect(document.match(new RegExp(`bus='${diskBus}'`, 'g'))).toHaveLength(2);
    expect(document.includes('virtio-scsi')).toBe(diskBus === 'scsi');
    expect(await domainSchemaProblem(document)).toBeNull();
  });

  it.each([
    [null, 'kvm', "<cpu mode='host-passthrough'/>"],
    [null, 'qemu', "<cpu mode='maximum'/>"],
    ['host-model', 'kvm', "<cpu mode='host-model'/>"],
    ['host-model', 'qemu', "<cpu mode='maximum'/>"],
    ['maximum', 'kvm', "<cpu mode='maximum'/>"],
    ['Haswell-noTSX', 'qemu', "<model fallback='forbid'>Haswell-noTSX</model>"],
  ] as const)('with cpu_mode %s on %s has the processor %s', async (cpuMode, domainType, line) => {
    const document = domainXml(testRecord(), options({ cpuMode, domainType }));
    expect(document).toContain(line);
    expect(await domainSchemaProblem(document)).toBeNull();
  });

  it('shows VNC to this host alone, at a port of the slot', () => {
    expect(domainXml(testRecord({ slot: 17 }), options())).toContain(
      "<graphics type='vnc' listen='127.0.0.1' port='5917' autoport='no'/>",
    );
  });

  it('escapes whatever it is given', () => {
    const hostile = `x'/><disk type="block"><&`;
    const document = domainXml(testRecord({ id: hostile }), options({ consolePath: hostile, space: hostile }));
    expect(document).not.toContain('<disk type="block">');
    expect(document).toContain("id='x&apos;/&gt;&lt;disk type=&quot;block&quot;&gt;&lt;&amp;'");
  });

  it('is over, and not made again, when the guest powers off, reboots or crashes', () => {
    const document = domainXml(testRecord(), options());
    for (const event of ['poweroff', 'reboot', 'crash'])
      expect(document).toContain(`<on_${event}>destroy</on_${event}>`);
  });
});
