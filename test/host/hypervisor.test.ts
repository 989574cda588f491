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

  it('tells of each call when it is over: libvirt’s name for it, how long it took, and how it ended', async () => {
    const hypervisor = new LibvirtHypervisor('test:///default');
    const calls: string[] = [];
    hypervisor.onCall((call, milliseconds, outcome) => {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(milliseconds).toBeLessThan(120_000);
      calls.push(`${call} ${outcome}`);
    });
    await hypervisor.listDomains();
    await expect(hypervisor.createDomain('<domain/>')).rejects.toMatchObject({ code: 'hypervisor-refused' });
    // Gone is as good as done.
    await hypervisor.destroyDomain('00000000-0000-4000-8000-000000000000');
    expect(calls).toEqual(['open done', 'domainStats done', 'createDomain refused', 'destroyDomain done']);
    await hypervisor.close();
  });
});

describe('a libvirt that is not there', () => {
  it('is told of as a connection that could not be opened, not as the call that was wanted', async () => {
    const hypervisor = new LibvirtHypervisor('qemu+unix:///system?socket=/nonexistent/libvirt-sock');
    const calls: string[] = [];
    hypervisor.onCall((call, _milliseconds, outcome) => calls.push(`${call} ${outcome}`));
    const both = [hypervisor.listDomains(), hypervisor.network('x')];
    for (const call of both) await expect(call).rejects.toMatchObject({ code: 'hypervisor-unreachable' });
    expect(calls).toEqual(['open unreachable']);
    await hypervisor.close();
  });

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
