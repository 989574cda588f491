import type { CallOptions } from './calls.js';
import { type AffectOptions, affectFlags } from './flags.js';
import { ForensicsCalls } from './forensics.js';
import type { RawParameter } from './native.js';

/** Calls that change a running domain's share of the host, and its clock. */
export abstract class TuningCalls extends ForensicsCalls {
  /** The scheduler's parameters under libvirt's names; 64-bit ones are bigint (virDomainGetSchedulerParametersFlags). */
  schedulerParameters(
    uuid: string,
    options: AffectOptions & CallOptions = {},
  ): Promise<Readonly<Record<string, RawParameter>>> {
    return this.call('schedulerParameters', [uuid, affectFlags(options)], options);
  }

  /**
   * Sets scheduler parameters by libvirt's names: QEMU has `cpu_shares`, `vcpu_period`, `vcpu_quota` and the same two
   * for `emulator_`, `global_` and `iothread_` (virDomainSetSchedulerParametersFlags). Fails with
   * VIR_ERR_ARGUMENT_UNSUPPORTED for one that the driver has not, and with VIR_ERR_OPERATION_INVALID on a host without
   * the cgroup controller.
   */
  async setSchedulerParameters(
    uuid: string,
    parameters: Readonly<Record<string, number>>,
    options: AffectOptions & CallOptions = {},
  ): Promise<void> {
    await this.call('setSchedulerParameters', [uuid, Object.entries(parameters), affectFlags(options)], options);
  }

  /**
   * Caps each virtual processor to `quotaMicroseconds` in each `periodMicroseconds` (1,000 to 1,000,000). A quota of -1
   * lifts the cap.
   */
  setVcpuBandwidth(
    uuid: string,
    bandwidth: { readonly periodMicroseconds: number; readonly quotaMicroseconds: number },
    options: AffectOptions & CallOptions = {},
  ): Promise<void> {
    const parameters = { vcpu_period: bandwidth.periodMicroseconds, vcpu_quota: bandwidth.quotaMicroseconds };
    return this.setSchedulerParameters(uuid, parameters, options);
  }

  /** The domain's weight for the host's disks, 100 to 1000 (virDomainSetBlkioParameters). */
  async setBlkioWeight(uuid: string, weight: number, options: AffectOptions & CallOptions = {}): Promise<void> {
    await this.call('setBlkioWeight', [uuid, weight, affectFlags(options)], options);
  }

  /** Moves the balloon: the guest is asked to keep this much memory (virDomainSetMemoryFlags). */
  async setMemory(uuid: string, memoryKiB: number, options: AffectOptions & CallOptions = {}): Promise<void> {
    await this.call('setMemory', [uuid, memoryKiB, affectFlags(options)], options);
  }

  /**
   * Sets the guest's clock by its agent, to Unix time in seconds, or by `sync` from its hardware clock, as after a long
   * suspend (virDomainSetTime).
   */
  async setDomainTime(uuid: string, time: number | 'sync', options: CallOptions = {}): Promise<void> {
    const seconds = time === 'sync' ? 0 : Math.floor(time);
    const nanoseconds = time === 'sync' ? 0 : Math.floor((time - seconds) * 1e9);
    await this.call('setDomainTime', [uuid, seconds, nanoseconds, time === 'sync' ? 1 : 0], options);
  }

  /**
   * For how long libvirt waits for the guest's agent, of each of its answers; without this one that hangs holds a worker of
   * libvirtd for good (virDomainAgentSetResponseTimeout, libvirt 5.10). It stays until the domain ends.
   */
  async setAgentResponseTimeout(uuid: string, seconds: number, options: CallOptions = {}): Promise<void> {
    await this.call('setAgentResponseTimeout', [uuid, seconds, 0], options);
  }
}
