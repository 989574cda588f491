import { createRequire } from 'node:module';
import type { LibvirtFailure } from './errors.js';

/** What one operation of the C++ side takes, and gives. Its file there has the same name with `_operations.cc`. */
export interface Operations {
  // host
  isAlive: [[], boolean];
  hostname: [[], string];
  uri: [[], string];
  driverType: [[], string];
  libVersion: [[], number];
  hypervisorVersion: [[], number];
  capabilitiesXml: [[], string];
  domainCapabilitiesXml: [
    [emulator: string | undefined, arch: string | undefined, machine: string | undefined, virtType: string | undefined],
    string,
  ];
  nodeInfo: [[], RawNodeInfo];
  // domain
  createDomain: [[xml: string, flags: number], RawIdentity];
  defineDomain: [[xml: string, flags: number], RawIdentity];
  lookupDomainByName: [[name: string], RawIdentity];
  domainState: [[uuid: string], { state: number; reason: number }];
  domainInfo: [[uuid: string], RawInfo];
  domainXml: [[uuid: string, flags: number], string];
  startDomain: [[uuid: string, flags: number], null];
  shutdownDomain: [[uuid: string, flags: number], null];
  rebootDomain: [[uuid: string, flags: number], null];
  resetDomain: [[uuid: string, flags: number], null];
  destroyDomain: [[uuid: string, flags: number], null];
  undefineDomain: [[uuid: string, flags: number], null];
  suspendDomain: [[uuid: string], null];
  resumeDomain: [[uuid: string], null];
  abortDomainJob: [[uuid: string], null];
  attachDomainDevice: [[uuid: string, xml: string, flags: number], null];
  detachDomainDevice: [[uuid: string, xml: string, flags: number], null];
  updateDomainDevice: [[uuid: string, xml: string, flags: number], null];
  saveDomain: [[uuid: string, path: string, flags: number], null];
  restoreDomain: [[path: string, flags: number], null];
  coreDumpDomain: [[uuid: string, path: string, format: number, flags: number], null];
  createSnapshot: [[uuid: string, xml: string, flags: number], string];
  listSnapshots: [[uuid: string], string[]];
  deleteSnapshot: [[uuid: string, name: string, flags: number], null];
  setDomainTime: [[uuid: string, seconds: number, nanoseconds: number, flags: number], null];
  setAgentResponseTimeout: [[uuid: string, seconds: number, flags: number], null];
  domainInterfaceAddresses: [[uuid: string, source: number], RawInterface[]];
  // stats
  domainStats: [[groups: number, flags: number, wantsCpu: boolean], RawStats[]];
  // tuning
  schedulerParameters: [[uuid: string, flags: number], Record<string, RawParameter>];
  setSchedulerParameters: [[uuid: string, parameters: [string, number][], flags: number], null];
  setBlkioWeight: [[uuid: string, weight: number, flags: number], null];
  setMemory: [[uuid: string, memoryKiB: number, flags: number], null];
  // network
  listNetworks: [[], RawNetwork[]];
  lookupNetwork: [[network: string], RawNetwork];
  networkXml: [[network: string, flags: number], string];
  defineNetwork: [[xml: string], RawNetwork];
  createNetwork: [[xml: string], RawNetwork];
  startNetwork: [[network: string], null];
  destroyNetwork: [[network: string], null];
  undefineNetwork: [[network: string], null];
  setNetworkAutostart: [[network: string, autostart: boolean], null];
  updateNetwork: [
    [network: string, command: number, section: number, parentIndex: number, xml: string, flags: number],
    null,
  ];
  networkDhcpLeases: [[network: string, mac: string | undefined], RawLease[]];
  // nwfilter
  listNwfilters: [[], { name: string; uuid: string }[]];
  nwfilterXml: [[filter: string], string];
  defineNwfilter: [[xml: string], { name: string; uuid: string }];
  undefineNwfilter: [[filter: string], null];
}

export interface RawIdentity {
  uuid: string;
  name: string;
  id: number | null;
}

export interface RawInfo {
  state: number;
  maximumMemoryKiB: number;
  memoryKiB: number;
  processors: number;
  cpuTimeSeconds: number;
}

export interface RawNodeInfo {
  cpuModel: string;
  memoryKiB: number;
  processors: number;
  frequencyMHz: number;
  numaNodes: number;
  socketsPerNode: number;
  coresPerSocket: number;
  threadsPerCore: number;
}

export type RawParameter = number | bigint | string | boolean;

export interface RawStats extends RawIdentity {
  raw: Record<string, RawParameter>;
  /** Only where `raw` lacks what was asked for; null also for a domain that went meanwhile. */
  info: RawInfo | null;
}

export interface RawNetwork {
  name: string;
  uuid: string;
  active: boolean;
  persistent: boolean;
  autostart: boolean;
  bridge: string | null;
}

export interface RawLease {
  interface: string;
  expiresAtSeconds: number;
  family: 'ipv4' | 'ipv6';
  mac: string | null;
  address: string;
  prefix: number;
  hostname: string | null;
  clientId: string | null;
}

export interface RawInterface {
  name: string;
  mac: string | null;
  addresses: { family: 'ipv4' | 'ipv6'; address: string; prefix: number }[];
}

export type Dispatch = (
  kind: 'settled' | 'lifecycle' | 'ioError' | 'closed',
  id: number,
  failure: LibvirtFailure | null,
  value: unknown,
) => void;

interface Binding {
  start(dispatch: Dispatch): void;
  open(
    connectionId: number,
    callId: number,
    uri: string,
    readOnly: boolean,
    keepAliveIntervalSeconds: number,
    keepAliveCount: number,
  ): void;
  call(connectionId: number, callId: number, operation: string, args: readonly unknown[]): void;
  abandon(connectionId: number, callId: number): boolean;
  close(connectionId: number, callId: number): void;
  sdNotify(socketPath: string, state: string): void;
  lockFile(path: string): number;
  unlockFile(descriptor: number): void;
  listenTcp(address: string, port: number, backlog: number): number;
  bindUdp(address: string, port: number): number;
  socketPort(descriptor: number): number;
}

/** The compiled addon, at the same place seen from `lib/` and from `dist/`. */
export const binding: Binding = load();

function load(): Binding {
  const path = '../build/Release/binding.node';
  try {
    return createRequire(import.meta.url)(path) as Binding;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `libvirt's native part cannot be loaded: ${reason}. Build it with: npm run build --workspace native`,
      {
        cause,
      },
    );
  }
}
