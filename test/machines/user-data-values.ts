import type { MachineValues, UserDataValues } from '../../src/machines/user-data.js';

/** What a machine's user_data is filled in with, for tests. */
export const MACHINE: MachineValues = {
  space: 'vac01.example.com',
  machinetype: 'prod',
  hostname: 'factory1-03.example.com',
  managerVersion: 'Vac 0.1.0',
  managerHostname: 'factory1.example.com',
  uuid: '0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4',
  machinefeaturesUrl: 'http://169.254.169.253/machinefeatures',
  jobfeaturesUrl: 'http://169.254.169.253/jobfeatures',
  joboutputsUrl: 'http://169.254.169.253/joboutputs',
  bootFiles: 'H4sIAAAA',
  x509Proxy: null,
};

export const VALUES: UserDataValues = {
  ...MACHINE,
  url: 'https://repo.example.org/user_data',
  rootImageUrl: 'https://repo.example.org/image.iso',
  options: { queue: 'long', x509_proxy: 'PROXY\n', hostcert: Buffer.from([0xff, 0x0a]) },
};
