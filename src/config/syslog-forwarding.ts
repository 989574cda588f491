/** The options `syslog_forward…` of `[settings]` as one thing, and what of them does not fit together. */

import type { SectionValues } from './section-values.js';
import type { SETTINGS_OPTIONS } from './settings-options.js';
import type { SyslogForwarding } from './types.js';

/** null: lines stay on this host. Says what is wrong by `demand` and `advise`. */
export function syslogForwarding({
  values,
  demand,
  advise,
}: SectionValues<typeof SETTINGS_OPTIONS>): SyslogForwarding | null {
  const collector = values.syslog_forward;
  const tlsOptions = {
    syslog_forward_ca: values.syslog_forward_ca,
    syslog_forward_cert: values.syslog_forward_cert,
    syslog_forward_key: values.syslog_forward_key,
    syslog_forward_peer: values.syslog_forward_peer,
  };
  const given = (Object.keys(tlsOptions) as (keyof typeof tlsOptions)[]).filter((name) => tlsOptions[name] !== null);
  for (const name of given) {
    advise(collector !== null, [name, 'syslog_forward'], 'has no effect without syslog_forward');
    demand(
      collector === null || collector.protocol === 'tls' || collector.protocol === 'relps',
      [name, 'syslog_forward'],
      `is of TLS, and syslog_forward is ${collector?.protocol}://…: write tls:// or relps://, or take this option away`,
    );
  }
  demand(
    values.syslog_forward_key === null || values.syslog_forward_cert !== null,
    ['syslog_forward_key', 'syslog_forward_cert'],
    'is the key of no certificate: give syslog_forward_cert as well',
  );
  advise(
    collector === null || values.syslog !== null,
    ['syslog_forward', 'syslog'],
    'has no effect, because syslog is empty: no lines are received',
  );
  if (collector === null) return null;
  return {
    collector,
    caPath: values.syslog_forward_ca,
    certPath: values.syslog_forward_cert,
    keyPath: values.syslog_forward_key,
    peer: values.syslog_forward_peer,
    maxMegabytes: values.syslog_forward_mb,
  };
}
