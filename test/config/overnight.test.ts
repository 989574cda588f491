import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { formatProblem } from '../../src/config/problem.js';

const BASE =
  '[settings]\nvac_space = vac01.example.com\n[machinetype a]\ntarget_share = 1\nroot_image = /a.img\nmachine_model = vm-raw\n';

function load(section: string) {
  return loadConfig([{ path: '/etc/vac.d/overnight.conf', text: `${BASE}${section}` }], {
    hostFqdn: 'desk1.example.com',
  });
}

function problems(section: string): string[] {
  const result = load(section);
  return [...(result.ok ? [] : result.errors), ...result.warnings].map((problem) =>
    formatProblem(problem).replace('/etc/vac.d/overnight.conf:', ''),
  );
}

describe('[overnight]', () => {
  it('is not there by itself', () => {
    const result = load('');
    expect(result.ok && result.config.overnight).toBeNull();
  });

  it('has defaults like those of HTCondor: 15 min idle, suspend at once, stop after 10 min', () => {
    const result = load('[overnight]\nwindows = mon-fri 19:00-07:30, sat,sun all\n');
    expect(result.ok && result.config.overnight).toMatchObject({
      use: 'windows-and-idle',
      timeZone: null,
      holidaysFile: null,
      startSpreadSeconds: 300,
      idleSeconds: 900,
      resumeIdleSeconds: 300,
      otherCpuPercent: 25,
      lockedCountsAsIdle: false,
      loginCountsAsUse: false,
      remoteSessionsCount: true,
      runOnBattery: false,
      runWithLidClosed: true,
      runOnMetered: false,
      onReturn: [
        { action: 'suspend', afterSeconds: 0 },
        { action: 'stop', afterSeconds: 600 },
      ],
      maxSuspensions: 20,
      maxSuspendedSeconds: 7200,
      memoryPercent: 50,
      quietCpuPercent: null,
      ownerGroup: null,
      notifyOwner: false,
    });
  });

  it.each([
    [
      'windows = mon-fri 19:00-27:30\n',
      '8: [overnight] windows = "mon-fri 19:00-27:30": at character 9, "19:00-27:30": "27:30" is no time of day from 00:00 to 24:00',
    ],
    [
      'idle_minutes = 10\n',
      '7: [overnight] nothing would ever start: use = windows-and-idle needs windows, such as "mon-fri 19:00-07:30, sat,sun all"',
    ],
    [
      'use = idle\nwindows = daily all\n',
      '9: [overnight] windows = "daily all": has no effect with use = idle; windows-and-idle or windows-or-idle is meant where windows should count',
    ],
    [
      'use = idle\nidle_minutes = 3\n',
      '9: [overnight] idle_minutes = "3": resume_idle_minutes is longer than idle_minutes: machines that were interrupted go on after idle_minutes',
    ],
    [
      'use = idle\non_return = suspend 0s, stop 2m\n',
      '9: [overnight] on_return = "suspend 0s, stop 2m": machines are stopped before they could go on: the time of stop is not above resume_idle_minutes',
    ],
    [
      'use = idle\ntime_zone = Moon/Tycho\n',
      '9: [overnight] time_zone = "Moon/Tycho": expected the name of a time zone, such as Europe/Berlin',
    ],
    ['use = idle\nidle_minuts = 3\n', '9: [overnight] idle_minuts: unknown option; did you mean idle_minutes?'],
  ])('%j', (section, problem) => {
    expect(problems(`[overnight]\n${section}`)[0]).toContain(problem);
  });

  it('is known by name only', () => {
    expect(problems('[overnight desk]\n')[0]).toMatch(/^7: \[overnight desk\] unknown section/);
  });
});
