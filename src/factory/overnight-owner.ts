/**
 * What speaks against machines now, from what the sensors say: the owner, his work, the state of the host. What is not
 * known speaks against them too (SPEC 12), with what to do about it.
 */

import type {
  OvernightBlocker,
  OvernightConfig,
  OvernightPause,
  OwnerFacts,
  OwnerSource,
  Sensed,
} from './overnight-types.js';

/** Why something is not known in the first seconds of a vacd: no fault, unlike all other reasons. */
export const NOT_LOOKED_AT_YET = 'not looked at yet';

/** A moment in the words of the host's people, as `08:12`. */
export type SayTime = (seconds: number) => string;

/** Input at some place within so many seconds. Told by ages, so it needs no patience of its own. */
export function inputBlockers(
  facts: OwnerFacts,
  config: OvernightConfig,
  idleSeconds: number,
  say: SayTime,
): OvernightBlocker[] {
  return counted(facts, config).flatMap((source) => {
    if ('unknown' in source.idleForSeconds || source.idleForSeconds.value >= idleSeconds) return [];
    return [{ code: 'owner', reason: activeReason(source, source.idleForSeconds.value, say) }];
  });
}

/** The shortest time since input at any place that counts; null: none is known. */
export function idleForSeconds(facts: OwnerFacts, config: OvernightConfig): number | null {
  const ages = counted(facts, config).flatMap(({ idleForSeconds: idle }) => ('value' in idle ? [idle.value] : []));
  return ages.length === 0 ? null : Math.min(...ages);
}

/** What to do about a host that has no owner to look at. */
const NOBODY_SITS_HERE = 'use = windows if nobody sits at this host';

/** What else tells of an owner at work: logins, other programs, and what of it is not known. */
export function presenceBlockers(facts: OwnerFacts, config: OvernightConfig): OvernightBlocker[] {
  const blockers: OvernightBlocker[] = [];
  const add = (code: OvernightBlocker['code'], reason: string) => blockers.push({ code, reason });
  if ('unknown' in facts.sources) {
    add('unknown', `who uses this host is not known (${facts.sources.unknown}); ${NOBODY_SITS_HERE}`);
  } else if (facts.sources.value.length === 0) {
    add('unknown', `no seat or terminal was found by which use could be told; ${NOBODY_SITS_HERE}`);
  }
  for (const { name, user, idleForSeconds: idle } of counted(facts, config)) {
    if ('unknown' in idle) add('unknown', `idle time of ${name} is not known (${idle.unknown}); ${NOBODY_SITS_HERE}`);
    if (config.loginCountsAsUse && user !== null) add('owner', `${user} is logged in on ${name}`);
  }
  if (config.otherCpuPercent < 100) {
    const cpu = facts.otherCpuPercent;
    if ('unknown' in cpu) {
      add(
        'unknown',
        `CPU use of other programs is not known (${cpu.unknown}); other_cpu_percent = 100 if it does not matter`,
      );
    } else if (cpu.value > config.otherCpuPercent) {
      const percent = cpu.value < 10 ? cpu.value.toFixed(1) : Math.round(cpu.value);
      add(
        'other-cpu',
        `other programs use ${percent} % of the CPU, over other_cpu_percent = ${config.otherCpuPercent}`,
      );
    }
  }
  return blockers;
}

/** What forbids machines whether or not anybody is there. */
export function hostBlockers(
  facts: OwnerFacts,
  config: OvernightConfig,
  pause: OvernightPause | null,
  nowSeconds: number,
  say: SayTime,
): OvernightBlocker[] {
  const blockers: OvernightBlocker[] = [];
  if (pause !== null && nowSeconds < pause.untilSeconds) {
    blockers.push({ code: 'paused', reason: `paused by ${pause.who} until ${say(pause.untilSeconds)}` });
  }
  const demand = (
    isAllowed: boolean,
    fact: Sensed<boolean>,
    wanted: boolean,
    code: 'battery' | 'lid' | 'metered',
    [what, is, option]: readonly [string, string, string],
  ) => {
    if (isAllowed) return;
    if ('unknown' in fact) {
      const reason = `${what} is not known (${fact.unknown}); ${option} = yes if it does not matter`;
      blockers.push({ code: 'unknown', reason });
    } else if (fact.value !== wanted) blockers.push({ code, reason: `${is}, and ${option} = no` });
  };
  demand(config.runOnBattery, facts.onMains, true, 'battery', [
    'whether it is on mains power',
    'on battery',
    'run_on_battery',
  ]);
  demand(config.runWithLidClosed, facts.lidClosed, false, 'lid', [
    'whether the lid is closed',
    'the lid is closed',
    'run_with_lid_closed',
  ]);
  demand(config.runOnMetered, facts.metered, false, 'metered', [
    'whether the network is metered',
    'the network is metered',
    'run_on_metered',
  ]);
  return blockers;
}

function counted(facts: OwnerFacts, config: OvernightConfig): readonly OwnerSource[] {
  if ('unknown' in facts.sources) return [];
  return facts.sources.value.filter(({ kind, locked }) => {
    if (kind === 'remote' && !config.remoteSessionsCount) return false;
    return !(config.lockedCountsAsIdle && 'value' in locked && locked.value);
  });
}

function activeReason({ name, user, activeSinceSeconds }: OwnerSource, idle: number, say: SayTime): string {
  const who = user ?? 'owner';
  // Since when is only told of use that goes on.
  if (idle < 60 && activeSinceSeconds !== null) return `${who} active on ${name} since ${say(activeSinceSeconds)}`;
  return idle < 60 ? `${who} active on ${name}` : `${who} was active on ${name} ${Math.floor(idle / 60)} min ago`;
}
