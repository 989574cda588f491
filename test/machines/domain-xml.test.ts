import { describe, expect, it } from 'vitest';
import { type DomainOptions, domainXml } from '../../src/machines/domain-xml.js';
import { NETWORK_NAME } from '../../src/machines/network-xml.js';
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
