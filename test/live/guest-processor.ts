/** Which processor the guests of tests have: what is emulated costs time, of which a small host has little. */

import { readFileSync } from 'node:fs';

const isEmulated = !/^flags\s*:.* (vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));

/**
 * Options of a machinetype. QEMU's largest processor, which machines have otherwise without KVM, takes a fifth more time to
 * emulate than its plain one: page tables of five levels, wide registers.
 */
export const GUEST_PROCESSOR: Readonly<Record<string, string>> = isEmulated ? { cpu_mode: 'qemu64' } : {};
