/**
 * The configuration of our rsyslogd, from the template `etc/rsyslog/relay.conf` that is installed with the program. What it
 * says is decided there; here values are put in, and blocks that do not apply are left out.
 */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Beside `src/` in a checkout and `dist/` in an installed copy. */
const TEMPLATE = fileURLToPath(new URL('../../etc/rsyslog/relay.conf', import.meta.url));

/** What a line may have; what is longer goes on in a line of its own. */
export const MAX_LINE_BYTES = 8192;
/** More than the slots of a hypervisor, so that no file is opened and closed for every line. */
const OPEN_FILES = 512;
/** Between two writings of rsyslogd's counters. */
const STATISTICS_SECONDS = 10;

export interface RelayConfig {
  /** `<state directory>/syslog`. */
  readonly directory: string;
  readonly logs: string;
  readonly address: string;
  readonly port: number;
  /** null: no RELP. */
  readonly relpPort: number | null;
  /** Whether lines are kept for a collector too. */
  readonly forward: boolean;
  readonly factory: string;
  readonly space: string;
}

/** The text of the configuration. */
export async function renderRelayConfig(wish: RelayConfig): Promise<string> {
  return fillTemplate(
    await readFile(TEMPLATE, 'utf8'),
    {
      DIRECTORY: wish.directory,
      LOGS: wish.logs,
      ADDRESS: wish.address,
      PORT: String(wish.port),
      RELP_PORT: String(wish.relpPort ?? ''),
      FACTORY: wish.factory,
      SPACE: wish.space,
      LINE_BYTES: String(MAX_LINE_BYTES),
      OPEN_FILES: String(OPEN_FILES),
      STATISTICS_SECONDS: String(STATISTICS_SECONDS),
    },
    { RELP: wish.relpPort !== null, FORWARD: wish.forward },
  );
}

/**
 * Puts values in place of `@NAME@`, quoted for strings of rsyslog's, and drops lines that begin with `##` and the lines of
 * blocks `@if NAME` … `@end` whose condition does not hold. Throws for a name that is not known: the template is ours.
 */
export function fillTemplate(
  template: string,
  values: Readonly<Record<string, string>>,
  conditions: Readonly<Record<string, boolean>>,
): string {
  const known = <T>(table: Readonly<Record<string, T>>, name: string): T => {
    if (!Object.hasOwn(table, name)) throw new Error(`relay.conf: ${name} is not known`);
    return table[name]!;
  };
  let isKept = true;
  const lines = template.split('\n').filter((line) => {
    const condition = /^@if ([A-Z]+)$/.exec(line);
    if (condition !== null) isKept = known(conditions, condition[1]!);
    else if (line === '@end') isKept = true;
    else return isKept && !line.startsWith('##');
    return false;
  });
  return lines.join('\n').replace(/@([A-Z_]+)@/g, (_, name: string) => quoted(known(values, name)));
}

/** For a double-quoted string. */
function quoted(text: string): string {
  return text.replace(/[\\"]/g, '\\$&');
}
