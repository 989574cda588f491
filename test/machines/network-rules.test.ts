import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ContainmentWish, DROP_REASONS, slotCounter, slotOfCounter } from '../../src/machines/containment-wish.js';
import { slotDevice, slotIp, slotMac } from '../../src/machines/layout.js';
import { changingRules, standingRules } from '../../src/machines/network-rules.js';
import { testWish } from './containment-wish.js';

function wish(changes: Partial<ContainmentWish> = {}): ContainmentWish {
  const syslog = {
    udpPort: 514,
    tcpPorts: [514, 20514],
    datagrams: { perSecond: 200, burst: 5000 },
    bytes: { perSecond: 262_144, burst: 1_048_576 },
    maxConnections: 8,
  };
  return testWish({ syslog, ...changes });
}

/** Members of a set or map, by name. */
function membersOf(rules: string, name: string): string[] {
  const [, body = ''] = new RegExp(`(?:set|map) ${name} \\{.*?elements = \\{(.*?)\\}`, 's').exec(rules) ?? [];
  return body
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

describe('standingRules', () => {
  it('are what was reviewed for two slots', () => {
    expect(standingRules(wish())).toMatchSnapshot();
  });

  it('open less where there is no NFS, and no receiver of syslog', () => {
    const services = standingRules(wish({ hasNfs: false, syslog: null }));
    for (const port of ['2049', '20048', '111', '514'])
      expect(services).not.toMatch(new RegExp(`dport.*\\b${port}\\b`));
  });

  it('hold the triple of each slot and of each former port, and nothing else', () => {
    const ports = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 9999 }), fc.nat()), {
      selector: ([n]) => n,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), ports, (slots, former) => {
        const formerPorts = former.map(([number, slot]) => ({ device: `vnet${number}`, slot: slot % slots }));
        const rules = standingRules(wish({ slots, formerPorts }));
        const all = [
          ...Array.from({ length: slots }, (_, slot) => ({ device: slotDevice(slot), slot })),
          ...formerPorts,
        ];
        const mac = (slot: number) => slotMac(slot).toLowerCase();
        expect(membersOf(rules, 'slots')).toEqual(
          all.map(({ device, slot }) => `"${device}" . ${mac(slot)} . ${slotIp(slot)}`),
        );
        expect(membersOf(rules, 'macs')).toEqual(all.map(({ device, slot }) => `"${device}" . ${mac(slot)}`));
        expect(membersOf(rules, 'dhcp_of')).toEqual(all.map(({ device, slot }) => `"${device}" : goto dhcp_${slot}`));
      }),
      { numRuns: 30 },
    );
  });

  it('name no counter that has no meaning, and give each a place', () => {
    const used = new Set([...standingRules(wish()).matchAll(/counter name "?([a-z_]+)/g)].map(([, name]) => name!));
    used.add('egress');
    expect([...used].filter((name) => name !== 'iifname' && name !== 'ip').sort()).toEqual(
      Object.keys(DROP_REASONS).sort(),
    );
  });
});

describe('changingRules', () => {
  it('cut off the port of a machine in quarantine, whatever its name', () => {
    const rules = changingRules(wish({ isolatedSlots: [1, 0], formerPorts: [{ device: 'vnet7', slot: 1 }] }));
    expect(rules).toBe(`flush set bridge vac isolated
add element bridge vac isolated { "vac-p0" }
add element bridge vac isolated { "vac-p1" }
add element bridge vac isolated { "vnet7" }
flush map inet vac egress_of
`);
  });

  it('take away the chains that were there, and make those that are wanted', () => {
    const egress = new Map([[3, { deny: ['10.0.0.0/8'], allow: [] }]]);
    expect(changingRules(wish({ slots: 4, egress }), [1, 3])).toBe(`flush set bridge vac isolated
flush map inet vac egress_of
flush chain inet vac egress_1
delete chain inet vac egress_1
flush chain inet vac egress_3
delete chain inet vac egress_3
add chain inet vac egress_3
add rule inet vac egress_3 ip daddr 10.0.0.0/8 counter name egress goto dropped
add element inet vac egress_of { 169.254.169.3 : jump egress_3 }
`);
  });
});

describe('the counter of a slot', () => {
  it('has a name that tells the slot', () => {
    expect(slotOfCounter(slotCounter(17))).toBe(17);
    expect(slotOfCounter('spoofed_ip')).toBeNull();
  });
});
