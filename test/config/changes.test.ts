import { describe, expect, it } from 'vitest';
import { sameConfig, withRestartOptionsOf } from '../../src/config/changes.js';
import { loadConfig } from '../../src/config/load.js';
import { OPTION_TABLES } from '../../src/config/options.js';
import type { Config } from '../../src/config/types.js';

const SETTINGS = '[settings]\nvac_space = vac01.example.com\n';
const TYPE = '[machinetype a]\nroot_image = /a\n';

function config(...texts: string[]): Config {
  const files = texts.map((text, index) => ({ path: `/etc/${index}.conf`, text }));
  const result = loadConfig(files, { hostFqdn: 'node1.example.com' });
  expect(result.ok).toBe(true);
  return (result as { config: Config }).config;
}

describe('configurations are the same', () => {
  const one = config(`${SETTINGS}mb_per_processor = 1\nuser_data_option_a = 1\nuser_data_option_b = 2\n${TYPE}`);
  it.each<[string, string[]]>([
    [
      'on other lines',
      [`# x\n\n${SETTINGS}user_data_option_b = 2\nuser_data_option_a = 1\nmb_per_processor=1\n${TYPE}`],
    ],
    [
      'in other files and spellings',
      [SETTINGS, '[settings]\nmb_per_cpu = 01\nuser_data_option_a = 1\nuser_data_option_b = 2\n', TYPE],
    ],
  ])('%s', (_how, texts) => {
    expect(sameConfig(one, config(...texts))).toBe(true);
  });

  it.each([
    `${SETTINGS}mb_per_processor = 2\nuser_data_option_a = 1\nuser_data_option_b = 2\n${TYPE}`,
    `${SETTINGS}mb_per_processor = 1\nuser_data_option_a = 1\nuser_data_option_b = 2\n${TYPE}backoff_seconds = 5\n`,
    `${SETTINGS}mb_per_processor = 1\nuser_data_option_a = 1\nuser_data_option_b = 2\n${TYPE}[vacuum_pipe p]\nvacuum_pipe_url = http://x.example/\n`,
  ])('but not with another option: %j', (text) => {
    expect(sameConfig(one, config(text))).toBe(false);
  });
});

describe('options that wait for the next start', () => {
  const running = config(`${SETTINGS}${TYPE}`);

  it('keep their running values, and are named', () => {
    const changed = config(
      `${SETTINGS}draining = yes\nlibvirt_uri = test:///default\nnfs = none\nsyslog = log.example.com:514\nroot_public_key = /k\nshare_half_life_hours = 72\n${TYPE}`,
    );
    const { config: usable, kept } = withRestartOptionsOf(changed, running);
    expect(kept.sort()).toEqual(['libvirt_uri', 'nfs', 'root_public_key', 'share_half_life_hours', 'syslog']);
    expect(usable).toEqual({ ...changed, settings: { ...running.settings, draining: true } });
    expect(() => Object.assign(usable.settings, { draining: false })).toThrow(TypeError);
  });

  it('are those that the table marks', () => {
    const marked = Object.keys(OPTION_TABLES.settings).filter((name) => OPTION_TABLES.settings[name]?.atRestart);
    expect(marked.sort()).toEqual([
      'flow_log',
      'flow_log_days',
      'flow_log_mb',
      'libvirt_uri',
      'nfs',
      'root_public_key',
      'share_half_life_hours',
      'syslog',
      'syslog_days',
      'syslog_forward',
      'syslog_mb',
      'syslog_relp',
    ]);
  });

  it('are not named when they stay as they are, however written', () => {
    const changed = config(`${SETTINGS}syslog = 169.254.169.254:0514\nnfs = auto\ndraining = yes\n${TYPE}`);
    expect(withRestartOptionsOf(changed, running)).toEqual({ config: changed, kept: [] });
  });
});
