import { describe, expect, test } from 'vitest';
import { chooseNfsBackend, type MachineExports, type NfsFacts, NoNfs } from '../../src/host/nfs.js';
import { checkExportable } from '../../src/host/nfs-exports.js';

const MACHINE: MachineExports = {
  machineId: '1700000000_lhcb-prod_factory1-03.example.com',
  uuid: '3c1a7a52-9a4a-4a3e-8f7e-0c8f2f0f9b11',
  hostname: 'factory1-03.example.com',
  machinetype: 'lhcb-prod',
  clientIp: '169.254.169.3',
  directory: '/var/lib/vac/machines/1700000000_lhcb-prod_factory1-03.example.com',
};

const BOTH: NfsFacts = { kernelProblem: null, ganeshaProblem: null };
const NO_KERNEL: NfsFacts = { kernelProblem: 'this kernel has no NFS server', ganeshaProblem: null };
const NEITHER: NfsFacts = {
  kernelProblem: 'this kernel has no NFS server',
  ganeshaProblem: 'ganesha is not installed',
};

describe('the backend', () => {
  test.each([
    ['auto', BOTH, 'kernel'],
    ['auto', NO_KERNEL, 'ganesha'],
    ['kernel', BOTH, 'kernel'],
    ['ganesha', BOTH, 'ganesha'],
    ['none', BOTH, 'none'],
    ['none', NEITHER, 'none'],
  ] as const)('%s is decided by the facts', (wanted, facts, name) => {
    expect(chooseNfsBackend(wanted, facts).name).toBe(name);
  });

  test('the reason why it is not the kernel is told', () => {
    expect(chooseNfsBackend('auto', NO_KERNEL).reason).toContain('this kernel has no NFS server');
  });

  test.each([
    ['auto', NEITHER, /no NFS server.*this kernel has no NFS server.*ganesha is not installed.*nfs = none/],
    ['kernel', NO_KERNEL, /nfs = kernel, but this kernel has no NFS server/],
    ['ganesha', NEITHER, /nfs = ganesha, but ganesha is not installed/],
  ] as const)('%s that cannot be had says why', (wanted, facts, message) => {
    expect(() => chooseNfsBackend(wanted, facts)).toThrow(
      expect.objectContaining({ code: 'nfs-unavailable', message: expect.stringMatching(message) }),
    );
  });
});

test('without NFS nothing is exported, and everything else goes on', async () => {
  const none = new NoNfs({ address: '169.254.169.254' });
  await none.ensureRunning();
  await none.add();
  expect(await none.list()).toEqual(new Set());
  expect(none.addressOf(MACHINE).joboutputs).toBe(`169.254.169.254:${MACHINE.directory}/joboutputs`);
});

test.each([
  ['directory', '/var/lib/my vac'],
  ['directory', '/var/lib/vac/../../etc'],
  ['hostname', 'a"b'],
  ['machineId', '..'],
  ['machinetype', 'a\nEXPORT'],
  ['clientIp', '*'],
  ['clientIp', ''],
])('%s "%s" is not exported', (field, value) => {
  expect(() => checkExportable({ ...MACHINE, [field]: value })).toThrow(
    expect.objectContaining({ code: 'nfs-refused', message: expect.stringContaining(field) }),
  );
  expect(() => checkExportable(MACHINE)).not.toThrow();
});
