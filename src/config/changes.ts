/** What is different between two configurations, and which of it a running vacd can take into use. */
import { isDeepStrictEqual } from 'node:util';
import type { SETTINGS_OPTIONS } from './settings-options.js';
import { type Config, deepFreeze, type Settings } from './types.js';

/** Whether two configurations say the same, wherever and in whatever spelling it is written. */
export function sameConfig(a: Config, b: Config): boolean {
  const said = ({ settings, machinetypes, vacuumPipes, overnight }: Config) => [
    settings,
    machinetypes,
    vacuumPipes,
    overnight,
  ];
  return isDeepStrictEqual(said(a), said(b));
}

/** Names of the options whose table entry has `atRestart`. */
type RestartOption = {
  [K in keyof typeof SETTINGS_OPTIONS]: (typeof SETTINGS_OPTIONS)[K] extends { readonly atRestart: true } ? K : never;
}[keyof typeof SETTINGS_OPTIONS];

const SETTING_OF = {
  root_public_key: 'rootPublicKeyPath',
  libvirt_uri: 'libvirtUri',
  nfs: 'nfs',
  syslog: 'syslog',
  syslog_days: 'syslogDays',
  syslog_mb: 'syslogMegabytes',
  syslog_relp: 'syslogRelp',
  syslog_forward: 'syslogForward',
  share_half_life_hours: 'shareHalfLifeHours',
  flow_log: 'flowLog',
  flow_log_days: 'flowLogDays',
  flow_log_mb: 'flowLogMb',
} as const satisfies Record<RestartOption, keyof Settings>;

/**
 * The changed configuration as a running vacd can use it: options that take effect only at its next start keep the
 * values that they have in the running one. `kept` names those that differ.
 */
export function withRestartOptionsOf(changed: Config, running: Config): { config: Config; kept: string[] } {
  const options = Object.keys(SETTING_OF) as RestartOption[];
  const kept = options.filter(
    (option) => !isDeepStrictEqual(changed.settings[SETTING_OF[option]], running.settings[SETTING_OF[option]]),
  );
  const settings = { ...changed.settings };
  for (const option of kept) Object.assign(settings, { [SETTING_OF[option]]: running.settings[SETTING_OF[option]] });
  return { config: deepFreeze({ ...changed, settings }), kept };
}
