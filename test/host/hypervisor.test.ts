import { describe, expect, it } from 'vitest';
import { VacError } from '../../src/errors.js';
import { LibvirtHypervisor } from '../../src/host/libvirt.js';
import { FakeHypervisor } from './fake-hypervisor.js';
import { hypervisorContract } from './hypervisor-contract.js';

describe('the fake hypervisor', () => {
  hypervisorContract(async () => new FakeHypervisor());

  it('hangs when told to; what hung fails as unreachable, and later calls work', async () => {
    const fake = new FakeHypervisor();
    let changes = 0;
    fake.onConnectionChange(() => changes++);
    fake.hang();
    const hung = fake.listDomains();
    fake.answerAgain();
    await expect(hung).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    expect((await fake.listDomains()).domains).toEqual([]);
    expect(changes).toBe(1);
  });

  it('fails the next call of a kind when told to, and only that', async () => {
    const fake = new FakeHypervisor();
    fake.failNext('listDomains', new VacError('hypervisor-refused', 'no'));
    await fake.facts();
    await expect(fake.listDomains()).rejects.toThrow('no');
    await fake.listDomains();
    expect(fake.calls).toEqual(['facts', 'listDomains', 'listDomains']);
  });
});

describe("libvirt's test driver", () => {
  hypervisorContract(async () => new LibvirtHypervisor('test:///default'));

  it('says that its machines do not really run', async () => {
    const hypervisor = new LibvirtHypervisor('test:///default');
    expect(await hypervisor.facts()).toMatchObject({
      domainType: 'test',
      domainTypeReason: "libvirt's test driver: no machine really runs",
    });
    await hypervisor.close();
  });
});

describe('a libvirt that is not there', () => {
  it('is unreachable, in words that say what to look at, as often as it is asked', async () => {
    const hypervisor = new LibvirtHypervisor('qemu+unix:///system?socket=/nonexistent/libvirt-sock');
    for (let time = 0; time < 3; time++) {
      await expect(hypervisor.listDomains()).rejects.toMatchObject({
        code: 'hypervisor-unreachable',
        message: expect.stringContaining('is libvirtd running?'),
      });
    }
    await hypervisor.close();
  });
});
